# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Fetching the files of a list for a limited time, so that a caller can tell how far it is and call again.

Each file grows as NAME.part and loses the ending when its content is proven; what an earlier call left is gone on with.
The hub's own library was weighed: it would have to be installed on the host before the first model is, keeps the token
where it likes, and cannot be stopped between two blocks. What is needed of it is this file.
"""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _files, _snapshot
from ansible_collections.lab.llm_stack.plugins.module_utils._download import (
    ATTEMPTS,
    NoSuchRange,
    Open,
    Refused,
    Response,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._http import HttpRefused
from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError
from ansible_collections.lab.llm_stack.plugins.module_utils._release import sha256_of

BLOCK = 1 << 17
"""Bytes that are asked for at once: what a slow line brings is kept, and a fast one is not held up."""

PATIENCE = 30
"""Seconds that a server may ask to be left alone without ending the run."""

PART = ".part"
AGAIN = ".again.part"
"""Beside a file that was wrong once after a resumed download: the second time the server is to blame."""


@dataclass(frozen=True)
class Fetch:
    """What is to be fetched: a list, the address of each file, how to open it, and where it grows."""

    files: _snapshot.Files
    url_of: Callable[[str], str]
    open_at: Open
    directory: str
    explain: Callable[[str, Refused], str]
    """Word a refusal of the server: its address and what it said."""
    pause: Callable[[float], None] = time.sleep

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)


def present(fetch: Fetch) -> int:
    """Count the bytes that are here: whole files, and the beginnings of others."""
    return sum(_size(fetch.path(name)) or _size(fetch.path(name) + PART) for name in fetch.files)


def lacking(fetch: Fetch) -> list[str]:
    """Name the files that are not whole yet, the small ones first: a wrong address shows at once."""
    names = [name for name, entry in fetch.files.items() if not _is_here(fetch.path(name), entry["size"])]
    return sorted(names, key=lambda name: (fetch.files[name]["size"], name))


def advance(fetch: Fetch, is_over: Callable[[], bool]) -> str:
    """Fetch until all is here or the time is over, and return the file that was in work; nothing when all is here.

    Something is always achieved before it returns, or the reason why not is raised.
    """
    for name in lacking(fetch):
        _files.make_dirs(os.path.dirname(fetch.path(name)))
        while not _whole(fetch, name):
            _attempts(fetch, name, is_over)
            if is_over() and _size(fetch.path(name) + PART) < fetch.files[name]["size"]:
                return name
        if is_over():
            break
    return next(iter(lacking(fetch)), "")


def _attempts(fetch: Fetch, name: str, is_over: Callable[[], bool]) -> None:
    """Make the beginning of a file longer; raise InstallError when nothing arrives several times in a row."""
    url, reason = fetch.url_of(name), ""
    for attempt in range(ATTEMPTS):
        before = _size(fetch.path(name) + PART)
        try:
            _go_on(fetch, name, is_over)
            return
        except Refused as error:
            seconds = _asked_to_wait(error)
            if not seconds or attempt + 1 == ATTEMPTS:
                raise InstallError(fetch.explain(url, error)) from None
            fetch.pause(seconds)
            continue
        except (OSError, http.client.HTTPException) as error:
            if getattr(error, "errno", None) == 28:
                raise InstallError(_text(url, "no space is left on the disk", "Free some space.")) from None
            reason = str(getattr(error, "strerror", None) or error)
        if _size(fetch.path(name) + PART) > before:
            return
        fetch.pause(min(2.0**attempt, 8.0) if attempt + 1 < ATTEMPTS else 0)
    remedy = "Make the address reachable from this host, or name a mirror, or bring the folder from the controller."
    raise InstallError(_text(url, f"nothing arrived in {ATTEMPTS} attempts ({reason})", remedy))


def _asked_to_wait(error: Refused) -> float:
    """Seconds after which a server that gets too many requests wants to be asked again, where that is soon."""
    text = error.retry_after if isinstance(error, HttpRefused) and error.status == 429 else ""
    return float(text) if text.isdigit() and 0 < int(text) <= PATIENCE else 0.0


def _text(url: str, cause: str, remedy: str) -> str:
    return f"{url} was not fetched: {cause}.\n    {remedy}\n    What is here already is kept; the next run goes on."


def _go_on(fetch: Fetch, name: str, is_over: Callable[[], bool]) -> None:
    """Append what one answer brings, until the file is as long as it should be or the time is over."""
    part, size = fetch.path(name) + PART, fetch.files[name]["size"]
    have = _size(part)
    try:
        response = fetch.open_at(fetch.url_of(name), have) if size else None
    except NoSuchRange:
        _files.remove(part)
        raise OSError("the file there is shorter than what is here") from None
    try:
        resumed = response is not None and response.status == 206 and have > 0
        # A server that cannot begin in the middle would never get to the end of a large file if it were interrupted.
        ends = _never if have and not resumed else is_over
        with open(part, "ab" if resumed else "wb") as target:
            if response is not None:
                _copy(response, target.write, size - (have if resumed else 0), ends)
            target.flush()
            os.fsync(target.fileno())
    finally:
        if response is not None:
            response.close()


def _never() -> bool:
    return False


def _copy(response: Response, write: Callable[[bytes], int], left: int, is_over: Callable[[], bool]) -> None:
    """Copy at most ``left`` bytes and one more, which shows that the file there is another."""
    wanted = left
    while left >= 0:
        block = response.read(min(BLOCK, left + 1))
        if not block:
            break
        write(block)
        left -= len(block)
        if is_over():
            return
    if left > 0:
        raise OSError(f"the connection ended after {wanted - left} of {wanted} bytes")


def _whole(fetch: Fetch, name: str) -> bool:
    """Prove the content of a file that has arrived, and give it its name; remove it when it is another file."""
    path, entry = fetch.path(name), fetch.files[name]
    part, again = path + PART, path + AGAIN
    if not os.path.exists(part) or _size(part) < entry["size"]:
        return _is_here(path, entry["size"])
    if _snapshot.proven(part, entry):
        _files.remove(again)
        os.chmod(part, 0o644)
        os.rename(part, path)
        return True
    found = _found(part, entry)
    _files.remove(part)
    if os.path.exists(again):
        _files.remove(again)
        raise InstallError(_mismatch(fetch.url_of(name), entry, found))
    # The beginning may be of another file, left by an earlier run.
    _files.write_atomic(again, b"", 0o600)
    return False


def _found(path: str, entry: Mapping[str, Any]) -> str:
    if _size(path) != entry["size"]:
        return f"more than {entry['size']} bytes"
    return f"sha256 {sha256_of(path)}" if entry.get("sha256") else f"blob {_snapshot.blob_of(path)}"


def _mismatch(url: str, entry: Mapping[str, Any], found: str) -> str:
    proof = next((f"{key} {entry[key]}" for key in _snapshot.PROOFS if entry.get(key)), "")
    expected = f"{entry['size']} bytes" if found.startswith("more") or not proof else proof
    return (
        f"{url} was not fetched: it is not the file that was pinned.\n"
        f"    expected {expected}\n    found    {found}\n"
        "    Find out why before you use it, or name another mirror. What else is here is kept."
    )


def _is_here(path: str, size: int) -> bool:
    return os.path.isfile(path) and os.path.getsize(path) == size


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
