# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Show differences the way ``--diff`` prints them: one block a file, one a unit, secrets as ``(secret)``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ansible_collections.lab.llm_stack.plugins.module_utils._env import read_environment
from ansible_collections.lab.llm_stack.plugins.module_utils._service_items import differs
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    Comparison,
    FileFound,
    Found,
    Item,
    Write,
)

ASSIGNMENT = re.compile(r"[A-Z][A-Z0-9_]*=(?!=)")
SHORTEST_SECRET = 6
"""Shorter values occur in ordinary text."""
STATE_KINDS = (
    "not-active",
    "stale-process",
    "active",
    "not-enabled",
    "enabled",
    "daemon-reload",
    "linger",
    "extra-dropin",
    "foreign-port-owner",
    "orphan-unit",
    "orphan-file",
    "orphan-port",
    "orphan-environment",
    "orphan-release",
    "orphan-model",
    "foreign-dropin",
    "interrupted-run",
    "manifest",
    "leftover",
    "open-directory",
)


def diffs(comparison: Comparison, found: Found) -> list[dict[str, str]]:
    """Return the blocks for ``--diff``: every item is visible in at least one."""
    return [
        *_file_blocks(comparison.writes, found),
        *map(_state_block, _state_items((*comparison.items, *comparison.told))),
    ]


def _file_blocks(writes: Iterable[Write], found: Found) -> Iterator[dict[str, str]]:
    """One block a file; the two colours of one declared file share a block when they change alike."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for write in writes:
        file = found.file(write.path)
        if differs(write, file):
            groups.setdefault((write.declared, *_texts(write, file)), []).append(write.path)
    for (declared, before, after), paths in groups.items():
        header = paths[0] if len(paths) == 1 else declared.replace("%i", "{a,b}").replace("@.", "@{a,b}.")
        yield {"before": before, "after": after, "before_header": header, "after_header": header}


def _texts(write: Write, file: FileFound) -> tuple[str, str]:
    before, after = _text(file.content, write.secret), _text(write.content, write.secret)
    if write.secret and file.content is not None and file.content != write.content:
        before, after = _redacted_change(file.content, write.content)
    if file.strange:
        before = f"({file.strange})\n"
    elif file.content is not None and file.mode != write.mode:
        before, after = f"(mode {file.mode:04o})\n{before}", f"(mode {write.mode:04o})\n{after}"
    elif before == after:
        before, after = f"{before}(other bytes)\n", f"{after}(as declared)\n"
    return before, after


def _text(content: bytes | None, secret: bool) -> str:
    if content is None:
        return ""
    if secret:
        return "".join(f"{name}=(secret)\n" for name in _variables(content)) or "(secret)\n"
    return content.decode("utf-8", "replace")


def _redacted_change(before: bytes, after: bytes) -> tuple[str, str]:
    """Both sides of a secret file, telling which values changed and no value."""
    old, new = _variables(before), _variables(after)
    right = "".join(
        f"{name}={'(secret)' if old.get(name, value) == value else '(secret, changed)'}\n"
        for name, value in new.items()
    )
    return "".join(f"{name}=(secret)\n" for name in old) or "(secret)\n", right or "(secret, changed)\n"


def _variables(content: bytes) -> dict[str, str]:
    """The variables of a secret file whose every line is one; none where a name might be a piece of the secret."""
    lines = [line for line in content.decode("utf-8", "replace").split("\n") if line and not line.startswith("#")]
    return read_environment(content) if all(map(ASSIGNMENT.match, lines)) else {}


def _state_items(items: Iterable[Item]) -> Iterator[Item]:
    return (item for item in items if item.kind in STATE_KINDS)


def _state_block(item: Item) -> dict[str, str]:
    header = item.subject
    return {
        "before": f"{item.actual}\n",
        "after": f"{item.expected}\n",
        "before_header": header,
        "after_header": header,
    }


def secret_values(writes: Iterable[Write], files: Mapping[str, FileFound]) -> set[str]:
    """Every value of every secret file, old and new, that is long enough to be told from ordinary text."""
    values: set[str] = set()
    for write in writes:
        if write.secret:
            for content in (write.content, files.get(write.path, FileFound()).content or b""):
                lines = content.decode("utf-8", "replace").splitlines()
                values.update(_variables(content).values() or lines)
    return {value for value in values if len(value) >= SHORTEST_SECRET}


def redact(text: str, values: Iterable[str]) -> str:
    """Remove secret values from a text that others wrote, such as a log."""
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "(secret)")
    return text
