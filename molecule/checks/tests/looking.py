# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Look at every promise with validate.yml, and take what was found as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._report import Facts, report
from played import Played, play

PROBE = "lab.llm_stack.probe"
# Units that a test has just started are young.
YOUNG: Mapping[str, object] = {"llm_stack_checks": {"min_uptime": 0}}
KEPT = ("pass", "skipped")


@dataclass(frozen=True)
class Looked:
    """What a look at every promise found."""

    played: Played

    @cached_property
    def results(self) -> dict[str, dict[str, Any]]:
        """The result of each check by its id."""
        probed = [step.answer["results"] for step in self.played.steps if step.action == PROBE]
        return {each["id"]: each for one in probed for each in one}

    @property
    def wrong(self) -> dict[str, dict[str, Any]]:
        """Those that are not kept, or with a warning."""
        return {name: each for name, each in self.results.items() if each["state"] not in KEPT}

    @property
    def probes(self) -> int:
        """How many tasks looked."""
        return sum(step.action == PROBE for step in self.played.steps)

    @property
    def plan(self) -> dict[str, Any]:
        """The plan that was looked at."""
        told = (step.answer.get("ansible_facts", {}) for step in self.played.steps)
        found: dict[str, Any] = next(each["llm_stack_plan"] for each in told if "llm_stack_plan" in each)
        return found

    @property
    def issues(self) -> list[dict[str, Any]]:
        """The issues of the report that is made of it."""
        made = report(self.plan, Facts("2026-01-01T00:00:00Z", [*self.results.values()]))
        found: list[dict[str, Any]] = made["issues"]
        return found


def look(variables: Mapping[str, object] | None = None, *options: str) -> Looked:
    """Look once. What does not answer is not waited for as long as a user would."""
    return Looked(play("validate", *options, variables={**YOUNG, "validate_timeout": 10, **(variables or {})}))
