# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Files that are either the old ones or the new ones, also after a crash.

Every function works on names of this host and lets OSError pass: the caller knows what was attempted and why.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Mapping

_OURS = re.compile(r"/\.(?:config|cache|local/share|local/state)/llm-stack(?:/|$)")
TEMPORARY_PREFIX = ".llm-stack-"
TEMPORARY_SUFFIX = ".tmp"


def temporary_name() -> str:
    """Return a name for something unfinished that nobody else uses, and that sweep_temporary knows."""
    return f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"


def is_temporary(name: str) -> bool:
    """Tell whether a file of this name is something unfinished of ours."""
    return name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX)


def partial_name(key: str) -> str:
    """Return a name for something that grows over several runs; sweep_temporary leaves it alone."""
    return f"{TEMPORARY_PREFIX}{key}.part"


def is_partial(name: str) -> bool:
    """Tell whether a file of this name is the beginning of a download of ours."""
    return name.startswith(TEMPORARY_PREFIX) and name.endswith(".part")


def read(path: str) -> bytes | None:
    """Return the content of a file, or None where there is no such file."""
    try:
        with open(path, "rb") as source:
            return source.read()
    except FileNotFoundError:
        return None


def write_atomic(path: str, content: bytes, mode: int) -> None:
    """Put content at path with exactly this mode; a reader sees the old file or the new one, never a part.

    The mode is set before the rename, so a secret is never readable by others, however short.
    """
    directory = os.path.dirname(os.path.abspath(path))
    make_dirs(directory)
    descriptor, temporary = tempfile.mkstemp(TEMPORARY_SUFFIX, TEMPORARY_PREFIX, directory)
    try:
        with os.fdopen(descriptor, "wb") as target:
            target.write(content)
            os.fchmod(target.fileno(), mode)
            target.flush()
            os.fsync(target.fileno())
        os.rename(temporary, path)
    except OSError as error:
        _forget(temporary)
        # A full disk tells of no file, and of a temporary one nobody knows.
        raise OSError(error.errno, error.strerror, path) from error
    except BaseException:
        _forget(temporary)
        raise
    fsync_dir(directory)


def switch_symlink(link: str, target: str) -> None:
    """Let link point to target, without a moment in which it points nowhere."""
    directory = os.path.dirname(os.path.abspath(link))
    make_dirs(directory)
    temporary = os.path.join(directory, temporary_name())
    os.symlink(target, temporary)
    try:
        os.rename(temporary, link)
    except BaseException:
        _forget(temporary)
        raise
    fsync_dir(directory)


def make_dirs(path: str, mode: int = 0o700) -> None:
    """Create a directory and its missing parents, each with exactly this mode; those that exist keep theirs."""
    missing = []
    current = os.path.abspath(path)
    while not os.path.isdir(current):
        missing.append(current)
        current = os.path.dirname(current)
    for directory in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(directory, mode)
            os.chmod(directory, mode)
            fsync_dir(os.path.dirname(directory))


def is_ours(directory: str) -> bool:
    """Tell whether a directory is one that this collection makes in a home, whatever the home is called."""
    return bool(_OURS.search(directory))


def close_directories(modes: Mapping[str, int]) -> None:
    """Let only their owner write in directories, which are given with their modes."""
    for path, mode in modes.items():
        os.chmod(path, mode & ~0o022)


def remove(path: str) -> bool:
    """Remove a file or a symlink for good; tell whether there was one."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    fsync_dir(os.path.dirname(os.path.abspath(path)))
    return True


def remove_tree(path: str) -> bool:
    """Remove a directory and all in it, also where the owner lacks write permission; tell whether there was one."""
    if not os.path.lexists(path):
        return False
    for directory, _names, _files in os.walk(path):
        _make_writable(directory)
    shutil.rmtree(path)
    fsync_dir(os.path.dirname(os.path.abspath(path)))
    return True


def sweep_temporary(directory: str) -> list[str]:
    """Remove what killed runs left in this directory and return the names; call it only while holding the lock."""
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    swept = [name for name in names if is_temporary(name)]
    for name in swept:
        path = os.path.join(directory, name)
        if os.path.isdir(path) and not os.path.islink(path):
            remove_tree(path)
        else:
            _forget(path)
    return swept


def fsync_dir(directory: str) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_writable(directory: str) -> None:
    mode = stat.S_IMODE(os.stat(directory).st_mode)
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        os.chmod(directory, mode | stat.S_IRWXU)


def _forget(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
