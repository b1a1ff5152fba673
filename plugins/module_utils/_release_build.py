# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Installing releases and single files: compare the declaration with the host, fetch, prove, and switch."""

from __future__ import annotations

import datetime
import os
import platform
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.lab.llm_stack.plugins.module_utils import (
    _archive,
    _download,
    _file_versions,
    _files,
    _install,
    _marker,
    _release,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._address import unfit_address
from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError, Shelf
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem, StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Item


@dataclass(frozen=True)
class Wanted:
    """The declaration of one release (an archive, unpacked) or of one file."""

    kind: str
    name: str = ""
    version: str = ""
    sha256: str = ""
    url: str = ""
    src: str = ""
    root: str = ""
    path: str = ""
    strip_top: bool = False
    machine: str = ""
    glibc: str = ""
    keep: int = 1
    in_use: Sequence[str] = ()
    timeout: float = 60.0

    @property
    def shelf(self) -> Shelf:
        return Shelf(os.path.join(self.root, self.name), "release", r".+-[0-9a-f]{8}", _release.MARKER)

    @property
    def folder(self) -> str:
        """The name of the directory that this version of these very bytes gets."""
        return f"{self.version}-{self.sha256[:8]}"

    @property
    def target(self) -> str:
        return self.path if self.kind == "file" else self.shelf.path(self.folder)

    @property
    def part(self) -> str:
        directory = os.path.dirname(self.path) if self.kind == "file" else self.shelf.directory
        return _download.part_path(directory, self.sha256)


def refuse(wanted: Wanted, state: str) -> None:
    """Raise every reason why the declaration is none, before anything is read or changed."""
    problems = [*_unfit_names(wanted, state), *(_unfit(wanted) if state == "present" else [])]
    if problems:
        raise StackError(problems)


def _unfit_names(wanted: Wanted, state: str) -> Iterator[Problem]:
    named = {"name": wanted.name, **({"version": wanted.version} if state == "present" else {})}
    for option, value in named.items() if wanted.kind == "archive" else ():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", value):
            yield Problem(
                option, value, "cannot be part of a directory's name.", "Use letters, digits and . _ + - only."
            )


def _unfit(wanted: Wanted) -> Iterator[Problem]:
    if not re.fullmatch(r"[0-9a-f]{64}", wanted.sha256):
        remedy = "Write the sha256 of the file: 64 digits of 0-9 and a-f, as sha256sum prints them."
        yield Problem("sha256", wanted.sha256, "is no sha256 checksum.", remedy)
    yield from unfit_address("url", wanted.url, ("https", "http"))


@dataclass(frozen=True)
class Comparison:
    """What has to be done on the host."""

    items: tuple[Item, ...]
    install: bool = False
    surplus: tuple[str, ...] = ()
    absent: bool = False


def compare(wanted: Wanted, state: str = "present") -> Comparison:
    """Read the host and return what differs."""
    refuse(wanted, state)
    if state == "absent":
        return _compare_absent(wanted)
    return _compare_file(wanted) if wanted.kind == "file" else _compare_archive(wanted)


def _compare_archive(wanted: Wanted) -> Comparison:
    shelf, folder = wanted.shelf, wanted.folder
    reasons = _release.verify_release(shelf.path(folder), wanted.sha256)
    surplus = shelf.surplus(folder, wanted.keep, wanted.in_use)
    if reasons:
        problems = [*unfit_host(wanted, platform.machine(), libc_of_this_host())]
        problems += _archive.unfit_host(wanted.src or wanted.url)
        if problems:
            raise StackError(problems)
        _check_source(wanted)
    return Comparison(tuple(_install.items(shelf, folder, reasons, surplus)), bool(reasons), tuple(surplus))


def unfit_host(wanted: Wanted, machine: str, libc: str) -> Iterator[Problem]:
    """Yield why programs of this archive cannot run on a host of this machine and C library, before it is fetched.

    ``libc`` is as the library tells it, such as "glibc 2.36"; another one than glibc tells nothing.
    """
    if wanted.machine and wanted.machine != machine:
        wrong = f"is not the machine of this host, which is {machine}."
        yield Problem("machine", wanted.machine, wrong, "Choose the archive for it.")
    found = re.fullmatch(r"glibc (\d+(?:\.\d+)*)", libc)
    if wanted.glibc and (not found or _version(found[1]) < _version(wanted.glibc)):
        wrong = f"is newer than what this host has: {libc or 'another C library'}."
        yield Problem("glibc", wanted.glibc, wrong, "Choose another archive or another method, or a newer system.")


def libc_of_this_host() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return ""


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _compare_file(wanted: Wanted) -> Comparison:
    reasons = _release.verify_file(wanted.path, wanted.sha256)
    surplus = _file_versions.surplus(wanted.path, wanted.name, wanted.keep, wanted.in_use)
    install = bool(reasons) and (not os.path.isfile(wanted.path) or _release.sha256_of(wanted.path) != wanted.sha256)
    if install:
        _check_source(wanted)
    items = [Item("file", wanted.path, f"sha256 {wanted.sha256}", reason) for reason in reasons]
    return Comparison((*items, *_file_versions.items(surplus)), install, tuple(surplus))


def _check_source(wanted: Wanted) -> None:
    """Refuse a source on the host that is missing or is another file."""
    if not wanted.src:
        return
    if not os.path.isfile(wanted.src):
        raise StackError(Problem("src", wanted.src, "is no file on this host.", "Copy it there first, or set url."))
    found = _release.sha256_of(wanted.src)
    if found != wanted.sha256:
        raise InstallError(_download.mismatch(wanted.src, wanted.sha256, found))


def apply(wanted: Wanted, comparison: Comparison, open_at: _download.Open) -> None:
    """Carry out the comparison; whatever fails leaves what was installed before."""
    if comparison.absent:
        _apply_absent(wanted, comparison)
        return
    directory = os.path.dirname(wanted.part)
    with _install.locked(directory, wanted.timeout):
        _files.sweep_temporary(directory)
        if wanted.kind == "file":
            _apply_file(wanted, comparison, open_at)
        else:
            _apply_archive(wanted, comparison, open_at)


def _apply_archive(wanted: Wanted, comparison: Comparison, open_at: _download.Open) -> None:
    shelf = wanted.shelf
    # A run that had the lock before this one may have installed it already.
    if comparison.install and _release.verify_release(shelf.path(wanted.folder), wanted.sha256):
        with _install.workplace(shelf) as path:
            built = _archive.unpack(_fetched(wanted, open_at), path, wanted.strip_top)
            _marker.complete(built, _release.MARKER, _note(wanted, built))
            _install.publish(shelf, built, wanted.folder)
        _files.remove(wanted.part)
    _install.make_current(shelf, wanted.folder)
    _install.remove_versions(shelf, comparison.surplus)


def _note(wanted: Wanted, built: str) -> dict[str, object]:
    return {
        "name": wanted.name,
        "version": wanted.version,
        "sha256": wanted.sha256,
        "source": wanted.src or wanted.url,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "files": _release.scan(built),
    }


def _apply_file(wanted: Wanted, comparison: Comparison, open_at: _download.Open) -> None:
    if comparison.install and _release.verify_file(wanted.path, wanted.sha256):
        if wanted.src:
            shutil.copyfile(wanted.src, wanted.part)
            _download.check(wanted.part, wanted.sha256, wanted.src)
        else:
            _fetched(wanted, open_at)
        os.chmod(wanted.part, 0o644)
        _files.remove(_release.note_path(wanted.path))
        os.rename(wanted.part, wanted.path)
        _files.fsync_dir(os.path.dirname(wanted.path))
    if any(item.kind == "file" for item in comparison.items):
        _release.write_note(wanted.path, wanted.sha256)
    _file_versions.remove(comparison.surplus)


def _fetched(wanted: Wanted, open_at: _download.Open) -> str:
    """Return a file of this host that has the declared checksum."""
    if wanted.src:
        return wanted.src
    _download.fetch(open_at, wanted.url, wanted.part, wanted.sha256)
    return wanted.part


def _compare_absent(wanted: Wanted) -> Comparison:
    """Return what goes when nothing of this name is wanted any more; releases in use stay."""
    if wanted.kind == "file":
        paths = [path for path in (wanted.path, _release.note_path(wanted.path)) if os.path.lexists(path)]
        return Comparison(tuple(Item("file", path, "absent", "present") for path in paths), absent=True)
    surplus = wanted.shelf.removable(wanted.in_use)
    return Comparison(tuple(_install.removals(wanted.shelf, surplus)), surplus=tuple(surplus), absent=True)


def _apply_absent(wanted: Wanted, comparison: Comparison) -> None:
    if wanted.kind == "archive":
        _install.clear(wanted.shelf, comparison.surplus, wanted.timeout)
    else:
        for item in comparison.items:
            _files.remove(item.subject)


def worded(wanted: Wanted, error: Exception) -> str:
    """Word a failure: ours say everything themselves, one of the operating system needs what was attempted."""
    if not isinstance(error, OSError):
        return str(error)
    return (
        f"{wanted.target} was not completed: {error.filename or wanted.target}: {error.strerror or error}.\n"
        f"    Make it writable for the account, or set {'path' if wanted.kind == 'file' else 'root'} to one that is.\n"
        "    What was installed before is unchanged."
    )
