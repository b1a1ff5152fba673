#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""An engine that does what the name of the model says: scripted_backend.py [PORT]

It speaks as much of the OpenAI API as a gateway asks of an engine. The requested model chooses the behaviour:

    ok            a short answer                        slow-N       the same after N seconds
    tokens-N      an answer that cost N tokens          slowstart-N  503 for N seconds from the first call on, then ok
    err500        500 to every request                  err429       429 with Retry-After to every request
    hang          no answer until the client leaves     ctx          400, the context is too short, in vLLM's words
    strict        400 when the body has a key that      notool       400 when tools are to be chosen, as vLLM without
                  is not in the OpenAI API                           a tool parser says it
    stream        numbers up to max_tokens, one each 0.25 s

What stands after an @ makes further models of the same behaviour: ok@spare. Another name gets 404.

GET /calls lists what arrived and whose client still waits for one that hangs, DELETE /calls forgets what arrived.
Standard output gets one line: the base address. It listens on 127.0.0.1, without PORT on one that was free.
"""

from __future__ import annotations

import json
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INTERVAL = 0.25
ANSWER = "I do as I am told."
CHAT_KEYS = """
    audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens messages
    metadata modalities model n parallel_tool_calls prediction presence_penalty prompt_cache_key reasoning_effort
    response_format safety_identifier seed service_tier stop store stream stream_options temperature tool_choice tools
    top_logprobs top_p user verbosity web_search_options
