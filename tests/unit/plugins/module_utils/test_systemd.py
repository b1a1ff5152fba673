# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The user manager through its commands, with commands of our own on the PATH that answer as recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _systemd
from ansible_collections.lab.llm_stack.plugins.module_utils._service_read import read_units
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import UnitFound
from ansible_collections.lab.llm_stack.plugins.module_utils._systemd import (
    Manager,
    ManagerError,
    enable_linger,
    unset_variables,
)

RUNNING = """\
MainPID=0
NRestarts=2
ExecMainStatus=0
Result=success
Environment=LLM_STACK_DIGEST=0123456789abcdef "LLAMA_ARG_MODEL=/a model" EMPTY=
InvocationID=5a3c
Job=0
Id=llamacpp-tiny.service
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/home/llm/.config/systemd/user/llamacpp-tiny.service
DropInPaths=/home/llm/x.d/1.conf /home/llm/x.d/2.conf
UnitFileState=enabled
"""
SOCKET = """\
Result=success
Environment=LLM_STACK_DIGEST=fedcba9876543210
InvocationID=5a3d
Id=litellm.socket
LoadState=loaded
ActiveState=active
SubState=listening
FragmentPath=/home/llm/.config/systemd/user/litellm.socket
DropInPaths=
UnitFileState=disabled
"""
UNKNOWN = """\
MainPID=0
NRestarts=0
ExecMainStatus=0
Result=success
Environment=
InvocationID=
Id=no.service
LoadState=not-found
ActiveState=inactive
SubState=dead
FragmentPath=
DropInPaths=
UnitFileState=
"""
Command = Callable[..., Path]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Put a command on the PATH that notes how it was called, prints a text and exits."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def make(name: str, out: str = "", err: str = "", code: int = 0, also: str = "") -> Path:
        calls = tmp_path / f"{name}.calls"
        (tmp_path / "out").write_text(out)
        (tmp_path / "err").write_text(err)
        answer = f"cat {tmp_path}/out\ncat {tmp_path}/err >&2\nexit {code}\n"
        (tmp_path / name).write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {calls}\n{also}\n{answer}')
        (tmp_path / name).chmod(0o755)
        return calls

    return make


COMMAND = "{ path=/bin/x ; argv[]=/bin/x %s ; ignore_errors=no ; start_time=[%s] ; pid=%s ; code=(null) ; status=0/0 }"


def test_what_the_manager_holds_is_told_apart_but_not_by_how_it_last_ran(command: Command) -> None:
    def memory(*commands: str) -> str:
        text = "Id=a.service\n" + "".join(f"ExecStartPost={each}\n" for each in commands)
        command("systemctl", text)
        return read_units(Manager(1000), ["a.service"])["a.service"].memory

    first, second = COMMAND % ("one", "n/a", 0), COMMAND % ("two", "n/a", 0)
    assert memory(first, second) == memory(COMMAND % ("one", "Mon 2026-11-23 04:00:00 UTC", 71), second)
    assert len({memory(first, second), memory(first), memory(second), memory(second, first), memory()}) == 5


def test_one_call_answers_for_all_units(command: Command) -> None:
    calls = command("systemctl", f"{RUNNING}\n{SOCKET}\n{UNKNOWN}")
    read = read_units(Manager(1000), ["llamacpp-tiny.service", "litellm.socket", "no.service"])
    found = {name: replace(unit, memory="") for name, unit in read.items()}
    assert found == {
        "llamacpp-tiny.service": UnitFound(
            name="llamacpp-tiny.service",
            load="loaded",
            active="active",
            sub="running",
            file_state="enabled",
            result="success",
            fragment="/home/llm/.config/systemd/user/llamacpp-tiny.service",
            drop_ins=("/home/llm/x.d/1.conf", "/home/llm/x.d/2.conf"),
            digest="0123456789abcdef",
            restarts=2,
            invocation="5a3c",
        ),
        "litellm.socket": UnitFound(
            name="litellm.socket",
            load="loaded",
            active="active",
            sub="listening",
            file_state="disabled",
            result="success",
            fragment="/home/llm/.config/systemd/user/litellm.socket",
            digest="fedcba9876543210",
            invocation="5a3d",
        ),
        "no.service": UnitFound(name="no.service", result="success"),
    }
    asked = ",".join((_systemd.PROPERTIES, *_systemd.REMEMBERED))
    assert calls.read_text() == (
        f"--user --no-pager show --timestamp=unix --property {asked} -- "
        "llamacpp-tiny.service litellm.socket no.service\n"
    )


def test_no_units_no_call(command: Command) -> None:
    calls = command("systemctl")
    assert Manager(1000).show([]) == []
    assert not calls.exists()


