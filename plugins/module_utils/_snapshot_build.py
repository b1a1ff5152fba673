# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Bringing a model folder to a host: compare the declaration with the host, fetch for a while, prove, and switch.

A snapshot grows in a hidden directory beside the others and gets its name when every file is proven, so whoever finds
one under its name finds all of it.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ansible_collections.lab.llm_stack.plugins.module_utils import (
    _files,
    _hub,
    _install,
    _marker,
    _snapshot,
    _snapshot_fetch,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError, Shelf
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem, StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Item
from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot_text import size_text
from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot_wanted import Wanted, refuse


@dataclass(frozen=True)
class Comparison:
    """What has to be done on the host."""

    items: tuple[Item, ...]
    fetch: bool = False
    surplus: tuple[str, ...] = ()
    absent: bool = False
    needed: int = 0
    """Bytes that still have to arrive."""


@dataclass(frozen=True)
class Progress:
    """How far a snapshot is: bytes here and in all, and the file in work; nothing in work when it is complete."""

    here: int
    total: int
    file: str = ""


def compare(wanted: Wanted, state: str = "present") -> tuple[Wanted, Comparison]:
    """Read the host, and the hub where the list of files is not known; return what is wanted now, and what differs."""
    refuse(wanted, state)
    if state == "absent":
        return wanted, _compare_absent(wanted)
    if wanted.src:
        _refuse_folder(wanted.src)
        return wanted, Comparison(())
    reasons = _snapshot.verify_snapshot(wanted.target, wanted.digest)
    if reasons and not wanted.files:
        listing = _hub.list_files(wanted.client, wanted.endpoint, wanted.repo, wanted.revision)
        names = _snapshot.selected(list(listing.files))
        wanted = replace(wanted, files={name: listing.files[name] for name in names})
    elif not wanted.files:
        noted = (_marker.read(wanted.target, _snapshot.MARKER) or {}).get("files")
        wanted = replace(wanted, files=noted if isinstance(noted, dict) else {})
    surplus = _surplus(wanted)
    items = tuple(_items(wanted, reasons, surplus))
    needed = max(_snapshot.size_of(wanted.files) - _here(wanted), 0) if reasons else 0
    _refuse_without_space(wanted, needed)
    return wanted, Comparison(items, bool(reasons), surplus, needed=needed)


def _refuse_folder(path: str) -> None:
    found = _snapshot.verify_snapshot(path, "")
    if found:
        remedy = "Complete the folder, or let it be fetched: name the repository instead."
        raise StackError(Problem("src", path, f"cannot be served: it {' and '.join(found)}.", remedy))


def _surplus(wanted: Wanted) -> tuple[str, ...]:
    if wanted.keep is None:
        return ()
    return tuple(wanted.shelf.surplus(wanted.version, wanted.keep, wanted.in_use))


def _items(wanted: Wanted, reasons: Sequence[str], surplus: Sequence[str]) -> Iterator[Item]:
    if reasons:
        expected = f"{len(wanted.files)} files, {size_text(_snapshot.size_of(wanted.files))}"
        yield Item("snapshot", wanted.target, expected, _install.told(reasons))
    yield from _install.removals(wanted.shelf, surplus)


def _here(wanted: Wanted) -> int:
    """Count what need not arrive any more: what earlier runs left, and what another list of this revision has."""
    reusable = {name: wanted.files[name] for name in _reusable(wanted)}
    return _snapshot_fetch.present(_fetch(wanted)) + _snapshot.size_of(reusable)


def _reusable(wanted: Wanted) -> list[str]:
    """Name the files that a snapshot of the same place has already, by its own notes."""
    noted = (_marker.read(wanted.target, _snapshot.MARKER) or {}).get("files")
    known = noted if isinstance(noted, dict) else {}
    same = [name for name, entry in wanted.files.items() if known.get(name) == dict(entry)]
    missing = [name for name in same if not os.path.exists(os.path.join(wanted.work, name))]
    return [name for name in missing if _size(os.path.join(wanted.target, name)) == wanted.files[name]["size"]]


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return -1


def _refuse_without_space(wanted: Wanted, needed: int) -> None:
    directory = wanted.shelf.directory
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    status = os.statvfs(directory)
    free = status.f_bavail * status.f_frsize
    if needed > free:
        wrong = f"lacks the space for {wanted.target}: {size_text(needed)} are needed, {size_text(free)} are free."
        raise StackError(Problem("root", wanted.root, wrong, "Free some space, or set root to a larger disk."))


def apply(wanted: Wanted, comparison: Comparison) -> Progress:
    """Carry out the comparison, as far as one slice of time goes; what was there before stays until all is here."""
    if comparison.absent:
        _clear(wanted, comparison)
        return Progress(0, 0)
    with _install.locked(wanted.shelf.directory, wanted.timeout):
        _files.sweep_temporary(wanted.shelf.directory)
        progress = _grow(wanted) if comparison.fetch else foreseen(wanted, comparison)
        if not progress.file:
            _install.remove_versions(wanted.shelf, comparison.surplus)
        return progress


def _grow(wanted: Wanted) -> Progress:
    total = _snapshot.size_of(wanted.files)
    # A run that had the lock before this one may have completed it.
    if not _snapshot.verify_snapshot(wanted.target, wanted.digest):
        return Progress(total, total)
    fetch = _fetch(wanted)
    _files.make_dirs(wanted.work)
    _reuse(wanted)
    waiting = _snapshot_fetch.advance(fetch, _clock(wanted.slice)) if wanted.repo else _take(wanted, fetch)
    if not waiting:
        _complete(wanted)
        return Progress(total, total)
    return Progress(_snapshot_fetch.present(fetch), total, waiting)


def _fetch(wanted: Wanted) -> _snapshot_fetch.Fetch:
    def url_of(name: str) -> str:
        return _hub.file_url(wanted.endpoint, wanted.repo, wanted.revision, name)

    client = wanted.client
    return _snapshot_fetch.Fetch(
        wanted.files, url_of, client.open_at, wanted.work, lambda url, error: _hub.worded(url, error, wanted.repo)
    )


def _clock(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def _reuse(wanted: Wanted) -> None:
    """Take over what an older list of the same revision has, without a copy."""
    for name in _reusable(wanted):
        path = os.path.join(wanted.work, name)
        _files.make_dirs(os.path.dirname(path))
        os.link(os.path.join(wanted.target, name), path)


def _take(wanted: Wanted, fetch: _snapshot_fetch.Fetch) -> str:
    """Take the file that came from the controller, and return which one is to come next."""
    if wanted.upload:
        if not _snapshot.proven(wanted.upload, wanted.files[wanted.uploaded]):
            wrong = "is not the file that was listed: it changed on the controller, or on its way."
            raise InstallError(f"{wanted.uploaded}: {wrong}\n    Run again when nobody writes to the folder.")
        path = fetch.path(wanted.uploaded)
        _files.make_dirs(os.path.dirname(path))
        _move(wanted.upload, path + _snapshot_fetch.PART)
        os.rename(path + _snapshot_fetch.PART, path)
    return next(iter(_snapshot_fetch.lacking(fetch)), "")


def _move(source: str, target: str) -> None:
    """Move a file without a copy where it is ours and on the same disk."""
    try:
        if os.stat(source).st_uid != os.geteuid():
            raise PermissionError
        os.rename(source, target)
    except OSError:
        shutil.copyfile(source, target)
    os.chmod(target, 0o644)


def _complete(wanted: Wanted) -> None:
    """Note what is here, last of all, and give the snapshot its name."""
    note = {
        "name": wanted.name or wanted.repo,
        "revision": wanted.revision or None,
        "source": wanted.endpoint if wanted.repo else "controller",
        "digest": wanted.digest,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "files": {name: dict(entry) for name, entry in sorted(wanted.files.items())},
    }
    _drop_strangers(wanted)
    _marker.complete(wanted.work, _snapshot.MARKER, note)
    _install.publish(wanted.shelf, wanted.work, wanted.version)


def _drop_strangers(wanted: Wanted) -> None:
    """Remove what an earlier run fetched by another list."""
    for directory, _folders, names in os.walk(wanted.work):
        for name in names:
            path = os.path.join(directory, name)
            if os.path.relpath(path, wanted.work) not in wanted.files:
                _files.remove(path)


def foreseen(wanted: Wanted, comparison: Comparison) -> Progress:
    """Say how far it is without doing anything."""
    total = _snapshot.size_of(wanted.files)
    return Progress(total - comparison.needed, total)


def _compare_absent(wanted: Wanted) -> Comparison:
    """Return what goes: the snapshot of the given revision, else all of this model; those in use stay."""
    found = wanted.shelf.removable(wanted.in_use)
    chosen = [name for name in found if not wanted.revision or name == wanted.revision[:12]]
    parts = [] if wanted.revision else _partial(wanted.shelf)
    items = [*_install.removals(wanted.shelf, chosen), *parts]
    return Comparison(tuple(items), surplus=tuple(chosen), absent=True)


def _clear(wanted: Wanted, comparison: Comparison) -> None:
    """Remove what was found, and the directory when nothing is left in it."""
    directory = wanted.shelf.directory
    if not comparison.items:
        return
    with _install.locked(directory, wanted.timeout):
        _files.sweep_temporary(directory)
        _install.remove_versions(wanted.shelf, comparison.surplus)
        for item in comparison.items:
            if item.kind == "unfinished":
                _files.remove_tree(item.subject)
    with contextlib.suppress(OSError):
        os.rmdir(directory)


def _partial(shelf: Shelf) -> list[Item]:
    with contextlib.suppress(FileNotFoundError):
        names = sorted(name for name in os.listdir(shelf.directory) if _files.is_partial(name))
        return [Item("unfinished", shelf.path(name), "absent", "present") for name in names]
    return []


def worded(wanted: Wanted, error: Exception) -> str:
    """Word a failure: ours say everything themselves, one of the operating system needs what was attempted."""
    if not isinstance(error, OSError):
        return str(error)
    return (
        f"{wanted.target} was not completed: {error.filename or wanted.target}: {error.strerror or error}.\n"
        "    Make it writable for the account, or set root to a directory that is.\n"
        "    What was fetched before is unchanged."
    )
