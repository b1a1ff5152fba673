# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Versions side by side: what the modules that install software have in common.

Each version is an immutable directory, made under a temporary name, completed by a marker and renamed into place.
A link ``current`` says which one counts; old ones stay for a while, so that going back is a switch, no installation.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.lab.llm_stack.plugins.module_utils import _files, _lock
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Item

MOST_REASONS = 5
NOTE = ".llm-stack-lock.json"
"""Where who installs in a directory is noted meanwhile; the lock itself is the kernel's."""


class InstallError(Exception):
    """Something could not be installed; str() is the full text for people."""


@dataclass(frozen=True)
class Shelf:
    """A directory that holds versions of one thing: how they are named and which file says that one is complete."""

    directory: str
    kind: str
    pattern: str
    marker: str

    def path(self, version: str) -> str:
        return os.path.join(self.directory, version)

    @property
    def link(self) -> str:
        return os.path.join(self.directory, "current")

    def current(self) -> str:
        """Return the version that the link names, or nothing."""
        try:
            return os.path.basename(os.readlink(self.link))
        except OSError:
            return ""

    def versions(self) -> list[str]:
        """Return what lies here under a name of ours: the one that was current last first, incomplete ones last."""
        with contextlib.suppress(FileNotFoundError):
            found = [name for name in os.listdir(self.directory) if re.fullmatch(self.pattern, name)]
            return sorted(found, key=lambda name: (-self._last_current(name), name))
        return []

    def leftovers(self) -> list[str]:
        """Return the temporary names that killed runs left here."""
        with contextlib.suppress(FileNotFoundError):
            return sorted(name for name in os.listdir(self.directory) if _files.is_temporary(name))
        return []

    def surplus(self, wanted: str, keep: int, in_use: Iterable[str]) -> list[str]:
        """Return the versions that nobody needs: neither wanted, nor in use or running, nor among the last few."""
        old = [name for name in self.removable(in_use) if name != wanted]
        kept = [name for name in old if self._last_current(name)][:keep]
        running = running_from([self.path(name) for name in old if name not in kept])
        return [name for name in old if name not in kept and self.path(name) not in running]

    def removable(self, in_use: Iterable[str]) -> list[str]:
        """Return the versions that the declaration does not protect."""
        used = {os.path.realpath(os.path.expanduser(path)) for path in in_use}
        return [name for name in self.versions() if os.path.realpath(self.path(name)) not in used]

    def _last_current(self, version: str) -> int:
        """Return when this version was made current last; 0 where it was never completed."""
        try:
            return os.stat(os.path.join(self.path(version), self.marker)).st_mtime_ns
        except OSError:
            return 0


def running_from(paths: Sequence[str]) -> set[str]:
    """Return the directories that a process of this account was started from or has files of in memory.

    After a rollback the version that serves is older than the one that failed, so age alone must not decide.
    """
    return named_by_processes({path: (f"{os.path.realpath(path)}/", f"{path}/") for path in paths}, ("cmdline", "maps"))


def named_by_processes(texts: Mapping[str, Sequence[str]], places: Sequence[str]) -> set[str]:
    """Return the keys of which a process of this account has a text in one of these files below its /proc."""
    used: set[str] = set()
    for pid in filter(str.isdigit, os.listdir("/proc") if texts else []):
        found = b"".join(_read_quietly(f"/proc/{pid}/{place}") for place in places)
        used |= {key for key, wanted in texts.items() if any(text.encode() in found for text in wanted)}
    return used


def _read_quietly(path: str) -> bytes:
    try:
        with open(path, "rb") as source:
            return source.read()
    except OSError:
        return b""


def items(shelf: Shelf, version: str, reasons: Sequence[str], surplus: Sequence[str]) -> Iterator[Item]:
    """Yield what has to be done so that this version, and this one, is current."""
    path = shelf.path(version)
    if reasons:
        yield Item(shelf.kind, path, f"the declared {shelf.kind}", told(reasons))
    if shelf.current() != version:
        yield Item("current-link", shelf.link, version, shelf.current() or "absent")
    yield from removals(shelf, surplus)


