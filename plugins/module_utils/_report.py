# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a stack as data, from its plan and what was found: everything that a report shows is decided here.

The writers beside this file (_report_markdown, _report_html and others) only lay it out. The form is published as
docs/schemas/report-1.json.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, PASS, WARN, redact
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import count
from ansible_collections.lab.llm_stack.plugins.module_utils._report_impacts import CRITICAL, HIGH
from ansible_collections.lab.llm_stack.plugins.module_utils._report_issues import Stack, issues
from ansible_collections.lab.llm_stack.plugins.module_utils._report_landscape import landscape
from ansible_collections.lab.llm_stack.plugins.module_utils._report_rows import (
    UNCHECKED,
    Row,
    blocked,
    counted,
    rows_of,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._report_stack import Plan, apps, apps_of, models, services

SCHEMA = "lab.llm_stack.report/1"
HEALTHY, WARNINGS, DEGRADED, BROKEN, UNKNOWN = "healthy", "warnings", "degraded", "broken", "unknown"
VERDICTS = (HEALTHY, WARNINGS, DEGRADED, BROKEN, UNKNOWN)
KEEP = 30
"""How many runs the history holds."""

# Where a key of somebody stands in a text that nobody knew would hold one.
_KEYS = re.compile(
    r"(?i)\b(?:bearer\s+[\w.~+/=-]{8,}|hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|xox[abp]-[\w-]{10,})"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)


@dataclass(frozen=True)
class Facts:
    """What was found, and what is known beside it.

    ``silent`` has why a host gave no results. ``settings`` is what the filter explain tells as data, ``drift`` the
    differences to what runs, ``drift_stale`` when they were last looked for where that is too long ago, ``previous``
    the last report, and ``secrets`` all that may stand in none of it.
    """

    generated: str
    results: Sequence[Row]
    silent: Mapping[str, str] = field(default_factory=dict)
    drift: Sequence[Row] = ()
    drift_stale: str = ""
    settings: Sequence[Row] = ()
    source: Mapping[str, Any] = field(default_factory=dict)
    previous: Mapping[str, Any] | None = None
    secrets: Sequence[str] = ()
    keep: int = KEEP


def report(plan: Plan, facts: Facts) -> dict[str, Any]:
    """Give the whole report."""
    rows = rows_of(plan["checklist"], facts.results, facts.silent)
    running = services(plan, rows)
    found = models(plan, rows, running)
    stack = Stack(running, found, apps_of(plan), blocked(plan["checklist"], rows))
    wrong = issues(rows, stack, facts.drift, facts.source, facts.drift_stale)
    verdict = _verdict(rows, wrong)
    data = {
        "schema": SCHEMA,
        "generated": facts.generated,
        "source": {"commit": "", "branch": "", "changed": [], "deployed": {}, **facts.source},
        "verdict": verdict,
        "headline": _headline(verdict, rows, wrong),
        "counts": counted(rows),
        "hosts": sorted({*plan["hosts"], *(row["host"] for row in rows)}),
        "services": running,
        "models": found,
        "apps": apps(plan, found, running),
        "configuration": landscape(facts.settings),
        "issues": wrong,
        "recommendations": _recommendations(wrong),
        "checklist": rows,
        "drift": [dict(each) for each in facts.drift],
        **_past(facts, rows, verdict, found),
    }
    return {key: _clean(each, facts.secrets) for key, each in data.items()}


def _verdict(rows: Sequence[Row], wrong: Sequence[Mapping[str, Any]]) -> str:
    states = {row["state"] for row in rows}
    if any(each["severity"] == CRITICAL for each in wrong):
        return BROKEN
    if FAIL in states:
        return DEGRADED
    if not states or UNCHECKED in states:
        return UNKNOWN
    return WARNINGS if WARN in states or wrong else HEALTHY


def _headline(verdict: str, rows: Sequence[Row], wrong: Sequence[Mapping[str, Any]]) -> str:
    counts = counted(rows)
    missed = f"{counts[FAIL]} of {count(len(rows), 'promise')} {'is' if counts[FAIL] == 1 else 'are'} not kept."
    if verdict == BROKEN:
        return f"The stack does not serve: {missed}" if counts[FAIL] else "The stack does not serve."
    if verdict == DEGRADED:
        return f"The stack serves, but {missed}"
    if verdict == UNKNOWN:
        return f"{counts[UNCHECKED]} of {count(len(rows), 'promise')} could not be checked."
    well = f"All {len(rows)} promises are kept" if len(rows) > 1 else "The promise is kept"
    return f"{well}." if verdict == HEALTHY else f"{well}; {count(len(wrong), 'thing')} to look at."


def _recommendations(wrong: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What to do, in the order that helps most; a remedy that mends several issues stands once."""
    found: dict[str, dict[str, str]] = {}
    for each in wrong:
        when = "now" if each["severity"] in (CRITICAL, HIGH) else "soon"
        found.setdefault(each["fix"], {"when": when, "text": each["fix"], "because": each["title"]})
    if found:
        found.setdefault(
            "make validate", {"when": "then", "text": "make validate", "because": "It shows that it helped."}
        )
    return list(found.values())


def _past(facts: Facts, rows: Sequence[Row], verdict: str, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the last report said, what changed since, and the last runs with this one."""
    before = facts.previous if (facts.previous or {}).get("schema") == SCHEMA else None
    run = {
        "generated": facts.generated,
        "verdict": verdict,
        "counts": counted(rows),
        "seconds": {each["name"]: each["seconds"] for each in found if each["seconds"] is not None},
    }
    history = [each for each in (before or {}).get("history", ()) if each.get("generated") != facts.generated]
    return {
        "previous": {key: before[key] for key in ("generated", "verdict", "headline", "counts")} if before else None,
        "changes": _changes((before or {}).get("checklist", ()), rows) if before else [],
        "history": [*history, run][-max(facts.keep, 1) :],
    }


def _changes(before: Sequence[Row], rows: Sequence[Row]) -> list[dict[str, str]]:
    """Every promise whose state is another than last time, that is new, or that is gone."""
    old = {str(row["id"]): row for row in before}
    new = {str(row["id"]): row for row in rows}
    return [
        {
            "host": str((new.get(name) or old[name])["host"]),
            "title": str((new.get(name) or old[name])["title"]),
            "before": str(old[name]["state"]) if name in old else "",
            "now": str(new[name]["state"]) if name in new else "",
        }
        for name in [*new, *(name for name in old if name not in new)]
        if (old.get(name) or {}).get("state") != (new.get(name) or {}).get("state")
    ]


def _clean(value: Any, secrets: Sequence[str]) -> Any:  # noqa: ANN401 - whatever a report holds
    """Take every secret out of everything, names of keys included."""
    if isinstance(value, str):
        return _KEYS.sub("(secret)", redact(value, secrets))
    if isinstance(value, Mapping):
        return {_clean(str(key), secrets): _clean(each, secrets) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(each, secrets) for each in value]
    return value


def is_well(state: str) -> bool:
    """Whether a state needs no attention."""
    return state in (PASS, "standby")
