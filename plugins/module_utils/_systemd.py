# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The user manager of the account that runs this, through systemctl, loginctl and journalctl.

Facts of systemd 252 and 257 that shape it: ``NeedDaemonReload`` is no witness (true after a touch, false for a new
drop-in directory), so it is not read; one ``show`` answers for all units; ``Environment=`` is visible in the manager's
memory, an X- section is not.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,FragmentPath,DropInPaths,Environment,MainPID,NRestarts,Result,"
    "ExecMainCode,ExecMainStatus,InvocationID,InactiveEnterTimestamp"
)
REMEMBERED = (
    *("ExecStartPre", "ExecStart", "ExecStartPost", "ExecStop", "EnvironmentFiles", "Type", "Restart", "KillMode"),
    *("KillSignal", "TimeoutStopUSec", "RestartUSec", "WorkingDirectory", "UMask", "OOMPolicy", "NoNewPrivileges"),
    *("Listen", "TimersCalendar"),
)
"""What tells a unit in the manager's memory from another with the same digest; without what changes while it runs."""
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
"""What programs write to colour a terminal; a journal keeps it."""
LINGER = "/var/lib/systemd/linger"
"""Where logind has a file for each account that lingers."""
TIMEOUT = 90.0
"""Seconds that one call to the manager may take; starts are not waited for in such a call."""


class ManagerError(Exception):
    """The user manager refused or did not answer; str() is what it said."""


@dataclass(frozen=True)
class Manager:
    """The user manager of one account."""

    uid: int

    @property
    def environment(self) -> dict[str, str]:
        runtime = f"/run/user/{self.uid}"
        return {
            **os.environ,
            "XDG_RUNTIME_DIR": runtime,
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={runtime}/bus",
            "SYSTEMD_COLORS": "0",
            "LC_ALL": "C.UTF-8",
        }

    def present(self) -> bool:
        """Whether the manager answers (its private socket is there)."""
        return os.path.exists(f"/run/user/{self.uid}/systemd/private")

    def wait(self, seconds: float) -> bool:
        """Wait until the manager is there; it starts within a second after linger was enabled."""
        deadline = time.monotonic() + seconds
        while not self.present() and time.monotonic() < deadline:
            time.sleep(0.1)
        return self.present()

    def systemctl(self, *arguments: str) -> str:
        """Run ``systemctl --user`` and return what it printed.

        A stop is waited for without a limit of our own: each unit has one, which may leave a gateway time to drain.
        """
        stops = "stop" in arguments or "--now" in arguments
        return self._run(["systemctl", "--user", "--no-pager", *arguments], None if stops else TIMEOUT)

    def show(self, units: Sequence[str]) -> list[dict[str, str]]:
        """The properties of each unit, in the order asked; a unit nobody knows has LoadState=not-found."""
        if not units:
            return []
        text = self.systemctl(
            "show", "--timestamp=unix", "--property", ",".join((PROPERTIES, *REMEMBERED)), "--", *units
        )
        return [_properties(block) for block in text.strip("\n").split("\n\n")]

    def journal(self, unit: str, invocation: str, lines: int = 400) -> list[str]:
        """The messages of one start of a unit, oldest first; empty where the journal cannot be read."""
        command = ["journalctl", "--user", "--quiet", "--no-pager", "--output=cat", f"--lines={lines}"]
        match = (
            [f"_SYSTEMD_INVOCATION_ID={invocation}", "+", f"USER_INVOCATION_ID={invocation}"]
            if invocation
            else [f"--user-unit={unit}"]
        )
        try:
            return ESCAPES.sub("", self._run([*command, *match])).splitlines()
        except ManagerError:
            return []

    def _run(self, command: list[str], timeout: float | None = TIMEOUT) -> str:
        try:
            done = subprocess.run(
                command,
                env=self.environment,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError:
            raise ManagerError(f"{command[0]} is not installed on this host.") from None
        except subprocess.TimeoutExpired:
            raise ManagerError(f"{shlex.join(command)} gave no answer within {timeout:.0f} s.") from None
        if done.returncode:
            said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
            raise ManagerError(f"{shlex.join(command)}: {said}")
        return done.stdout


def _properties(block: str) -> dict[str, str]:
    """Read one unit's properties; one that is told several times, such as a command, keeps all its lines."""
    found: dict[str, str] = {}
    for line in block.splitlines():
        name, mark, value = line.partition("=")
        if mark:
            found[name] = f"{found[name]}\n{value}" if name in found else value
    return found


def unset_variables(manager: Manager, prefixes: tuple[str, ...]) -> None:
    """Take variables out of the manager's own environment, which every process inherits that starts from now on."""
    if prefixes:
        names = [line.partition("=")[0] for line in manager.systemctl("show-environment").splitlines()]
        strange = [name for name in names if name.startswith(prefixes)]
        if strange:
            manager.systemctl("unset-environment", *strange)


def lingers(account: str) -> bool:
    """Whether an account's services start at boot, without a login."""
    return os.path.exists(f"{LINGER}/{_escaped(account)}")


def _escaped(account: str) -> str:
    """An account as logind names a file after it: as in C, all but plain characters are escaped."""
    special = {byte: f"\\{byte:03o}" for byte in (*range(32), *range(127, 256))}
    quoted = {ord(character): f"\\{character}" for character in "\\\"'"}
    return "".join({**special, **quoted}.get(byte, chr(byte)) for byte in os.fsencode(account))


def enable_linger() -> str:
    """Let this account linger; return what loginctl said where it refused, empty when done."""
    try:
        done = subprocess.run(
            ["loginctl", "--no-ask-password", "enable-linger"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr.strip() or "refused") if done.returncode else ""
