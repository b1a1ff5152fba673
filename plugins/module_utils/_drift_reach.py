# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a difference of a service reaches: which promises cannot be kept because of it, or not be looked at.

A service and a promise belong together by the unit or the port that both are about; promises by what each needs first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._check_order import needs
from ansible_collections.lab.llm_stack.plugins.module_utils._drift_blame import CONFLICT, INTENTIONAL

Row = Mapping[str, Any]

_ANSWER = "answer-"
_BEFORE_ANSWERS = ("unit_active", "port_owner")
"""What a probe looks at before it speaks to anybody, and whoever compares the services tells better."""
_OF_UNIT = ("not-active", "not-enabled", "active", "stale-process")
_OF_PORT = "foreign-port-owner"
_OF_HOST = "user-manager"


def told_by_service(item: Row, items: Iterable[Row], asked: Iterable[Row]) -> bool:
    """Whether an item is a promise about a unit or a port of which another item of its host tells already."""
    check = next((each for each in asked if each["id"] == item["subject"]), None)
    if not check or item["kind"] != f"{_ANSWER}{check['check']}" or check["check"] not in _BEFORE_ANSWERS:
        return False
    return any(_about(each, check) for each in items if each["host"] == item["host"])


def without_the_ignored(
    unchecked: Iterable[Row], ignored: Sequence[Row], asked: Mapping[str, Sequence[Row]]
) -> list[Row]:
    """Give what was not looked at, without what cannot be for a difference that is known and accepted."""
    behind = {
        host: _behind([each for each in ignored if each["host"] == host], checks) for host, checks in asked.items()
    }
    return [each for each in unchecked if each.get("id") not in behind.get(each["host"], ())]


def blamed(items: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Blame nobody for an answer of a host for which the declaration was changed as well: both may be the cause."""
    changed = {each["host"] for each in items if each["blame"] in (INTENTIONAL, CONFLICT) and not _of_source(each)}
    return [
        {**each, "blame": ""} if each["kind"].startswith(_ANSWER) and each["host"] in changed else each
        for each in items
    ]


def _of_source(item: Row) -> bool:
    return str(item["kind"]).startswith("source-")


def _about(item: Row, check: Row) -> bool:
    if item["kind"] == _OF_PORT:
        # A subject is an address, HOST:PORT.
        return check["check"] == "port_owner" and str(item["subject"]).rpartition(":")[2] == str(check["port"])
    return item["kind"] == _OF_HOST or (item["kind"] in _OF_UNIT and item["subject"] in check.get("units", ()))


def _behind(ignored: Sequence[Row], checks: Sequence[Row]) -> set[str]:
    """The checks that fail for an ignored difference, and all that need these first."""
    own = {each["subject"] for each in ignored if each["kind"].startswith(_ANSWER)}
    found = {each["id"] for each in checks if each["id"] in own or any(_about(item, each) for item in ignored)}
    size = -1
    while found and size != len(found):
        size = len(found)
        found |= {each["id"] for each in checks if any(need["id"] in found for need in needs(each, checks))}
    return found
