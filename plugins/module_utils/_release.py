# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Unpacked archives and downloaded files: the cheap proof that they are still what was verified once."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping

from ansible_collections.lab.llm_stack.plugins.module_utils import _files, _marker

MARKER = ".llm-stack-release.json"

SAMPLES = 16
SAMPLE_SIZE = 64 * 1024


def verify_release(path: str, sha256: str) -> list[str]:
    """Return why the directory at path is not the unpacked archive with this checksum; nothing when it is.

    Compares names, sizes and modes with those noted when the archive was unpacked; reads no content.
    """
    if not os.path.isdir(path):
        return ["is missing"]
    noted = _marker.read(path, MARKER)
    if noted is None:
        return ["is incomplete: it has no readable marker, so a run was cut short or it is not one of ours"]
    if noted.get("sha256") != sha256:
        return [f"was unpacked from another archive (sha256 {noted.get('sha256')}, declared {sha256})"]
    files = noted.get("files")
    return list(_differences(files if isinstance(files, dict) else {}, scan(path)))


def scan(path: str) -> dict[str, str]:
    """Describe each file below path without reading it: its size and whether it can be executed, or where it links."""
    found = {}
    for directory, names, files in os.walk(path):
        links = [name for name in names if os.path.islink(os.path.join(directory, name))]
        for name in (*files, *links):
            full = os.path.join(directory, name)
            found[os.path.relpath(full, path)] = _describe(full)
    found.pop(MARKER, None)
    return found


def _describe(path: str) -> str:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return f"link to {os.readlink(path)}"
    kind = "program" if status.st_mode & stat.S_IXUSR else "file"
    return f"{kind} of {status.st_size} bytes"


def _differences(noted: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*noted, *found}):
        before, now = noted.get(name), found.get(name)
        if now is None:
            yield f"has lost {name}"
        elif before is None:
            yield f"holds {name}, which is not in the archive"
        elif before != now:
            yield f"holds {name} as a {now}, unpacked was a {before}"


def verify_file(path: str, sha256: str) -> list[str]:
    """Return why the file at path is not the one with this checksum; nothing when it is.

    The whole file was read once, when it arrived; since then its size and samples of it must have stayed the same.
    """
    if not os.path.isfile(path):
        return ["is missing"]
    noted = read_note(path)
    if not noted:
        return ["has not been verified yet"]
    if noted.get("sha256") != sha256:
        return [f"is another file (sha256 {noted.get('sha256')}, declared {sha256})"]
    return [] if noted.get("fingerprint") == fingerprint(path) else ["was changed since it was verified"]


def note_path(path: str) -> str:
    """Return where it is noted which file lies at path: hidden, beside it."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f".llm-stack-{name}.json")


def read_note(path: str) -> dict[str, object]:
    """Return what was noted when the file at path was verified; nothing where it never was."""
    return _marker.read(os.path.dirname(path), os.path.basename(note_path(path))) or {}


def write_note(path: str, sha256: str) -> None:
    """Note that the file at path was read as a whole and has this checksum."""
    note = {"sha256": sha256, "fingerprint": fingerprint(path)}
    _files.write_atomic(note_path(path), json.dumps(note).encode() + b"\n", 0o644)


def fingerprint(path: str) -> str:
    """Return a checksum over the size and 16 evenly spaced samples of 64 KiB: 1 MiB read, however large the file.

    It tells two models apart and finds a transfer cut short. It is no protection against a forger: that is sha256.
    """
    with open(path, "rb") as source:
        size = os.fstat(source.fileno()).st_size
        digest = hashlib.sha256(f"{size}\n".encode())
        for offset in sample_offsets(size):
            source.seek(offset)
            digest.update(source.read(SAMPLE_SIZE))
    return digest.hexdigest()


def sample_offsets(size: int) -> list[int]:
    """Return where the samples begin: the first at the start, the last at the end; a small file is read as a whole."""
    if size <= SAMPLES * SAMPLE_SIZE:
        return list(range(0, size, SAMPLE_SIZE))
    return [index * (size - SAMPLE_SIZE) // (SAMPLES - 1) for index in range(SAMPLES)]


def sha256_of(path: str) -> str:
    """Return the checksum of a whole file."""
    digest = hashlib.sha256()
    with open(path, "rb") as source:
        for block in iter(lambda: source.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
