# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""ready.py of vLLM: when a server counts as ready, and when waiting is pointless."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest


class Engine(BaseHTTPRequestHandler):
    """A vLLM server in any state that a test wants."""

    health: ClassVar[int] = 200
    models: ClassVar[object] = []
    key: ClassVar[str] = ""

    def do_GET(self) -> None:
        allowed = self.path == "/health" or not self.key or self.headers["Authorization"] == f"Bearer {self.key}"
        status = self.health if self.path == "/health" else 200 if allowed else 401
        body = json.dumps({"data": self.models}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Engine.health, Engine.models, Engine.key = 200, [{"id": "tiny", "root": "/srv/tiny"}], ""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def program(root: Path) -> str:
    return str(root / "roles/vllm/files/ready.py")


def wait(program: str, *arguments: str, **environ: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, program, *arguments],
        env={"http_proxy": "http://127.0.0.1:9", **environ},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    # On a busy machine even the first look takes a second or two.
    return done.returncode, re.sub(r"after \d s", "after 0 s", (done.stdout + done.stderr).strip())


def test_ready_is_the_name_from_the_folder(program: str, url: str) -> None:
    status, said = wait(program, url, "tiny", "/srv/tiny", "5")
    assert (status, said.startswith(f"ready.py: {url} serves tiny, after ")) == (0, True)


def test_a_link_to_the_folder_is_the_folder(program: str, url: str, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    Engine.models = [{"id": "tiny", "root": str(tmp_path / "link")}]
    assert wait(program, url, "tiny", str(tmp_path / "real"), "5")[0] == 0


def test_the_key_comes_from_the_environment(program: str, url: str) -> None:
    Engine.key = "secret"
    assert wait(program, url, "tiny", "/srv/tiny", "5", VLLM_API_KEY="secret")[0] == 0
    status, said = wait(program, url, "tiny", "/srv/tiny", "0", VLLM_API_KEY="other")
    assert (status, said) == (1, f"ready.py: {url} is not ready after 0 s: /v1/models answers 401.")


@pytest.mark.parametrize(
    ("health", "models", "lack"),
    [
        pytest.param(503, [], "/health answers 503", id="a dead engine"),
        pytest.param(200, [], "/v1/models lists no model, not tiny", id="no model"),
        pytest.param(
            200, [{"id": "old", "root": "/srv/tiny"}], "/v1/models lists old, not tiny", id="a model of another name"
        ),
        pytest.param(
            200,
            [{"id": "tiny", "root": "/srv/old"}],
            "/v1/models says that tiny is /srv/old, not /srv/tiny",
            id="the right name from another folder",
        ),
        pytest.param(200, "nonsense", "/v1/models does not answer", id="no answer of vLLM's"),
    ],
)
def test_what_is_not_ready(program: str, url: str, health: int, models: object, lack: str) -> None:
    Engine.health, Engine.models = health, models
    status, said = wait(program, url, "tiny", "/srv/tiny", "0")
    assert (status, said.startswith(f"ready.py: {url} is not ready after 0 s: {lack}")) == (1, True)


def test_nobody_listens(program: str) -> None:
    status, said = wait(program, "http://127.0.0.1:9", "tiny", "/srv/tiny", "0")
    assert (status, "/health does not answer" in said) == (1, True)


def test_the_wait_ends_with_the_server(program: str) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    status, said = wait(program, "http://127.0.0.1:9", "tiny", "/srv/tiny", "15", MAINPID=str(ended.pid))
    assert (status, "the server ended after " in said) == (1, True)


def test_a_server_that_lives_is_waited_for(program: str, url: str) -> None:
    assert wait(program, url, "tiny", "/srv/tiny", "5", MAINPID=str(os.getpid()))[0] == 0


@pytest.mark.parametrize("arguments", [[], ["http://127.0.0.1:9", "tiny", "/srv/tiny"], ["a", "b", "c", "soon"]])
def test_wrong_use(program: str, arguments: list[str]) -> None:
    status, said = wait(program, *arguments)
    assert (status, "four arguments are needed" in said) == (2, True)


@pytest.mark.parametrize(
    ("noted", "expected"),
    [
        pytest.param('{"start_timeout": 1500}', 1500, id="a start that was slow"),
        pytest.param('{"start_timeout": 90}', 900, id="a quick start shortens nothing"),
        pytest.param('{"start_timeout": 99999}', 2700, id="never more than three times"),
        pytest.param('{"start_timeout": null}', 900, id="nothing measured"),
        pytest.param("{}", 900, id="an older record"),
        pytest.param("[]", 900, id="no record"),
        pytest.param("half of a rec", 900, id="a broken record"),
        pytest.param(None, 900, id="no file"),
    ],
)
def test_how_long_it_waits(
    load: Callable[[str], ModuleType], tmp_path: Path, noted: str | None, expected: float
) -> None:
    record = tmp_path / "record.json"
    if noted is not None:
        record.write_text(noted)
    assert load("vllm/files/ready.py").limit(900, str(record)) == expected