"""
CONTEXT = (
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4900 in the messages,"
    " 100 in the completion). Please reduce the length of the messages or completion."
)
NO_TOOLS = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'


class Refusal(Exception):
    """The answer is an error: its status, its text, and what kind of error the API calls it."""

    def __init__(self, status: int, message: str, kind: str) -> None:
        super().__init__(message)
        self.status, self.body = status, {"error": {"message": message, "type": kind, "param": None, "code": status}}


@dataclass(frozen=True)
class Call:
    """A request that arrived."""

    model: str
    at: float
    key: str
    body: Mapping[str, Any]


@dataclass
class Script:
    """What arrived so far, in order."""

    calls: list[Call] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    first: dict[str, float] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)

    def record(self, call: Call) -> None:
        with self.lock:
            self.calls.append(call)
            self.first.setdefault(call.model, call.at)

    def forget(self) -> None:
        with self.lock:
            self.calls.clear()
            self.first.clear()

    def age(self, model: str) -> float:
        """Seconds since the first call of a model."""
        return time.time() - self.first[model]


@dataclass(frozen=True)
class Turn:
    """One request and what a behaviour may look at; ``number`` is the N of its name."""

    call: Call
    script: Script
    number: float
    wait_for_client: Callable[[], None]


@dataclass(frozen=True)
class Answer:
    """What the model says, in how many pieces it comes when streamed, and what it cost.

    Where it does more than speak, ``message`` and ``deltas`` have that in the words of the API.
    """

    pieces: tuple[str, ...] = (ANSWER,)
    interval: float = 0.0
    tokens: int = 10
    finish: str = "stop"
    message: Mapping[str, Any] | None = None
    deltas: tuple[Mapping[str, Any], ...] = ()
    prompt: int = 1


def ok(_turn: Turn) -> Answer:
    return Answer(tuple(f"{word} " for word in ANSWER.split()))


def slow(turn: Turn) -> Answer:
    time.sleep(turn.number)
    return ok(turn)


def tokens(turn: Turn) -> Answer:
    return Answer(tokens=int(turn.number))


def slowstart(turn: Turn) -> Answer:
    if turn.script.age(turn.call.model) < turn.number:
        raise Refusal(503, "Loading model", "unavailable_error")
    return ok(turn)


def err500(_turn: Turn) -> Answer:
    raise Refusal(500, "EngineCore encountered an issue.", "InternalServerError")


def err429(_turn: Turn) -> Answer:
    raise Refusal(429, "Too many requests.", "RateLimitError")


def hang(turn: Turn) -> Answer:
    turn.script.held.append(turn.call.model)
    turn.wait_for_client()
    turn.script.held.remove(turn.call.model)
    raise ConnectionAbortedError


def ctx(_turn: Turn) -> Answer:
    raise Refusal(400, CONTEXT, "BadRequestError")


def strict(turn: Turn) -> Answer:
    unknown = sorted(set(turn.call.body) - set(CHAT_KEYS.split()))
    if unknown:
        raise Refusal(400, f"Unrecognized request argument supplied: {', '.join(unknown)}", "invalid_request_error")
    return ok(turn)


def notool(turn: Turn) -> Answer:
    if turn.call.body.get("tools") and turn.call.body.get("tool_choice", "auto") == "auto":
        raise Refusal(400, NO_TOOLS, "BadRequestError")
    return ok(turn)


def stream(turn: Turn) -> Answer:
    count = int(turn.call.body.get("max_tokens", 10))
    return Answer(tuple(f"{number} " for number in range(count)), INTERVAL, count, "length")


PLAIN = {each.__name__: each for each in (ok, err500, err429, hang, ctx, strict, notool, stream)}
NUMBERED = {each.__name__: each for each in (slow, tokens, slowstart)}


def behaviour(model: str) -> tuple[Callable[[Turn], Answer], float]:
    """Return what a model does, and the number in its name."""
    name = model.partition("@")[0]
    word, _dash, number = name.partition("-")
    try:
        return (NUMBERED[word], float(number)) if word in NUMBERED else (PLAIN[name], 0.0)
    except (KeyError, ValueError):
        raise Refusal(404, f"The model `{model}` does not exist.", "NotFoundError") from None


def whole(model: str, answer: Answer) -> dict[str, Any]:
    """The answer in one piece."""
    message = answer.message or {"role": "assistant", "content": "".join(answer.pieces).strip()}
    usage = {"prompt_tokens": answer.prompt, "completion_tokens": answer.tokens - 1, "total_tokens": answer.tokens}
    choice = {"index": 0, "message": message, "finish_reason": answer.finish}
    return {**_base("chat.completion", model), "choices": [choice], "usage": usage}


def chunks(model: str, answer: Answer) -> Iterator[dict[str, Any]]:
    """The answer in its pieces, and the end."""
    for delta in answer.deltas or [{"role": "assistant", "content": piece} for piece in answer.pieces]:
        yield {
            **_base("chat.completion.chunk", model),
            "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
        }
    end = {"index": 0, "delta": {}, "finish_reason": answer.finish}
    yield {**_base("chat.completion.chunk", model), "choices": [end]}


def _base(kind: str, model: str) -> dict[str, Any]:
    return {"id": "scripted", "object": kind, "created": int(time.time()), "model": model}


class Backend(ThreadingHTTPServer):
    """The server; one script for all its connections."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.script = Script()
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One connection, kept open between requests as engines do."""

    protocol_version = "HTTP/1.1"
    server: Backend

    def do_GET(self) -> None:
        if self.path == "/calls":
            script = self.server.script
            self.send(200, {"calls": [asdict(call) for call in script.calls], "held": script.held})
        elif self.path == "/v1/models":
            self.send(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in sorted(PLAIN)]})
        else:
            self.send(200 if self.path == "/health" else 404, {})

    def do_DELETE(self) -> None:
        self.server.script.forget()
        self.send(200, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        call = Call(str(body["model"]), time.time(), key, body)
        self.server.script.record(call)
        try:
            act, number = behaviour(call.model)
            self.answer(call, act(Turn(call, self.server.script, number, self.wait_for_client)))
        except Refusal as refusal:
            self.send(refusal.status, refusal.body)
        except ConnectionError:
            self.close_connection = True

    def answer(self, call: Call, answer: Answer) -> None:
        if not call.body.get("stream"):
            time.sleep(answer.interval * len(answer.pieces))
            self.send(200, whole(call.model, answer))
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for chunk in chunks(call.model, answer):
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()
            time.sleep(answer.interval)
        self.wfile.write(b"data: [DONE]\n\n")

    def send(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(text)

    def wait_for_client(self) -> None:
        """Return when the client has closed the connection; nothing else is to come from it."""
        select.select([self.connection], [], [])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is that of the base class
        """Say nothing about requests."""


def main() -> None:
    with Backend(int(sys.argv[1]) if len(sys.argv) > 1 else 0) as server:
        print(f"{server.url}/v1", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
