# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Requests to a gateway at a steady rate, and one long stream. Nothing here is ever tried a second time."""

from __future__ import annotations

import http.client
import json
import select
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field

TIMEOUT = 60.0
WORKERS = 40
"""At 5 requests per second, 40 may be under way when none was answered for 8 seconds; further ones would wait here."""


@dataclass(frozen=True)
class Gateway:
    """Where it is and the key it wants."""

    host: str
    port: int
    key: str

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT)

    def ask(self, connection: http.client.HTTPConnection, body: Mapping[str, object]) -> http.client.HTTPResponse:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        return connection.getresponse()


@dataclass(frozen=True)
class Answer:
    """One request: when it was sent, how long it took, and what went wrong, if anything."""

    sent: float
    seconds: float
    error: str = ""


class Load:
    """A chat so many times a second, by turns on a new connection and on one that both sides keep."""

    def __init__(self, gateway: Gateway, model: str, rate: float) -> None:
        self.gateway, self.model, self.rate = gateway, model, rate
        self.answers: list[Answer] = []
        self.kept: list[http.client.HTTPConnection] = []
        self.ended = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send requests until the block ends, then wait for the last answers."""
        with ExitStack() as ending:
            ending.callback(self.close)
            pool = ending.enter_context(ThreadPoolExecutor(WORKERS))
            clock = threading.Thread(target=self.send_all, args=[pool])
            clock.start()
            ending.callback(clock.join)
            ending.callback(self.ended.set)
            yield

    def close(self) -> None:
        for connection in self.kept:
            connection.close()

    def send_all(self, pool: ThreadPoolExecutor) -> None:
        """Keep to the clock, not to the answers: a slow gateway gets no fewer requests."""
        began, number = time.monotonic(), 0
        while not self.ended.wait(max(0.0, began + number / self.rate - time.monotonic())):
            pool.submit(self.chat, keep=number % 2 == 1)
            number += 1

    def chat(self, keep: bool) -> None:
        connection = self.connection(keep)
        sent, error = time.monotonic(), ""
        try:
            error = self.fault(connection)
        except (OSError, http.client.HTTPException, ValueError, KeyError) as reason:
            error = f"{type(reason).__name__}: {reason}"
        self.answers.append(Answer(sent, time.monotonic() - sent, error))
        if keep and connection.sock and not error:
            self.kept.append(connection)
        else:
            connection.close()

    def connection(self, keep: bool) -> http.client.HTTPConnection:
        """Return a kept connection that the server has not closed since, as HTTP clients do, or a new one."""
        while keep and self.kept:
            kept = self.kept.pop()
            if kept.sock and not select.select([kept.sock], [], [], 0)[0]:
                return kept
            kept.close()
        return self.gateway.connect()

    def fault(self, connection: http.client.HTTPConnection) -> str:
        """Ask, and say what is wrong with the answer; it has to be a whole one of the model that was asked."""
        body = {"model": self.model, "max_tokens": 8, "messages": [{"role": "user", "content": "hello"}]}
        response = self.gateway.ask(connection, body)
        text = response.read()
        if response.status != 200:
            return f"{response.status}: {text[:200]!r}"
        return "" if json.loads(text)["choices"][0]["finish_reason"] else "an answer that is not finished"


@dataclass
class Stream:
    """A streamed answer of so many numbers, read to its end in the background."""

    gateway: Gateway
    model: str
    tokens: int
    text: str = ""
    error: str = "it has not ended"
    ended: float = 0.0
    thread: threading.Thread = field(init=False)

    def start(self) -> None:
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self) -> None:
        try:
            self.error = self.fault()
        except (OSError, http.client.HTTPException, ValueError, KeyError, IndexError) as reason:
            self.error = f"{type(reason).__name__}: {reason}"
        self.ended = time.monotonic()

    def fault(self) -> str:
        """Read all chunks, and say what is missing."""
        body = {"model": self.model, "stream": True, "max_tokens": self.tokens}
        with closing(self.gateway.connect()) as connection:
            response = self.gateway.ask(connection, {**body, "messages": [{"role": "user", "content": "count"}]})
            if response.status != 200:
                return f"{response.status}: {response.read(200)!r}"
            events = [line[6:].strip() for line in self.lines(response)]
        if self.text.split() != [str(number) for number in range(self.tokens)]:
            return f"{len(self.text.split())} of {self.tokens} chunks arrived"
        return "" if events[-1] == b"[DONE]" else "the end of the stream is missing"

    def lines(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        """Yield the data lines as they arrive and collect the text in them."""
        for line in response:
            if line.startswith(b"data: "):
                if line[6:7] == b"{":
                    self.text += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
                yield line
