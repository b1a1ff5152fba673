# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Pinning a model: the commit behind a branch, its files, and what they show, with nothing fetched but small files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _hub, _snapshot
from ansible_collections.lab.llm_stack.plugins.module_utils._http import Client
from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError
from ansible_collections.lab.llm_stack.plugins.module_utils._model_evidence import (
    CONFIG,
    TEMPLATE,
    TOKENIZER,
    TOKENIZER_CONFIG,
    evidence_of,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot_text import size_text

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")


def pin(client: Client, endpoint: str, repo: str, revision: str) -> dict[str, Any]:
    """Return the entry of the lock; raise InstallError where the hub does not tell, StackError where vLLM could not.

    ``revision`` may be a branch, a tag or a commit; the entry has the commit.
    """
    listing = _hub.list_files(client, endpoint, repo, revision)
    names = _snapshot.selected(list(listing.files))
    if not any(name.endswith(_WEIGHTS) for name in names):
        _refuse_without_weights(repo, listing.files)
    contents = {
        name: _read(client, _hub.file_url(endpoint, repo, listing.revision, name), repo, listing.files[name])
        for name in (CONFIG, TOKENIZER_CONFIG, TOKENIZER, TEMPLATE)
        if name in listing.files
    }
    evidence = evidence_of(contents, frozenset(listing.files))
    files = {name: listing.files[name] for name in names}
    return {"repo": repo, "revision": listing.revision, "evidence": evidence, "files": files}


def _refuse_without_weights(repo: str, files: Mapping[str, Any]) -> None:
    gguf = sorted(name for name in files if name.endswith(".gguf"))
    remedy = "Name the repository that holds the model itself."
    if gguf:
        remedy = f"{remedy}\nIts GGUF files are for llama.cpp: write the address of one as source, such as {gguf[0]}."
    raise StackError(Problem("source", repo, "holds no weights that vLLM reads.", remedy))


def _read(client: Client, url: str, repo: str, entry: Mapping[str, Any]) -> bytes:
    """Fetch a small file and prove it by what the hub published."""
    content = _hub.ask(url, repo, client.read)
    found = {
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "blob": hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest(),
    }
    wrong = [f"{key} {entry[key]}, found {found[key]}" for key in found if key in entry and entry[key] != found[key]]
    if wrong:
        raise InstallError(f"{url} is not the file that the hub lists: expected {wrong[0]}.\n    Name another mirror.")
    return content


def summary(name: str, entry: Mapping[str, Any]) -> str:
    """Say in one line what was pinned."""
    files, evidence = entry["files"], entry["evidence"]
    unproven = sum(not any(key in each for key in _snapshot.PROOFS) for each in files.values())
    context = f", {evidence['max_context']} tokens at most" if "max_context" in evidence else ""
    doubt = f"; of {unproven} files no checksum is published, so only their size is compared" if unproven else ""
    where, size = f"{entry['repo']} at {entry['revision'][:12]}", size_text(_snapshot.size_of(files))
    return f"{name}: {where}, {len(files)} files, {size}{context}{doubt}."


def repository_of(name: str, models: Mapping[str, Any]) -> str:
    """Find the repository of a declared model; raise StackError where it has none."""
    path = f"llm_stack_models.{name}"
    entry = models.get(name)
    if not isinstance(entry, Mapping) or not isinstance(entry.get("source"), str):
        known = ", ".join(sorted(map(str, models))) or "none"
        wrong = "is not declared in this inventory, or has no source."
        raise StackError(Problem(path, NOTHING, wrong, f"Declared: {known}."))
    source = str(entry["source"])
    if not _hub.REPO.fullmatch(source) or source.endswith(".gguf"):
        wrong = "is not a repository of a hub, and only those are pinned."
        remedy = "Files and folders are pinned by what they hold; a download by its sha256."
        raise StackError(Problem(f"{path}.source", source, wrong, remedy))
    return source
