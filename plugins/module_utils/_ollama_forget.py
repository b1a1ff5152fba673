# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Remove from an Ollama server what came by us and nothing declares any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_names as names
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_api import Client
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_record import RECORD, Note, load, save


def forget(client: Client, name: str, record: str = RECORD) -> list[str]:
    """Remove a model, and what was only there for it to be made from; return the names that went.

    What is another model by now than the one that came by us stays, and its note goes. Raises ApiError.
    """
    notes, listed = load(record), client.tags()
    gone = []
    for key in [*_with_source(names.key(name), notes)]:
        there, note = listed.get(key), notes[key]
        if there and there.digest == note.digest:
            client.delete(there.name)
            gone.append(there.name)
        del notes[key]
    save(notes, record)
    return gone


def _with_source(key: str, notes: Mapping[str, Note]) -> Iterator[str]:
    note = notes.get(key)
    if note is None or not note.brought:
        return
    yield key
    source = notes.get(note.source)
    needed = any(other != key and each.source == note.source for other, each in notes.items())
    if source and source.brought and not source.declared and not needed:
        yield note.source
