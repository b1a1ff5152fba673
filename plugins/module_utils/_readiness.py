# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Wait until a unit serves, and say why when it does not."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ansible_collections.lab.llm_stack.plugins.module_utils._boot_failures import explain
from ansible_collections.lab.llm_stack.plugins.module_utils._service_diff import redact
from ansible_collections.lab.llm_stack.plugins.module_utils._service_read import read_units, remaining
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Decision, UnitFound
from ansible_collections.lab.llm_stack.plugins.module_utils._systemd import Manager

POLL = 0.2
"""Seconds between two looks at a unit that starts."""
GONE = 30.0
"""Seconds for which the kernel may take to end the processes of a unit that the manager calls stopped."""


class StartError(Exception):
    """A unit that did not become ready; str() is the headline, ``lines`` explain it."""

    def __init__(self, headline: str, lines: Sequence[str] = ()) -> None:
        super().__init__(headline)
        self.lines = tuple(lines)


@dataclass(frozen=True)
class Watch:
    """Watches units of one manager; ``secrets`` are removed from the logs it quotes."""

    manager: Manager
    secrets: Collection[str] = ()

    def ready(self, name: str, timeout: float, old_invocation: str, restarts: int = 0) -> float:
        """Wait until the unit itself reports ready; end early when it fails. Returns seconds.

        ``restarts`` is how often it had been restarted before: a unit that heals itself may be waited for.
        """
        begin = time.monotonic()
        while True:
            unit = read_units(self.manager, [name])[name]
            fresh = unit.invocation != old_invocation and bool(unit.invocation)
            ends = unit.active == "deactivating"
            if ends and not fresh:
                begin = time.monotonic()  # the process before it drains, which is no part of this start
            waited = time.monotonic() - begin
            if fresh and unit.running:
                return round(waited, 1)
            if ends:
                pass  # how it ended shows in a moment
            elif unit.active == "failed" or (fresh and (unit.sub == "auto-restart" or unit.restarts > restarts)):
                raise self._error(unit, f"{_ending(unit)} after {waited:.1f} s")
            elif fresh and unit.active == "inactive":
                raise self._error(unit, f"it ended by itself after {waited:.1f} s")
            elif waited > timeout:
                raise self._error(unit, f"it gave no sign of being ready within {timeout:.0f} s")
            time.sleep(POLL)

    def settled(self, changed: Sequence[Decision]) -> None:
        """Watch a little longer: a service that exits right after it reported ready is no success."""
        services = [d for d in changed if d.serving.endswith(".service")]
        deadline = time.monotonic() + max((d.spec.settle for d in services), default=0.0)
        names = [d.serving for d in services]
        while names and time.monotonic() < deadline:
            for unit in read_units(self.manager, names).values():
                if not unit.running or unit.restarts > 0:
                    raise self._error(unit, f"it became ready and then {_ending(unit)}")
            time.sleep(POLL)

    def gone(self, names: Collection[str]) -> None:
        """Wait until no process is left of units that were stopped: what they held is free only then."""
        deadline = time.monotonic() + GONE
        while left := remaining(names):
            if time.monotonic() > deadline:
                raise StartError(
                    f"{' and '.join(sorted(names))} was stopped, but {left[0]} is still there after {GONE:.0f} s.",
                    ["What it holds, such as the memory of a card, is not free. End it, then run this again."],
                )
            time.sleep(POLL)

    def now(self) -> float:
        """This moment, in seconds of a clock that nobody sets."""
        return time.monotonic()

    def _error(self, unit: UnitFound, what: str) -> StartError:
        time.sleep(POLL)
        lines = [redact(line, self.secrets) for line in self.manager.journal(unit.name, unit.invocation)]
        return StartError(f"{unit.name} did not become ready: {what}.", explain(lines))


def _ending(unit: UnitFound) -> str:
    """How a start ended, in words."""
    if unit.result == "timeout":
        return "it exceeded the unit's own time limit"
    if unit.result == "signal" or unit.result == "core-dump":
        return f"it was ended by signal {unit.exit_code}"
    if unit.result in ("oom-kill",):
        return "the kernel killed it for lack of memory"
    if unit.result == "start-limit-hit":
        return "it failed too often in a short time"
    if unit.by_signal:
        # It was a command beside the main process that failed, and systemd then ended the rest.
        return "its readiness check failed"
    return f"it exited with code {unit.exit_code}"
