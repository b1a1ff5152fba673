# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The model store of the stand-in for Ollama: manifests and blobs on the disk, as Ollama 0.32.15 lays them out."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

MODEL = "application/vnd.ollama.image.model"
TEMPLATE = "application/vnd.ollama.image.template"
SYSTEM = "application/vnd.ollama.image.system"
PARAMS = "application/vnd.ollama.image.params"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"
NAME = re.compile(rf"(?:(?:({PART}(?::\d+)?)/)?({PART})/)?({PART})(?::({PART}))?")
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
REWRITTEN = b"rewritten by the stand-in, as llama-quantize COPY does"


class Refusal(Exception):
    """An error answer: its status, unless it comes in the middle of a stream, and its words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def parsed(text: str) -> tuple[str, str, str, str]:
    found = NAME.fullmatch(text)
    if not found:
        raise Refusal(400, "invalid model name")
    host, namespace, model, tag = found.groups()
    return host or "registry.ollama.ai", namespace or "library", model, tag or "latest"


def shown(parts: tuple[str, ...]) -> str:
    host, namespace, model, tag = parts
    if host != "registry.ollama.ai":
        return f"{host}/{namespace}/{model}:{tag}"
    return f"{model}:{tag}" if namespace == "library" else f"{namespace}/{model}:{tag}"


@dataclass(frozen=True)
class Model:
    """A model that is there: its name as it was created, and what its manifest says."""

    parts: tuple[str, ...]
    raw: bytes
    changed: float
    store: Store

    @property
    def name(self) -> str:
        return shown(self.parts)

    @property
    def manifest(self) -> dict[str, Any]:
        return dict(json.loads(self.raw))

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def size(self) -> int:
        return sum(each["size"] for each in [self.manifest["config"], *self.manifest["layers"]])

    def layer(self, kind: str) -> bytes:
        found = [each for each in self.manifest["layers"] if each["mediaType"] == kind]
        return self.store.blob(found[0]["digest"]).read_bytes() if found else b""

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(json.loads(self.layer(PARAMS) or b"{}"))

    @property
    def gguf(self) -> dict[str, Any]:
        found = [each for each in self.manifest["layers"] if each["mediaType"] == MODEL]
        with self.store.blob(found[0]["digest"]).open("rb") as source:
            return dict(gguf_header(source))


class Store:
    """A folder with manifests and blobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fetching: dict[str, threading.Lock] = {}
        (folder / "blobs").mkdir(parents=True, exist_ok=True)
        (folder / "manifests").mkdir(parents=True, exist_ok=True)

    def blob(self, digest: str) -> Path:
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise Refusal(400, "invalid digest format")
        return self.folder / "blobs" / digest.replace(":", "-")

    def models(self) -> list[Model]:
        found = sorted(path for path in (self.folder / "manifests").glob("*/*/*/*") if path.is_file())
        parts = [tuple(path.relative_to(self.folder / "manifests").parts) for path in found]
        listed = [
            Model(each, path.read_bytes(), path.stat().st_mtime, self) for each, path in zip(parts, found, strict=True)
        ]
        return sorted(listed, key=lambda each: -int(each.changed))

    def find(self, text: str) -> Model | None:
        """Names are compared without regard to case."""
        wanted = [part.lower() for part in parsed(text)]
        return next((each for each in self.models() if [part.lower() for part in each.parts] == wanted), None)

    def write(self, text: str, raw: bytes) -> None:
        existing = self.find(text)
        path = self.folder.joinpath("manifests", *(existing.parts if existing else parsed(text)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)

    def delete(self, model: Model) -> None:
        self.folder.joinpath("manifests", *model.parts).unlink()
        used = {each["digest"] for other in self.models() for each in layers_of(other.manifest)}
        for each in layers_of(model.manifest):
            if each["digest"] not in used:
                with contextlib.suppress(FileNotFoundError):
                    self.blob(each["digest"]).unlink()

    def receive(self, digest: str, source: BinaryIO, length: int) -> int:
        path = self.blob(digest)
        if path.exists():
            source.read(length)
            return 200
        content = source.read(length)
        true = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.blob(true).write_bytes(content)
        if true != digest:
            raise Refusal(400, f'digest mismatch, expected "{digest}", got "{true}"')
        return 201

    def layer(self, kind: str, content: bytes) -> tuple[dict[str, Any], str]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        known = self.blob(digest).exists()
        if not known:
            self.blob(digest).write_bytes(content)
        word = "using existing layer" if known else "creating new layer"
        return {"mediaType": kind, "digest": digest, "size": len(content)}, f"{word} {digest}"

    # -- create -----------------------------------------------------------------------------------------------------

    def create(self, wanted: dict[str, Any], registry: str) -> Iterator[dict[str, Any]]:
        parsed(wanted.get("model") or wanted.get("name") or " ")
        layers = yield from self._base(wanted, registry)
        for key, kind in (("template", TEMPLATE), ("system", SYSTEM), ("parameters", PARAMS)):
            if wanted.get(key):
                before = next((each for each in layers if each["mediaType"] == kind), None)
                layers = [each for each in layers if each["mediaType"] != kind]
                content = self._content(key, wanted[key], before)
                layer, said = self.layer(kind, content)
                layers.append(layer)
                yield {"status": said}
        config, said = self.layer(CONFIG, encoded({"model_format": "gguf", "layers": [e["digest"] for e in layers]}))
        yield {"status": said}
        yield {"status": "writing manifest"}
        self.write(wanted.get("model") or wanted["name"], manifest_of(config, layers))
        yield {"status": "success"}

    def _content(self, key: str, value: Any, before: dict[str, Any] | None) -> bytes:
        if key != "parameters":
            if key == "template" and value.count("{{") != value.count("}}"):
                raise Refusal(400, "template error: template: :1: unclosed action")
            return str(value).encode()
        kept = json.loads(self.blob(before["digest"]).read_bytes()) if before else {}
        return encoded({**kept, **value})

    def _base(self, wanted: dict[str, Any], registry: str) -> Iterator[dict[str, Any]]:
        """The layers that the new model begins with."""
        if wanted.get("from"):
            if not self.find(wanted["from"]):
                yield from self.pull(wanted["from"], bool(wanted.get("insecure")), registry)
            found = self.find(wanted["from"])
            assert found
            return list(found.manifest["layers"])
        if not wanted.get("files"):
            raise Refusal(400, "neither 'from' or 'files' was specified")
        yield {"status": "parsing GGUF"}
        (digest,) = list(wanted["files"].values())[:1]
        path = self.blob(digest)
        if not path.exists():
            raise Refusal(500, f"open {path}: no such file or directory")
        with path.open("rb") as source:
            list(gguf_header(source))
        yield {"status": "verifying conversion"}
        # The stored layer is another file than the one that was sent, always the same for the same one.
        layer, said = self.layer(MODEL, path.read_bytes() + REWRITTEN)
        yield {"status": said}
        return [layer]

    # -- pull -------------------------------------------------------------------------------------------------------

    def pull(self, name: str, insecure: bool, registry: str) -> Iterator[dict[str, Any]]:
        host, namespace, model, tag = parsed(name)
        yield {"status": "pulling manifest"}
        base = f"{'http' if insecure else 'https'}://{host}"
        base = registry if host == "registry.ollama.ai" and registry else base
        url = f"{base}/v2/{namespace}/{model}/manifests/{tag}"
        status, _headers, raw = get(url, "pull model manifest: ")
        if status != 200:
            raise Refusal(500, "pull model manifest: file does not exist")
        layers = layers_of(json.loads(raw))
        for layer in [*layers[1:], layers[0]]:
            yield from self._fetch(f"{base}/v2/{namespace}/{model}/blobs/{layer['digest']}", layer)
        yield {"status": "verifying sha256 digest"}
        for layer in layers:
            content = self.blob(layer["digest"]).read_bytes()
            true = f"sha256:{hashlib.sha256(content).hexdigest()}"
            if true != layer["digest"]:
                self.blob(layer["digest"]).unlink()
                words = f"digest mismatch, file must be downloaded again: want {layer['digest']} got {true}"
                raise Refusal(500, words)
        yield {"status": "writing manifest"}
        self.write(name, raw)
        yield {"status": "success"}

    def _fetch(self, url: str, layer: dict[str, Any]) -> Iterator[dict[str, Any]]:
        # A download whose client has left may not have noticed it yet.
        with self.fetching.setdefault(layer["digest"], threading.Lock()):
            yield from self._fetch_alone(url, layer)

    def _fetch_alone(self, url: str, layer: dict[str, Any]) -> Iterator[dict[str, Any]]:
        digest, total, path = layer["digest"], layer["size"], self.blob(layer["digest"])
        line = {"status": f"pulling {digest[7:19]}", "digest": digest, "total": total}
        if path.exists():
            yield {**line, "completed": total}
            return
        yield line
        partial = path.with_name(path.name + "-partial")
        have = partial.stat().st_size if partial.exists() else 0
        with opened(url, have) as reply, partial.open("ab") as target:
            while block := reply.read1(65536):
                target.write(block)
                target.flush()
                yield {**line, "completed": partial.stat().st_size}
        partial.rename(path)
        yield {**line, "completed": total}


def layers_of(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [manifest["config"], *manifest["layers"]]


def manifest_of(config: dict[str, Any], layers: list[dict[str, Any]]) -> bytes:
    return encoded({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers})


def encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def connection(url: str, what: str = "") -> tuple[http.client.HTTPConnection, str]:
    address = urlsplit(url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    found = kind(address.hostname or "", address.port, timeout=10)
    try:
        found.connect()
    except OSError as error:
        where = f"{address.hostname}:{address.port or 443}"
        raise Refusal(500, f'{what}Get "{url}": dial tcp: lookup {where}: {error.strerror or error}') from error
    return found, address.path + (f"?{address.query}" if address.query else "")


def get(url: str, what: str) -> tuple[int, Any, bytes]:
    opened_to, path = connection(url, what)
    with contextlib.closing(opened_to):
        opened_to.request("GET", path, headers={"Accept": MANIFEST})
        reply = opened_to.getresponse()
        return reply.status, reply.headers, reply.read()


@contextlib.contextmanager
def opened(url: str, have: int) -> Iterator[http.client.HTTPResponse]:
    """Ollama asks where a blob is first, and takes only an answer with a Location; then it reads ranges from there."""
    first, path = connection(url)
    with contextlib.closing(first):
        first.request("GET", path)
        where = first.getresponse().getheader("Location")
    if not where:
        raise Refusal(500, "http: no Location header in response")
    second, path = connection(urljoin(url, where))
    with contextlib.closing(second):
        second.request("GET", path, headers={"Range": f"bytes={have}-"})
        yield second.getresponse()


# -- GGUF -----------------------------------------------------------------------------------------------------------


def gguf_header(source: BinaryIO) -> Iterator[tuple[str, Any]]:
    """Read the key-value pairs of a GGUF file; arrays come as None, as Ollama shows them."""
    if source.read(4) != b"GGUF":
        raise Refusal(500, "invalid file magic")
    count = struct.unpack("<IQQ", source.read(20))[2]
    for _pair in range(count):
        key = text(source)
        yield key, value(source, struct.unpack("<I", source.read(4))[0])


def text(source: BinaryIO) -> str:
    return source.read(struct.unpack("<Q", source.read(8))[0]).decode("utf-8", "replace")


def value(source: BinaryIO, kind: int) -> Any:
    if kind == 8:
        return text(source)
    if kind == 9:
        inner, count = struct.unpack("<IQ", source.read(12))
        for _item in range(count):
            value(source, inner)
        return None
    form = "<" + SCALARS[kind]
    return struct.unpack(form, source.read(struct.calcsize(form)))[0]


def environment(name: str) -> str:
    """Ollama strips quotes and spaces from its settings."""
    return os.environ.get(name, "").strip().strip("\"'")
