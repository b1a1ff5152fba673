# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Fetching one file with a known checksum: goes on where an earlier attempt ended, keeps nothing but that file.

Opening an address is the business of the caller, so that everything here can be tested without a network.
"""

from __future__ import annotations

import http.client
import os
from collections.abc import Callable, Mapping
from typing import Protocol

from ansible_collections.lab.llm_stack.plugins.module_utils import _files
from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError
from ansible_collections.lab.llm_stack.plugins.module_utils._release import sha256_of

ATTEMPTS = 4
BLOCK = 1 << 20


class Response(Protocol):
    """What an HTTP client gives back: the part of it that is used here."""

    status: int

    @property
    def headers(self) -> Mapping[str, str]: ...

    def read(self, amount: int) -> bytes: ...

    def close(self) -> None: ...


class Refused(Exception):
    """The server answered, but not with the file; str() says how. Another attempt would not help."""


class NoSuchRange(Exception):
    """The server has fewer bytes than are kept here already."""


Open = Callable[[str, int], Response]
"""Open an address from a byte on; raises Refused, NoSuchRange, or OSError where there was no answer."""


def part_path(directory: str, sha256: str) -> str:
    """Return where the file with this checksum grows until it is complete."""
    return os.path.join(directory, _files.partial_name(sha256[:16]))


def fetch(open_at: Open, url: str, part: str, sha256: str) -> None:
    """Complete the file at part from url; afterwards it has this checksum, or it is gone and the reason is raised."""
    if os.path.exists(part) and sha256_of(part) == sha256:
        return
    reason = ""
    for _attempt in range(ATTEMPTS):
        try:
            resumed = _go_on(open_at, url, part)
        except Refused as error:
            raise InstallError(_text(url, str(error), "Correct url, or set src to a file on the host.")) from None
        except (OSError, http.client.HTTPException) as error:
            _raise_when_full(error, url)
            reason = _why(error)
            continue
        if resumed and sha256_of(part) != sha256:
            # What an earlier run left may be of another file: only a whole download can be blamed on the server.
            _files.remove(part)
            continue
        check(part, sha256, url)
        return
    kept = (
        f"\n    {os.path.getsize(part)} bytes are kept; the next run goes on from there."
        if os.path.exists(part)
        else ""
    )
    remedy = f"Make the address reachable from this host, or set url to a mirror, or src to a file on the host.{kept}"
    raise InstallError(_text(url, f"no complete answer in {ATTEMPTS} attempts ({reason})", remedy))


def _why(error: Exception) -> str:
    """Return what the operating system said; HTTP clients wrap it."""
    inner = getattr(error, "reason", error)
    return str(getattr(inner, "strerror", None) or inner).strip()


def check(path: str, sha256: str, source: str) -> None:
    """Remove the file at path and raise both checksums when it is not the expected file."""
    found = sha256_of(path)
    if found != sha256:
        _files.remove(path)
        raise InstallError(mismatch(source, sha256, found))


def mismatch(source: str, expected: str, found: str) -> str:
    """Word a wrong checksum."""
    cause = f"it is not the declared file.\n    expected sha256 {expected}\n    found    sha256 {found}"
    return _text(source, cause, "Find out why before you use it; if the new file is right, declare its sha256.")


def _text(url: str, cause: str, remedy: str) -> str:
    stop = "" if "\n" in cause else "."
    return f"{url} was not installed: {cause}{stop}\n    {remedy}\n    What was installed before is unchanged."


def _go_on(open_at: Open, url: str, part: str) -> bool:
    """Append to part what is missing, and tell so; start again when the server cannot begin in the middle."""
    have = os.path.getsize(part) if os.path.exists(part) else 0
    try:
        response = open_at(url, have)
    except NoSuchRange:
        _files.remove(part)
        raise OSError("the file there is shorter than what an earlier run kept") from None
    try:
        resumed = response.status == 206 and have > 0
        begin = have if resumed else 0
        expected = _length(response.headers)
        _refuse_without_space(part, expected)
        with open(part, "ab" if resumed else "wb") as target:
            written = _copy(response, target.write)
            target.flush()
            os.fsync(target.fileno())
    finally:
        response.close()
    if expected is not None and written < expected:
        raise OSError(f"the connection ended after {begin + written} of {begin + expected} bytes")
    return resumed


def _copy(response: Response, write: Callable[[bytes], int]) -> int:
    written = 0
    for block in iter(lambda: response.read(BLOCK), b""):
        write(block)
        written += len(block)
    return written


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("Content-Length") or ""
    return int(text) if text.isdigit() and not headers.get("Content-Encoding") else None


def _refuse_without_space(part: str, needed: int | None) -> None:
    directory = os.path.dirname(part)
    status = os.statvfs(directory)
    free = status.f_bavail * status.f_frsize
    if needed is not None and needed > free:
        raise Refused(f"it needs {needed >> 20} MiB more in {directory}, and {free >> 20} MiB are free there")


def _raise_when_full(error: Exception, url: str) -> None:
    if getattr(error, "errno", None) == 28:
        raise InstallError(
            _text(url, "no space is left on the disk", "Free some space, or name another place.")
        ) from None
