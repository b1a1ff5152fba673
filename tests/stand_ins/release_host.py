#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A publisher of releases that serves folders: release_host.py FOLDER [PORT]

FOLDER holds the files of releases as OWNER/NAME/TAG. It describes a release in the form of GitHub's API, with sizes and
digests, and serves the files. Standard output gets one line: the base address, on 127.0.0.1.

Tests make a Publisher themselves, look at ``requests``, and set ``faults`` for what should go wrong.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Faults:
    """What goes wrong; names are those of files."""

    without_digest: set[str] = field(default_factory=set)
    wrong_digest: set[str] = field(default_factory=set)
    uploading: set[str] = field(default_factory=set)
    status: int = 0
    """Answer everything with this status."""
    exhausted: bool = False
    """Say that the limit of requests is used up, as GitHub does: 403 and a header."""
    body: bytes | None = None
    """Answer everything with this."""
    cut: bool = False
    """Send half of what is announced."""


class Publisher(ThreadingHTTPServer):
    """The API and the downloads of a publisher, on one port."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.folder = folder
        self.faults = Faults()
        self.requests: list[str] = []
        self.authorizations: set[str] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Publisher:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        path, faults = urllib.parse.unquote(self.path), self.server.faults
        self.server.requests.append(path)
        self.server.authorizations.add(self.headers.get("Authorization", ""))
        if faults.exhausted:
            self._answer(403, b'{"message": "API rate limit exceeded"}', {"X-RateLimit-Remaining": "0"})
        elif faults.status:
            self._answer(faults.status, b'{"message": "told by the test"}')
        elif faults.body is not None:
            self._answer(200, faults.body)
        elif found := re.fullmatch(r"/repos/([^/]+/[^/]+)/releases/(?:tags/([^/]+)|latest)", path):
            self._describe(found[1], found[2] or "")
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/releases/download/([^/]+)/([^/]+)", path):
            self._file(self.server.folder / found[1] / found[2] / found[3])
        else:
            self._answer(404, b'{"message": "Not Found"}')

    def _describe(self, repository: str, tag: str) -> None:
        releases = self.server.folder / repository
        tag = tag or max(path.name for path in releases.iterdir())
        if not (releases / tag).is_dir():
            self._answer(404, b'{"message": "Not Found"}')
            return
        assets = [self._asset(repository, tag, path) for path in sorted((releases / tag).iterdir())]
        body = {"tag_name": tag, "draft": False, "prerelease": True, "assets": assets}
        self._answer(200, json.dumps(body).encode())

    def _asset(self, repository: str, tag: str, path: Path) -> dict[str, object]:
        faults = self.server.faults
        asset = {
            "name": path.name,
            "size": path.stat().st_size,
            "state": "starter" if path.name in faults.uploading else "uploaded",
            "browser_download_url": f"{self.server.url}/{repository}/releases/download/{tag}/{path.name}",
            "digest": f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}",
        }
        if path.name in faults.wrong_digest:
            asset["digest"] = f"sha256:{'0' * 64}"
        return {**asset, "digest": None} if path.name in faults.without_digest else asset

    def _file(self, path: Path) -> None:
        if path.is_file():
            self._answer(200, path.read_bytes())
        else:
            self._answer(404, b'{"message": "Not Found"}')

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.server.faults.cut else body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is that of the base class
        """Say nothing about requests: they are noted."""


def main() -> None:
    with Publisher(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0) as publisher:
        print(publisher.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