def test_the_manager_is_found_without_a_login(command: Command, tmp_path: Path) -> None:
    command("systemctl", also=f"env > {tmp_path}/env")
    Manager(1234).systemctl("daemon-reload")
    environment = (tmp_path / "env").read_text().splitlines()
    assert "XDG_RUNTIME_DIR=/run/user/1234" in environment
    assert "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1234/bus" in environment
    assert "LC_ALL=C.UTF-8" in environment


@pytest.mark.parametrize(
    ("out", "err", "code", "said"),
    [
        pytest.param("", "Access denied\n", 1, "Access denied", id="what it says on standard error"),
        pytest.param("Job failed\n", "", 1, "Job failed", id="else on standard output"),
        pytest.param("", "", 5, "exit code 5", id="else its exit code"),
    ],
)
def test_a_refusal_names_the_command_and_its_words(command: Command, out: str, err: str, code: int, said: str) -> None:
    command("systemctl", out, err, code)
    with pytest.raises(ManagerError) as caught:
        Manager(1000).systemctl("start", "--no-block", "--", "a.service")
    assert str(caught.value) == f"systemctl --user --no-pager start --no-block -- a.service: {said}"


def test_a_manager_that_hangs_is_not_waited_for_without_end(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_systemd, "TIMEOUT", 0.2)
    command("systemctl", also="sleep 0.5")
    with pytest.raises(ManagerError, match=r"^systemctl --user --no-pager daemon-reload gave no answer within 0 s\.$"):
        Manager(1000).systemctl("daemon-reload")
    assert Manager(1000).systemctl("stop", "--", "a.service") == ""
    assert Manager(1000).systemctl("disable", "--now", "--", "a.service") == ""


def test_a_host_without_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ManagerError, match=r"^systemctl is not installed on this host\.$"):
        Manager(1000).systemctl("daemon-reload")


def test_the_journal_of_one_start_loses_its_colours(command: Command) -> None:
    calls = command("journalctl", "\x1b[31mred\x1b[0m\nplain\n")
    assert Manager(1000).journal("a.service", "5a3c") == ["red", "plain"]
    assert calls.read_text() == (
        "--user --quiet --no-pager --output=cat --lines=400 _SYSTEMD_INVOCATION_ID=5a3c + USER_INVOCATION_ID=5a3c\n"
    )


def test_without_a_start_the_journal_of_the_unit_is_read(command: Command) -> None:
    calls = command("journalctl", "x\n")
    assert Manager(1000).journal("a.service", "", lines=5) == ["x"]
    assert calls.read_text() == "--user --quiet --no-pager --output=cat --lines=5 --user-unit=a.service\n"


def test_a_journal_that_cannot_be_read_is_empty(command: Command) -> None:
    command("journalctl", err="No journal files were opened due to insufficient permissions.\n", code=1)
    assert Manager(1000).journal("a.service", "5a3c") == []


def test_only_watched_variables_are_taken_out_of_the_manager(command: Command) -> None:
    calls = command("systemctl", "PATH=/bin\nLLAMA_ARG_PORT=1\nOTHER=LLAMA_X\nLLAMA_API_KEY=canary\n")
    unset_variables(Manager(1000), ("LLAMA_",))
    assert calls.read_text().splitlines() == [
        "--user --no-pager show-environment",
        "--user --no-pager unset-environment LLAMA_ARG_PORT LLAMA_API_KEY",
    ]


def test_nothing_watched_nothing_asked(command: Command) -> None:
    calls = command("systemctl")
    unset_variables(Manager(1000), ())
    assert not calls.exists()


def test_a_manager_is_waited_for_only_so_long() -> None:
    assert not Manager(4294967).wait(0.2)


@pytest.mark.parametrize(
    ("err", "code", "said"),
    [("", 0, ""), ("Access denied\n", 1, "Access denied"), ("", 1, "refused")],
)
def test_linger_is_asked_for_without_a_password_prompt(command: Command, err: str, code: int, said: str) -> None:
    calls = command("loginctl", err=err, code=code)
    assert enable_linger() == said
    assert calls.read_text() == "--no-ask-password enable-linger\n"


def test_a_host_without_logind_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert enable_linger() == "[Errno 2] No such file or directory: 'loginctl'"


@pytest.mark.parametrize(
    ("account", "file"),
    [
        ("llm", "llm"),
        ("a.b@c.d", "a.b@c.d"),
        ("LAB\\ada", "LAB\\\\ada"),
        ("jürgen", "j\\303\\274rgen"),
    ],
)
def test_an_account_lingers_by_a_file_of_its_escaped_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, account: str, file: str
) -> None:
    """As logind of systemd 252 names them."""
    monkeypatch.setattr(_systemd, "LINGER", str(tmp_path))
    assert _systemd.lingers(account) is False
    (tmp_path / file).touch()
    assert _systemd.lingers(account) is True
