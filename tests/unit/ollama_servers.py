# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Servers for the tests of what speaks to Ollama: the stand-in, a real one that OLLAMA_BINARY names, and a registry.

Without OLLAMA_BINARY every such test runs against the stand-in alone, which is no proof of anything about Ollama.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = [sys.executable, str(ROOT / "tests/stand_ins/ollama_server.py")]
TINY = ROOT / "models/tiny-tools.gguf"
KINDS = ["stand-in", *(["real"] if os.environ.get("OLLAMA_BINARY") else [])]
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def started(kind: str, home: Path, **variables: str) -> Iterator[str]:
    """Run a server with its own home and give its address."""
    command = STAND_IN if kind == "stand-in" else [os.environ["OLLAMA_BINARY"]]
    url = f"http://127.0.0.1:{free_port()}"
    home.mkdir(exist_ok=True)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "OLLAMA_HOST": url.removeprefix("http://"),
        "OLLAMA_NO_CLOUD": "1",
        **variables,
    }
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen([*command, "serve"], env=environment, stdout=log, stderr=log)
        try:
            wait(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(10)


def wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _attempt in range(200):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=1).close()
            return
        assert process.poll() is None, f"the server ended with {process.returncode}"
        time.sleep(0.05)
    raise AssertionError("the server does not answer")


def call(url: str, body: object = None, method: str = "", headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Send one request; give the status and the text of the answer."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, headers or {}, method=method or None)
    try:
        with urllib.request.urlopen(asked, timeout=30) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Registry(ThreadingHTTPServer):
    """A registry of one's own: what Ollama pulls from, with the faults that such registries have.

    ``location`` sends blobs with the header that Ollama needs; ``pause`` is seconds between the blocks of a blob.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.manifests: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.location = True
        self.pause = 0.0
        self.asked: list[str] = []

    def name(self, rest: str) -> str:
        return f"127.0.0.1:{self.server_address[1]}/{rest}"

    def add(self, rest: str, content: bytes, **parameters: object) -> None:
        """Publish a model as namespace/model:tag."""
        layers = [self._blob("model", content)]
        if parameters:
            layers.append(self._blob("params", json.dumps(parameters).encode()))
        config = self._blob("config", json.dumps({"model_format": "gguf", "of": len(content)}).encode())
        config["mediaType"] = "application/vnd.docker.container.image.v1+json"
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
        path, _colon, tag = rest.partition(":")
        self.manifests[f"/v2/{path}/manifests/{tag}"] = json.dumps(manifest).encode()

    def _blob(self, kind: str, content: bytes) -> dict[str, Any]:
        digest = f"sha256:{sha256(content)}"
        self.blobs[digest] = content
        return {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": digest, "size": len(content)}


class Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path in self.server.manifests:
            self._send(200, self.server.manifests[self.path])
        elif (digest := self.path.rsplit("/", 1)[1]) in self.server.blobs:
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            content = self.server.blobs[digest]
            begin, end = (int(wanted[1]), int(wanted[2] or len(content) - 1)) if wanted else (0, len(content) - 1)
            self._send(206 if wanted else 200, content[begin : end + 1])
        else:
            self._send(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')

    do_HEAD = do_GET  # noqa: N815 - the names are those of the base class

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if self.server.location:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}{self.path}")
        self.end_headers()
        with contextlib.suppress(OSError):
            for start in range(0, len(content) if self.command == "GET" else 0, 65536):
                self.wfile.write(content[start : start + 65536])
                time.sleep(self.server.pause)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def registry() -> Iterator[Registry]:
    """Run a registry."""
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
