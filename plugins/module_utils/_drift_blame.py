# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Who is to blame for a difference: the host that was changed, the declaration that was, or both.

The manifest is the third witness beside declaration and host: it tells what the last run left. Without one nothing
was ever deployed, and every difference is the declaration's.
"""

from __future__ import annotations

import hashlib
import time

from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    Comparison,
    FileFound,
    Found,
    Item,
    Wanted,
    Write,
)

CORRECTIVE = "corrective"
"""The host was changed since the last run; the declaration was not."""
INTENTIONAL = "intentional"
"""The declaration was changed since the last run; the host was not."""
CONFLICT = "conflict"
"""Both were, or the host had something of its own where the declaration now wants to be."""

_DECLARED = "orphan-"
"""How the kinds begin that only a change of the declaration makes."""
_OF_FILES = ("file", "unit-file")
_OF_UNITS = ("not-active", "stale-process", "active", "not-enabled", "enabled", "daemon-reload")


def attributed(comparison: Comparison, wanted: Wanted, found: Found) -> list[dict[str, str]]:
    """Give each item as data, with who is to ``blame`` and ``since`` when: UTC, empty where nothing tells."""
    writes = {write.path: write for write in comparison.writes}
    return [
        {**item.as_dict(), "blame": _blame(item, writes, wanted, found), "since": _moment(_since(item, wanted, found))}
        for item in (*comparison.items, *comparison.told)
    ]


def _blame(item: Item, writes: dict[str, Write], wanted: Wanted, found: Found) -> str:
    if item.kind.startswith(_DECLARED):
        return INTENTIONAL
    if item.kind in _OF_FILES and item.subject in writes:
        return _blame_file(writes[item.subject], found)
    if item.kind in _OF_UNITS:
        write = writes.get(wanted.unit_path(item.subject))
        same = write is not None and _known(write.path, found) == _digest(write.content, found)
        return CORRECTIVE if same else INTENTIONAL
    return CORRECTIVE if found.manifest.exists or item.kind == "foreign-port-owner" else INTENTIONAL


def _blame_file(write: Write, found: Found) -> str:
    known, file = _known(write.path, found), found.file(write.path)
    if known is None:
        return CONFLICT if found.exists(write.path) else INTENTIONAL
    as_left = file.content is not None and not file.strange and known == _digest(file.content, found)
    declared_as_left = known == _digest(write.content, found)
    if declared_as_left:
        return CORRECTIVE
    return INTENTIONAL if as_left else CONFLICT


def _known(path: str, found: Found) -> str | None:
    return found.manifest.trusted.files.get(path)


def _digest(content: bytes, found: Found) -> str:
    return hashlib.sha256(found.salt + content).hexdigest()


def _since(item: Item, wanted: Wanted, found: Found) -> float:
    """When it came about, in seconds since the epoch, as far as a file, a process or the manager tells; else 0."""
    file: FileFound = found.file(item.subject)
    if file.changed_at:
        return file.changed_at
    unit = found.unit(item.subject)
    if item.kind == "not-active":
        return unit.stopped_at
    if item.kind == "stale-process":
        return unit.started_at
    return found.file(wanted.unit_path(item.subject)).changed_at if item.kind == "daemon-reload" else 0.0


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds else ""
