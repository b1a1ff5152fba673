# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has to offer so that its services go on: linger, disk, memory, and the cards that were counted on.

Pure: what was seen arrives as values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._checks import (
    FAIL,
    PASS,
    SKIPPED,
    WARN,
    Check,
    Verdict,
    join,
)

MIN_DISK = 5
MIN_MEMORY = 1
"""GiB that have to be free, unless declared."""
_GIB = 1 << 30


@dataclass(frozen=True)
class Card:
    """A card of the host, and how many bytes each unit of the account holds of it."""

    name: str
    total: int
    used: int
    units: Mapping[str, int]


def judge_linger(account: str, lingers: bool) -> Verdict:
    """The account's services start with the host, and outlive the last login."""
    if lingers:
        return Verdict(PASS, f"{account} lingers")
    cause = "its services end at the last logout, and do not start with the host"
    return Verdict(FAIL, f"{account} does not linger", cause, f"loginctl enable-linger {account}, or deploy")


def judge_disk(check: Check, path: str, free: int, total: int) -> Verdict:
    """There is room for logs, caches and the next model."""
    wanted = float(check.get("min_free", MIN_DISK))
    evidence = f"{free / _GIB:.1f} of {total / _GIB:.0f} GiB free at {path}"
    if free >= wanted * _GIB:
        return Verdict(PASS, evidence)
    remedy = "remove what nobody needs, or lower llm_stack_checks.min_free_disk"
    return Verdict(FAIL, evidence, f"{wanted:g} GiB should be", remedy)


def judge_memory(check: Check, available: int | None, total: int) -> Verdict:
    """There is main memory left for what comes."""
    if available is None:
        return Verdict(SKIPPED, "the kernel does not tell how much memory is available")
    wanted = float(check.get("min_free", MIN_MEMORY))
    evidence = f"{available / _GIB:.1f} of {total / _GIB:.1f} GiB available"
    if available >= wanted * _GIB:
        return Verdict(PASS, evidence)
    remedy = "stop what is not needed, or lower llm_stack_checks.min_free_memory"
    return Verdict(WARN, evidence, f"{wanted:g} GiB should be", remedy)


def judge_cards(check: Check, cards: Sequence[Card], records: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Every unit that was found to fit on a card holds memory of one: none fell back to the processor unseen.

    ``records`` is what the preflight noted of each unit; one without a record, or for the processor, needs no card.
    """
    expected = [unit for unit in check["units"] if records.get(unit, {}).get("backend", "cpu") != "cpu"]
    if not expected:
        return Verdict(PASS, "no service counts on a card")
    if not cards:
        cause = f"{join(expected)} {'counts' if len(expected) == 1 else 'count'} on one"
        return Verdict(FAIL, "no card is seen", cause, "nvidia-smi or rocm-smi, as the stack's account, says why")
    without = [unit for unit in expected if not any(card.units.get(unit) for card in cards)]
    if without:
        cause = "it runs on the processor, or has lost its card"
        remedy = f"journalctl --user -u {without[0]}; after a suspend the driver may have to be loaded anew"
        return Verdict(FAIL, f"{join(without)} holds no memory of a card", cause, remedy)
    return Verdict(
        PASS, ", ".join(f"{card.name}: {card.used / _GIB:.1f} of {card.total / _GIB:.1f} GiB" for card in cards)
    )
