#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A stand-in for llama-server where fifty of them are to run on one machine: it lists its model and says one word.

It takes the same variables: LLAMA_ARG_HOST, LLAMA_ARG_PORT and LLAMA_ARG_ALIAS. It loads nothing.
"""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    """What readiness asks for."""

    def log_message(self, *_words: object) -> None:
        """Say nothing."""

    def send(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        listed = {"data": [{"id": os.environ["LLAMA_ARG_ALIAS"], "object": "model"}]}
        self.send(listed if self.path == "/v1/models" else {"status": "ok"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send({"choices": [{"index": 0, "text": "Hello", "finish_reason": "length"}]})


if __name__ == "__main__":
    HTTPServer((os.environ["LLAMA_ARG_HOST"], int(os.environ["LLAMA_ARG_PORT"])), Handler).serve_forever()
