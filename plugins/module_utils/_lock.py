# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The lock of an account: one run at a time changes its services.

The kernel holds it, so the lock of a run that was killed, or of a host that was rebooted, is free: what the file still
says about it then is history. Only a run that lives and does not end has to be broken, which ends it; it puts back what
it began, and if it cannot, the next run finds its snapshot and does.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import signal
import time
from collections.abc import Iterator
from typing import IO, Any

from ansible_collections.lab.llm_stack.plugins.module_utils._files import make_dirs

PATIENCE = 60.0
"""Seconds that a run which is told to end may take to put back what it began; then it is killed."""


class LockError(Exception):
    """Another run holds the lock; str() tells which, since when, and how to break it."""


@contextlib.contextmanager
def held(path: str, name: str, holder: str, breaking: str = "", patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock at this path for the length of a run of ``name`` by ``holder``.

    ``breaking`` is the id of a lock to break, as the refusal told it. Raises LockError while another run holds it.
    """
    make_dirs(os.path.dirname(path))
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as file:
        if not _taken(file):
            _break_or_refuse(file, breaking, patience)
        _write(file, {"id": secrets.token_hex(4), "name": name, "holder": holder, "pid": os.getpid(), "since": now()})
        yield
        _write(file, {})


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _break_or_refuse(file: IO[str], breaking: str, patience: float) -> None:
    record = _read(file)
    if not breaking or breaking != record.get("id"):
        raise LockError(_words(record, breaking))
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(record["pid"]), number)
        limit = time.monotonic() + patience
        while time.monotonic() < limit:
            if _taken(file):
                return
            time.sleep(0.1)
    raise LockError(f"{_words(record, breaking)}\nIt was told to end, and killed, and is still there.")


def _words(record: dict[str, Any], breaking: str) -> str:
    if not record:
        return "another run that has just begun"
    who = "{name}: {holder}, pid {pid}, since {since}".format(**record)
    other = f"\nThe lock has not the id {breaking} any more." if breaking else ""
    return (
        f"{who}.{other}\nTo end that run, which puts back what it began, run this again with "
        f"-e llm_stack_break_lock={record['id']}"
    )


def _read(file: IO[str]) -> dict[str, Any]:
    file.seek(0)
    try:
        record = json.loads(file.read())
        return record if {"id", "name", "holder", "pid", "since"} <= set(record) else {}
    except ValueError:
        return {}


def _write(file: IO[str], record: dict[str, Any]) -> None:
    file.seek(0)
    file.truncate(0)
    file.write(json.dumps(record) if record else "")
    file.flush()


def now() -> str:
    """This moment in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
