# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Unpacking archives that need not be trusted with anything outside their own directory.

Names and links are checked before the first byte is written. Owners, times and set-user-id bits are ignored.
"""

from __future__ import annotations

import lzma
import os
import posixpath
import shutil
import stat
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from ansible_collections.lab.llm_stack.plugins.module_utils import _files
from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem

Opener = Callable[[], "IO[bytes]"]


@dataclass(frozen=True)
class Member:
    """One entry of an archive; kind is file, directory, link or the name of something that is none of these."""

    name: str
    kind: str
    open: Opener
    target: str = ""
    executable: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(part for part in self.name.split("/") if part not in ("", "."))


ZSTD = "zstd"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def unfit_host(source: str) -> Iterator[Problem]:
    """Yield why this host could not unpack an archive of this name, before it is fetched."""
    if source.endswith((".zst", ".tzst")) and not shutil.which(ZSTD):
        wrong = "is missing on this host, and the archive is compressed with it."
        remedy = "An administrator installs the package zstd; or name a mirror that has the archive as .tar.gz."
        yield Problem(ZSTD, NOTHING, wrong, remedy)


def unpack(archive: str, directory: str, strip_top: bool) -> str:
    """Unpack an archive below a new directory and return the directory that holds the release."""
    with open(archive, "rb") as source:
        compressed = source.read(4) == _ZSTD_MAGIC
    if not compressed:
        return _unpack_plain(archive, directory, strip_top)
    # No library of Python before 3.14 reads it. What is unpacked twice is gone before anything is installed.
    plain = os.path.join(os.path.dirname(directory), _files.temporary_name())
    try:
        _decompress(archive, plain)
        return _unpack_plain(plain, directory, strip_top)
    finally:
        _files.remove(plain)


def _decompress(archive: str, plain: str) -> None:
    try:
        command = [ZSTD, "-d", "-q", "-f", "-o", plain, "--", archive]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise InstallError(f"{archive} was not unpacked: this host lacks the program {ZSTD}.") from None
    if done.returncode:
        raise InstallError(f"{archive} was not unpacked: {done.stderr.strip() or 'zstd failed'}.")


def _unpack_plain(archive: str, directory: str, strip_top: bool) -> str:
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                return _unpack(archive, list(_zip_members(opened)), directory, strip_top)
        with tarfile.open(archive, "r:*") as tar:
            return _unpack(archive, list(_tar_members(tar)), directory, strip_top)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, lzma.LZMAError, zlib.error, NotImplementedError) as error:
        raise InstallError(
            f"{archive} was not unpacked: {error}.\n"
            "    It must be a .tar.gz, .tar.xz, .tar.bz2, .tar.zst or .zip archive; for a single file set kind: file."
        ) from None


def _unpack(archive: str, members: list[Member], directory: str, strip_top: bool) -> str:
    refused = [*refusals(members), *(_strip_refusals(members) if strip_top else [])]
    if refused:
        raise InstallError(_unsafe(archive, refused))
    for member in members:
        _write(member, os.path.join(directory, *member.parts))
    # An archive of "." begins with a member that has no name.
    release = os.path.join(directory, _tops(members)[0]) if strip_top else directory
    escaped = list(escapes(release))
    if escaped:
        raise InstallError(_unsafe(archive, escaped))
    return release


def _unsafe(archive: str, reasons: list[str]) -> str:
    listed = "".join(f"\n    {reason}" for reason in reasons[:10])
    more = f"\n    and {len(reasons) - 10} more" if len(reasons) > 10 else ""
    return f"{archive} was not unpacked:{listed}{more}\n    Nothing of it was kept. Use the archive of the publisher."


def refusals(members: Iterable[Member]) -> Iterator[str]:
    """Yield why a member may not be written: it would leave the release, or it is nothing a release needs."""
    links: set[tuple[str, ...]] = set()
    taken: set[tuple[str, ...]] = set()
    for member in members:
        if member.name.startswith("/") or ".." in member.parts or "\0" in member.name or "\\" in member.name:
            yield f"'{member.name}' leaves the release."
        elif member.kind not in ("file", "directory", "link"):
            yield f"'{member.name}' is a {member.kind}."
        elif any(member.parts[:depth] in links for depth in range(1, len(member.parts))):
            yield f"'{member.name}' lies behind a link."
        elif member.parts in taken:
            yield f"'{member.name}' is there twice."
        elif member.kind == "link" and _leaves(member):
            yield f"'{member.name}' links to '{member.target}', which is outside the release."
        if member.kind != "directory":
            taken.add(member.parts)
        if member.kind == "link":
            links.add(member.parts)


def _leaves(link: Member) -> bool:
    landed = posixpath.normpath(posixpath.join(*link.parts[:-1], link.target))
    return link.target.startswith("/") or landed == ".." or landed.startswith("../")


def _tops(members: list[Member]) -> list[str]:
    return sorted({member.parts[0] for member in members if member.parts})


def _strip_refusals(members: list[Member]) -> list[str]:
    tops = _tops(members)
    plain = any(len(member.parts) == 1 and member.kind != "directory" for member in members)
    if len(tops) == 1 and not plain:
        return []
    listed = ", ".join(tops[:5]) + (", ..." if len(tops) > 5 else "") if tops else "nothing"
    return [f"strip_top needs exactly one directory at the top; the archive has {listed}."]


def escapes(directory: str) -> Iterator[str]:
    """Yield each link that, followed to its end through other links, leads outside the directory."""
    root = os.path.realpath(directory)
    for current, names, files in os.walk(directory):
        for path in (os.path.join(current, name) for name in (*names, *files)):
            if os.path.islink(path) and not f"{os.path.realpath(path)}/".startswith(f"{root}/"):
                yield f"'{os.path.relpath(path, directory)}' leads outside the release."


def _write(member: Member, path: str) -> None:
    os.makedirs(path if member.kind == "directory" else os.path.dirname(path), exist_ok=True)
    if member.kind == "link":
        os.symlink(member.target, path)
    elif member.kind == "file":
        with member.open() as source, open(path, "xb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
            os.fchmod(target.fileno(), 0o755 if member.executable else 0o644)


def _tar_members(tar: tarfile.TarFile) -> Iterator[Member]:
    for info in tar:
        opener = _tar_opener(tar, info)
        yield Member(info.name, _tar_kind(info), opener, info.linkname, bool(info.mode & stat.S_IXUSR))


def _tar_kind(info: tarfile.TarInfo) -> str:
    if info.issym():
        return "link"
    if info.isdir():
        return "directory"
    return "file" if info.isreg() or info.islnk() else "device or pipe"


def _tar_opener(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Opener:
    def opened() -> IO[bytes]:
        try:
            source = tar.extractfile(info)
        except KeyError:
            source = None
        if source is None:
            raise InstallError(f"{tar.name!s} was not unpacked: '{info.name}' has no content of its own.")
        return source

    return opened


def _zip_members(archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        mode = info.external_attr >> 16
        link = stat.S_ISLNK(mode)
        kind = "link" if link else "directory" if info.is_dir() else "file"
        target = archive.read(info).decode(errors="surrogateescape") if link else ""
        yield Member(info.filename, kind, _zip_opener(archive, info), target, bool(mode & stat.S_IXUSR))


def _zip_opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Opener:
    return lambda: archive.open(info)
