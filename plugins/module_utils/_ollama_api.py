# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Speak to an Ollama server: every answer is checked, and an error in the middle of a 200 is an error.

Nothing here decides. What the server cannot do is an ApiError, in its own words and with a remedy where one is known.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_names as names

STALL = 600.0
"""Seconds without a line after which a stream counts as dead; reading a large file takes minutes between two lines."""

Progress = Callable[[Mapping[str, Any]], bool]
"""Gets each line of a stream; says whether to go on."""


class ApiError(Exception):
    """A request that failed: what was asked, what the server said, and what to do about it."""

    def __init__(self, what: str, said: str, status: int = 0) -> None:
        remedy = next((words for sign, words in _REMEDIES if sign in said), "")
        super().__init__(f"{what}: {said}." + (f"\n    {remedy}" if remedy else ""))
        self.what, self.said, self.status = what, said, status


class NoServer(ApiError):
    """Nothing listens at the address."""


class Paused(Exception):
    """The caller did not want to go on; what arrived so far is kept by the server."""


# What people do about the words of the server, by a part of them that tells the case.
_REMEDIES: tuple[tuple[str, str], ...] = (
    ("manifest: file does not exist", "The registry has no model of this name and tag. Correct the source."),
    (
        "no Location header in response",
        "The mirror sends blobs without a Location header, which Ollama needs. Let it redirect to another host name, "
        "or add the header in a proxy before it.",
    ),
    ("digest mismatch, file must be", "The registry or a proxy before it sends other bytes than its manifest names."),
    ("server gave HTTP response to HTTPS", "The registry speaks plain HTTP. Set insecure: true for it."),
    ("no such host", "The host cannot resolve the registry. Name a mirror in the source, or seed a store."),
    ("connection refused", "Nothing listens there. Name another registry in the source, or start it."),
    ("dial tcp", "The host cannot reach the registry. Name a mirror in the source, or seed a store."),
    ("no space left", "Free some space below the folder of models, or move it with OLLAMA_MODELS."),
    ("failed to validate GGUF", "This release of Ollama cannot run the file. Use a newer release, or another file."),
    ("invalid file magic", "The file is no GGUF file."),
    ("answered 403", "Ollama refuses foreign host names on loopback. Use 127.0.0.1 or localhost in url."),
    ("llama-server", "Its runner is missing or fails: the folder lib/ollama of the release belongs beside bin/."),
)


@dataclass(frozen=True)
class Listed:
    """A model as the server lists it; the digest has no prefix, the size is in bytes."""

    name: str
    digest: str
    size: int = 0


