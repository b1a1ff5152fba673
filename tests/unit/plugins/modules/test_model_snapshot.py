# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The module model_snapshot, with a model hub of the test's own."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lab.llm_stack.plugins.module_utils import _snapshot, _snapshot_fetch
from ansible_collections.lab.llm_stack.plugins.module_utils._hub import parse
from ansible_collections.lab.llm_stack.plugins.modules import model_snapshot

Run = Callable[..., dict[str, Any]]
REPO = "acme/tiny"
TOKEN = "hf_canary_4711"
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
INDEX = {"metadata": {"total_size": 70_000}, "weight_map": {"a": SHARDS[0], "b": SHARDS[1]}}


@pytest.fixture(scope="module")
def model_hub(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("model_hub", root / "tests/stand_ins/model_hub.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules["model_hub"] = loaded
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def hub(model_hub: ModuleType, tmp_path: Path) -> Iterator[Any]:
    folder = tmp_path / "hub" / REPO
    (folder / "original").mkdir(parents=True)
    noise = random.Random(4711)  # noqa: S311 - nothing secret
    contents = {
        "config.json": b'{"architectures": ["Qwen2ForCausalLM"]}',
        "tokenizer.json": b'{"model": {}}',
        "model.safetensors.index.json": json.dumps(INDEX).encode(),
        SHARDS[0]: noise.randbytes(400_000),
        SHARDS[1]: noise.randbytes(20_000),
        "pytorch_model.bin": b"the same once more",
        "original/consolidated.00.pth": b"and in another form",
        ".gitattributes": b"",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    with model_hub.Hub(tmp_path / "hub") as started:
        yield started


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note the seconds that would be waited between attempts, and do not wait."""
    noted: list[float] = []
    original = _snapshot_fetch.Fetch.__init__
    monkeypatch.setattr(
        _snapshot_fetch.Fetch,
        "__init__",
        lambda self, *args, **how: original(self, *args, **{**how, "pause": noted.append}),
    )
    return noted


@pytest.fixture
def run(store: Path, hub: Any, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the module once and return its result."""

    def call(check: bool = False, **options: object) -> dict[str, Any]:
        given = {"repo": REPO, "revision": hub.revision(REPO), "endpoint": hub.url, "root": str(store), "timeout": 5}
        arguments = {**given, **options, "_ansible_check_mode": check, "_ansible_diff": True}
        arguments = {name: value for name, value in arguments.items() if value is not None}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            model_snapshot.main()
        return json.loads(capsys.readouterr().out)

    return call


@pytest.fixture
def locked(hub: Any) -> dict[str, Any]:
    """The files as a lock names them; nothing of it is noted as a request."""
    module = sys.modules["model_hub"]
    siblings = [module._described(name, content) for name, content in hub.files(REPO).items()]
    listing = parse({"sha": hub.revision(REPO), "siblings": siblings}, REPO, "")
    return {name: listing.files[name] for name in _snapshot.selected(list(listing.files))}


def target(store: Path, hub: Any) -> Path:
    return store / "acme--tiny" / hub.revision(REPO)[:12]


def names(directory: Path) -> list[str]:
    return sorted(os.listdir(directory)) if directory.exists() else []


def test_a_model_is_predicted_fetched_and_then_left_alone(run: Run, store: Path, hub: Any, locked: dict) -> None:
    predicted = run(check=True, files=locked)
    assert (hub.requests, store.exists()) == ([], False)
    assert [(each["actual"], each["expected"]) for each in predicted["items"]] == [("is missing", "5 files, 0.40 MiB")]
    assert (predicted["needed"], predicted["progress"]["here"]) == (_snapshot.size_of(locked), 0)
    made = run(files=locked)
    assert (made["items"], made["path"]) == (predicted["items"], str(target(store, hub)))
    assert names(target(store, hub)) == sorted([".llm-stack-model.json", *locked])
    for name in locked:
        assert (target(store, hub) / name).read_bytes() == (hub.folder / REPO / name).read_bytes()
    hub.requests.clear()
    for check in (True, False):
        again = run(check=check, files=locked)
        assert (again["changed"], again["items"], again["diff"]) == (False, [], [])
    assert hub.requests == []
    assert (made["digest"], again["digest"]) == (_snapshot.digest_of(locked),) * 2
    assert _snapshot.verify_snapshot(made["path"], made["digest"]) == []


def test_without_a_lock_the_hub_is_asked_what_belongs_to_the_revision(run: Run, hub: Any, locked: dict) -> None:
    predicted = run(check=True)
    assert [request.path for request in hub.requests] == [
        f"/api/models/{REPO}/revision/{hub.revision(REPO)}?blobs=true"
    ]
    assert predicted["needed"] == _snapshot.size_of(locked)
    assert run()["digest"] == _snapshot.digest_of(locked)
    hub.requests.clear()
    again = run()
    assert (again["changed"], again["digest"], hub.requests) == (False, _snapshot.digest_of(locked), [])


def test_a_connection_that_is_cut_is_gone_on_with(run: Run, hub: Any, store: Path, locked: dict) -> None:
    hub.faults.cut_after = [10**6, 10**6, 10**6, 8192, 4096, 10**6, 20_000]
    made = run(files=locked)
    assert made["progress"]["file"] == ""
    ranges = [request.range for request in hub.requests if request.port == hub.elsewhere]
    assert ranges == ["", "bytes=8192-", "bytes=12288-", "", "bytes=20000-"]
    assert _snapshot.verify_snapshot(str(target(store, hub)), made["digest"]) == []


def test_time_is_over_after_a_slice_and_the_next_one_goes_on(run: Run, hub: Any, store: Path, locked: dict) -> None:
    heres = []
    for _call in range(20):
        made = run(files=locked, slice=0)
        heres.append(made["progress"]["here"])
        if not made["progress"]["file"]:
            break
        assert (made["changed"], target(store, hub).exists()) == (True, False)
    assert heres == sorted(set(heres))
    # Four whole files, and the largest one in four parts.
    assert len(heres) == 8
    assert _snapshot.verify_snapshot(str(target(store, hub)), made["digest"]) == []


def started(root: Path, hub: Any, store: Path, locked: dict, tmp_path: Path) -> subprocess.Popen[bytes]:
    """Start the module as a process of its own."""
    arguments = {"repo": REPO, "revision": hub.revision(REPO), "endpoint": hub.url, "root": str(store)}
    program = tmp_path / "call.py"
    program.write_text(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from ansible.module_utils.testing import patch_module_args\n"
        "from ansible_collections.lab.llm_stack.plugins.modules import model_snapshot\n"
        f"with patch_module_args({{**{arguments!r}, 'files': {locked!r}}}): model_snapshot.main()\n"
    )
    return subprocess.Popen([sys.executable, program, root / "playbooks/collections"], stdout=subprocess.DEVNULL)


def test_two_runs_at_once_fetch_each_file_once(
    run: Run, hub: Any, root: Path, store: Path, locked: dict, tmp_path: Path
) -> None:
    processes = [started(root, hub, store, locked, tmp_path) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    asked = [request.path.rpartition("/")[2] for request in hub.requests if request.port != hub.elsewhere]
    assert sorted(asked) == sorted(locked)
    assert run(files=locked)["changed"] is False


@pytest.mark.parametrize("ranges", [True, False], ids=["with ranges", "from a server that cannot begin in the middle"])
def test_a_run_that_was_killed_is_gone_on_with(
    run: Run, hub: Any, root: Path, store: Path, locked: dict, tmp_path: Path, ranges: bool
) -> None:
    """A real process is killed by the kernel in the middle of the largest file."""
    hub.faults.no_ranges = not ranges
    hub.faults.delay = 0.005
    process = started(root, hub, store, locked, tmp_path)
    part = store / "acme--tiny" / f".llm-stack-{hub.revision(REPO)[:12]}.part" / f"{SHARDS[0]}.part"
    begun = time.monotonic()
    while not (part.exists() and part.stat().st_size > 0) and time.monotonic() < begun + 30:
        process.poll()
    process.kill()
    process.wait()
    hub.faults.delay = 0.0
    here = part.stat().st_size
    assert 0 < here < 400_000
    assert _snapshot.verify_snapshot(str(target(store, hub)), _snapshot.digest_of(locked)) == ["is missing"]
    predicted = run(check=True, files=locked)
    made = run(files=locked)
    assert predicted["needed"] == made["needed"] == 400_000 - here
    assert _snapshot.verify_snapshot(made["path"], made["digest"]) == []
    assert names(store / "acme--tiny") == [hub.revision(REPO)[:12]]


def test_a_corrupted_shard_is_refused_with_both_checksums(run: Run, hub: Any, store: Path, locked: dict) -> None:
    hub.faults.wrong_bytes = {SHARDS[1]}
    refused = run(files=locked)
    url = f"{hub.url}/{REPO}/resolve/{hub.revision(REPO)}/{SHARDS[1]}"
    wrong = bytes(255 - byte for byte in (hub.folder / REPO / SHARDS[1]).read_bytes())
    assert refused["msg"] == (
        f"{url} was not fetched: it is not the file that was pinned.\n"
        f"    expected sha256 {locked[SHARDS[1]]['sha256']}\n"
        f"    found    sha256 {sys.modules['model_hub']._sha256(wrong)}\n"
        "    Find out why before you use it, or name another mirror. What else is here is kept."
    )
    assert not target(store, hub).exists()
    hub.faults.wrong_bytes = set()
    hub.requests.clear()
    assert run(files=locked)["progress"]["file"] == ""
    assert (
        len([request for request in hub.requests if SHARDS[1] in request.path and request.port != hub.elsewhere]) == 1
    )


def test_a_small_file_is_proven_by_the_name_git_has_for_it(run: Run, hub: Any, locked: dict) -> None:
    hub.faults.wrong_bytes = {"config.json"}
    assert f"expected blob {locked['config.json']['blob']}\n" in run(files=locked)["msg"]


def test_what_an_earlier_run_left_of_another_file_is_not_the_servers_fault(
    run: Run, hub: Any, store: Path, locked: dict
) -> None:
    work = store / "acme--tiny" / f".llm-stack-{hub.revision(REPO)[:12]}.part"
    work.mkdir(parents=True)
    (work / f"{SHARDS[0]}.part").write_bytes(b"of another model" * 100)
    (work / "stranger.safetensors").write_bytes(b"of another list")
    made = run(files=locked)
    assert _snapshot.verify_snapshot(made["path"], made["digest"]) == []
    assert "stranger.safetensors" not in names(Path(made["path"]))


def test_the_token_goes_to_the_hub_alone_and_is_kept_nowhere(run: Run, hub: Any, store: Path, locked: dict) -> None:
    hub.faults.gated, hub.faults.token = True, TOKEN
    made = run(files=locked, token=TOKEN)
    assert TOKEN not in json.dumps(made)
    assert {request.authorization for request in hub.requests if request.port != hub.elsewhere} == {f"Bearer {TOKEN}"}
    assert {request.authorization for request in hub.requests if request.port == hub.elsewhere} == {""}
    assert [path for path in store.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(
            {"gated": True},
            f"{REPO} is gated: its owner wants to know who fetches it (Access to this repository is restricted).\n"
            f"    Accept the terms on the page of {REPO} with the account of the token, then set it: "
            "HF_TOKEN for make pin, vllm_hub_token for hosts.",
            id="gated",
        ),
        pytest.param(
            {"private": True},
            f"{REPO} is private, or there is no such repository (Access to this repository is restricted).\n"
            "    Set a token that may read it: HF_TOKEN for make pin, vllm_hub_token for hosts. "
            "For a public model correct the name.",
            id="private",
        ),
        pytest.param(
            {"too_many": 9},
            "too many requests (We had to rate limit you).\n"
            "    Run again: what is here already is kept. Wait 7 s. A token raises the limit.",
            id="rate limit",
        ),
        pytest.param({"page": True}, "the answer is an HTML page, such as that of a proxy or a login.", id="a page"),
    ],
)
@pytest.mark.parametrize("check", [True, False], ids=["in check mode", "in a run"])
def test_what_the_hub_refuses_is_told_with_a_remedy(
    run: Run, hub: Any, store: Path, fault: dict[str, Any], words: str, check: bool
) -> None:
    for name, value in fault.items():
        setattr(hub.faults, name, value)
    refused = run(check=check)
    assert f"was not read: {words}" in refused["msg"]
    assert not store.exists()


def test_a_hub_that_wants_a_pause_gets_it(run: Run, hub: Any, locked: dict, pauses: list[float]) -> None:
    hub.faults.too_many = 3
    assert run(files=locked)["progress"]["file"] == ""
    assert pauses == [7.0, 7.0, 7.0]
    hub.faults.too_many = 4
    assert "too many requests" in run(files=locked, name="another")["msg"]


def test_nobody_at_the_address(run: Run, store: Path, locked: dict) -> None:
    refused = run(files=locked, endpoint="http://127.0.0.1:9")
    assert "was not fetched: nothing arrived in 4 attempts (Connection refused).\n" in refused["msg"]
    assert "or name a mirror, or bring the folder from the controller.\n" in refused["msg"]


def test_a_static_mirror_needs_no_api(run: Run, hub: Any, model_hub: ModuleType, tmp_path: Path, locked: dict) -> None:
    """With a lock, any web server that has the files below the hub's paths will do."""
    revision = hub.revision(REPO)
    served = tmp_path / "mirror" / "any" / "prefix" / REPO / "resolve" / revision
    shutil.copytree(hub.folder / REPO, served)
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "-d", tmp_path / "mirror"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().split(" port ")[1].split()[0]
        made = run(files=locked, endpoint=f"http://127.0.0.1:{port}/any/prefix", revision=revision)
        assert _snapshot.verify_snapshot(made["path"], made["digest"]) == []
        assert hub.requests == []
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"repo": "tiny", "revision": "main", "endpoint": "ftp://example.org", "files": {"../x": {"size": 1}}},
            "4 problems in 4 variables. Nothing was changed on any host.\n\n"
            "repo: 'tiny' is no repository of a hub.\n    Write OWNER/NAME.\n"
            "revision: 'main' pins nothing.\n"
            "    Write the 40 digits of a commit: make pin MODEL=NAME finds those of a branch.\n"
            "endpoint: 'ftp://example.org' is no address.\n    Write one that begins with https:// or http://.\n"
            "files.../x: leaves the folder.\n    Write a path below it.",
            id="everything at once",
        ),
        pytest.param(
            {"revision": None},
            "1 problem in 1 variable. Nothing was changed on any host.\n\n"
            "revision: is missing, and a branch is another model tomorrow.\n"
            "    Write the 40 digits of a commit: make pin MODEL=NAME finds those of a branch.",
            id="no revision",
        ),
    ],
)
def test_what_cannot_be_is_refused(run: Run, options: dict[str, Any], message: str) -> None:
    assert run(check=True, **options)["msg"] == message


