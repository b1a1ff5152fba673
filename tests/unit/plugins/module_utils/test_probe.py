# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a real server on the loopback: what is sent, how long it is waited for, and what never comes out."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._answers import Question
from ansible_collections.lab.llm_stack.plugins.module_utils._probe import Observed, Probe, ask, observe

CANARY = "sk-canary-4711"
KEYS = {"right": CANARY, "engine": ""}


class Gateway(BaseHTTPRequestHandler):
    """Answers like LiteLLM; a request for the model `slow` hangs, one for `leaky` quotes the key."""

    seen: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers["Authorization"]))
        if self.path == "/v1/models" and self.headers["Authorization"] != f"Bearer {CANARY}":
            self.reply(401, {"error": {"message": "Authentication Error"}})
        else:
            self.reply(200, {"data": [{"id": "tiny"}]})

    def do_POST(self) -> None:
        model = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
        self.seen.append((model, self.headers["Authorization"]))
        if model == "slow":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"data: ")
            self.wfile.flush()
            time.sleep(1)
        elif model == "leaky":
            self.reply(500, {"error": {"message": f"bad key: {self.headers['Authorization']}"}})
        else:
            self.reply(200, {"choices": [{"message": {"content": "Hello"}}]})

    def reply(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("X-LiteLLM-Model-Api-Base", "http://127.0.0.1:8080/v1")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    # The stack's own ports are never asked for through a proxy.
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    Gateway.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def run(*checks: dict[str, Any], timeout: float = 5.0) -> list[dict[str, Any]]:
    given = [{"host": "gw-01", "id": str(number), **check} for number, check in enumerate(checks)]
    return [each.as_dict() for each in Probe(KEYS, timeout, 4).run(given)]


def test_results_come_in_the_order_of_the_checks_and_carry_all_fields(url: str) -> None:
    route = {"check": "route", "url": url, "model": "tiny", "api_bases": ["http://127.0.0.1:8080/v1"]}
    results = run(
        route, {"check": "gateway_models", "url": url, "models": ["tiny"]}, {"check": "gateway_alive", "url": url}
    )
    assert [(each["check"], each["state"]) for each in results] == [
        ("route", "pass"),
        ("gateway_models", "pass"),
        ("gateway_alive", "pass"),
    ]
    assert results[0]["title"] == "tiny is answered by its own instance"
    assert results[0].keys() == {
        *("id", "host", "check", "model", "title", "state", "evidence", "cause", "remedy", "seconds")
    }


def test_only_what_needs_the_key_is_sent_it(url: str) -> None:
    run({"check": "gateway_alive", "url": url}, {"check": "gateway_key", "url": url})
    assert Gateway.seen == [("/health/liveliness", None), ("/v1/models", "Bearer sk-this-key-does-not-exist")]


def test_a_check_whose_need_failed_is_skipped_and_asks_nothing(url: str) -> None:
    dead = "http://127.0.0.1:9"
    results = run({"check": "gateway_alive", "url": dead}, {"check": "gateway_key", "url": dead})
    assert [each["state"] for each in results] == ["fail", "skipped"]
    assert results[0]["evidence"].startswith("no answer: ")
    assert Gateway.seen == []


def test_no_secret_comes_out(url: str) -> None:
    (result,) = run({"check": "route", "url": url, "model": "leaky", "api_bases": ["x"]})
    assert result["evidence"] == "500: bad key: Bearer (secret)"
    assert CANARY not in json.dumps(result)


def test_an_answer_that_never_ends_is_given_up(url: str) -> None:
    (result,) = run({"check": "tool_call", "url": url, "model": "slow", "stream": True, "direct": True}, timeout=0.3)
    assert (result["state"], result["evidence"]) == ("fail", "no answer within 0.3 s")
    assert result["seconds"] < 0.9


def test_a_crash_of_one_check_is_its_own_failure(url: str) -> None:
    results = run({"check": "gateway_alive", "url": "ftp://nowhere"}, {"check": "gateway_alive", "url": url})
    assert [each["state"] for each in results] == ["fail", "pass"]
    assert results[0]["evidence"] == "ValueError: ftp://nowhere/health/liveliness is not an http address"


def test_the_holder_of_a_port_is_found(url: str) -> None:
    port = int(url.rsplit(":", 1)[1])
    seen = observe([{"check": "port_owner", "port": port}])
    (holder,) = seen.holders("127.0.0.1", port)
    assert holder.words.startswith(f"pid {os.getpid()} (")
    assert seen.holders("127.0.0.2", port) == []


def test_a_port_that_nobody_holds_has_no_holder() -> None:
    assert Observed({}, [], {}).holders("127.0.0.1", 8080) == []


def test_ask_reads_headers_in_lower_case(url: str) -> None:
    answer = ask(Question(f"{url}/v1/models"), KEYS, 5)
    assert (answer.status, answer.headers["x-litellm-model-api-base"]) == (200, "http://127.0.0.1:8080/v1")
