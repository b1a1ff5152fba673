#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A STAND-IN for llama-server with one fault, healthy in all else: engine.py FAULT PORT MODEL_FILE

hung gives no answer to a chat; parser refuses tools, as vLLM does without a tool parser; forced makes no call although
one is required; automatic gives a call that is free to come as text; conversation refuses the result of a tool.
"""

from __future__ import annotations

import http.server
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

FAULT, PORT, MODEL = sys.argv[1:]
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}


class Handler(http.server.BaseHTTPRequestHandler):
    counted = 0

    def do_GET(self) -> None:
        if self.path == "/metrics":
            return self.send(f"llamacpp:tokens_predicted_total {self.counted}\n".encode())
        told = {"data": [{"id": "tiny"}], "model_path": MODEL, "default_generation_settings": {"n_ctx": 4096}}
        return self.send(json.dumps(told).encode())

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/apply-template":
            return self.send(json.dumps({"prompt": json.dumps(asked)}).encode())
        if FAULT == "hung":
            time.sleep(600)
        if FAULT == "conversation" and asked["messages"][-1]["role"] == "tool":
            error = {"error": {"message": "Conversation roles must alternate user/assistant/user/assistant"}}
            return self.send(json.dumps(error).encode(), 400)
        if FAULT == "parser" and asked.get("tools"):
            words = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
            return self.send(json.dumps({"error": {"message": words}}).encode(), 400)
        Handler.counted += 4
        message = said(asked)
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}
        return self.send(json.dumps({"choices": [choice], "usage": {"prompt_tokens": 9}}).encode())

    def send(self, content: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(content)


def said(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The answer's message."""
    if not asked.get("tools") or asked["messages"][-1]["role"] == "tool":
        return {"role": "assistant", "content": "It is sunny in Paris."}
    if ("forced" if asked.get("tool_choice") == "required" else "automatic") == FAULT:
        return {"role": "assistant", "content": f"<tool_call>{json.dumps(CALL['function'])}</tool_call>"}
    return {"role": "assistant", "content": None, "tool_calls": [CALL]}


http.server.ThreadingHTTPServer(("127.0.0.1", int(PORT)), Handler).serve_forever()