def test_a_model_that_does_not_fit_the_disk_is_refused_before_the_first_byte(run: Run, hub: Any, locked: dict) -> None:
    locked[SHARDS[0]] = {**locked[SHARDS[0]], "size": 1 << 60}
    for check in (True, False):
        assert "are needed, " in run(check=check, files=locked)["msg"]
    assert hub.requests == []


def test_another_list_of_the_same_revision_fetches_the_difference(run: Run, hub: Any, locked: dict) -> None:
    without = {name: entry for name, entry in locked.items() if name != "tokenizer.json"}
    first = run(files=without)
    hub.requests.clear()
    second = run(files=locked)
    assert second["items"][0]["actual"].startswith("was made from another list of files")
    assert second["needed"] == locked["tokenizer.json"]["size"]
    assert [request.path.rpartition("/")[2] for request in hub.requests] == ["tokenizer.json"]
    assert (first["path"], _snapshot.verify_snapshot(second["path"], second["digest"])) == (second["path"], [])


def test_a_damaged_snapshot_is_named_and_only_what_is_damaged_comes_again(run: Run, hub: Any, locked: dict) -> None:
    made = run(files=locked)
    with open(Path(made["path"]) / SHARDS[0], "r+b") as file:
        file.truncate(1000)
    (Path(made["path"]) / "tokenizer.json").unlink()
    hub.requests.clear()
    again = run(files=locked)
    assert [each["actual"] for each in again["items"]] == [
        f"holds {SHARDS[0]} with 1000 bytes, fetched were 400000; has lost tokenizer.json"
    ]
    assert sorted({request.path.rpartition("/")[2] for request in hub.requests}) == [SHARDS[0], "tokenizer.json"]
    assert run(files=locked)["changed"] is False


