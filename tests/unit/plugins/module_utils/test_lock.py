# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""One run at a time: who holds the lock is told, and a run that does not end can be ended by the id of its lock."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess as Process
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._lock import LockError, at_work, held, stamp


def hold(path: str, told: Connection, deaf: bool) -> None:
    if deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with held(path, "llamacpp", "ada on her-machine"):
        told.send("held")
        told.recv()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "state/lock")


@pytest.fixture(params=[False])
def holder(path: str, request: pytest.FixtureRequest) -> Iterator[tuple[Process, Connection]]:
    """Another process that holds the lock until it is told to end; a deaf one does not hear SIGTERM."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=hold, args=(path, theirs, request.param))
    process.start()
    assert ours.poll(10)
    assert ours.recv() == "held"
    yield process, ours
    process.kill()
    process.join(10)


def refusal(path: str, breaking: str = "") -> str:
    with pytest.raises(LockError) as caught, held(path, "example", "bob", breaking):
        pytest.fail("two runs hold the lock")
    return str(caught.value)


def lock_id(path: str) -> str:
    return str(json.loads(Path(path).read_text())["id"])


def test_a_second_run_is_told_who_holds_the_lock_and_how_to_break_it(
    path: str, holder: tuple[Process, Connection]
) -> None:
    process, tell = holder
    assert re.fullmatch(
        rf"llamacpp: ada on her-machine, pid {process.pid}, since 20\S+Z\.\n"
        r"To end that run, which puts back what it began, run this again with -e llm_stack_break_lock=[0-9a-f]{8}",
        refusal(path),
    )
    tell.send("end")
    process.join(10)
    with held(path, "example", "bob"):
        record = json.loads(Path(path).read_text())
        assert (record["name"], record["holder"], record["pid"]) == ("example", "bob", os.getpid())
    assert Path(path).read_text() == ""


def test_the_lock_of_a_killed_run_is_free(path: str, holder: tuple[Process, Connection]) -> None:
    process, _tell = holder
    process.kill()
    process.join(10)
    with held(path, "example", "bob"):
        assert "ada" not in Path(path).read_text()


def test_only_the_right_id_breaks_a_lock(path: str, holder: tuple[Process, Connection]) -> None:
    assert "The lock has not the id 00000000 any more." in refusal(path, "00000000")
    assert holder[0].is_alive()


@pytest.mark.parametrize("holder", [False, True], indirect=True, ids=["a run that ends", "a run that has to be killed"])
def test_a_broken_lock_ends_its_run_and_is_ours(path: str, holder: tuple[Process, Connection]) -> None:
    process, _tell = holder
    with held(path, "example", "bob", breaking=lock_id(path), patience=1.0):
        process.join(10)
        assert not process.is_alive()
        assert json.loads(Path(path).read_text())["holder"] == "bob"


@pytest.mark.parametrize("text", ["", "half a rec", "[]", '"text"', "{}"])
def test_a_lock_whose_record_is_not_written_yet_is_respected(
    path: str, holder: tuple[Process, Connection], text: str
) -> None:
    assert holder[0].is_alive()
    Path(path).write_text(text)
    assert refusal(path, "00000000") == "another run that has just begun"


def test_who_is_at_work_is_told_without_standing_in_anybodys_way(path: str, holder: tuple[Process, Connection]) -> None:
    process, tell = holder
    before = stamp(path)
    assert re.fullmatch(rf"llamacpp: ada on her-machine, pid {process.pid}, since 20\S+Z", at_work(path, before))
    tell.send("end")
    process.join(10)
    assert at_work(path, before) == "another run, which has ended meanwhile"
    assert at_work(path, stamp(path)) == ""


def test_where_no_run_ever_was_nobody_is_at_work(path: str) -> None:
    assert at_work(path, stamp(path)) == ""
    assert not Path(path).exists()


def test_a_run_that_failed_is_at_work_no_more(path: str) -> None:
    with pytest.raises(ValueError, match="it did not start"), held(path, "example", "bob"):
        raise ValueError("it did not start")
    assert (Path(path).read_text(), at_work(path, stamp(path))) == ("", "")


def test_a_run_is_not_refused_because_a_check_asks_who_is_at_work(path: str) -> None:
    Path(path).parent.mkdir()
    with Path(path).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        threading.Timer(0.1, file.close).start()
        with held(path, "example", "bob"):
            assert at_work(path, stamp(path)).startswith("example: bob, pid ")
