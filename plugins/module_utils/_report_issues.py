# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong, how bad it is, who suffers, and what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, WARN, join
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import count
from ansible_collections.lab.llm_stack.plugins.module_utils._report_impacts import (
    CRITICAL,
    HIGH,
    KINDS,
    LOW,
    MEDIUM,
    SEVERITIES,
    TOOL_KINDS,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._report_rows import UNCHECKED, Row
from ansible_collections.lab.llm_stack.plugins.module_utils._report_stack import GATEWAY

_DRIFT: Mapping[str, str] = {
    "foreign-port-owner": HIGH,
    "stale-process": HIGH,
    "unit-inactive": HIGH,
    "unchecked": MEDIUM,
}


@dataclass(frozen=True)
class Issue:
    """One thing that is wrong, as the report tells it."""

    severity: str
    title: str
    problem: str
    impact: str
    fix: str
    host: str = ""
    checks: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {**asdict(self), "checks": list(self.checks)}


@dataclass(frozen=True)
class Stack:
    """What an issue's impact is told from."""

    services: Sequence[Mapping[str, Any]]
    models: Sequence[Mapping[str, Any]]
    apps: Mapping[str, Sequence[str]]
    blocked: Mapping[str, int]


def issues(
    rows: Sequence[Row], stack: Stack, drift: Sequence[Row], source: Mapping[str, Any], drift_stale: str = ""
) -> list[dict[str, Any]]:
    """Give every issue, the worst first; ``drift_stale`` is when drift was last looked for if that is too long ago."""
    drifted = [*_drifted(drift), *_not_looked_for(drift_stale)]
    found = [*_failed(rows, stack), *_unchecked(rows), *drifted, *_uncommitted(source), *_warned(rows)]
    return [each.as_dict() for each in sorted(found, key=lambda each: SEVERITIES.index(each.severity))]


def _failed(rows: Sequence[Row], stack: Stack) -> Iterator[Issue]:
    """Yield an issue for each failure; the ways in which one model misses a tool call for one cause are one issue."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row["state"] == FAIL:
            alike = (row["host"], row["model"], row["cause"], row["remedy"])
            groups.setdefault(alike if row["check"] in TOOL_KINDS else (row["id"],), []).append(row)
    for group in groups.values():
        yield _failure(group, stack)


def _failure(group: Sequence[Row], stack: Stack) -> Issue:
    row, service = group[0], _service(group[0], stack)
    waiting = sum(stack.blocked.get(each["id"], 0) for each in group)
    more = f" {count(waiting, 'other check')} could not be made." if waiting else ""
    return Issue(
        severity=row.get("severity") or _severity(row, service),
        title=f"Not kept: {row['title']}",
        problem=f"{_found(row)}.{more}",
        impact=row.get("impact") or _impact(row, service, stack),
        fix=row["remedy"] or "The checklist below has the evidence.",
        host=row["host"],
        checks=tuple(each["id"] for each in group),
    )


def _found(row: Row) -> str:
    """Say what was seen, and why, without a full stop."""
    return "; ".join(each.rstrip(". ") for each in (row["evidence"], row["cause"]) if each)


def _service(row: Row, stack: Stack) -> Mapping[str, Any] | None:
    return next((each for each in stack.services if row["id"] in each["checks"]), None)


def _severity(row: Row, service: Mapping[str, Any] | None) -> str:
    if row["check"] in KINDS:
        return KINDS[row["check"]][0]
    of_gateway = service is not None and service["engine"] == GATEWAY
    return CRITICAL if of_gateway and row["check"] in ("unit_active", "port_owner") else HIGH


def _impact(row: Row, service: Mapping[str, Any] | None, stack: Stack) -> str:
    name = row["model"].rpartition("/")[2]
    known = KINDS.get(row["check"])
    if known:
        return (
            f"{known[1].format_map({'model': row['model'], 'host': row['host']})}{_used(name, stack) if name else ''}"
        )
    if name:
        return f"{_instead(name, stack)}{_used(name, stack)}"
    if service is None:
        return f"A promise of the declaration does not hold on {row['host']}."
    if service["engine"] == GATEWAY:
        return "No app reaches a model."
    return " ".join(f"{_instead(each, stack)}{_used(each, stack)}" for each in service["models"])


def _instead(name: str, stack: Stack) -> str:
    model = next((each for each in stack.models if each["name"] == name), None)
    if model and model["fallbacks"]:
        return f"Requests for {name} fall back to {join(model['fallbacks'])}."
    return f"Requests for {name} fail or are answered by another model."


def _used(name: str, stack: Stack) -> str:
    users = [app for app, names in stack.apps.items() if name in names]
    return f" {'App' if len(users) == 1 else 'Apps'} concerned: {join(users)}." if users else ""


def _unchecked(rows: Sequence[Row]) -> Iterator[Issue]:
    """Yield one issue for each host of which nothing is known, not one for each check."""
    hosts: dict[str, list[Row]] = {}
    for row in rows:
        if row["state"] == UNCHECKED:
            hosts.setdefault(row["host"], []).append(row)
    for host, mine in hosts.items():
        yield Issue(
            severity=HIGH,
            title=f"Not checked: {host}",
            problem=f"{count(len(mine), 'promise')} of {host} could not be looked at: {mine[0]['cause'].rstrip('.')}.",
            impact="What runs there is not known.",
            fix=mine[0]["remedy"],
            host=host,
            checks=tuple(row["id"] for row in mine),
        )


def _drifted(drift: Sequence[Row]) -> Iterator[Issue]:
    for each in drift:
        yield Issue(
            severity=_DRIFT.get(str(each.get("kind")), MEDIUM),
            title=f"Drift: {each.get('subject', '')}",
            problem=f"{each.get('kind', '')}: {each.get('actual', '')}; declared: {each.get('expected', '')}.",
            impact="What runs is not what is declared.",
            fix=str(each.get("remedy") or "make deploy"),
            host=str(each.get("host", "")),
        )


def _not_looked_for(since: str) -> Iterator[Issue]:
    if since:
        yield Issue(
            severity=MEDIUM,
            title=f"No look for drift since {since}",
            problem=f"The last report of make drift in this folder is of {since}, more than a day ago.",
            impact="Whether what runs is what is declared is not known; a timer that looked for it may be off.",
            fix="make drift; where make watch made a timer: systemctl --user status llm-stack-watch.timer",
        )


def _uncommitted(source: Mapping[str, Any]) -> Iterator[Issue]:
    changed = [str(each) for each in source.get("changed", ())]
    shown = [*changed[:6], "…"] if changed[6:] else changed
    if changed:
        yield Issue(
            severity=LOW,
            title="Changes that are not committed",
            problem=f"{count(len(changed), 'file')} of the declaration: {', '.join(shown)}.",
            impact="What is deployed cannot be found again in the history.",
            fix="git commit",
        )


def _warned(rows: Sequence[Row]) -> Iterator[Issue]:
    for row in rows:
        # What is not committed is an issue of its own, with its files.
        if row["state"] == WARN and row["check"] != "source_committed":
            yield Issue(
                severity=row.get("severity") or LOW,
                title=f"With a warning: {row['title']}",
                problem=f"{_found(row)}.",
                impact=row.get("impact") or "The promise is kept now; it may not last.",
                fix=row["remedy"] or "Look again later.",
                host=row["host"],
                checks=(row["id"],),
            )
