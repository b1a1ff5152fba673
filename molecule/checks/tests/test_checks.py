# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Each promise of the checklist is broken once: it is named with its cause and its remedy, and no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._acceptance import acceptance
from ansible_collections.lab.llm_stack.plugins.module_utils._check_kinds import PARAMETERS
from cases import CASES, WHOLE, Case, engine
from looking import glance, look, probe
from observed import Stack

# What a model has to show before a swap lets it in is asked of its engine alone.
ACCEPTED = {
    "tool_call": ("automatic", "the chosen parser does not recognise this model's calls"),
    "tool_forced": ("forced", "the tool parser does not work"),
    "tool_conversation": ("conversation", "the chat template refuses a conversation with a tool"),
}
# In test_source.py.
OF_GIT = {"source_committed", "source_deployed"}


@pytest.fixture(scope="module")
def plan() -> Mapping[str, Any]:
    """What is promised."""
    return look().plan


@pytest.fixture
def broken(request: pytest.FixtureRequest, hosts: Mapping[str, Stack]) -> Iterator[Case]:
    """A stack in which one thing is broken."""
    case: Case = request.param
    if "fault" in case.harm:
        request.getfixturevalue("gate")
    host = hosts[case.on]
    (host.root if case.root else host.output)(case.harm)
    yield case
    (host.root if case.root else host.output)(case.mend)


def test_every_kind_of_check_is_broken_once() -> None:
    assert {case.kind for case in CASES} | {*ACCEPTED} | OF_GIT == {*PARAMETERS}


@pytest.mark.parametrize("broken", CASES, indirect=True, ids=lambda case: f"{case.kind}: {case.words}")
def test_what_is_broken_is_named_and_nothing_else(
    broken: Case, hosts: Mapping[str, Stack], plan: Mapping[str, Any]
) -> None:
    if broken.played:
        found = look(broken.variables, *broken.options, timeout=broken.timeout)
    else:
        found = glance(hosts, plan, broken.timeout)
    assert found.wrong.keys() == {*broken.checks}, found.wrong
    for each in found.wrong.values():
        assert each["state"] == broken.state
        assert broken.evidence in each["evidence"]
        assert broken.cause
        assert broken.cause in each["cause"]
        assert each["remedy"] == broken.remedy
        assert {each[name] in found.output for name in ("title", "cause", "remedy")} == {True}
    assert found.code == (10 if broken.state == "fail" else 0)
    assert [(one["checks"], one["fix"]) for one in found.issues] == [([name], broken.remedy) for name in broken.checks]


@pytest.mark.parametrize("kind", ["", *ACCEPTED])
def test_an_engine_that_a_swap_would_not_let_in(kind: str, plan: Mapping[str, Any], stack: Stack) -> None:
    (instance,) = [each for each in plan["hosts"]["ck"]["llamacpp"]["instances"] if each["name"] == "tiny"]
    fault, cause = ACCEPTED.get(kind, ("none", ""))
    stack.output(engine(fault))
    told = probe(stack, [*acceptance("llamacpp", instance, "http://127.0.0.1:8081", "ck")])
    stack.output(WHOLE)
    failed = {each["check"]: each["cause"] for each in told if each["state"] != "pass"}
    assert failed == ({kind: cause} if kind else {}), told
