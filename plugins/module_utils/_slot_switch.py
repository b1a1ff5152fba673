# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""One unit of a slot makes way for another: who leaves by whose start, and for how long nobody served."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.lab.llm_stack.plugins.module_utils._service_read import read_file
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Found, Wanted
from ansible_collections.lab.llm_stack.plugins.module_utils._state import Snapshot


@dataclass
class Outages:
    """For how many seconds each slot served nothing, from the order to stop until the next unit was ready."""

    _begun: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def begin(self, slot: str, wanted: Wanted, found: Found, now: float) -> None:
        """A unit of a slot is ordered to start or restart at the moment ``now``; an empty slot loses nothing by it."""
        if slot and any(found.unit(spec.name).running for spec in wanted.units if spec.slot == slot):
            self._begun.setdefault(slot, now)

    def end(self, slot: str, now: float) -> None:
        """A unit of the slot is ready."""
        if slot in self._begun:
            self.seconds[slot] = round(now - self._begun[slot], 1)

    def ended(self, now: float) -> dict[str, float]:
        """The outages of a change that failed: they last until ``now``, when what served before does so again."""
        for slot in self._begun:
            self.end(slot, now)
        return self.seconds


def excluded_at_start(wanted: Wanted, snapshot: Snapshot) -> set[str]:
    """The units that the manager itself stops when what served before starts again.

    They need not be stopped first, so that a run that is killed in between leaves no slot empty.
    """
    texts = [_text_after(wanted.unit_path(name), snapshot) for name in snapshot.active]
    return {name for name in wanted.unit_names if any(f"Conflicts={name}" in text.splitlines() for text in texts)}


def _text_after(path: str, snapshot: Snapshot) -> str:
    """A unit's text as it is once the snapshot is restored."""
    file = snapshot.files.get(path) or read_file(path)
    return (file.content or b"").decode("utf-8", "replace")
