#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A build of llama-server that loads every model and cannot compute, as one that was not built for the host's card."""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(BaseHTTPRequestHandler):
    """Healthy, with the model in its list; every question is an error."""

    def do_GET(self) -> None:
        self.answer(200, {"status": "ok", "data": [{"id": os.environ["LLAMA_ARG_ALIAS"]}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(500, {"error": {"message": "no kernel image is available for execution on the device"}})

    def answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    ThreadingHTTPServer((os.environ["LLAMA_ARG_HOST"], int(os.environ["LLAMA_ARG_PORT"])), Server).serve_forever()
