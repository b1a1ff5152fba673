# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a checklist takes: as long as its slowest chain of checks, since those that can run do so side by side.

A gateway, four engines and twelve models stand in, and each answer takes its time. All is measured against what the
checks themselves took, so that a busy machine, on which each takes longer, proves the same.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.lab.llm_stack.plugins.module_utils._check_order import waits
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan
from ansible_collections.lab.llm_stack.plugins.module_utils._probe import Probe

PROJECT = Path(__file__).parents[4]
sys.path.insert(0, str(PROJECT / "tests/stand_ins"))

import vllm_server

DELAY = 0.1
"""Seconds that each answer takes."""
LONGER = 1.2
"""How much longer than its slowest chain a checklist may take: of ten seconds, two."""
VLLM = ("one", "two", "three")
OLLAMA = tuple(f"small-{number}" for number in range(9))
KEYS = {"right": "sk-1", "engine": ""}


class Stack:
    """Five servers that answer for a gateway and four engines, and know how many they answered at a time."""

    def __init__(self) -> None:
        self.servers = [ThreadingHTTPServer(("127.0.0.1", 0), self.handler()) for _number in range(5)]
        self.ports = [server.server_address[1] for server in self.servers]
        self.lock, self.now, self.most, self.answered = threading.Lock(), 0, 0, 0
        self.written = plan(self.declared())
        self.bases = {each["model"]: each["api_bases"][0] for each in self.written["checklist"] if "api_bases" in each}

    def declared(self) -> dict[str, Any]:
        gateway, ollama, *own = self.ports
        models: dict[str, Any] = {
            name: {"source": f"/srv/{name}", "engine": "vllm", "tools": True, "context": 4096, "vllm": {"port": port}}
            for name, port in zip(VLLM, own, strict=True)
        }
        models |= {name: {"source": f"{name}:1b", "engine": "ollama", "context": 4096} for name in OLLAMA}
        for name in VLLM:
            models[name]["vllm"] |= {"tool_call_parser": "hermes", "accept_tools": "degraded"}
        return {
            "models": models,
            "gateway": {"port": gateway},
            "ollama": {"port": ollama},
            "hosts": {"gw-01": {"groups": ["litellm", "ollama", "vllm"]}},
        }

    def checks(self) -> list[dict[str, Any]]:
        """What the plan wants asked; what it wants looked at on the host has no host here."""
        return [each for each in self.written["checklist"] if "url" in each]

    def answer(self, port: int, path: str, body: Mapping[str, Any] | None, key: str) -> tuple[int, Any, str]:
        """Status, body and who answered, of the server at a port."""
        if port == self.ports[0]:
            return self._of_gateway(path, body, key)
        if port == self.ports[1]:
            return self._of_ollama(path, body)
        name = VLLM[self.ports.index(port) - 2]
        if path == "/v1/models":
            return 200, {"data": [{"id": name, "root": f"/srv/{name}", "max_model_len": 4096}]}, ""
        if path == "/metrics":
            return 200, f"vllm:generation_tokens_total {self.answered}.0\n", ""
        if path == "/tokenize":
            return 200, {"count": 40 if (body or {}).get("tools") else 8}, ""
        return 200, spoken(body or {}), ""

    def _of_gateway(self, path: str, body: Mapping[str, Any] | None, key: str) -> tuple[int, Any, str]:
        if path == "/v1/models":
            right = key == "Bearer sk-1"
            return (200, {"data": [{"id": name} for name in (*VLLM, *OLLAMA)]}, "") if right else (401, {}, "")
        if path == "/model/info":
            listed = next(each for each in self.written["checklist"] if each["check"] == "gateway_deployments")
            data = [
                {"model_name": each["name"], "litellm_params": each, "model_info": each.get("info") or {}}
                for each in listed["deployments"]
            ]
            return 200, {"data": data}, ""
        return 200, spoken(body or {}), self.bases.get(str((body or {}).get("model")), "")

    def _of_ollama(self, path: str, body: Mapping[str, Any] | None) -> tuple[int, Any, str]:
        loaded = [{"name": f"{name}:1b", "context_length": 4096, "size": 1, "size_vram": 0} for name in OLLAMA]
        loaded += [{**each, "name": name} for each, name in zip(loaded, self.ollama_names(), strict=True)]
        if path == "/api/show":
            return 200, {"capabilities": ["completion", "tools"], "parameters": "num_ctx 4096"}, ""
        return 200, {"models": loaded} if path.startswith("/api/") else spoken(body or {}), ""

    def ollama_names(self) -> list[str]:
        return [each["ollama_name"] for each in self.written["checklist"] if each["check"] == "ollama_context"]

    def handler(self) -> type[BaseHTTPRequestHandler]:
        stack = self

        class Handler(BaseHTTPRequestHandler):
            """Takes its time, then answers for its port."""

            def do_GET(self) -> None:
                self.take(None)

            def do_POST(self) -> None:
                self.take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def take(self, body: Mapping[str, Any] | None) -> None:
                with stack.lock:
                    stack.now, stack.answered = stack.now + 1, stack.answered + 1
                    stack.most = max(stack.most, stack.now)
                time.sleep(DELAY)
                port, key = self.server.server_address[1], str(self.headers["Authorization"])
                status, found, base = stack.answer(port, self.path, body, key)
                text = found if isinstance(found, str) else json.dumps(found)
                if body and body.get("stream"):
                    text = streamed(found)
                with stack.lock:
                    stack.now -= 1
                self.send_response(status)
                self.send_header("X-LiteLLM-Model-Api-Base", base)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
                """Say nothing."""

        return Handler


