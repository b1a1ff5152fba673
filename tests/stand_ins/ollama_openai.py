# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The answers of the stand-in for Ollama in the form of the OpenAI API."""

from __future__ import annotations

import json
import time
from typing import Any

from ollama_store import Model


def whole(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """The one object of an answer that is not streamed: the last line, with the words of all."""
    last = dict(lines[-1])
    if "message" in last:
        words = "".join(each["message"]["content"] for each in lines)
        last["message"] = {**last["message"], "content": words}
    elif "response" in last:
        last["response"] = "".join(each["response"] for each in lines)
    return last


def v1_model(name: str, model: Model) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": int(model.changed), "owned_by": model.parts[1]}


def v1_error(message: str, kind: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def v1_message(lines: list[dict[str, Any]]) -> tuple[dict[str, Any], str]:
    last = whole(lines)["message"]
    calls = [
        {"id": f"call_{c['id'][:8]}", "index": 0, "type": "function",
         "function": {"name": c["function"]["name"], "arguments": json.dumps(c["function"]["arguments"])}}
        for c in last.get("tool_calls", [])
    ]  # fmt: skip
    message = {"role": "assistant", "content": last["content"], **({"tool_calls": calls} if calls else {})}
    return message, "tool_calls" if calls else "stop"


def v1_answer(lines: list[dict[str, Any]], body: dict[str, Any]) -> dict[str, Any]:
    message, reason = v1_message(lines)
    asked, made = lines[-1]["prompt_eval_count"], lines[-1]["eval_count"]
    return {
        "id": "chatcmpl-101",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "system_fingerprint": "fp_ollama",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": asked, "completion_tokens": made, "total_tokens": asked + made},
    }


def v1_chunks(lines: list[dict[str, Any]], body: dict[str, Any]) -> list[dict[str, Any]]:
    message, reason = v1_message(lines)
    answer = v1_answer(lines, body)
    start = {key: answer[key] for key in ("id", "created", "model", "system_fingerprint")}
    start["object"] = "chat.completion.chunk"
    chunks = [
        {**start, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {**start, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": reason}]},
    ]
    usage = (body.get("stream_options") or {}).get("include_usage")
    return [*chunks, {**start, "choices": [], "usage": answer["usage"]}] if usage else chunks
