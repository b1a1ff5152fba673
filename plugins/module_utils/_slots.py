# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Slots: what only one model of a host may hold at a time, such as the memory of a card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def relations(instance: Mapping[str, Any], instances: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Name the other instances of an instance's slot: ``excluded`` are all of them, ``after`` those it waits for.

    Of each two, one has to wait for the other: the manager then ends the stop of one before the start of the other,
    whichever of them starts.
    """
    name, slot = str(instance["name"]), instance.get("slot")
    others = sorted(str(each["name"]) for each in instances if slot and each.get("slot") == slot)
    return {
        "excluded": [other for other in others if other != name],
        "after": [other for other in others if other < name],
    }
