# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""ready.py of the role ollama: a server that answers is not yet one that generates.

The servers are stand-ins, packed as Ollama's releases are, with the faults that real ones have had.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import ollama_servers as servers
import pytest
from ollama_servers import ROOT, TINY, call

SCRIPT = ROOT / "roles/ollama/files/ready.py"


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"loaded_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pack() -> ModuleType:
    return load(ROOT / "tests/stand_ins/ollama_archive.py")


@contextlib.contextmanager
def installed(pack: ModuleType, folder: Path, fault: str = "", model: bool = False) -> Iterator[tuple[str, Path]]:
    """Run a packed server; give its address and its program."""
    pack.pack("0.35.0", folder / "o.tar.gz", fault)
    (folder / "release").mkdir()
    subprocess.run(["tar", "-xzf", folder / "o.tar.gz", "-C", folder / "release"], check=True)
    program = folder / "release/bin/ollama"
    url = f"http://127.0.0.1:{servers.free_port()}"
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "OLLAMA_HOST": url.removeprefix("http://")}
    with subprocess.Popen([program, "serve"], env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            servers.wait(url, process)
            if model:
                digest = f"sha256:{servers.sha256(TINY.read_bytes())}"
                call(f"{url}/api/blobs/{digest}", TINY.read_bytes())
                call(f"{url}/api/create", {"model": "tiny", "files": {"a.gguf": digest}})
            yield url, program
        finally:
            process.terminate()


def ready(url: str, program: Path, *more: str, seconds: str = "5", pid: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), url, seconds, "--program", str(program), *more]
    how = {"capture_output": True, "text": True, "timeout": 30, "env": {"MAINPID": pid, "HTTP_PROXY": "http://no.such"}}
    return subprocess.run(command, check=False, **how)


def test_with_a_model_it_has_to_generate(pack: ModuleType, tmp_path: Path) -> None:
    with installed(pack, tmp_path, model=True) as (url, program):
        done = ready(url, program, "--generate", "--at-least", "0.35.0", "--version", "0.35.0")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"ready.py: {url} answers and tiny:latest generates, after" in done.stdout
        assert call(f"{url}/api/ps")[1] == '{"models":[]}'


def test_without_a_model_its_runner_has_to_be_there(pack: ModuleType, tmp_path: Path) -> None:
    with installed(pack, tmp_path) as (url, program):
        assert "and nothing was asked to generate" in ready(url, program, "--generate").stdout
        link = tmp_path / "ollama"
        link.symlink_to(program)
        assert ready(url, link, "--generate").returncode == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("no-runner", "has no llama-server, without which it lists models and answers nothing"),
        ("broken", "it answers and does not generate: tiny:latest: 500"),
    ],
)
def test_one_that_lists_and_does_not_generate_is_not_ready(
    pack: ModuleType, tmp_path: Path, fault: str, words: str
) -> None:
    with installed(pack, tmp_path, fault, model=True) as (url, program):
        assert '"name":"tiny:latest"' in call(f"{url}/api/tags")[1]
        done = ready(url, program, "--generate")
        assert done.returncode == 1
        assert words in done.stderr
        assert ready(url, program).returncode == 0


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--version", "0.36.0"), "the server says it is 0.35.0, and 0.36.0 was installed"),
        (("--at-least", "0.35.1"), "the server is 0.35.0, and before 0.35.1 it has known holes"),
    ],
)
def test_another_version_is_not_ready(pack: ModuleType, tmp_path: Path, option: tuple[str, str], words: str) -> None:
    with installed(pack, tmp_path) as (url, program):
        done = ready(url, program, *option)
        assert (done.returncode, done.stdout) == (1, "")
        assert words in done.stderr


def test_waiting_ends_with_the_process(tmp_path: Path) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    done = ready(f"http://127.0.0.1:{servers.free_port()}", tmp_path, seconds="20", pid=str(process.pid))
    assert done.returncode == 1
    assert "the server ended; its own lines say why" in done.stderr


def test_waiting_has_an_end(tmp_path: Path) -> None:
    done = ready(f"http://127.0.0.1:{servers.free_port()}", tmp_path, seconds="0.3")
    assert done.returncode == 1
    assert re.search(r"is not ready after \d s: no answer: ", done.stderr)


def test_wrong_use_is_told_apart(tmp_path: Path) -> None:
    assert ready("http://127.0.0.1:1", tmp_path, "--nonsense").returncode == 2


@pytest.mark.parametrize(
    ("files", "port", "rival"),
    [
        pytest.param((), 11434, False, id="none"),
        pytest.param(("multi-user.target.wants/ollama.service",), 11434, True, id="enabled on the same port"),
        pytest.param(("default.target.wants/ollama.service",), 8434, False, id="ours is on another port"),
        pytest.param(("ollama.service",), 11434, False, id="not enabled"),
        pytest.param(
            ("default.target.wants/ollama.service", "ollama.service.d/port.conf"), 11434, False, id="moved by a drop-in"
        ),
    ],
)
def test_a_server_of_the_system_on_the_same_port_is_named(
    files: tuple[str, ...], port: int, rival: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load(SCRIPT)
    monkeypatch.setattr(module, "RIVAL", str(tmp_path))
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("Environment=OLLAMA_HOST=127.0.0.1:9999\n" if name.endswith(".conf") else "")
    if rival:
        with pytest.raises(module.Hopeless, match=r"systemctl disable --now ollama\.service; or set ollama_port"):
            module.check_rival(f"http://127.0.0.1:{port}")
    else:
        module.check_rival(f"http://127.0.0.1:{port}")