@dataclass(frozen=True)
class Client:
    """A server at ``url``; ``timeout`` is in seconds, for whatever takes no time by its nature."""

    url: str
    timeout: float = 30.0

    # -- looking ----------------------------------------------------------------------------------------------------

    def version(self) -> str:
        """The version the server says it has."""
        return str(self._object("GET", "/api/version").get("version", ""))

    def tags(self) -> dict[str, Listed]:
        """The models that are there, by the key of their names."""
        found = self._object("GET", "/api/tags").get("models") or []
        listed = [Listed(str(e["name"]), str(e.get("digest", "")), int(e.get("size", 0))) for e in found]
        return {names.key(each.name): each for each in listed}

    def running(self) -> list[dict[str, Any]]:
        """The models in memory."""
        return list(self._object("GET", "/api/ps").get("models") or [])

    def show(self, name: str) -> dict[str, Any]:
        """What the server knows of a model; its capabilities stand here and not in the list."""
        return self._object("POST", "/api/show", {"model": name})

    # -- changing ---------------------------------------------------------------------------------------------------

    def pull(self, name: str, insecure: bool, progress: Progress) -> None:
        """Fetch a model from its registry."""
        self._stream("/api/pull", {"model": name, "insecure": insecure}, f"pull of {name}", progress)

    def create(self, wanted: Mapping[str, Any], progress: Progress) -> None:
        """Make a model out of another one or a file."""
        self._stream("/api/create", wanted, f"creation of {wanted['model']}", progress)

    def copy(self, source: str, destination: str) -> None:
        """Give a model a second name; what had that name before is replaced."""
        self._done("POST", "/api/copy", {"source": source, "destination": destination}, f"copy to {destination}")

    def delete(self, name: str) -> None:
        """Remove a name, and what only this name used."""
        self._done("DELETE", "/api/delete", {"model": name}, f"removal of {name}")

    def has_blob(self, sha256: str) -> bool:
        """Tell whether the server has a file already."""
        path = f"/api/blobs/sha256:{sha256}"
        with self._request("HEAD", path, None, self.timeout) as reply:
            if reply.status not in (200, 404):
                raise ApiError(f"{self.url}{path}", f"answered {reply.status}", reply.status)
            return reply.status == 200

    def upload(self, path: str, sha256: str) -> None:
        """Send a file; the server compares its sum."""
        with open(path, "rb") as source:
            headers = {"Content-Length": str(os.fstat(source.fileno()).st_size)}
            with self._request("POST", f"/api/blobs/sha256:{sha256}", source, STALL, headers) as reply:
                if reply.status not in (200, 201):
                    raise ApiError(f"upload of {path}", _said(reply), reply.status)

    # -- requests ---------------------------------------------------------------------------------------------------

    def _object(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        what = f"{self.url}{path}"
        with self._request(method, path, _encoded(body), self.timeout) as reply:
            if reply.status != 200:
                raise ApiError(what, _said(reply), reply.status)
            return _parsed(what, reply.read())

    def _done(self, method: str, path: str, body: Mapping[str, Any], what: str) -> None:
        with self._request(method, path, _encoded(body), self.timeout) as reply:
            if reply.status != 200:
                raise ApiError(what, _said(reply), reply.status)

    def _stream(self, path: str, body: Mapping[str, Any], what: str, progress: Progress) -> None:
        """Read a stream to its end, which has to be success: an error is a line like any other."""
        last: Mapping[str, Any] = {}
        with self._request("POST", path, _encoded({**body, "stream": True}), STALL) as reply:
            if reply.status != 200:
                raise ApiError(what, _said(reply), reply.status)
            for raw in _lines(reply, what):
                last = _parsed(what, raw)
                if last.get("error"):
                    raise ApiError(what, str(last["error"]).rstrip("."))
                if not progress(last):
                    raise Paused
        if last.get("status") != "success":
            raise ApiError(what, f"the answer ended after '{last.get('status', 'nothing')}', before success")

    @contextlib.contextmanager
    def _request(
        self,
        method: str,
        path: str,
        body: bytes | BinaryIO | None,
        timeout: float,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        address = urlsplit(self.url)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        connection = kind(address.hostname or "", address.port, timeout=timeout)
        what = f"{method} {self.url}{path}"
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
            yield connection.getresponse()
        except ConnectionRefusedError:
            raise NoServer(what, "nothing listens there") from None
        except socket.timeout:
            raise ApiError(what, f"no answer within {timeout:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise ApiError(what, f"the connection failed: {error}") from None
        finally:
            connection.close()


def _encoded(body: Mapping[str, Any] | None) -> bytes | None:
    return None if body is None else json.dumps(body).encode()


def _lines(reply: http.client.HTTPResponse, what: str) -> Iterator[bytes]:
    try:
        for raw in reply:
            if raw.strip():
                yield raw
    except http.client.IncompleteRead:
        raise ApiError(what, "the connection ended in the middle of the answer") from None


def _parsed(what: str, raw: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(raw)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise ApiError(what, f"the answer is no JSON object: {raw[:80].decode('utf-8', 'replace')!r}")
    return parsed


def _said(reply: http.client.HTTPResponse) -> str:
    """The server's own words of an answer that is no success."""
    text = reply.read(65536).decode("utf-8", "replace").strip()
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict) and parsed.get("error"):
        return str(parsed["error"]).rstrip(".")
    return f"it answered {reply.status}: {text[:200]}" if text else f"it answered {reply.status} without a word"
