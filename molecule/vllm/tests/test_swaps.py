# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Two real vLLM instances in one slot: a swap to one that works, and to some that cannot start.

Slow, like test_failures.py, and run by the same tests/live/vllm_failures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from engine import GREETING, UNIT, Engine
from kept import kept_inventory
from observed import Stack
from played import deploy, play

PROJECT = Path(__file__).parents[3]
sys.path[:0] = [str(PROJECT / "tests/live"), str(PROJECT / "playbooks/collections")]

from ansible_collections.lab.llm_stack.plugins.module_utils._boot_failures import _TABLE
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import CODES
from vllm_cases import CASES, Case, change_file

pytestmark = pytest.mark.live

OTHER = "vllm-other.service"
WAYS = ["vllm-weights-cut", "vllm-architecture", "vllm-cpu-cache"]


@pytest.fixture(scope="module", autouse=True)
def inventory() -> Path:
    """An inventory in which a swap can be written down."""
    return kept_inventory()


def models(stack: Stack, case: Case) -> dict[str, object]:
    """Declare the model of the scenario, and one beside it that would take its place and is as the case says."""
    (tiny,) = stack.host.ansible.get_variables()["llm_stack_models"].values()
    environment = {**tiny["vllm"]["env"], **case.variables}
    vllm = {**tiny["vllm"], "env": environment, "accept": sorted(CODES)}
    other = {**tiny, "source": "~/models/other", "standby": True, "fallbacks": ["tiny"], "vllm": vllm}
    return {"llm_stack_models": {"tiny": {**tiny, "fallbacks": ["other"]}, "other": other}}


def prepared(stack: Stack, case: Case) -> dict[str, object]:
    """Deploy both models, of which the first serves."""
    folder = stack.home("models/other")
    stack.output("rm -rf %s && mkdir -p %s && cp .local/share/llm-stack/models/tiny/*/* %s/", *[folder] * 3)
    for name, change in case.files.items():
        change_file(stack.output, f"{folder}/{name}", change)
    declared = models(stack, case)
    deploy(declared)
    return declared


def assert_serves_alone(stack: Stack, engine: Engine, name: str) -> None:
    assert [unit for unit in (UNIT, OTHER) if stack.is_serving(unit)] == [f"vllm-{name}.service"]
    assert len(engine.processes()) == 3, engine.processes()
    assert stack.chat({"model": name, "messages": GREETING})["choices"]


def test_there_and_back(stack: Stack, engine: Engine) -> None:
    declared = prepared(stack, CASES[0])
    for name in ("other", "tiny"):
        played = play("swap", variables={**declared, "to": name})
        assert played.code == 0, played.output
        assert_serves_alone(stack, engine, name)


@pytest.mark.parametrize("case", [case for case in CASES if case.log in WAYS], ids=lambda case: case.log)
def test_a_swap_to_what_cannot_start_ends_where_it_began(stack: Stack, engine: Engine, case: Case) -> None:
    played = play("swap", variables={**prepared(stack, case), "to": "other"})
    assert played.code != 0, played.output
    assert_serves_alone(stack, engine, "tiny")
    (row,) = (row for row in _TABLE if row.name == case.cause)
    assert f"Cause: {row.means}" in played.output