def spoken(body: Mapping[str, Any]) -> dict[str, Any]:
    """Words, or the call that was asked for."""
    said = vllm_server.message(dict(body)) if body.get("messages") else {"role": "assistant", "content": "I do."}
    finish = "tool_calls" if said.get("tool_calls") else "stop"
    usage = {"prompt_tokens": 40 if body.get("tools") else 8, "completion_tokens": 6, "total_tokens": 14}
    return {"choices": [{"index": 0, "message": said, "finish_reason": finish}], "usage": usage}


def streamed(whole: Mapping[str, Any]) -> str:
    choice = whole["choices"][0]
    calls = [{"index": 0, **call} for call in choice["message"].get("tool_calls") or []]
    delta = {**choice["message"], **({"tool_calls": calls} if calls else {})}
    part = {"choices": [{**choice, "delta": delta}], "usage": whole["usage"]}
    return f"data: {json.dumps(part)}\n\ndata: [DONE]\n\n"


@pytest.fixture
def stack() -> Iterator[Stack]:
    found = Stack()
    threads = [threading.Thread(target=server.serve_forever, args=(0.01,)) for server in found.servers]
    for thread in threads:
        thread.start()
    yield found
    for server, thread in zip(found.servers, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


def slowest_chain(checks: Sequence[dict[str, Any]], seconds: Mapping[str, float]) -> float:
    """How long the checks that wait for each other took, of all chains the longest."""
    done: dict[str, float] = {}

    def ended(check: dict[str, Any]) -> float:
        if check["id"] not in done:
            before = [ended(each) for each in waits(check, checks) if each["id"] in seconds]
            done[check["id"]] = max(before, default=0.0) + seconds[check["id"]]
        return done[check["id"]]

    return max(ended(check) for check in checks)


def usual_concurrency() -> int:
    """What validate.yml sets where nobody says otherwise."""
    text = (PROJECT / "playbooks/validate.yml").read_text(encoding="utf-8")
    (task,) = [each for each in yaml.safe_load(text)[0]["tasks"] if "lab.llm_stack.probe" in each]
    return int(re.findall(r"validate_concurrency \| default\((\d+)\)", task["lab.llm_stack.probe"]["concurrency"])[0])


def test_a_checklist_takes_as_long_as_its_slowest_chain_of_checks(stack: Stack) -> None:
    checks = stack.checks()
    began = time.monotonic()
    results = [each.as_dict() for each in Probe(KEYS, 30, usual_concurrency()).run(checks)]
    wall = time.monotonic() - began
    assert [(each["id"], each["evidence"]) for each in results if each["state"] != "pass"] == []
    seconds = {each["id"]: each["seconds"] for each in results}
    assert wall <= LONGER * slowest_chain(checks, seconds)
    assert sum(seconds.values()) >= 3 * wall, "they ran one after the other"
    assert stack.most > len(VLLM) + len(OLLAMA), "one answer for each model at a time is not all that could be asked"
    assert len({each["model"] for each in checks if each["check"] == "route"}) == len(VLLM) + len(OLLAMA)
