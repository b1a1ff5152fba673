# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Old versions of one large file, such as a model: they lie beside it, and only what we noted ourselves may go."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator

from ansible_collections.lab.llm_stack.plugins.module_utils import _files, _release
from ansible_collections.lab.llm_stack.plugins.module_utils._install import named_by_processes
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Item

_DIGITS = "[0-9a-f]{12}"


def surplus(path: str, name: str, keep: int, in_use: Iterable[str]) -> list[str]:
    """Return the older versions of the file at ``path`` that nobody needs, those that served last first.

    Versions are called ``name``, a dash, 12 digits of a checksum, and the same ending. The ``keep`` that served last
    stay for going back, and so does every one that a process of this account names or has in memory.
    """
    protected = {os.path.realpath(os.path.expanduser(each)) for each in (path, *in_use)}
    old = [each for each in _versions(path, name) if os.path.realpath(each) not in protected]
    old.sort(key=lambda each: (-_noted_at(each), each))
    candidates = old[keep:]
    running = named_by_processes({each: (each,) for each in candidates}, ("cmdline", "maps", "environ"))
    return [each for each in candidates if each not in running]


def _versions(path: str, name: str) -> Iterator[str]:
    """Yield the files of this name that are noted, by their notes: one whose removal was cut short is found again."""
    directory, own = os.path.split(path)
    ending = re.fullmatch(rf"{re.escape(name)}-{_DIGITS}(.*)", own) if name else None
    if not ending:
        return
    note = re.compile(rf"\.llm-stack-({re.escape(name)}-{_DIGITS}{re.escape(ending[1])})\.json")
    with contextlib.suppress(FileNotFoundError):
        for found in filter(None, map(note.fullmatch, sorted(os.listdir(directory)))):
            yield os.path.join(directory, found[1])


def _noted_at(path: str) -> int:
    try:
        return os.stat(_release.note_path(path)).st_mtime_ns
    except OSError:
        return 0


def items(paths: Iterable[str]) -> Iterator[Item]:
    """Yield what goes."""
    for path in paths:
        yield Item("surplus-file", path, "absent", "present")


def remove(paths: Iterable[str]) -> None:
    """Remove versions, each with its note last."""
    for path in paths:
        _files.remove(path)
        _files.remove(_release.note_path(path))
