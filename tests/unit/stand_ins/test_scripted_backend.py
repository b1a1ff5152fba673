# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""scripted_backend.py: each name does what its script says, for a client that speaks HTTP and nothing else."""

from __future__ import annotations

import http.client
import importlib.util
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CHAT: dict[str, object] = {"messages": [{"role": "user", "content": "hello"}]}
TOOL: dict[str, object] = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Client:
    port: int

    def request(self, method: str, path: str, body: object = None, timeout: float = 5.0) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            headers = {"Authorization": "Bearer none", "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body), headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read().decode())
        finally:
            connection.close()

    def chat(self, model: str, timeout: float = 5.0, **more: object) -> Answer:
        return self.request("POST", "/v1/chat/completions", {"model": model, **CHAT, **more}, timeout)

    def calls(self) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = self.request("GET", "/calls").body["calls"]
        return calls


@pytest.fixture(scope="module")
def scripted(root: Path) -> ModuleType:
    path = root / "tests/stand_ins/scripted_backend.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
    return module


@pytest.fixture
def client(scripted: ModuleType) -> Iterator[Client]:
    with scripted.Backend() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Client(server.server_port)
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("model", "more", "status", "said"),
    [
        pytest.param("ok", {}, 200, "I do as I am told.", id="ok"),
        pytest.param("ok@spare", {}, 200, "I do as I am told.", id="a further model of the same behaviour"),
        pytest.param("tokens-5000", {}, 200, '"total_tokens": 5000', id="tokens-N"),
        pytest.param("err500", {}, 500, "InternalServerError", id="err500"),
        pytest.param("err429", {}, 429, "RateLimitError", id="err429"),
        pytest.param("ctx", {}, 400, "maximum context length is 4096 tokens", id="ctx"),
        pytest.param("strict", {"temperature": 0}, 200, "I do as I am told.", id="strict, a key of the API"),
        pytest.param("strict", {"capabilities": []}, 400, "supplied: capabilities", id="strict, an unknown key"),
        pytest.param("notool", {}, 200, "I do as I am told.", id="notool, no tools"),
        pytest.param("notool", {"tools": [TOOL]}, 400, "--tool-call-parser to be set", id="notool, tools"),
        pytest.param("notool", {"tools": [TOOL], "tool_choice": "none"}, 200, "told", id="notool, tools to be ignored"),
        pytest.param("okay", {}, 404, "The model `okay` does not exist.", id="an unknown name"),
        pytest.param("slow-much", {}, 404, "The model `slow-much` does not exist.", id="a number that is none"),
    ],
)
def test_behaviour(client: Client, model: str, more: dict[str, object], status: int, said: str) -> None:
    answer = client.chat(model, **more)
    assert (answer.status, said in answer.text) == (status, True), answer


def test_a_rate_limit_says_when_to_come_back(client: Client) -> None:
    assert client.chat("err429").headers["Retry-After"] == "1"


def test_slow_takes_its_time(client: Client) -> None:
    began = time.monotonic()
    assert client.chat("slow-0.3").status == 200
    assert time.monotonic() - began >= 0.3


def test_a_slow_start_ends(client: Client) -> None:
    first = client.chat("slowstart-0.3")
    assert (first.status, first.body["error"]["message"]) == (503, "Loading model")
    time.sleep(0.35)
    assert client.chat("slowstart-0.3").status == 200


def test_hang_holds_one_client_and_serves_the_next(client: Client) -> None:
    with pytest.raises(TimeoutError):
        client.chat("hang", timeout=0.2)
    assert client.chat("ok").status == 200


def test_hang_lets_go_of_a_client_that_has_left(client: Client) -> None:
    with pytest.raises(TimeoutError):
        client.chat("hang", timeout=0.2)
    deadline = time.monotonic() + 5
    while client.request("GET", "/calls").body["held"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert client.request("GET", "/calls").body["held"] == []


def test_a_stream_counts(client: Client, scripted: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripted, "INTERVAL", 0.01)
    events = client.chat("stream", stream=True, max_tokens=3).text.split("\n\n")
    chunks = [json.loads(event.removeprefix("data: "))["choices"][0] for event in events[:-2]]
    assert "".join(chunk["delta"].get("content", "") for chunk in chunks) == "0 1 2 "
    assert (chunks[-1]["finish_reason"], events[-2]) == ("length", "data: [DONE]")


def test_calls_are_kept_until_they_are_forgotten(client: Client) -> None:
    client.chat("ok", user="me")
    client.chat("err500")
    calls = client.calls()
    assert [(call["model"], call["key"], call["body"].get("user")) for call in calls] == [
        ("ok", "none", "me"),
        ("err500", "none", None),
    ]
    client.request("DELETE", "/calls")
    assert client.calls() == []


def test_it_says_what_it_is(client: Client) -> None:
    assert client.request("GET", "/health").status == 200
    assert "notool" in [model["id"] for model in client.request("GET", "/v1/models").body["data"]]
    assert client.request("GET", "/nothing").status == 404
