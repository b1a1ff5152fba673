# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The module python_env with the real uv and pip, on wheels that the tests pack themselves: no network is used."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lab.llm_stack.plugins.filter import environment_digest as digest_filter
from ansible_collections.lab.llm_stack.plugins.module_utils import _python_env
from ansible_collections.lab.llm_stack.plugins.modules import python_env

PYTHON = os.path.realpath(sys.executable)
UV = shutil.which("uv", path=os.path.dirname(sys.executable)) or shutil.which("uv")

Run = Callable[..., dict]


class Wheelhouse:
    """A directory of tiny wheels, and the lock lines that belong to them."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory

    def add(self, name: str, version: str, files: dict[str, str] | None = None, requires: str = "") -> str:
        """Pack a wheel and return its line of a lock."""
        info = f"{name}-{version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata += f"Requires-Dist: {requires}\n" if requires else ""
        content = {
            f"{name}/__init__.py": f"VERSION = '{version}'\n",
            **(files or {}),
            f"{info}/METADATA": metadata,
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": f"[console_scripts]\n{name}-hello = {name}:VERSION.upper\n",
        }
        record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in content.items())
        path = self.directory / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            for member, text in {**content, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
                entry = zipfile.ZipInfo(member)
                entry.external_attr = (0o100755 if "/scripts/" in member else 0o100644) << 16
                wheel.writestr(entry, text)
        return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"

    def add_source(self, name: str, version: str) -> str:
        """Pack a source distribution that notes CMAKE_ARGS when it is built, and return its line of a lock."""
        top = f"{name}-{version}"
        backend = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        content = {
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "pyproject.toml": f'{backend}[project]\nname = "{name}"\nversion = "{version}"\n',
            "backend.py": BACKEND.format(name=name, version=version),
        }
        path = self.directory / f"{top}.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for member, text in content.items():
                entry = tarfile.TarInfo(f"{top}/{member}")
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))
        return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


BACKEND = """
import os, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name, version = "{name}", "{version}"
    wheel = f"{{name}}-{{version}}-py3-none-any.whl"
    info = f"{{name}}-{{version}}.dist-info"
    with zipfile.ZipFile(os.path.join(directory, wheel), "w") as archive:
        archive.writestr(f"{{name}}.py", f"BUILT = {{os.environ.get('CMAKE_ARGS')!r}}")
        archive.writestr(f"{{info}}/METADATA", f"Metadata-Version: 2.1\\nName: {{name}}\\nVersion: {{version}}\\n")
        archive.writestr(f"{{info}}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(f"{{info}}/RECORD", "")
    return wheel
"""


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def wheels(tmp_path: Path) -> Wheelhouse:
    return Wheelhouse(tmp_path / "wheels")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "share" / "envs"


@pytest.fixture
def run(root: Path, wheels: Wheelhouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the module and return its result; by default with the uv of the tests and the wheels of this test."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    defaults = {"name": "demo", "root": str(root), "python": PYTHON, "find_links": str(wheels.directory), "uv": UV}

    def call(requirements: str | None = None, check: bool = False, **options: object) -> dict:
        arguments = {**defaults, "requirements": requirements, **options}
        given = {name: value for name, value in arguments.items() if value is not None}
        given = {**given, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(given), pytest.raises(SystemExit):
            python_env.main()
        return json.loads(capsys.readouterr().out)

    return call


def kinds(result: dict) -> list[str]:
    return [item["kind"] for item in result["items"]]


def names(directory: Path) -> list[str]:
    return sorted(os.listdir(directory)) if directory.exists() else []


def test_an_environment_is_predicted_made_and_then_left_alone(run: Run, wheels: Wheelhouse, root: Path) -> None:
    lock = wheels.add("alpha", "1.0")
    predicted = run(lock, check=True)
    assert (predicted["changed"], names(root.parent)) == (True, [])
    made = run(lock)
    assert {key: made[key] for key in ("changed", "items", "diff", "digest")} == {
        key: predicted[key] for key in ("changed", "items", "diff", "digest")
    }
    assert made["diff"] == [
        {
            "before_header": f"{root}/demo/(none)",
            "after_header": made["path"],
            "before": "",
            "after": "alpha==1.0\n",
        }
    ]
    assert names(root / "demo") == sorted([made["digest"], "current"])
    for check in (True, False):
        again = run(lock, check=check)
        assert (again["changed"], again["items"], again["diff"]) == (False, [], [])


def test_what_was_made_runs_from_its_place_and_through_the_link(run: Run, wheels: Wheelhouse, root: Path) -> None:
    made = run(wheels.add("alpha", "1.0"))
    command = [f"{root}/demo/current/bin/python", "-c", "import alpha, sys; print(alpha.VERSION, sys.prefix)"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0] == "1.0"
    script = Path(made["path"], "bin", "alpha-hello")
    assert subprocess.run([script], capture_output=True, text=True, check=False).stderr.strip() == "1.0"
    assert not [path for path in Path(made["path"]).rglob("*") if _mentions(path, b".tmp/bin")]
    assert list(Path(made["path"]).rglob("alpha/__pycache__/*.pyc"))


def _mentions(path: Path, text: bytes) -> bool:
    return path.is_file() and path.name != "uv" and text in path.read_bytes()


def test_a_new_lock_is_built_beside_the_old_one_which_stays(run: Run, wheels: Wheelhouse, root: Path) -> None:
    locks = [wheels.add("alpha", version) for version in ("1.0", "2.0", "3.0")]
    first, second = run(locks[0]), run(locks[1])
    assert second["diff"][0]["before"] == "alpha==1.0\n"
    assert second["diff"][0]["after"] == "alpha==2.0\n"
    assert names(root / "demo") == sorted([first["digest"], second["digest"], "current"])
    third = run(locks[2])
    assert kinds(third) == ["environment", "current-link", "surplus-environment"]
    assert names(root / "demo") == sorted([second["digest"], third["digest"], "current"])
    assert os.readlink(root / "demo" / "current") == third["digest"]


def built_with(result: dict) -> str:
    command = [f"{result['path']}/bin/python", "-c", "import native; print(native.BUILT)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_variables_of_a_build_reach_it_and_tell_environments_apart(run: Run, wheels: Wheelhouse) -> None:
    lock = wheels.add_source("native", "1.0")
    assert "Provide a wheel, or name the package in allow_source" in run(lock)["msg"]
    on_the_card = run(lock, allow_source=["native"], build={"CMAKE_ARGS": "-DGGML_CUDA=on"})
    plain = run(lock, allow_source=["native"], build={"CMAKE_ARGS": "-DGGML_CUDA=off"})
    assert (built_with(on_the_card), built_with(plain)) == ("-DGGML_CUDA=on", "-DGGML_CUDA=off")
    digest = digest_filter.FilterModule().filters()["environment_digest"]
    assert plain["digest"] == digest(lock, PYTHON, {"CMAKE_ARGS": "-DGGML_CUDA=off"}) != on_the_card["digest"]
    assert run(lock, allow_source=["native"], build={"CMAKE_ARGS": "-DGGML_CUDA=off"})["changed"] is False


def test_going_back_is_a_switch(run: Run, wheels: Wheelhouse, root: Path) -> None:
    locks = [wheels.add("alpha", version) for version in ("1.0", "2.0")]
    first = run(locks[0])
    run(locks[1])
    shutil.rmtree(wheels.directory)
    back = run(locks[0], find_links=None, index_url="http://127.0.0.1:9/simple")
    assert kinds(back) == ["current-link"]
    assert os.readlink(root / "demo" / "current") == first["digest"]


def test_what_is_in_use_stays(run: Run, wheels: Wheelhouse, root: Path) -> None:
    first = run(wheels.add("alpha", "1.0"))
    second = run(wheels.add("alpha", "2.0"), keep=0, in_use=[first["path"]])
    assert kinds(second) == ["environment", "current-link"]
    assert names(root / "demo") == sorted([first["digest"], second["digest"], "current"])


@pytest.mark.parametrize(
    ("damage", "actual"),
    [
        pytest.param(
            lambda site: (site / "evil.pth").write_text("import os"),
            "holds the start-up file evil.pth, which the lock did not install",
            id="a file that runs at every start",
        ),
        pytest.param(
            lambda site: shutil.rmtree(site / "alpha-1.0.dist-info"),
            "has lost the distribution alpha-1.0",
            id="a distribution was removed",
        ),
        pytest.param(
            lambda site: (site.parents[2] / _python_env.MARKER).unlink(),
            "is incomplete: it has no readable marker, so a run was cut short or it is not one of ours",
            id="a run was killed before the end",
        ),
    ],
)
def test_a_damaged_environment_is_named_and_made_anew(
    run: Run, wheels: Wheelhouse, damage: Callable[[Path], object], actual: str
) -> None:
    lock = wheels.add("alpha", "1.0")
    made = run(lock)
    damage(next(Path(made["path"]).glob("lib/python*/site-packages")))
    predicted = run(lock, check=True)
    assert [(item["kind"], item["actual"]) for item in predicted["items"]] == [("environment", actual)]
    assert run(lock)["items"] == predicted["items"]
    assert run(lock)["changed"] is False


def test_what_a_killed_run_left_is_swept(run: Run, wheels: Wheelhouse, root: Path) -> None:
    lock = wheels.add("alpha", "1.0")
    made = run(lock)
    (root / "demo" / ".llm-stack-0123456789abcdef.tmp" / "bin").mkdir(parents=True)
    assert kinds(run(lock, check=True)) == ["leftover"]
    assert kinds(run(lock)) == ["leftover"]
    assert names(root / "demo") == sorted([made["digest"], "current"])


def test_everything_wrong_with_a_lock_is_told_before_anything_changes(run: Run, root: Path) -> None:
    refused = run("litellm==1.82.8 --hash=sha256:" + "a" * 64 + "\nalpha>=1\n-r more.txt\n", floor={"x": "1"})
    assert refused["msg"].splitlines()[0] == "3 problems in 1 variable. Nothing was changed on any host."
    assert [line.split(":")[0] for line in refused["msg"].splitlines() if line.startswith("req")] == [
        "requirements[1]",
        "requirements[2]",
        "requirements[3]",
    ]
    assert names(root.parent) == []


def test_the_deny_list_is_longer_with_the_users_and_never_shorter(run: Run, wheels: Wheelhouse) -> None:
    refused = run(wheels.add("alpha", "1.0"), deny={"alpha": ["1.0"], "litellm": []})
    assert "'alpha==1.0' is on the deny list" in refused["msg"]
    refused = run("litellm==1.82.7 --hash=sha256:" + "a" * 64, deny={"litellm": []})
    assert "'litellm==1.82.7' is on the deny list" in refused["msg"]


@pytest.mark.parametrize(
    ("lock", "message"),
    [
        pytest.param(
            "alpha==1.0 --hash=sha256:" + "a" * 64,
            "The environment demo was not installed: alpha==1.0 from the wheel directory {wheels} "
            "is not the file of the lock.\n    expected sha256 " + "a" * 64 + "\n    found    sha256 {found}\n"
            "    Find out why before you install it: the source may serve a replaced file. Or make the lock again.\n"
            "    {old} stays the current environment.",
            id="another file than the locked one",
        ),
        pytest.param(
            "beta==1.0 --hash=sha256:" + "a" * 64,
            "The environment demo was not installed: beta was not found in the wheel directory {wheels}.\n"
            "    Add its wheel to the directory.\n"
            "    {old} stays the current environment.",
            id="a wheel that is not there",
        ),
    ],
)
def test_a_failure_leaves_the_old_environment_and_nothing_else(
    run: Run, wheels: Wheelhouse, root: Path, lock: str, message: str
) -> None:
    locked = wheels.add("alpha", "1.0")
    old = run(locked)
    before = names(root / "demo")
    failed = run(lock)
    found = locked.rpartition(":")[2].strip()
    assert failed["msg"] == message.format(wheels=wheels.directory, old=old["digest"], found=found)
    assert (names(root / "demo"), os.readlink(root / "demo" / "current")) == (before, old["digest"])
    assert run(locked)["changed"] is False


def test_a_lock_that_is_not_closed_is_refused(run: Run, wheels: Wheelhouse) -> None:
    wheels.add("beta", "1.0")
    failed = run(wheels.add("alpha", "1.0", requires="beta"))
    assert "the lock lacks beta, which one of its packages needs." in failed["msg"]


def test_a_package_that_leaves_the_known_mark_is_not_installed(run: Run, wheels: Wheelhouse, root: Path) -> None:
    failed = run(wheels.add("alpha", "1.0", {"litellm_init.pth": "import alpha\n"}))
    assert failed["msg"] == (
        "The environment demo was not installed: it holds litellm_init.pth, the mark of a malicious LiteLLM release; "
        "treat this account's secrets as stolen.\n    Nothing was changed."
    )
    assert names(root / "demo") == []


def test_an_unreachable_mirror_is_named_with_what_to_change(
    run: Run, wheels: Wheelhouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    failed = run(wheels.add("alpha", "1.0"), find_links=None, index_url="http://127.0.0.1:9/simple")
    assert failed["msg"] == (
        "The environment demo was not installed: the index http://127.0.0.1:9/simple could not be reached "
        "(Connection refused (os error 111)).\n"
        "    Set index_url to an index or mirror that this host reaches, "
        "or find_links to a directory of wheels on it.\n"
        "    Nothing was changed."
    )


def test_what_the_host_lacks_is_told_at_once(run: Run, wheels: Wheelhouse, root: Path) -> None:
    lock = wheels.add("alpha", "1.0")
    refused = run(lock, python="/no/python", uv="/no/uv", find_links="/no/wheels")
    assert refused["msg"] == (
        "3 problems in 3 variables. Nothing was changed on any host.\n\n"
        "python: '/no/python' is no interpreter on this host.\n"
        "    Install one (Debian: apt install python3 python3-venv), or name another.\n"
        "uv: '/no/uv' is no program on this host.\n"
        "    Remove the option to let uv be fetched.\n"
        "find_links: '/no/wheels' is no directory on this host.\n"
        "    Copy the wheels there first."
    )
    assert names(root.parent) == []


def test_without_ensurepip_the_missing_package_is_named(run: Run, wheels: Wheelhouse, tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    refused = run(wheels.add("alpha", "1.0"), python=str(python), uv=None, check=True)
    assert refused["msg"].endswith(
        f"python: '{python}' has no ensurepip, which is needed to fetch uv.\n"
        "    Debian and Ubuntu keep it apart: apt install python3-venv\n"
        "    Or set uv to a uv of the host."
    )


def test_a_password_in_an_address_is_refused_and_not_shown(run: Run, wheels: Wheelhouse) -> None:
    refused = run(wheels.add("alpha", "1.0"), find_links=None, index_url="https://me:canary@mirror.example.org/simple")
    assert "index_url: holds a user name or a password." in refused["msg"]
    assert "canary" not in refused["msg"]


def test_uv_itself_comes_hash_locked_from_the_same_source(run: Run, wheels: Wheelhouse, root: Path) -> None:
    """The wheel stands in for uv: it holds a script that hands everything to the real one."""
    script = {"uv-1.0.data/scripts/uv": f'#!/bin/sh\nexec {UV} "$@"\n'}
    uv_lock, lock = wheels.add("uv", "1.0", script), wheels.add("alpha", "1.0")
    predicted = run(lock, check=True, uv=None, uv_requirements=uv_lock)
    assert kinds(predicted) == ["uv", "environment", "current-link"]
    assert run(lock, uv=None, uv_requirements=uv_lock)["items"] == predicted["items"]
    assert len(names(root.parent / "uv")) == 1
    assert kinds(run(wheels.add("alpha", "2.0"), uv=None, uv_requirements=uv_lock)) == ["environment", "current-link"]
    refused = run(wheels.add("alpha", "3.0"), uv=None, uv_requirements="uv==1.0 --hash=sha256:" + "a" * 64)
    assert refused["msg"].startswith(
        f"uv was not installed: uv==1.0 from the wheel directory {wheels.directory} is not"
    )
    assert len(names(root.parent / "uv")) == 1


def test_all_environments_of_a_name_are_removed_but_those_in_use(run: Run, wheels: Wheelhouse, root: Path) -> None:
    first, second = run(wheels.add("alpha", "1.0")), run(wheels.add("alpha", "2.0"))
    kept = run(state="absent", in_use=[second["path"]])
    assert [item["subject"] for item in kept["items"]] == [first["path"]]
    assert names(root / "demo") == sorted([second["digest"], "current"])
    predicted = run(state="absent", check=True)
    assert (kinds(predicted), names(root / "demo") != []) == (["surplus-environment"], True)
    assert kinds(run(state="absent")) == ["surplus-environment"]
    assert names(root) == []
    assert run(state="absent")["changed"] is False


def test_the_controller_computes_the_same_place(run: Run, wheels: Wheelhouse) -> None:
    lock = wheels.add("alpha", "1.0")
    apply = digest_filter.FilterModule().filters()["environment_digest"]
    assert apply(lock, PYTHON) == run(lock, check=True)["digest"]
    with pytest.raises(Exception, match=r"environment_digest: 1 problem in 1 variable"):
        apply("alpha>=1")
    with pytest.raises(Exception, match=r"environment_digest: list given, the text of a lock is needed"):
        apply(["alpha"])
