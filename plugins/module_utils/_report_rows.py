# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found, beside what was promised: a row for each check of the plan, also where nothing came back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._check_order import needs
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import (
    FAIL,
    PASS,
    SKIPPED,
    WARN,
    Check,
    title,
)

UNCHECKED = "unchecked"
STANDBY = "standby"
STATES = (FAIL, UNCHECKED, SKIPPED, WARN, PASS)
"""From the worst to the best."""

Row = Mapping[str, Any]
_FIELDS = ("id", "host", "check", "model", "title", "state", "evidence", "cause", "remedy")


def rows_of(
    checks: Sequence[Check], results: Iterable[Row], silent: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Give a row for each check, in the order of the plan, then what was looked at beyond it.

    ``silent`` has why a host gave no results.
    """
    found = {str(each.get("id")): _row(each) for each in results}
    rows = [found[str(check["id"])] if str(check["id"]) in found else _nothing(check, silent or {}) for check in checks]
    known = {row["id"] for row in rows}
    return [*rows, *(row for name, row in found.items() if name not in known)]


def _row(result: Row) -> dict[str, Any]:
    row: dict[str, Any] = {name: str(result.get(name) or "") for name in _FIELDS}
    seconds = result.get("seconds")
    row["seconds"] = float(seconds) if isinstance(seconds, (int, float)) else 0.0
    # What a probe says of severity and impact counts more than what is known of its kind.
    return {**row, **{name: str(result[name]) for name in ("severity", "impact") if result.get(name)}}


def _nothing(check: Check, silent: Mapping[str, str]) -> dict[str, Any]:
    host = check["host"]
    why = " ".join(silent.get(host, "").split())
    nothing = {
        "state": UNCHECKED,
        "evidence": "no result",
        "cause": why or f"{host} was not asked, or did not answer",
        "remedy": f"ansible {host} -m ansible.builtin.ping",
    }
    return {**_row({**check, **nothing, "title": title(check)})}


def worst(states: Iterable[str]) -> str | None:
    """Give the worst of some states; None where there are none."""
    found = set(states)
    return next((state for state in STATES if state in found), None)


def counted(rows: Iterable[Row]) -> dict[str, int]:
    """Count the rows by their state."""
    states = [row["state"] for row in rows]
    return {state: states.count(state) for state in (PASS, WARN, FAIL, SKIPPED, UNCHECKED)}


def blocked(checks: Sequence[Check], rows: Sequence[Row]) -> dict[str, int]:
    """Count for each check that failed how many others could not be made because of it."""
    states = {row["id"]: row["state"] for row in rows}
    by_id = {str(check["id"]): check for check in checks}
    counts: dict[str, int] = {}
    for row in rows:
        root = _root(row["id"], by_id, checks, states) if row["state"] == SKIPPED else None
        if root is not None:
            counts[root] = counts.get(root, 0) + 1
    return counts


def _root(name: str, by_id: Mapping[str, Check], checks: Sequence[Check], states: Mapping[str, str]) -> str | None:
    """Follow what a skipped check needed down to what failed."""
    seen: set[str] = set()
    while name in by_id and name not in seen:
        seen.add(name)
        wanting = [str(each["id"]) for each in needs(by_id[name], checks)]
        failed = [each for each in wanting if states.get(each) == FAIL]
        if failed:
            return failed[0]
        name = next((each for each in wanting if states.get(each) == SKIPPED), "")
    return None
