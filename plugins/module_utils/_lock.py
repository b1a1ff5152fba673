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
GLANCE = 0.5
"""Seconds for which a taken lock is tried again: a check that asks who is at work holds it for a moment."""
JUST_BEGUN = "another run that has just begun"


class LockError(Exception):
    """Another run holds the lock; str() tells which, since when, and how to break it."""


@contextlib.contextmanager
def held(path: str, name: str, holder: str, breaking: str = "", patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock at this path for the length of a run of ``name`` by ``holder``.

    ``breaking`` is the id of a lock to break, as the refusal told it. Raises LockError while another run holds it.
    """
    make_dirs(os.path.dirname(path))
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as file:
        if not taken(file, GLANCE):
            _break_or_refuse(file, breaking, patience)
        _write(file, record_of(name, holder))
        try:
            yield
        finally:
            _write(file, {})


def record_of(name: str, holder: str) -> dict[str, Any]:
    """Who holds a lock from now on: ``holder``, for what ``name`` says."""
    return {"id": secrets.token_hex(4), "name": name, "holder": holder, "pid": os.getpid(), "since": now()}


def noted(path: str) -> str:
    """Say whom the record at this path names; empty where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            record = _read(file)
    except OSError:
        return ""
    return _who(record) if record else ""


def stamp(path: str) -> tuple[int, int]:
    """Tell one state of the lock at this path from the next: each run writes it when it begins and when it ends."""
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def at_work(path: str, before: tuple[int, int]) -> str:
    """Say who holds the lock, or that somebody did since the stamp ``before``; empty where nobody did."""
    try:
        with open(path, encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                record = _read(file)
                return _who(record) if record else JUST_BEGUN
    except OSError:  # no lock was ever made, or it is another account's
        return ""
    return "" if stamp(path) == before else "another run, which has ended meanwhile"


def taken(file: IO[str] | int, patience: float) -> bool:
    """Take the lock of a file or descriptor; False where others hold it for longer than ``patience`` seconds."""
    limit = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= limit:
                return False
            time.sleep(0.1)
        else:
            return True


def _break_or_refuse(file: IO[str], breaking: str, patience: float) -> None:
    record = _read(file)
    if not breaking or breaking != record.get("id"):
        raise LockError(_words(record, breaking))
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(record["pid"]), number)
        if taken(file, patience):
            return
    raise LockError(f"{_words(record, breaking)}\nIt was told to end, and killed, and is still there.")


def _words(record: dict[str, Any], breaking: str) -> str:
    if not record:
        return JUST_BEGUN
    other = f"\nThe lock has not the id {breaking} any more." if breaking else ""
    return (
        f"{_who(record)}.{other}\nTo end that run, which puts back what it began, run this again with "
        f"-e llm_stack_break_lock={record['id']}"
    )


def _who(record: dict[str, Any]) -> str:
    return "{name}: {holder}, pid {pid}, since {since}".format(**record)


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
