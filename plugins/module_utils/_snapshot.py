# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Model folders at a pinned revision: which files belong to one, how its list is named, and that one is whole.

A list of files gives for each path its ``size`` in bytes and what proves the content: ``sha256``, or ``blob``, which is
the name git has for it, or ``fingerprint``, which is taken from samples. Where none was published, only the size is
compared.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _marker
from ansible_collections.lab.llm_stack.plugins.module_utils._release import fingerprint, sha256_of

MARKER = ".llm-stack-model.json"
INDEX = "model.safetensors.index.json"
PROOFS = ("sha256", "blob", "fingerprint")

Files = Mapping[str, Mapping[str, Any]]
"""A list of files: path below the folder, with / between its parts, to size and proof."""

_ALWAYS_OUT = ("original/*", "metal/*", "*.gguf", ".git*", "*/.git*", "*.png", "*.jpg", "*.jpeg", "*.gif", "*.webp")
_OUT_BESIDE_SAFETENSORS = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack", "*.onnx", "*.onnx_data", "*.ot")
_MISTRAL = frozenset({"params.json", "tekken.json"})
"""Where both are, vLLM is told to load the consolidated weights (see _tool_calling)."""


def selected(names: Collection[str]) -> list[str]:
    """Choose the files that vLLM needs: no second copy of the weights in another form, no pictures."""
    every = set(names)
    patterns = [*_ALWAYS_OUT]
    if any(_is_weights(name) for name in every):
        patterns += _OUT_BESIDE_SAFETENSORS
    if every >= _MISTRAL and any(name.startswith("consolidated") for name in every):
        patterns += ["model*.safetensors", INDEX]
    elif any(_is_weights(name) and not name.startswith("consolidated") for name in every):
        patterns += ["consolidated*"]
    return sorted(name for name in every if not any(fnmatch.fnmatchcase(name, each) for each in patterns))


def _is_weights(name: str) -> bool:
    return name.endswith(".safetensors") and "/" not in name


def is_plain(name: str) -> bool:
    """Tell whether a path stays below its folder, is none of ours, and is no template that Ansible would carry out."""
    parts = name.split("/")
    return re.fullmatch(r"[^\\{}\x00-\x1f\x7f]{1,400}", name) is not None and not any(
        part in ("", ".", "..") or part.startswith(".llm-stack") or part.endswith(".part") for part in parts
    )


def digest_of(files: Files) -> str:
    """Name a list of files: 64 digits that change with any path, size or proof."""
    plain = {name: {key: entry[key] for key in ("size", *PROOFS) if entry.get(key)} for name, entry in files.items()}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def size_of(files: Files) -> int:
    """Sum up the bytes of a list."""
    return sum(int(entry["size"]) for entry in files.values())


def listed(folder: str) -> dict[str, dict[str, Any]]:
    """List a folder of this machine by size and fingerprint, which reads 1 MiB of each file and no more."""
    walked = ((where, name) for where, _folders, files in os.walk(folder) for name in files)
    names = [os.path.relpath(os.path.join(where, name), folder) for where, name in walked]
    whole = [name for name in selected(names) if is_plain(name)]
    paths = {name: os.path.join(folder, name) for name in whole}
    return {name: {"size": os.path.getsize(path), "fingerprint": fingerprint(path)} for name, path in paths.items()}


def place(root: str, name: str, revision: str | None, digest: str) -> str:
    """Say where a snapshot lies: by the revision, else by the list of its files."""
    return os.path.join(root, name.replace("/", "--"), (revision or digest)[:12])


def proven(path: str, entry: Mapping[str, Any]) -> bool:
    """Tell whether the file at path has the content that its entry names; reads it as a whole for sha256 and blob."""
    if not os.path.isfile(path) or os.path.getsize(path) != entry["size"]:
        return False
    if entry.get("sha256"):
        return sha256_of(path) == str(entry["sha256"])
    if entry.get("blob"):
        return blob_of(path) == str(entry["blob"])
    return not entry.get("fingerprint") or fingerprint(path) == str(entry["fingerprint"])


def blob_of(path: str) -> str:
    """Name a file as git does, which is what the hub publishes for files that are not large."""
    digest = hashlib.sha1(f"blob {os.path.getsize(path)}\0".encode(), usedforsecurity=False)
    with open(path, "rb") as source:
        for block in iter(lambda: source.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def verify_snapshot(path: str, digest: str) -> list[str]:
    """Return why there is no whole snapshot at path; nothing when there is.

    Compares the sizes with those noted when the snapshot was completed and reads no weights, so that every clean check
    can afford it. Without a digest any whole snapshot will do, and so will a model folder that others made.
    """
    if not os.path.isdir(path):
        return ["is missing"]
    noted = _marker.read(path, MARKER)
    if noted is None:
        if digest:
            return ["is incomplete: it has no readable marker, so a run was cut short or it is not one of ours"]
        return list(_unfinished(path))
    if digest and noted.get("digest") != digest:
        return [f"was made from another list of files (digest {noted.get('digest')}, declared {digest})"]
    files = noted.get("files")
    return list(_differences(path, files if isinstance(files, dict) else {}))


def _differences(path: str, files: Files) -> Iterator[str]:
    if not files:
        yield "is incomplete: its marker lists no file"
    for name, entry in sorted(files.items()):
        try:
            size = os.stat(os.path.join(path, name)).st_size
        except OSError:
            yield f"has lost {name}"
            continue
        if size != entry["size"]:
            yield f"holds {name} with {size} bytes, fetched were {entry['size']}"
    for name in sorted(os.listdir(path)):
        # Without an index vLLM loads every such file it finds.
        if name.endswith(".safetensors") and name not in files:
            yield f"holds {name}, which is not part of the snapshot"


def _unfinished(path: str) -> Iterator[str]:
    """Yield what a folder that others made lacks, by the names of its files alone."""
    names = set(os.listdir(path))
    if not names & {"config.json", "params.json"}:
        yield "is no model folder: it has no config.json"
        return
    for name in sorted(names):
        if name.endswith((".part", ".incomplete")):
            yield f"holds {name}, which a download left unfinished"
        elif not os.path.exists(os.path.join(path, name)):
            yield f"holds {name}, a link to a file that is not there"
    weights = [name for name in names if name.endswith((".safetensors", ".bin", ".pt", ".gguf"))]
    if not weights:
        yield "holds no weights"
    yield from (f"lacks {name} of its weights" for name in _shards(path, names) if name not in names)


def _shards(path: str, names: Collection[str]) -> list[str]:
    """Name the files that the index of a folder speaks of; nothing where there is none that can be read."""
    if INDEX not in names:
        return []
    try:
        with open(os.path.join(path, INDEX), encoding="utf-8") as source:
            places = json.load(source)["weight_map"]
        return sorted({str(each) for each in places.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return [f"a readable {INDEX}"]
