#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A stand-in for vLLM, of which several would be too heavy for a small machine: vllm_server.py serve --config FILE

It lists the model of its configuration, answers every chat with canned words or a call of the first tool offered, and
counts what it answered under vLLM's names. It loads no model and shows nothing about vLLM.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NEEDED = ("host", "port", "model", "served-model-name")
WORDS = "I do as I am told."


class Counted:
    """How many requests were answered."""

    def __init__(self) -> None:
        self.lock, self.answered = threading.Lock(), 0

    def one(self) -> None:
        with self.lock:
            self.answered += 1

    def text(self, model: str) -> str:
        return f'vllm:generation_tokens_total{{model_name="{model}"}} {6 * self.answered}.0\n'


def configuration(text: str) -> dict[str, str]:
    """The plain values of a configuration; the stand-in has no YAML."""
    return {key: value.strip().strip("'\"") for key, value in re.findall(r"^([a-z-]+): (.+)$", text, re.MULTILINE)}


def message(body: dict[str, Any]) -> dict[str, Any]:
    """Canned words, or a call of the first tool with a word for each of its required parameters."""
    if not body.get("tools") or body["messages"][-1]["role"] == "tool":
        return {"role": "assistant", "content": WORDS}
    tool = body["tools"][0]["function"]
    arguments = dict.fromkeys((tool.get("parameters") or {}).get("required") or [], "Paris")
    call = {"name": tool["name"], "arguments": json.dumps(arguments)}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call-1", "type": "function", "function": call}],
    }


class Handler(BaseHTTPRequestHandler):
    """As much of the API as the checks and a gateway ask for."""

    settings: dict[str, str]
    counted = Counted()

    def log_message(self, *_words: object) -> None:
        """Say nothing."""

    def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refused(self) -> bool:
        key = os.environ.get("VLLM_API_KEY")
        refused = bool(key) and self.headers.get("Authorization") != f"Bearer {key}"
        if refused:
            self._send(401, b'{"error": "Unauthorized"}')
        return refused

    def do_GET(self) -> None:
        name = self.settings["served-model-name"]
        if self.path == "/health":
            self._send(200, b"")
        elif self.path == "/metrics":
            self._send(200, self.counted.text(name).encode(), "text/plain")
        elif self.path == "/v1/models" and not self._refused():
            length = int(self.settings.get("max-model-len", 4096))
            model = {"id": name, "object": "model", "root": self.settings["model"], "max_model_len": length}
            self._send(200, json.dumps({"object": "list", "data": [model]}).encode())
        elif self.path != "/v1/models":
            self._send(404, b"{}")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._refused():
            return
        said = message(body)
        self.counted.one()
        finish = "tool_calls" if said.get("tool_calls") else "stop"
        start = {"id": "chatcmpl-1", "created": 1, "model": body["model"]}
        usage = {"prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10}
        choice = {"index": 0, "finish_reason": finish}
        if not body.get("stream"):
            whole = {**start, "object": "chat.completion", "choices": [{**choice, "message": said}], "usage": usage}
            self._send(200, json.dumps(whole).encode())
            return
        calls = [{"index": 0, **call} for call in said.get("tool_calls") or []]
        delta = {**said, **({"tool_calls": calls} if calls else {})}
        part = {**start, "object": "chat.completion.chunk", "choices": [{**choice, "delta": delta}], "usage": usage}
        self._send(200, f"data: {json.dumps(part)}\n\ndata: [DONE]\n\n".encode(), "text/event-stream")


def main() -> int:
    if len(sys.argv) != 4 or sys.argv[1:3] != ["serve", "--config"]:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    settings = configuration(Path(sys.argv[3]).read_text(encoding="utf-8"))
    lacking = [name for name in NEEDED if name not in settings]
    if lacking:
        sys.stderr.write(f"{sys.argv[3]} lacks {', '.join(lacking)}.\n")
        return 2
    Handler.settings = settings
    ThreadingHTTPServer((settings["host"], int(settings["port"])), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
