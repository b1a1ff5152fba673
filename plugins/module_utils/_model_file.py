# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open a file of a model that may be anything, and say what it is where it is not a model.

Only headers are read. Whatever is wrong is a ModelFileError: no content, however broken, raises anything else.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NoReturn

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, StackError

# A number of more digits counts nothing, and converting it takes long.
_DIGITS = 20
AGAIN = "Delete it and fetch it again; compare its SHA-256 sum with the one its publisher names."
_DISGUISES: tuple[tuple[bytes, str, str], ...] = (
    (
        b"version https://git-lfs",
        "is a pointer of Git LFS, not the file it stands for.",
        "Run git lfs pull in that folder.",
    ),
    (b"<!doctype html", "is an HTML page: what was fetched is an answer for people, such as a login page.", AGAIN),
    (b"<html", "is an HTML page: what was fetched is an answer for people, such as a login page.", AGAIN),
    (b"<?xml", "is an XML document: what was fetched is an answer such as a refusal of access.", AGAIN),
    (b'{"error"', "is the error message of a server in place of a file.", AGAIN),
    (b"\x1f\x8b", "is compressed by gzip.", "Unpack it."),
    (b"PK\x03\x04", "is a ZIP archive, as PyTorch writes it.", "Name a file in safetensors or GGUF form."),
)


class ModelFileError(StackError):
    """A file of a model that cannot be read, that is not what its name says, or that is not whole."""


def refuse(path: str, wrong: str, remedy: str = "") -> NoReturn:
    """Stop with what is wrong with a file."""
    raise ModelFileError(Problem(path, NOTHING, wrong, remedy))


def refuse_cut(path: str, size: int, expected: int) -> NoReturn:
    """Stop because a file ends early, which is what a download that was interrupted leaves."""
    refuse(path, f"is cut off: it has {size} bytes, and its header speaks of {expected}.", AGAIN)


@contextlib.contextmanager
def opened(path: str) -> Iterator[tuple[BinaryIO, int]]:
    """Open an ordinary file and tell its size; everything the system says against it becomes a ModelFileError."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            refuse(path, "is not a file.", "Name the file itself.")
        with open(path, "rb") as source:
            yield source, os.fstat(source.fileno()).st_size
    except FileNotFoundError:
        if os.path.islink(path):
            wrong = "is a link to a file that is not there: the download is not finished, or its blob was removed."
            refuse(path, wrong, "Fetch the model again.")
        refuse(path, "does not exist.")
    except (OSError, ValueError) as error:
        refuse(path, f"cannot be read: {getattr(error, 'strerror', None) or error}.")


def refuse_disguise(path: str, start: bytes) -> None:
    """Stop where the first bytes of a file show that it is something else; an empty one is nothing at all."""
    if not start:
        refuse(path, "is empty.", AGAIN)
    words = start.lstrip().lower() if start[:1] in b"\n\r\t <{vV" else start
    for beginning, wrong, remedy in _DISGUISES:
        if words.startswith(beginning):
            refuse(path, wrong, remedy)


def listing(folder: str) -> list[str]:
    """Name what a folder holds."""
    try:
        return os.listdir(folder)
    except OSError as error:
        refuse(folder, f"cannot be listed: {error.strerror}.")


def read_object(path: str, limit: int) -> Mapping[str, Any]:
    """Read a JSON object from a file of at most ``limit`` bytes."""
    with opened(path) as (source, size):
        if size > limit:
            refuse(path, f"has {size} bytes; a file of its kind has at most {limit}.")
        content = source.read(limit)
    refuse_disguise(path, content[:64])
    return parse_object(path, content, "It")


def parse_object(path: str, content: bytes, what: str) -> Mapping[str, Any]:
    """Parse a JSON object; ``what`` names the part of the file that holds it."""
    try:
        parsed = json.loads(content, parse_int=_number, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        refuse(path, f"is not readable: {what.lower()} is not JSON ({_first_line(error)}).", AGAIN)
    if not isinstance(parsed, dict):
        refuse(path, f"is not readable: {what.lower()} is not a JSON object.", AGAIN)
    return parsed


def _number(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError("a number of more than 20 digits")
    return int(digits)


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _first_line(error: Exception) -> str:
    return "too deeply nested" if isinstance(error, RecursionError) else str(error).split("\n", maxsplit=1)[0]
