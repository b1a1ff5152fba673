# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A swap between two real vLLM servers in which something is killed: Ansible, its module, or the server that starts.

Whatever it is, one model serves in the end, no process of another is left, and the next deploy finds its way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine import Engine, have_model
from kept import ACTIVE
from observed import LOCK_HOLDER, STATE, Stack, eventually
from played import assert_clean, deploy, start
from swapping import converged, is_idle, starting, swap, told

pytestmark = pytest.mark.live

Declared = dict[str, Any]

STEPS = ("preflight", "gateway_out", "engine", "test", "gateway_in", "routes", "record")
STARTING = starting("vllm-other.service")
SERVER = "systemctl --user show --property=MainPID --value vllm-other.service | grep -v '^0$'"
PROCESSES = {"server": SERVER, "engine": "pgrep --full '[V]LLM::EngineCore'", "worker": "pgrep --full '[V]LLM::Worker'"}
NOWHERE = {"provider": "openai_compatible", "api_base": "http://127.0.0.1:9/v1", "source": "nobody"}
"""Somebody who could answer meanwhile, so that the gateway lets go of the slot; nobody is asked."""


@pytest.fixture(scope="module")
def pair(kept: Path, stack: Stack) -> Declared:
    """Deploy two models that take turns, of which the first serves."""
    assert kept.is_dir()
    (tiny,) = stack.host.ansible.get_variables()["llm_stack_models"].values()
    have_model(stack, "other")
    first = {**tiny, "fallbacks": ["other", "spare"]}
    second = {**tiny, "source": "~/models/other", "standby": True, "fallbacks": ["tiny", "spare"]}
    second["vllm"] = {**tiny["vllm"], "tool_call_parser": "hermes"}
    declared = {"llm_stack_models": {"tiny": first, "other": second, "spare": NOWHERE}}
    deploy(declared)
    return declared


@pytest.mark.parametrize("step", STEPS)
def test_ansible_is_killed(stack: Stack, engine: Engine, kept: Path, pair: Declared, step: str) -> None:
    """``kill -9`` of ansible-playbook as a step begins, or while the new one starts; its module on the host goes on."""
    playing = start("swap", variables={**pair, "to": "other"})
    assert eventually(lambda: f"Take the step {step}" in playing.output.read_text(), seconds=600)
    if step == "engine":
        assert stack.when(STARTING, "echo now").communicate(timeout=600)[0] == "now\n"
    playing.kill()
    assert playing.ended().code == -9
    assert eventually(lambda: is_idle(stack), seconds=600)
    assert eventually(lambda: len(serving(stack)) == 1, seconds=600), serving(stack)
    assert eventually(lambda: converged(pair), seconds=600)
    # Only the last step writes down who serves from now on, and it may have done so before it was killed.
    written = step == "record" and (kept / ACTIVE).exists()
    engine.assert_serves_alone("other" if written else "tiny")
    assert_clean(pair)
    if written:
        (kept / ACTIVE).unlink()
        deploy(pair)


def serving(stack: Stack) -> list[str]:
    """Which of the two serves, whatever was killed."""
    return [name for name in ("tiny", "other") if stack.is_serving(f"vllm-{name}.service")]


def test_the_module_is_killed(stack: Stack, engine: Engine, pair: Declared) -> None:
    """``kill -9`` of the module on the host, between the stop of the one and the readiness of the other."""
    killer = stack.when(f"{STARTING} && pid=$({LOCK_HOLDER}) && kill -0 $pid", "kill -9 $pid && echo killed")
    played = swap("other", variables=pair)
    assert killer.communicate(timeout=600)[0] == "killed\n"
    assert played.code != 0, played.output
    engine.assert_serves_alone("tiny")
    assert stack.output(f"find {STATE} -name snapshot.json") == ""
    assert_clean(pair)


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_is_killed_while_it_starts(stack: Stack, engine: Engine, pair: Declared, process: str) -> None:
    killer = stack.when(f"{STARTING} && pid=$({PROCESSES[process]})", "kill -9 $pid && echo killed")
    played = swap("other", variables=pair)
    assert killer.communicate(timeout=600)[0] == "killed\n"
    assert played.code != 0, played.output
    said = told(played)
    assert said.startswith("other did not take the slot gpu. tiny serves again, and has shown it.\n"), said
    engine.assert_serves_alone("tiny")
    assert_clean(pair)
