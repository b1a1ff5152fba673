# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Look at every promise, with validate.yml or by the probe alone, and take what was found as values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._checklist_text import checklist_text
from ansible_collections.lab.llm_stack.plugins.module_utils._report import Facts, report
from observed import Stack
from played import play

PROBE = "lab.llm_stack.probe"
# Units that a test has just started are young.
YOUNG: dict[str, dict[str, Any]] = {"llm_stack_checks": {"min_uptime": 0}}
KEPT = ("pass", "skipped")


@dataclass(frozen=True)
class Looked:
    """What a look at every promise of a plan found, and what it said."""

    plan: Mapping[str, Any]
    results: Mapping[str, Mapping[str, Any]]
    output: str
    code: int
    modules: int

    @property
    def wrong(self) -> dict[str, Mapping[str, Any]]:
        """Those that are not kept, or with a warning."""
        return {name: each for name, each in self.results.items() if each["state"] not in KEPT}

    @property
    def issues(self) -> list[dict[str, Any]]:
        """The issues of the report that is made of it."""
        made = report(self.plan, Facts("2026-01-01T00:00:00Z", [*self.results.values()]))
        found: list[dict[str, Any]] = made["issues"]
        return found


def look(variables: Mapping[str, object] | None = None, *options: str, timeout: int = 10) -> Looked:
    """Look once with validate.yml. What does not answer is not waited for as long as a user would."""
    played = play("validate", *options, variables={**YOUNG, "validate_timeout": timeout, **(variables or {})})
    told = (step.answer.get("ansible_facts", {}) for step in played.steps)
    plan: dict[str, Any] = next(each["llm_stack_plan"] for each in told if "llm_stack_plan" in each)
    probed = [step.answer["results"] for step in played.steps if step.action == PROBE]
    results = {each["id"]: each for one in probed for each in one}
    return Looked(plan, results, played.output, played.code, len(played.module_tasks))


def probe(stack: Stack, checks: Sequence[Mapping[str, Any]], timeout: int = 10) -> list[dict[str, Any]]:
    """Let the probe alone look at checks of a host."""
    told = {"checks": checks, "timeout": timeout, "concurrency": 8, "source": {"commit": "", "items": []}}
    found: list[dict[str, Any]] = json.loads(stack.output("echo %s | python3 look.py", json.dumps(told)))
    return found


def glance(hosts: Mapping[str, Stack], plan: Mapping[str, Any], timeout: int = 10) -> Looked:
    """Look once by the probe alone, on each host at what a plan promises of it."""
    own = {name: [each for each in plan["checklist"] if each["host"] == name] for name in hosts}
    found = [each for name, stack in hosts.items() for each in probe(stack, own[name], timeout)]
    failed = any(each["state"] == "fail" for each in found)
    results = {each["id"]: each for each in found}
    return Looked(plan, results, checklist_text(found), 10 if failed else 0, len(hosts))
