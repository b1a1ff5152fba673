# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""ready.py: when a llama.cpp server counts as ready, and when waiting is pointless."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest


class Engine(BaseHTTPRequestHandler):
    """A llama.cpp server in any state that a test wants."""

    health: ClassVar[int] = 200
    completion: ClassVar[tuple[int, str]] = (200, '{"choices": [{"text": ""}]}')
    asked: ClassVar[list[dict[str, object]]] = []
    models: ClassVar[list[dict[str, object]]] = []
    key: ClassVar[str] = ""

    def do_GET(self) -> None:
        allowed = self.path == "/health" or not self.key or self.headers["Authorization"] == f"Bearer {self.key}"
        status = self.health if self.path == "/health" else 200 if allowed else 401
        body = json.dumps({"data": self.models}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        Engine.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        status, text = self.completion
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Engine.health, Engine.models, Engine.key = 200, [{"id": "tiny", "aliases": ["tiny", "small"]}], ""
    Engine.completion, Engine.asked = (200, '{"choices": [{"text": ""}]}'), []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def program(root: Path) -> str:
    return str(root / "roles/llamacpp/files/ready.py")


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


@pytest.mark.parametrize("alias", ["tiny", "small"])
def test_ready_under_each_of_its_names(program: str, url: str, alias: str) -> None:
    code, text = wait(program, f"{url}/", alias, "5")
    assert (code, text.rpartition(",")[0]) == (0, f"ready.py: {url} serves {alias}")


def test_a_server_is_ready_only_when_it_has_generated_a_token(program: str, url: str) -> None:
    assert wait(program, url, "tiny", "5")[0] == 0
    assert Engine.asked == [{"model": "tiny", "prompt": "Hello", "max_tokens": 1, "temperature": 0}]


def test_the_python_server_has_no_health_page(program: str, url: str) -> None:
    Engine.health = 404
    assert wait(program, url, "tiny", "5")[0] == 0


@pytest.mark.parametrize("variable", ["LLAMA_ARG_EMBEDDINGS", "LLAMA_ARG_RERANKING"])
def test_a_server_that_generates_nothing_is_not_asked_to(program: str, url: str, variable: str) -> None:
    Engine.completion = (501, "{}")
    assert wait(program, url, "tiny", "5", **{variable: "1"})[0] == 0
    assert Engine.asked == []


@pytest.mark.parametrize(
    ("completion", "said"),
    [
        pytest.param((500, "{}"), "answers 500", id="an error"),
        pytest.param((200, '{"choices": []}'), "answers '{\"choices\": []}'", id="nothing"),
        pytest.param((200, "<html>"), "answers '<html>'", id="no answer of a model"),
    ],
)
def test_a_server_that_cannot_generate_is_given_up_at_once(
    program: str, url: str, completion: tuple[int, str], said: str
) -> None:
    Engine.completion = completion
    code, text = wait(program, url, "tiny", "60")
    assert code == 1
    assert text == f"ready.py: tiny is loaded but does not generate: /v1/completions {said}; its own lines may say why."


def test_a_key_is_sent_where_there_is_one(program: str, url: str) -> None:
    Engine.key = "sk-engine"
    assert wait(program, url, "tiny", "5", LLAMA_API_KEY="sk-engine")[0] == 0


@pytest.mark.parametrize(
    ("health", "models", "key", "lack"),
    [
        pytest.param(503, [], "", "/health answers 503", id="still loading"),
        pytest.param(200, [], "", "/v1/models lists no model, not tiny", id="healthy, but it lost its model"),
        pytest.param(200, [{"id": "other"}], "", "/v1/models lists other, not tiny", id="another model"),
        pytest.param(200, [{"id": "tiny"}], "sk-x", "/v1/models answers 401", id="another key"),
    ],
)
def test_not_ready_says_what_is_lacking(
    program: str, url: str, health: int, models: list[dict[str, object]], key: str, lack: str
) -> None:
    Engine.health, Engine.models, Engine.key = health, models, key
    assert wait(program, url, "tiny", "0") == (1, f"ready.py: {url} is not ready after 0 s: {lack}.")


def test_it_does_not_wait_for_a_process_that_is_gone(program: str) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    code, text = wait(program, "http://127.0.0.1:9", "tiny", "60", MAINPID=str(ended.pid))
    assert code == 1
    assert text.startswith("ready.py: the server ended after 0.")


def test_nor_for_one_that_only_its_parent_still_knows(program: str) -> None:
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    while Path(f"/proc/{zombie.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        pass
    assert wait(program, "http://127.0.0.1:9", "tiny", "60", MAINPID=str(zombie.pid))[0] == 1
    zombie.wait()


@pytest.mark.parametrize("arguments", [[], ["http://127.0.0.1:9", "tiny"], ["http://127.0.0.1:9", "tiny", "soon"]])
def test_wrong_use(program: str, arguments: list[str]) -> None:
    assert wait(program, *arguments) == (2, "ready.py: three arguments are needed: URL ALIAS SECONDS.")
