# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Who is to blame for a difference: the host that was changed, the declaration that was, or both.

The manifest is the third witness beside declaration and host: it tells what the last run left. Without one nothing
was ever deployed, and every difference is the declaration's.
"""

from __future__ import annotations

import hashlib
import os
import time

from ansible_collections.lab.llm_stack.plugins.module_utils._service_plan import concrete_paths
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    DIGEST_MARK,
    Comparison,
    FileFound,
    FileSpec,
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
_OF_OTHERS = ("extra-dropin", "foreign-dropin", "leftover")
"""Those whose subject is a file that nobody declared."""
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
        blame = _blame_file(writes[item.subject], found)
        return CORRECTIVE if blame == INTENTIONAL and _by_host(item.subject, wanted, found) else blame
    if item.kind in _OF_UNITS:
        path = wanted.unit_path(item.subject)
        same = path in writes and _known(path, found) == _digest(writes[path].content, found)
        return CORRECTIVE if same or _by_host(path, wanted, found) else INTENTIONAL
    if item.kind == "manifest":
        return CORRECTIVE
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


def _by_host(path: str, wanted: Wanted, found: Found) -> bool:
    """Whether a unit differs by its digest alone, and that because of what is on the host: a key, a model, a package.

    Such things have no content in the declaration, so the host's own is what counts.
    """
    spec = next((each for each in wanted.units if path in map(wanted.unit_path, each.instances())), None)
    content = found.file(path).content
    if spec is None or content is None:
        return False
    front, _mark, back = spec.body.encode().partition(DIGEST_MARK.encode())
    alike = content.startswith(front) and content.endswith(back)
    return alike and not any(_is_declared_anew(file, found) for file in wanted.files if file.path in spec.inputs)


def _is_declared_anew(file: FileSpec, found: Found) -> bool:
    """Whether the declaration has another content than the last run left, and than the host has now."""
    digest = _digest(file.content, found)
    return any(
        _known(path, found) != digest and found.file(path).content != file.content
        for path, _colour in concrete_paths(file.path)
    )


def _known(path: str, found: Found) -> str | None:
    return found.manifest.trusted.files.get(path)


def _digest(content: bytes, found: Found) -> str:
    return hashlib.sha256(found.salt + content).hexdigest()


def _since(item: Item, wanted: Wanted, found: Found) -> float:
    """When it came about, in seconds since the epoch, as far as a file, a process or the manager tells; else 0."""
    file: FileFound = found.file(item.subject)
    if file.changed_at:
        return file.changed_at
    if item.kind == "not-active":
        return found.unit(item.subject).stopped_at
    if item.kind == "stale-process":
        return _stale_since(item.subject, wanted, found)
    if item.kind in _OF_OTHERS:
        return _changed_at(item.subject)
    return found.file(wanted.unit_path(item.subject)).changed_at if item.kind == "daemon-reload" else 0.0


def _stale_since(name: str, wanted: Wanted, found: Found) -> float:
    """When something that a process has read, or runs from, was changed last after its start; 0 where nothing was.

    When the process started tells nothing: it may have served as declared for a month.
    """
    instance = name.partition("@")[2].partition(".")[0]
    inputs = [path for spec in wanted.units if name in spec.instances() for path in spec.inputs]
    files = [found.file(path.replace("%i", instance)).changed_at for path in inputs]
    changes = [found.file(wanted.unit_path(name)).changed_at, *files, *map(_changed_at, found.requires)]
    return max((each for each in changes if each > found.unit(name).started_at), default=0.0)


def _changed_at(path: str) -> float:
    try:
        return os.lstat(path).st_ctime
    except OSError:
        return 0.0


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds else ""
