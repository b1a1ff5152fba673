# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What was made of each declared model at Ollama, and the cheap proof on the disk that it is still so.

A created model's digest follows from neither its file nor its declaration, so it is noted when the model is made. The
proof reads manifests, not the server: a server that is down is no reason to fetch models again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_names as names
from ansible_collections.lab.llm_stack.plugins.module_utils._files import read, write_atomic

RECORD = "~/.local/state/llm-stack/ollama/models.json"
MODELS = "~/.ollama/models"
"""Where a server keeps its models unless OLLAMA_MODELS says otherwise."""


@dataclass(frozen=True)
class Note:
    """One model: the identity of its declaration, its digest at the server, and what it was made from.

    What is not proven yet, or is there only for another one to be made from, has no declaration.
    """

    declared: str
    digest: str
    base: str = ""
    """The digest of the model it was made from, or the fingerprint of the file."""
    source: str = ""
    """The key of the model that had to be there first."""
    brought: bool = False
    """Whether it came by us; what was there before is not ours to remove."""


def identity(model: Mapping[str, Any]) -> str:
    """Give a declaration's checksum: the same for each way of writing the same model."""
    keys = ("source", "path", "sha256", "store", "insecure", "parameters", "system", "template", "context")
    plain = {key: model[key] for key in keys if model.get(key)}
    for key in ("source", "name"):
        if model.get(key):
            plain[key] = names.key(str(model[key]))
    plain["capabilities"] = sorted(model.get("capabilities") or [])
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


# -- the record -----------------------------------------------------------------------------------------------------


def load(path: str = RECORD) -> dict[str, Note]:
    """Read the notes by the keys of the models' names; a file that was edited into nonsense counts as none."""
    content = read(os.path.expanduser(path))
    with contextlib.suppress(ValueError, TypeError, AttributeError, KeyError):
        return {str(key): _note(each) for key, each in json.loads(content or b"{}")["models"].items()}
    return {}


def _note(written: Mapping[str, Any]) -> Note:
    """Read a note; what an older version wrote into it and nobody asks for any more is left out."""
    return Note(**{key: value for key, value in written.items() if key in Note.__dataclass_fields__})


def save(notes: Mapping[str, Note], path: str = RECORD) -> None:
    """Write the notes; a reader sees the old file or the new one."""
    content = {"models": {key: asdict(note) for key, note in sorted(notes.items())}}
    write_atomic(os.path.expanduser(path), json.dumps(content, indent=1).encode() + b"\n", 0o600)


# -- the proof ------------------------------------------------------------------------------------------------------


def manifest_path(store: str, name: str) -> str:
    """Where the manifest of a model is."""
    parsed = names.parse(name)
    return os.path.join(store, "manifests", *(parsed.parts if parsed else (name,)))


def name_of(path: str) -> str:
    """The name of the model whose manifest is at a path, as the server takes it."""
    host, namespace, model, tag = path.rpartition("/manifests/")[2].split("/")
    return names.short(f"{host}/{namespace}/{model}:{tag}")


def verify(path: str, declared: str, record: str = RECORD) -> list[str]:
    """Say why the model with its manifest at ``path`` is not the one that was declared; nothing when it is."""
    path = os.path.expanduser(path)
    store = path.rpartition("/manifests/")[0]
    content = read(_existing(path))
    if content is None:
        return ["is not at the server"]
    note = load(record).get(names.key(name_of(path)))
    if note is None:
        return ["was never verified"]
    if note.declared != declared:
        return ["is declared otherwise than when it was made"]
    if note.digest != hashlib.sha256(content).hexdigest():
        return ["is another model than the one that was verified"]
    return list(_lost(store, content))


def is_ours(path: str, record: str = RECORD) -> bool:
    """Tell whether the model with its manifest at ``path`` came by us and is still the one that came."""
    path = os.path.expanduser(path)
    note = load(record).get(names.key(name_of(path)))
    content = read(_existing(path))
    return bool(note and note.brought and content and note.digest == hashlib.sha256(content).hexdigest())


def _existing(path: str) -> str:
    """The same path as it is spelt on the disk: Ollama finds a name whatever its case."""
    if os.path.exists(path):
        return path
    folder, name = os.path.split(path)
    with contextlib.suppress(OSError):
        parent = _existing(folder) if not os.path.isdir(folder) and folder != path else folder
        alike = [each for each in os.listdir(parent) if each.lower() == name.lower()]
        return os.path.join(parent, alike[0]) if alike else path
    return path


def layers(content: bytes) -> list[tuple[str, int]]:
    """The digests and sizes of the blobs that a manifest names."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        parsed = json.loads(content)
        return [(str(e["digest"]), int(e["size"])) for e in [parsed["config"], *(parsed.get("layers") or [])]]
    return []


def blob_path(store: str, digest: str) -> str:
    """Where a blob is."""
    return os.path.join(store, "blobs", digest.replace(":", "-"))


def _lost(store: str, content: bytes) -> Iterator[str]:
    for digest, size in layers(content):
        try:
            actual = os.stat(blob_path(store, digest)).st_size
        except OSError:
            yield f"has lost its blob {digest[:19]}"
            continue
        if actual != size:
            yield f"has a blob of {actual} bytes in place of {size}: {digest[:19]}"
