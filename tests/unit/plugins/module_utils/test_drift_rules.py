# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Rules that accept a difference: which are refused, and that the plan carries the rest."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import parse
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import render

GOOD = {"kind": "file", "subject": "*.yaml", "reason": "being tried", "until": "2027-01-31"}
STACK = {"models": {"m": {"source": "m.gguf"}}, "hosts": {"here": {"groups": ["llamacpp", "litellm"]}}}


@pytest.mark.parametrize(
    ("rule", "path", "words"),
    [
        ({**GOOD, "until": "tomorrow"}, "[0].until", "is not a day"),
        ({**GOOD, "until": "2027-02-31"}, "[0].until", "is not a day"),
        ({"reason": "x", "until": "2027-01-31"}, "[0]", "would ignore every difference"),
        ({"kind": "file", "until": "2027-01-31"}, "[0].reason", "is missing"),
        ({"kind": "file", "reason": "x"}, "[0].until", "is missing"),
        ({**GOOD, "knd": "file"}, "[0].knd", "Did you mean 'kind'?"),
    ],
)
def test_a_rule_without_reason_day_or_aim_is_refused(rule: dict[str, Any], path: str, words: str) -> None:
    _declared, problems = parse({**STACK, "drift_ignore": [rule]})
    (text,) = map(render, problems)
    assert text.startswith(f"llm_stack_drift_ignore{path}")
    assert words in text


def test_the_plan_carries_the_rules() -> None:
    assert plan({**STACK, "drift_ignore": [GOOD]})["drift_ignore"] == [GOOD]
    assert "drift_ignore" not in plan(STACK)
