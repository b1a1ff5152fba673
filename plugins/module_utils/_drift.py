# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check of all hosts found, as data: every difference, what could not be looked at, and the exit status.

The writers in _drift_text lay it out. The form is published as docs/schemas/drift-1.json.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _drift_reach
from ansible_collections.lab.llm_stack.plugins.module_utils._drift_blame import CORRECTIVE
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import count

SCHEMA = "lab.llm_stack.drift/1"

VERDICTS = CLEAN, DRIFT, INCOMPLETE, FAILED = "clean", "drift", "incomplete", "failed"
EXIT = {CLEAN: 0, DRIFT: 10, INCOMPLETE: 11}
"""The exit status of each verdict; a run that failed keeps Ansible's own, 2 or 4."""

PROBE = "lab.llm_stack.probe"
PREFLIGHT = "lab.llm_stack.preflight"
SERVICE = "lab.llm_stack.service"
SOURCE = "lab.llm_stack.source_info"
NOBODY = {
    "host": "all",
    "what": "the hosts of the stack",
    "why": "none was compared with the declaration; the engines' groups are empty, or --limit or --tags left all out",
    "state": "failed",
}
FIELDS = ("host", "kind", "subject", "expected", "actual", "blame", "since", "remedy")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Event:
    """How one task ended on one host: ``state`` is ok, failed, unreachable or skipped."""

    host: str
    task: str
    action: str
    state: str
    result: Row


@dataclass(frozen=True)
class Rule:
    """A difference that is known and accepted: until a day, for a reason. Patterns are those of a shell."""

    reason: str
    until: str
    kind: str = "*"
    host: str = "*"
    subject: str = "*"

    def covers(self, item: Row) -> bool:
        """Whether this item is the one that is meant."""
        return all(fnmatchcase(str(item[key]), getattr(self, key)) for key in ("kind", "host", "subject"))


@dataclass(frozen=True)
class Findings:
    """Everything that the events of a run say."""

    hosts: frozenset[str] = frozenset()
    checked: int = 0
    items: tuple[dict[str, str], ...] = ()
    unchecked: tuple[dict[str, str], ...] = ()
    failed: bool = False
    rules: tuple[Rule, ...] = field(default_factory=tuple)
    asked: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    """For each host the checks, as the plan has them, that its probe looked at."""


def findings(events: Sequence[Event]) -> Findings:
    """Put together what all tasks on all hosts found."""
    items = [item for event in events for item in _items(event)]
    asked = _asked(events)
    # What is missing is told twice where the step that installs it was predicted as well.
    installed = {(item["host"], item["subject"]) for item in items if not item["kind"].startswith("missing-")}
    # Where another run was at work, what answers is neither as declared nor a difference.
    busy = {event.host for event in events if event.action == SERVICE and event.result.get("unchecked")}
    items = [
        item
        for item in items
        if not (item["kind"].startswith("missing-") and (item["host"], item["subject"]) in installed)
        and not (item["kind"].startswith("answer-") and item["host"] in busy)
        and not _drift_reach.told_by_service(item, items, asked.get(item["host"], ()))
    ]
    items = [*_drift_reach.blamed(items), *_commits(events)]
    looked = any(_checked(event) for event in events if event.action != SOURCE)
    return Findings(
        hosts=frozenset(event.host for event in events if _counted(event)),
        checked=sum(_checked(event) for event in events),
        # What belongs to the account each role tells, in its own words.
        items=tuple({(item["host"], item["kind"], item["subject"]): item for item in reversed(items)}.values())[::-1],
        unchecked=tuple(each for event in events for each in _unchecked(event)) or (() if looked else (NOBODY,)),
        failed=any(event.state in ("failed", "unreachable") for event in events),
        rules=tuple(rule for event in events for rule in _rules(event)),
        asked=asked,
    )


def report(found: Findings, generated: str, strict: bool) -> dict[str, Any]:
    """Give the whole report; ``generated`` is a moment in UTC whose first ten characters are the day."""
    today = generated[:10]
    valid = [rule for rule in found.rules if rule.until >= today]
    items, ignored = [], []
    for item in found.items:
        rule = next((each for each in valid if each.covers(item)), None)
        if rule:
            ignored.append({**item, "reason": rule.reason, "until": rule.until})
        else:
            items.append(item)
    unchecked = _drift_reach.without_the_ignored(found.unchecked, ignored, found.asked)
    verdict = _verdict(found, items, unchecked, strict)
    return {
        "schema": SCHEMA,
        "generated": generated,
        "verdict": verdict,
        "exit": EXIT.get(verdict),
        "checked": found.checked,
        "hosts": sorted(found.hosts),
        "items": sorted(items, key=_order),
        "unchecked": [{key: each[key] for key in NOBODY} for each in unchecked],
        "ignored": sorted(ignored, key=_order),
        "expired": [_as_dict(rule) for rule in found.rules if rule.until < today],
        "unused": [_as_dict(rule) for rule in valid if not any(rule.covers(item) for item in found.items)],
    }


def headline(data: Row) -> str:
    """Say in one line what was looked at and what came of it."""
    looked = f"checked {count(data['checked'], 'thing')} on {count(len(data['hosts']), 'host')}"
    found = count(len(data["items"]), "difference") if data["items"] else "no difference"
    beside = (("ignored", "ignored"), ("unchecked", "not checked"))
    more = [f"{len(data[key])} {word}" for key, word in beside if data[key]]
    return f"{looked}: {', '.join([found, *more])}"


