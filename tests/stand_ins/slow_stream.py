#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""An engine whose streamed answers take as long as one likes: slow_stream.py [INTERVAL]

It speaks as much of the OpenAI API as a streamed chat needs. The answer is the numbers 0 1 2 ... up to max_tokens, one
each INTERVAL seconds (default 0.25), so that a reader can tell whether any got lost. Standard output gets one line: the
base address. It listens on a port of 127.0.0.1 that was free.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

INTERVAL = float(sys.argv[1]) if len(sys.argv) > 1 else 0.25


def chunks(model: str, tokens: int) -> Iterator[dict[str, object]]:
    """Yield the chunks of one answer."""
    base = {"id": "slow", "object": "chat.completion.chunk", "created": int(time.time()), "model": model}
    for number in range(tokens):
        delta = {"role": "assistant", "content": f"{number} "}
        yield {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}


class Engine(BaseHTTPRequestHandler):
    """Answers every POST with a stream; the end of the connection is the end of the answer."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for chunk in chunks(request["model"], int(request.get("max_tokens", 10))):
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()
            time.sleep(INTERVAL)
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is that of the base class
        """Say nothing about requests."""


def main() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Engine) as server:
        print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
