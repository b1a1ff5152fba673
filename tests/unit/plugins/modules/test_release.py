# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The module release, with files of this host and with a web server of the test's own."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.lab.llm_stack.plugins.module_utils import _release
from ansible_collections.lab.llm_stack.plugins.module_utils._release_build import Wanted, unfit_host
from ansible_collections.lab.llm_stack.plugins.modules import release

Run = Callable[..., dict]
URL = "https://example.org/x"


def archive(path: Path, server: bytes = b"one", top: str = "llama-b1", **more: bytes) -> str:
    """Pack a release and return its checksum."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in {f"{top}/llama-server": server, **more}.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            tar.addfile(info, io.BytesIO(content))
    return sha256_of(path)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names(directory: Path) -> list[str]:
    return sorted(os.listdir(directory)) if directory.exists() else []


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "releases"


@pytest.fixture
def run(root: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the module and return its result."""

    def call(check: bool = False, **options: object) -> dict:
        arguments = {"root": str(root), "remote_src": True, "strip_top": options.get("kind") != "file", **options}
        if options.get("kind") != "file":
            arguments = {"name": "llamacpp", **arguments}
        arguments = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            release.main()
        return json.loads(capsys.readouterr().out)

    return call


class Server(ThreadingHTTPServer):
    """Serves what lies in a directory; can begin in the middle, and can hang up early."""

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.directory = directory
        self.hang_up_after: list[int] = []
        self.ranges: list[str] = []

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = self.server.directory / self.path.lstrip("/")
        if not path.exists():
            self.send_error(404)
            return
        wanted = self.headers.get("Range", "")
        self.server.ranges.append(wanted)
        begin = int(re.sub(r"\D", "", wanted) or 0)
        content = path.read_bytes()[begin:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self.server.hang_up_after.pop(0)] if self.server.hang_up_after else content)

    def log_message(self, *args: object) -> None:
        """Say nothing: the tests look at the ranges."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "www").mkdir()
    with Server(tmp_path / "www") as started:
        thread = threading.Thread(target=started.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield started
        started.shutdown()
        thread.join()


def test_a_release_is_predicted_installed_and_then_left_alone(run: Run, root: Path, tmp_path: Path) -> None:
    source = tmp_path / "llama.tar.gz"
    options = {"version": "b1", "src": str(source), "sha256": archive(source)}
    folder = f"b1-{options['sha256'][:8]}"
    predicted = run(check=True, **options)
    assert [(item["kind"], item["actual"]) for item in predicted["items"]] == [
        ("release", "is missing"),
        ("current-link", "absent"),
    ]
    assert names(root) == []
    made = run(**options)
    assert (made["items"], made["path"]) == (predicted["items"], f"{root}/llamacpp/{folder}")
    assert names(root / "llamacpp") == sorted([folder, "current"])
    assert names(Path(made["path"])) == [".llm-stack-release.json", "llama-server"]
    assert os.access(f"{made['path']}/llama-server", os.X_OK)
    source.unlink()
    for check in (True, False):
        again = run(check=check, **options)
        assert (again["changed"], again["items"], again["diff"]) == (False, [], [])


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        pytest.param(
            {"machine": "vax"},
            f"machine: 'vax' is not the machine of this host, which is {platform.machine()}.\n"
            "    Choose the archive for it.",
            id="another machine",
        ),
        pytest.param(
            {"glibc": "99.1"},
            f"glibc: '99.1' is newer than what this host has: {os.confstr('CS_GNU_LIBC_VERSION')}.\n"
            "    Choose another archive or another method, or a newer system.",
            id="a newer C library",
        ),
    ],
)
def test_a_host_that_cannot_run_it_is_told_before_anything_is_fetched(
    run: Run, root: Path, needs: dict[str, str], said: str
) -> None:
    for check in (True, False):
        answer = run(check, version="b1", url="http://127.0.0.1:9/a.tar.gz", sha256="ab" * 32, **needs)
        assert said in answer["msg"]
    assert names(root) == []


def test_a_host_that_can_run_it_gets_it(run: Run, tmp_path: Path) -> None:
    sha256 = archive(tmp_path / "a.tar.gz")
    options = {"version": "b1", "src": str(tmp_path / "a.tar.gz"), "sha256": sha256}
    assert run(**options, machine=platform.machine(), glibc="2.17")["changed"]
    # What is installed already is not judged again, so that a clean run stays cheap.
    assert run(**options, machine="vax")["changed"] is False


@pytest.mark.parametrize("libc", ["", "musl 1.2.5"])
def test_another_c_library_is_refused_where_one_is_asked_for(libc: str) -> None:
    wanted = Wanted("archive", glibc="2.35")
    [problem] = unfit_host(wanted, "x86_64", libc)
    assert problem.wrong == f"is newer than what this host has: {libc or 'another C library'}."


def test_a_new_version_stands_beside_the_old_one(run: Run, root: Path, tmp_path: Path) -> None:
    folders = []
    for number in (1, 2, 3):
        source = tmp_path / f"b{number}.tar.gz"
        sha256 = archive(source, f"{number}".encode())
        made = run(version=f"b{number}", src=str(source), sha256=sha256)
        folders.append(os.path.basename(made["path"]))
    assert names(root / "llamacpp") == sorted([*folders[1:], "current"])
    assert (root / "llamacpp" / "current" / "llama-server").read_bytes() == b"3"


def test_the_same_version_with_other_bytes_is_another_release(run: Run, root: Path, tmp_path: Path) -> None:
    source = tmp_path / "b1.tar.gz"
    for content in (b"one", b"two"):
        made = run(version="b1", src=str(source), sha256=archive(source, content))
    assert len(names(root / "llamacpp")) == 3
    assert Path(made["path"], "llama-server").read_bytes() == b"two"


def test_a_damaged_release_is_named_and_installed_anew(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "b1.tar.gz"
    options = {"version": "b1", "src": str(source), "sha256": archive(source)}
    made = run(**options)
    Path(made["path"], "llama-server").chmod(0o600)
    predicted = run(check=True, **options)
    assert [item["actual"] for item in predicted["items"]] == [
        "holds llama-server as a file of 3 bytes, unpacked was a program of 3 bytes"
    ]
    assert run(**options)["items"] == predicted["items"]
    assert run(**options)["changed"] is False


@pytest.mark.parametrize("check", [True, False])
def test_another_archive_than_the_declared_one_is_refused_with_both_checksums(
    run: Run, root: Path, tmp_path: Path, check: bool
) -> None:
    source = tmp_path / "b1.tar.gz"
    found = archive(source)
    refused = run(check=check, version="b1", src=str(source), sha256="a" * 64)
    assert refused["msg"] == (
        f"{source} was not installed: it is not the declared file.\n"
        f"    expected sha256 {'a' * 64}\n    found    sha256 {found}\n"
        "    Find out why before you use it; if the new file is right, declare its sha256.\n"
        "    What was installed before is unchanged."
    )
    assert names(root) == []


def test_an_archive_that_would_leave_its_directory_changes_nothing(run: Run, root: Path, tmp_path: Path) -> None:
    good, evil = tmp_path / "good.tar.gz", tmp_path / "evil.tar.gz"
    run(version="b1", src=str(good), sha256=archive(good))
    before = names(root / "llamacpp")
    refused = run(version="b2", src=str(evil), sha256=archive(evil, **{"llama-b1/../../evil": b"x"}), strip_top=False)
    assert "'llama-b1/../../evil' leaves the release." in refused["msg"]
    assert names(root / "llamacpp") == before
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"sha256": "abc", "version": "../b1", "name": "a/b", "url": "ftp://example.org/x"},
            "4 problems in 4 variables. Nothing was changed on any host.\n\n"
            "name: 'a/b' cannot be part of a directory's name.\n    Use letters, digits and . _ + - only.\n"
            "version: '../b1' cannot be part of a directory's name.\n    Use letters, digits and . _ + - only.\n"
            "sha256: 'abc' is no sha256 checksum.\n"
            "    Write the sha256 of the file: 64 digits of 0-9 and a-f, as sha256sum prints them.\n"
            "url: 'ftp://example.org/x' is no address.\n    Write one that begins with https:// or http://.",
            id="everything at once",
        ),
        pytest.param(
            {"sha256": "a" * 64, "version": "b1", "url": "https://me:canary@example.org/x"},
            "1 problem in 1 variable. Nothing was changed on any host.\n\n"
            "url: holds a user name or a password.\n"
            "    Put name and password into the ~/.netrc of the account on the host.",
            id="a password",
        ),
        pytest.param(
            {"sha256": "a" * 64, "version": "b1", "src": "/no/file"},
            "1 problem in 1 variable. Nothing was changed on any host.\n\n"
            "src: '/no/file' is no file on this host.\n    Copy it there first, or set url.",
            id="a source that is not there",
        ),
        pytest.param(
            {"sha256": "a" * 64, "version": "b1", "url": "https://example.org/my models/größe%20.gz?a=b"},
            "1 problem in 1 variable. Nothing was changed on any host.\n\n"
            "url: 'https://example.org/my models/größe%20.gz?a=b' holds a character that no address may have.\n"
            "    Write https://example.org/my%20models/gr%C3%B6%C3%9Fe%20.gz?a=b.",
            id="a space in an address",
        ),
    ],
)
def test_what_cannot_be_is_refused(run: Run, options: dict, message: str) -> None:
    assert run(check=True, **options)["msg"] == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"version": "b1", "url": URL},
            "state is present but all of the following are missing: sha256",
        ),
        ({"version": "b1", "sha256": "a" * 64}, "state is present but any of the following are missing: url, src"),
        ({"kind": "file", "url": URL, "sha256": "a" * 64}, "kind is file but all of the following are missing: path"),
    ],
)
def test_the_checksum_the_source_and_the_place_are_never_optional(run: Run, options: dict, message: str) -> None:
    assert message in run(**options)["msg"]


def test_an_archive_is_downloaded_and_not_kept(run: Run, root: Path, server: Server) -> None:
    sha256 = archive(server.directory / "b1.tar.gz")
    made = run(version="b1", url=server.address("b1.tar.gz"), sha256=sha256)
    assert names(root / "llamacpp") == sorted([os.path.basename(made["path"]), "current"])
    assert server.ranges == [""]
    run(version="b1", url=server.address("b1.tar.gz"), sha256=sha256)
    assert server.ranges == [""]


def test_a_model_is_downloaded_over_a_bad_line_and_resumed(run: Run, tmp_path: Path, server: Server) -> None:
    model = tmp_path / "models" / "tiny.gguf"
    content = os.urandom(50_000)
    (server.directory / "tiny.gguf").write_bytes(content)
    options = {
        "kind": "file",
        "path": str(model),
        "url": server.address("tiny.gguf"),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert run(check=True, **options)["items"][0]["actual"] == "is missing"
    server.hang_up_after = [20_000, 10_000]
    made = run(**options)
    assert server.ranges == ["", "bytes=20000-", "bytes=30000-"]
    assert (model.read_bytes() == content, made["changed"]) == (True, True)
    assert made["fingerprint"] == _release.fingerprint(str(model))
    assert names(model.parent) == [".llm-stack-tiny.gguf.json", "tiny.gguf"]
    assert run(**options)["changed"] is False


def test_a_file_that_was_there_is_read_once_and_then_known(run: Run, tmp_path: Path) -> None:
    model = tmp_path / "tiny.gguf"
    model.write_bytes(b"GGUF")
    options = {"kind": "file", "path": str(model), "src": "/no/file", "sha256": sha256_of(model)}
    assert run(check=True, **options)["items"][0]["actual"] == "has not been verified yet"
    assert [run(**options)["changed"] for _ in range(2)] == [True, False]
    assert model.read_bytes() == b"GGUF"


def test_a_changed_file_is_replaced(run: Run, tmp_path: Path) -> None:
    source, model = tmp_path / "source.gguf", tmp_path / "tiny.gguf"
    source.write_bytes(b"GGUF")
    options = {"kind": "file", "path": str(model), "src": str(source), "sha256": sha256_of(source)}
    run(**options)
    model.write_bytes(b"GGUX")
    assert run(**options)["items"][0]["actual"] == "was changed since it was verified"
    assert (model.read_bytes(), source.read_bytes()) == (b"GGUF", b"GGUF")


def test_another_model_at_the_address_leaves_the_old_one(run: Run, tmp_path: Path, server: Server) -> None:
    model = tmp_path / "models" / "tiny.gguf"
    model.parent.mkdir()
    model.write_bytes(b"old")
    (server.directory / "tiny.gguf").write_bytes(b"new")
    refused = run(kind="file", path=str(model), url=server.address("tiny.gguf"), sha256="a" * 64)
    assert f"expected sha256 {'a' * 64}\n    found    sha256 {hashlib.sha256(b'new').hexdigest()}" in refused["msg"]
    assert (model.read_bytes(), names(model.parent)) == (b"old", ["tiny.gguf"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("absent", "was not installed: the server answers 404 Not Found.", id="no such file"),
        pytest.param(
            "", "was not installed: no complete answer in 4 attempts (Connection refused).", id="nobody there"
        ),
    ],
)
def test_a_download_that_does_not_work_says_why(run: Run, server: Server, name: str, words: str) -> None:
    url = server.address(name) if name else "http://127.0.0.1:9/tiny.gguf"
    refused = run(version="b1", url=url, sha256="a" * 64)
    assert words in refused["msg"]
    assert refused["msg"].startswith(url)


def test_what_does_not_speak_http_is_told_as_such(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            for _attempt in range(4):
                with listening.accept()[0] as client:
                    client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
                    client.recv(1 << 16)

        thread = threading.Thread(target=greet)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/tiny.gguf"
        said = run(version="b1", url=url, sha256="a" * 64)["msg"]
        thread.join()
    assert said.startswith(f"{url} was not installed: no complete answer in 4 attempts (SSH-2.0-OpenSSH_9.2).")


def test_removal_is_predicted_done_and_then_nothing(run: Run, root: Path, tmp_path: Path) -> None:
    source = tmp_path / "b1.tar.gz"
    made = run(version="b1", src=str(source), sha256=archive(source))
    predicted = run(check=True, state="absent")
    assert [item["subject"] for item in predicted["items"]] == [made["path"]]
    assert run(state="absent")["items"] == predicted["items"]
    assert (names(root), run(state="absent")["changed"]) == ([], False)


def test_a_file_is_removed_with_its_note(run: Run, tmp_path: Path) -> None:
    source, model = tmp_path / "source.gguf", tmp_path / "models" / "tiny.gguf"
    source.write_bytes(b"GGUF")
    run(kind="file", path=str(model), src=str(source), sha256=sha256_of(source))
    assert [run(kind="file", path=str(model), state="absent")["changed"] for _ in range(2)] == [True, False]
    assert names(model.parent) == []


# Old versions of a file


@pytest.fixture
def bring(run: Run, tmp_path: Path) -> Callable[..., tuple[Path, dict]]:
    """Bring a version of the model tiny to the host, as the roles do."""

    def brought(content: bytes, check: bool = False, **options: object) -> tuple[Path, dict]:
        source = tmp_path / "source"
        source.write_bytes(content)
        sha256 = sha256_of(source)
        path = tmp_path / f"models/tiny-{sha256[:12]}.gguf"
        wanted = {"kind": "file", "name": "tiny", "path": str(path), "src": str(source), "sha256": sha256}
        result = run(check=check, **wanted, **options)
        time.sleep(0.01)
        return path, result

    return brought


def test_the_file_before_stays_and_older_ones_go(bring: Callable[..., tuple[Path, dict]]) -> None:
    first, second = bring(b"one")[0], bring(b"two")[0]
    assert (first.exists(), second.exists()) == (True, True)
    foreseen = bring(b"three", check=True)[1]
    third, result = bring(b"three")
    assert foreseen["items"] == result["items"]
    assert [(item["kind"], item["subject"]) for item in result["items"]] == [
        ("file", str(third)),
        ("surplus-file", str(first)),
    ]
    assert names(third.parent) == sorted(
        each for path in (second, third) for each in (path.name, f".llm-stack-{path.name}.json")
    )
    assert bring(b"three")[1]["changed"] is False


def test_only_versions_that_we_brought_go(bring: Callable[..., tuple[Path, dict]]) -> None:
    models = bring(b"one")[0].parent
    others = [
        models / name for name in (f"tiny-{'a' * 12}.gguf", f"tiny-{'a' * 12}-{'b' * 12}.gguf", "tiny.gguf", "x.gguf")
    ]
    for path in others:
        path.write_bytes(b"mine")
    _release.write_note(str(others[1]), "0" * 64)
    bring(b"two", keep=0)
    assert all(path.exists() for path in others)


def test_a_file_that_a_process_names_stays(bring: Callable[..., tuple[Path, dict]]) -> None:
    first = bring(b"one")[0]
    bring(b"two")
    environment = {"LLAMA_ARG_MODEL": str(first)}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment) as process:
        bring(b"three")
        assert first.exists()
        process.communicate(b"\n")
    bring(b"four", keep=0)
    assert not first.exists()


def test_a_file_that_is_declared_in_use_stays(bring: Callable[..., tuple[Path, dict]]) -> None:
    first = bring(b"one")[0]
    bring(b"two", keep=0, in_use=[str(first)])
    assert first.exists()
    bring(b"three", keep=0)
    assert not first.exists()