def _verdict(found: Findings, items: Sequence[Row], unchecked: Sequence[Row], strict: bool) -> str:
    if found.failed:
        return FAILED
    if items:
        return DRIFT
    # Who looked at nothing at all knows nothing, however little he minds gaps.
    return INCOMPLETE if NOBODY in unchecked or (unchecked and strict) else CLEAN


def _order(item: Row) -> tuple[str, ...]:
    return tuple(str(item[key]) for key in ("host", "kind", "subject"))


def _as_dict(rule: Rule) -> dict[str, str]:
    return {key: getattr(rule, key) for key in ("host", "kind", "subject", "reason", "until")}


# -- what one task says -----------------------------------------------------------------------------------------------


def _counted(event: Event) -> bool:
    return "checked" in event.result or event.action == PROBE or event.state in ("failed", "unreachable")


def _checked(event: Event) -> int:
    if event.action == PROBE:
        return len(event.result.get("results", ()))
    number = event.result.get("checked", 0)
    return number if isinstance(number, int) else 0


def _items(event: Event) -> Iterator[dict[str, str]]:
    if event.state != "ok":
        return
    if event.action == PROBE:
        yield from (_item(event, _answer(each)) for each in event.result.get("results", ()) if each["state"] == "fail")
        return
    items = event.result.get("items")
    told = [each for each in items if isinstance(each, Mapping)] if isinstance(items, list) else []
    told += list(_missing(event))
    # The record that a preflight would write is told already, as missing.
    if not told and event.result.get("changed") and event.action != PREFLIGHT:
        told = [
            {"kind": "task", "subject": event.task, "expected": "nothing to do", "actual": "would change something"}
        ]
    yield from (_item(event, each) for each in told)


def _commits(events: Sequence[Event]) -> Iterator[dict[str, str]]:
    """Yield a difference for each host on which another commit was deployed last than the one that is compared."""
    commits = [str(event.result["commit"]) for event in events if event.action == SOURCE and event.result.get("commit")]
    commit = commits[0] if commits else ""
    noted = [event for event in events if event.action == SERVICE and event.result.get("source")]
    others = {event.host: event for event in noted if event.result["source"] != commit}
    for event in others.values() if commit else ():
        told = {"kind": "source-commit", "subject": "the declaration", "expected": commit[:12]}
        yield _item(event, {**told, "actual": str(event.result["source"])[:12], "blame": "intentional"})


def _missing(event: Event) -> Iterator[Row]:
    for each in event.result.get("missing") or ():
        reasons = ", ".join(str(reason) for reason in each.get("reasons", ()))
        yield {"kind": f"missing-{each['kind']}", "subject": each["path"], "expected": "installed", "actual": reasons}


def _answer(check: Row) -> Row:
    """A promise that is not kept, as the difference that it is."""
    actual = f"{check['evidence']}: {check['cause']}" if check.get("cause") else check["evidence"]
    return {
        "kind": f"answer-{check['check']}",
        "subject": check["id"],
        "expected": check["title"],
        "actual": actual,
        "blame": CORRECTIVE,
        "remedy": check.get("remedy") or "deploy",
    }


def _item(event: Event, told: Row) -> dict[str, str]:
    defaults = {"host": event.host, "blame": "", "since": "", "remedy": "deploy"}
    return {key: str(told.get(key, defaults.get(key, ""))) for key in FIELDS}


def _unchecked(event: Event) -> Iterator[dict[str, str]]:
    """Yield what one task could not look at; for a check with its ``id``."""
    row = {"host": event.host, "what": event.task, "state": event.state}
    if event.state in ("failed", "unreachable"):
        yield {**row, "why": str(event.result.get("msg", event.state))}
    elif event.state == "skipped" and "check mode" in str(event.result.get("msg", "")):
        yield {**row, "why": str(event.result["msg"])}
    elif event.action == PROBE:
        for each in event.result.get("results", ()):
            if each["state"] == "skipped":
                why = str(each.get("cause") or each["evidence"])
                yield {**row, "what": str(each["title"]), "why": why, "state": "skipped", "id": str(each["id"])}
    else:
        told = event.result.get("unchecked")
        for each in told if isinstance(told, list) else ():
            yield {**row, "what": str(each["what"]), "why": str(each["why"]), "state": "skipped"}


def _plans(event: Event) -> Iterator[Row]:
    facts = event.result.get("ansible_facts")
    plan = facts.get("llm_stack_plan") if isinstance(facts, Mapping) else None
    if isinstance(plan, Mapping):
        yield plan


def _rules(event: Event) -> Iterable[Rule]:
    return [Rule(**each) for plan in _plans(event) for each in plan.get("drift_ignore", ())]


def _asked(events: Sequence[Event]) -> dict[str, list[Row]]:
    """Give for each host the checks that its probe looked at, as the plan has them."""
    planned = {each["id"]: each for event in events for plan in _plans(event) for each in plan.get("checklist", ())}
    asked: dict[str, list[Row]] = {}
    for event in events:
        if event.action == PROBE:
            names = [each["id"] for each in event.result.get("results", ())]
            asked.setdefault(event.host, []).extend(planned[name] for name in names if name in planned)
    return asked