def told(reasons: Sequence[str]) -> str:
    """Say the first few reasons in one line, and how many more there are."""
    more = [f"and {len(reasons) - MOST_REASONS} more"] if len(reasons) > MOST_REASONS else []
    return "; ".join([*reasons[:MOST_REASONS], *more])


def removals(shelf: Shelf, surplus: Sequence[str]) -> Iterator[Item]:
    """Yield what lies here and goes: versions that nobody needs, and what killed runs left."""
    for name in surplus:
        yield Item(f"surplus-{shelf.kind}", shelf.path(name), "absent", "present")
    for name in shelf.leftovers():
        yield Item("leftover", shelf.path(name), "absent", "left by a run that was killed")


def diff(found: Iterable[Item]) -> list[dict[str, str]]:
    """Show each difference as a block of its own."""
    return [
        {
            "before_header": item.subject,
            "after_header": item.subject,
            "before": f"{item.actual}\n",
            "after": f"{item.expected}\n",
        }
        for item in found
    ]


@contextlib.contextmanager
def locked(directory: str, timeout: float) -> Iterator[None]:
    """Hold the lock of a directory, with a note of who does; wait for another run up to timeout seconds."""
    _files.make_dirs(directory)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _acquire(descriptor, directory, timeout)
        with _noted(directory):
            yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _noted(directory: str) -> Iterator[None]:
    """Keep a note of who is at work here; without one, as on a full disk, the work goes on all the same."""
    path = os.path.join(directory, NOTE)
    with contextlib.suppress(OSError):
        _files.remove(path)
        record = _lock.record_of(os.path.basename(directory), _account())
        _files.write_atomic(path, json.dumps(record).encode(), 0o600)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)


def _account() -> str:
    """Who runs this, as far as the host knows: the account before sudo, and where it was logged in from."""
    try:
        name = os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    address = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    return f"{name} from {address}" if address else name


def _acquire(descriptor: int, directory: str, timeout: float) -> None:
    if _lock.taken(descriptor, timeout):
        return
    holder = _lock.noted(os.path.join(directory, NOTE))
    who = f"\n    {holder}." if holder else ""
    raise InstallError(
        f"{directory}: another run has been installing here for more than {timeout:g} s.{who}\n"
        "    Wait for it to end, or end it, and run again. Nothing was changed."
    )


@contextlib.contextmanager
def workplace(shelf: Shelf) -> Iterator[str]:
    """Yield the name of a directory to build in; whatever is there at the end goes, also when building fails."""
    path = os.path.join(shelf.directory, _files.temporary_name())
    try:
        yield path
    finally:
        _files.remove_tree(path)


def publish(shelf: Shelf, built: str, version: str) -> None:
    """Rename what was built into place; a damaged version of the same name gives way in the same moment."""
    final = shelf.path(version)
    aside = os.path.join(shelf.directory, _files.temporary_name())
    replaces = os.path.lexists(final)
    if replaces:
        os.rename(final, aside)
    os.rename(built, final)
    _files.fsync_dir(shelf.directory)
    if replaces:
        _files.remove_tree(aside)


def make_current(shelf: Shelf, version: str) -> None:
    """Point the link at a version and note the time: the last ones to be current are the ones that are kept."""
    if shelf.current() == version:
        return
    os.utime(os.path.join(shelf.path(version), shelf.marker))
    _files.switch_symlink(shelf.link, version)


def remove_versions(shelf: Shelf, versions: Iterable[str]) -> None:
    """Remove versions: the marker first, so that one cut short is never taken for complete."""
    for version in versions:
        _files.remove(os.path.join(shelf.path(version), shelf.marker))
        _files.remove_tree(shelf.path(version))


def clear(shelf: Shelf, versions: Iterable[str], timeout: float) -> None:
    """Remove versions, and the link and the directory too when nothing is left for them."""
    if not os.path.isdir(shelf.directory):
        return
    with locked(shelf.directory, timeout):
        _files.sweep_temporary(shelf.directory)
        remove_versions(shelf, versions)
        for name in os.listdir(shelf.directory):
            if _files.is_partial(name):
                _files.remove(shelf.path(name))
        if not os.path.exists(shelf.link):
            _files.remove(shelf.link)
    with contextlib.suppress(OSError):
        os.rmdir(shelf.directory)
