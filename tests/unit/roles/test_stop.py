# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""stop.py: how a llama-server ends that would wait for its clients without a limit."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

# Like llama-server it has a handler for SIGTERM, after which it may go on waiting, and none for SIGHUP. Tests that were
# started by nohup would hand theirs down.
SERVER = """
import signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGTERM, lambda *_: None if sys.argv[1] == "waits" else sys.exit(0))
print("up", flush=True)
while True:
    time.sleep(0.05)
"""


class Pages(BaseHTTPRequestHandler):
    """The pages of a server that tell what it does."""

    running: ClassVar[Callable[[], int]] = staticmethod(lambda: 0)
    metrics: ClassVar[bool] = True
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        Pages.asked.append(f"{self.path} {self.headers.get('Authorization', '')}".strip())
        now = Pages.running()
        lines = f"llamacpp:prompt_tokens_total 9\nllamacpp:requests_processing {now}\nllamacpp:requests_deferred 0\n"
        text = lines if self.path == "/metrics" else json.dumps([{"is_processing": now > 0}])
        self.send_response(501 if self.path == "/metrics" and not self.metrics else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Pages.running, Pages.metrics, Pages.asked = staticmethod(lambda: 0), True, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A process that ends by SIGTERM, unless the test says that it waits for its clients."""
    manner = getattr(request, "param", "ends")
    with subprocess.Popen([sys.executable, "-c", SERVER, manner], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)


def stop(root: Path, url: str, seconds: float, pid: object, **environ: str) -> tuple[str, float]:
    """Run the program, which must work, and return what it says and how long it took."""
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(root / "roles/llamacpp/files/stop.py"), url, str(seconds)],
        env={"http_proxy": "http://127.0.0.1:9", "MAINPID": str(pid), **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout, time.monotonic() - begin


def test_an_idle_server_ends_at_once(root: Path, url: str, served: subprocess.Popen[str]) -> None:
    said, took = stop(root, url, 10, served.pid)
    assert (said, served.wait(5)) == ("", 0)
    assert took < 5


def test_what_runs_may_finish(root: Path, url: str, served: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 1
    Pages.running = staticmethod(lambda: int(time.monotonic() < until))
    said, took = stop(root, url, 10, served.pid)
    assert (said, served.wait(5)) == ("", 0)
    assert took > 0.9


def test_a_moment_between_two_answers_is_no_rest(root: Path, url: str, served: subprocess.Popen[str]) -> None:
    """Both slots were seen free while a hundred clients waited to be read: all of them were cut off."""
    running = iter([2, 0, 2, 0, 0, 2])
    Pages.running = staticmethod(lambda: next(running, 0))
    stop(root, url, 10, served.pid)
    assert served.wait(5) == 0
    assert next(running, "all were asked for") == "all were asked for"


@pytest.mark.parametrize("served", ["waits"], indirect=True)
def test_what_does_not_finish_is_cut_off_in_a_way_that_is_no_failure(
    root: Path, url: str, served: subprocess.Popen[str]
) -> None:
    Pages.running = staticmethod(lambda: 3)
    said, _took = stop(root, url, 0.5, served.pid)
    assert said == "stop.py: requests still ran after 3 s, and are cut off.\n"
    assert served.wait(5) == -signal.SIGHUP


def test_without_metrics_the_slots_tell(root: Path, url: str, served: subprocess.Popen[str]) -> None:
    Pages.metrics = False
    stop(root, url, 10, served.pid, LLAMA_API_KEY="sk-one,sk-two")
    assert Pages.asked[:2] == ["/metrics Bearer sk-one", "/slots Bearer sk-one"]


def test_a_server_that_does_not_answer_is_ended(root: Path, served: subprocess.Popen[str]) -> None:
    stop(root, "http://127.0.0.1:9", 10, served.pid)
    assert served.wait(5) == 0


def test_a_server_without_time_to_answer_is_busy(root: Path, served: subprocess.Popen[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        _said, took = stop(root, f"http://127.0.0.1:{silent.getsockname()[1]}", 3, served.pid)
    assert took > 3.9
    assert served.wait(5) == 0


def test_a_process_that_has_ended_is_nothing_to_do(root: Path, url: str) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as over:
        over.wait(10)
    assert stop(root, url, 10, over.pid)[0] == ""
    assert stop(root, url, 10, "")[0] == ""
    assert Pages.asked == []
