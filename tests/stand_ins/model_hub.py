#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A model hub that serves folders: model_hub.py FOLDER [PORT]

FOLDER holds repositories as OWNER/NAME. It speaks as much of the hub's API as fetching a model needs: what a revision
has, with sizes and checksums, and files by revision, of which large ones are redirected to another port, as the hub
redirects to hosts of somebody else. Standard output gets one line: the base address, on 127.0.0.1.

Tests make a Hub themselves, look at ``requests``, and set ``faults`` for what should go wrong.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LARGE = 10_000
"""From so many bytes on a file is kept as the hub keeps large ones: with a sha256, and elsewhere."""


@dataclass
class Faults:
    """What goes wrong. Lists are used up one entry per request; names are those of files."""

    cut_after: list[int] = field(default_factory=list)
    """Hang up after so many bytes of a file."""
    wrong_bytes: set[str] = field(default_factory=set)
    too_many: int = 0
    """Answer so many requests with 429."""
    gated: bool = False
    private: bool = False
    token: str = ""
    """With gated or private, the token that opens the door."""
    no_ranges: bool = False
    delay: float = 0.0
    """Seconds before each block of 4 KiB."""
    page: bool = False
    """Answer everything with an HTML page, as a captive proxy does."""


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    port: int
    path: str
    range: str
    authorization: str


class Hub:
    """The hub and, on a port of its own, the host that its large files are redirected to."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        self.faults = Faults()
        self.requests: list[Request] = []
        self._servers = [_Server(("127.0.0.1", port), self, True), _Server(("127.0.0.1", 0), self, False)]
        self._threads = [threading.Thread(target=server.serve_forever, args=(0.01,)) for server in self._servers]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._servers[0].server_port}"

    @property
    def elsewhere(self) -> int:
        """The port of the host that keeps large files."""
        return self._servers[1].server_port

    def files(self, repo: str) -> dict[str, bytes]:
        """Read a repository."""
        root = self.folder / repo
        return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}

    def revision(self, repo: str) -> str:
        """Name the only revision of a repository: it changes with any file."""
        return hashlib.sha1(repr(self.files(repo)).encode(), usedforsecurity=False).hexdigest()

    def __enter__(self) -> Hub:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], hub: Hub, is_hub: bool) -> None:
        super().__init__(address, _Handler)
        self.hub = hub
        self.is_hub = is_hub

    def handle_error(self, _request: object, _client: object) -> None:
        """Say nothing when a client hangs up: tests kill them."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        hub, faults = self.server.hub, self.server.hub.faults
        authorization = self.headers.get("Authorization", "")
        asked = Request(self.server.server_port, self.path, self.headers.get("Range", ""), authorization)
        hub.requests.append(asked)
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if faults.page:
            self._answer(200, b"<!DOCTYPE html><title>Sign in</title>", {"Content-Type": "text/html"})
        elif faults.too_many > 0:
            faults.too_many -= 1
            self._error(429, "", "We had to rate limit you", {"Retry-After": "7"})
        elif not self.server.is_hub:
            self._file(*path.removeprefix("/cdn/").split("//", 1))
        elif self._is_closed(authorization):
            code = "GatedRepo" if faults.gated else "RepoNotFound"
            self._error(401, code, "Access to this repository is restricted")
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/(.+)", path):
            self._describe(found[1], found[2])
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(found[1], found[2], found[3])
        else:
            self._error(404, "", "Not here")

    def _is_closed(self, authorization: str) -> bool:
        faults = self.server.hub.faults
        return (faults.gated or faults.private) and authorization != f"Bearer {faults.token}"

    def _describe(self, repo: str, revision: str) -> None:
        hub = self.server.hub
        if not (hub.folder / repo).is_dir():
            self._error(404, "RepoNotFound", "Repository not found")
        elif revision not in ("main", hub.revision(repo)):
            self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        else:
            siblings = [_described(name, content) for name, content in hub.files(repo).items()]
            body = {"id": repo, "sha": hub.revision(repo), "gated": False, "siblings": siblings}
            self._answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _resolve(self, repo: str, revision: str, name: str) -> None:
        hub = self.server.hub
        path = hub.folder / repo / name
        if revision not in ("main", hub.revision(repo)) or not path.is_file():
            self._error(404, "EntryNotFound", "Entry not found")
            return
        if path.stat().st_size < LARGE:
            self._file(repo, name)
            return
        to = f"http://127.0.0.1:{hub.elsewhere}/cdn/{repo}//{urllib.parse.quote(name)}"
        headers = {"Location": to, "X-Repo-Commit": hub.revision(repo), "X-Linked-Size": str(path.stat().st_size)}
        self._answer(302, b"", {**headers, "X-Linked-Etag": f'"{_sha256(path.read_bytes())}"'})

    def _file(self, repo: str, name: str) -> None:
        """Serve a file, or its end, or some of it, or another one."""
        faults = self.server.hub.faults
        content = (self.server.hub.folder / repo / name).read_bytes()
        if name in faults.wrong_bytes:
            content = bytes(255 - byte for byte in content)
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        begin = int(found[1]) if found and not faults.no_ranges else 0
        if begin >= len(content) and begin:
            self._error(416, "", "Range not satisfiable")
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.send_header("ETag", f'"{_sha256(content)}"')
        self.send_header("X-Repo-Commit", self.server.hub.revision(repo))
        self.end_headers()
        end = begin + faults.cut_after.pop(0) if faults.cut_after else len(content)
        for place in range(begin, min(end, len(content)), 4096):
            time.sleep(faults.delay)
            self.wfile.write(content[place : min(place + 4096, end)])

    def _error(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        named = {"X-Error-Code": code} if code else {}
        body = json.dumps({"error": message}).encode()
        self._answer(status, body, {"X-Error-Message": message, **named, **(headers or {})})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is that of the base class
        """Say nothing about requests: they are noted."""


def _described(name: str, content: bytes) -> dict[str, object]:
    """Describe a file as the hub does: with git's name, and for a large one with its sha256."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{_sha256(content)}\nsize {len(content)}\n"
    if len(content) < LARGE:
        return {"rfilename": name, "size": len(content), "blobId": _blob(content)}
    large = {"sha256": _sha256(content), "size": len(content), "pointerSize": len(pointer)}
    return {"rfilename": name, "size": len(content), "blobId": _blob(pointer.encode()), "lfs": large}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()


def main() -> None:
    with Hub(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0) as hub:
        print(hub.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
