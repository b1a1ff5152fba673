# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Versions side by side: which one counts, which ones stay, which ones go."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _files, _install, _marker
from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError, Shelf

MARKER = ".llm-stack-test.json"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(str(tmp_path / "litellm"), "environment", "[0-9a-f]{12}", MARKER)


def install(shelf: Shelf, version: str, content: str = "") -> None:
    with _install.workplace(shelf) as path:
        os.makedirs(path)
        Path(path, "content").write_text(content)
        _marker.complete(path, MARKER, {"version": version})
        _install.publish(shelf, path, version)
    _install.make_current(shelf, version)
    time.sleep(0.01)


A, B, C, D = (letter * 12 for letter in "abcd")


def test_an_empty_shelf_has_nothing(shelf: Shelf) -> None:
    assert (shelf.current(), shelf.versions(), shelf.leftovers(), shelf.surplus(A, 1, [])) == ("", [], [], [])


def test_the_version_that_was_current_last_is_the_one_that_stays(shelf: Shelf) -> None:
    for version in (A, B, C):
        install(shelf, version)
    _install.make_current(shelf, A)
    time.sleep(0.01)
    install(shelf, D)
    assert (shelf.current(), shelf.versions()) == (D, [D, A, C, B])
    assert shelf.surplus(D, 1, []) == [C, B]
    assert shelf.surplus(D, 0, []) == [A, C, B]


def test_what_is_in_use_stays_however_old(shelf: Shelf) -> None:
    for version in (A, B, C):
        install(shelf, version)
    assert shelf.surplus(C, 0, [shelf.path(A), "/elsewhere"]) == [B]


def test_what_a_process_runs_from_stays_until_it_ends(shelf: Shelf) -> None:
    for version in (A, B, C):
        install(shelf, version)
    command = [sys.executable, "-c", "print(flush=True); input()", f"{shelf.path(A)}/bin/x"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.stdout.readline()  # a process that is just being started has no command line to read yet
        assert shelf.surplus(C, 0, []) == [B]
    finally:
        process.communicate(b"\n")
    assert shelf.surplus(C, 0, []) == [B, A]


def test_a_version_without_a_marker_does_not_count_as_one_to_go_back_to(shelf: Shelf) -> None:
    for version in (A, B, C):
        install(shelf, version)
    os.unlink(os.path.join(shelf.path(B), MARKER))
    assert shelf.surplus(C, 1, []) == [B]


def test_what_others_put_there_is_not_ours_to_remove(shelf: Shelf) -> None:
    install(shelf, A)
    Path(shelf.path("my-own")).mkdir()
    assert shelf.removable([]) == [A]
    _install.clear(shelf, [A], 1)
    assert os.listdir(shelf.directory) == ["my-own"]


def test_clearing_leaves_nothing(shelf: Shelf) -> None:
    install(shelf, A)
    Path(shelf.path(_files.partial_name("0123"))).touch()
    Path(shelf.path(_files.temporary_name())).mkdir()
    _install.clear(shelf, [A], 1)
    assert not os.path.exists(shelf.directory)
    _install.clear(shelf, [], 1)


def test_a_damaged_version_is_replaced_as_a_whole(shelf: Shelf) -> None:
    install(shelf, A, "damaged")
    Path(shelf.path(A), "strange").touch()
    install(shelf, A, "whole")
    assert sorted(os.listdir(shelf.path(A))) == [MARKER, "content"]
    assert sorted(os.listdir(shelf.directory)) == [A, "current"]


def test_a_build_that_fails_leaves_nothing(shelf: Shelf) -> None:
    install(shelf, A)
    with contextlib.suppress(RuntimeError), _install.workplace(shelf) as path:
        os.makedirs(os.path.join(path, "half"))
        raise RuntimeError
    assert sorted(os.listdir(shelf.directory)) == [A, "current"]


def test_the_items_say_what_will_be_done(shelf: Shelf) -> None:
    for version in (A, B):
        install(shelf, version)
    leftover = _files.temporary_name()
    Path(shelf.path(leftover)).mkdir()
    found = [
        (item.kind, os.path.basename(item.subject), item.expected, item.actual)
        for item in _install.items(shelf, C, ["is missing"], shelf.surplus(C, 1, []))
    ]
    assert found == [
        ("environment", C, "the declared environment", "is missing"),
        ("current-link", "current", C, B),
        ("surplus-environment", A, "absent", "present"),
        ("leftover", leftover, "absent", "left by a run that was killed"),
    ]


def refusal(shelf: Shelf) -> str:
    with pytest.raises(InstallError) as caught, _install.locked(shelf.directory, 0.3):
        pytest.fail("two runs install in one directory")
    return str(caught.value)


@pytest.mark.parametrize(
    ("environment", "who"),
    [
        ({"SUDO_USER": "ada"}, "ada"),
        ({"SUDO_USER": "ada", "SSH_CONNECTION": "192.0.2.7 50000 192.0.2.11 22"}, "ada from 192.0.2.7"),
        ({}, pwd.getpwuid(os.getuid()).pw_name),
    ],
)
def test_a_second_run_waits_and_then_says_for_whom(
    shelf: Shelf, environment: dict[str, str], who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SUDO_USER", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with _install.locked(shelf.directory, 1):
        told = refusal(shelf)
    assert re.sub(r"20\S+Z", "NOW", told) == (
        f"{shelf.directory}: another run has been installing here for more than 0.3 s.\n"
        f"    litellm: {who}, pid {os.getpid()}, since NOW.\n"
        "    Wait for it to end, or end it, and run again. Nothing was changed."
    )
    assert os.listdir(shelf.directory) == []


def test_a_lock_without_a_note_is_a_lock(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_files, "write_atomic", full)
    with _install.locked(shelf.directory, 1):
        told = refusal(shelf)
    assert "more than 0.3 s.\n    Wait for it to end" in told


def test_the_note_of_a_killed_run_names_nobody_later(shelf: Shelf) -> None:
    os.makedirs(shelf.directory)
    note = Path(shelf.directory, _install.NOTE)
    note.write_text('{"id": "0", "name": "litellm", "holder": "bob", "pid": 1, "since": "2026-01-01T00:00:00Z"}')
    with _install.locked(shelf.directory, 1):
        assert "bob" not in refusal(shelf)
    assert not note.exists()


def test_a_second_run_goes_on_when_the_first_has_ended(shelf: Shelf) -> None:
    order: list[str] = []
    entered = threading.Event()

    def first() -> None:
        with _install.locked(shelf.directory, 5):
            entered.set()
            time.sleep(0.3)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait()
    with _install.locked(shelf.directory, 5):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