def test_old_snapshots_go_when_asked_and_those_in_use_stay(run: Run, hub: Any, store: Path) -> None:
    paths = []
    for number in range(4):
        (hub.folder / REPO / "config.json").write_bytes(b'{"architectures": [], "n": %d}' % number)
        more = {"keep": 1, "in_use": [paths[0]]} if number == 3 else {}
        paths.append(run(**more)["path"])
    assert names(store / "acme--tiny") == sorted(os.path.basename(paths[index]) for index in (0, 2, 3))


def test_removal_is_predicted_done_and_then_nothing(run: Run, hub: Any, store: Path, locked: dict) -> None:
    made = run(files=locked)
    (store / "acme--tiny" / ".llm-stack-0123456789ab.part").mkdir()
    predicted = run(check=True, state="absent", revision=None)
    assert [each["kind"] for each in predicted["items"]] == ["surplus-snapshot", "unfinished"]
    assert run(state="absent", revision=None, in_use=[made["path"]])["changed"] is True
    assert names(store / "acme--tiny") == [os.path.basename(made["path"])]
    assert run(state="absent", revision=None)["changed"] is True
    assert (store.joinpath("acme--tiny").exists(), run(state="absent", revision=None)["changed"]) == (False, False)


def test_a_folder_of_the_host_is_verified_and_stays(run: Run, hub: Any, store: Path) -> None:
    folder = hub.folder / REPO
    for check in (True, False):
        found = run(check=check, repo=None, revision=None, src=str(folder), remote_src=True)
        assert (found["changed"], found["path"], found["items"]) == (False, str(folder), [])
    (folder / SHARDS[1]).unlink()
    (folder / "x.incomplete").write_text("")
    refused = run(repo=None, revision=None, src=str(folder), remote_src=True)
    assert refused["msg"] == (
        "1 problem in 1 variable. Nothing was changed on any host.\n\n"
        f"src: '{folder}' cannot be served: it holds x.incomplete, which a download left unfinished and "
        f"lacks {SHARDS[1]} of its weights.\n"
        "    Complete the folder, or let it be fetched: name the repository instead."
    )
    assert not store.exists()
