# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The example of one workstation: its golden plan is one of those in fixtures/plans, made from the very inventory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError

ROOT = Path(__file__).parents[4]
INVENTORY = ROOT / "inventories/workstation"
VARIABLES = yaml.safe_load((INVENTORY / "group_vars/all/stack.yml").read_text(encoding="utf-8"))
HOSTS = yaml.safe_load((INVENTORY / "hosts.yml").read_text(encoding="utf-8"))["all"]


def declared() -> dict[str, Any]:
    groups = [group for group, entry in HOSTS["children"].items() if "workstation" in entry["hosts"]]
    own = {name.removeprefix("llm_stack_"): value for name, value in VARIABLES.items()}
    return {**own, "hosts": {"workstation": {"groups": groups}}}


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    path = ROOT / "tests/fixtures/plans/workstation.yml"
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def test_the_golden_plan_is_that_of_the_inventory(golden: dict[str, Any]) -> None:
    lock = golden["declaration"]["model_lock"]
    assert {**declared(), "model_lock": lock} == golden["declaration"]


def test_every_engine_has_the_port_that_people_know_it_by(golden: dict[str, Any]) -> None:
    host = golden["plan"]["hosts"]["workstation"]
    ports = {each["name"]: each["port"] for engine in ("vllm", "llamacpp") for each in host[engine]["instances"]}
    assert ports == {"qwen-coder-7b": 8001, "dolphin": 8002, "qwen-small": 8080, "phi-small": 8000}
    assert (host["ollama"]["port"], host["litellm"]["port"]) == (11434, 4000)


def test_one_model_at_a_time_has_the_card(golden: dict[str, Any]) -> None:
    instances = golden["plan"]["hosts"]["workstation"]["vllm"]["instances"]
    assert {each["name"]: (each["slot"], each["standby"]) for each in instances} == {
        "dolphin": ("gpu", True),
        "qwen-coder-7b": ("gpu", False),
    }


def test_the_app_fails_fast(golden: dict[str, Any]) -> None:
    """What broke in the story behind this example: one file said 5 s and no retries, another said otherwise."""
    config = golden["plan"]["hosts"]["workstation"]["litellm"]["config"]
    (deployment,) = [each for each in config["model_list"] if each["model_name"] == "charm-assistant/qwen-coder-7b"]
    assert deployment["litellm_params"]["timeout"] == 5
    assert golden["plan"]["summary"]["latency"]["charm-assistant"]["qwen-coder-7b"]["seconds"] == 10


def test_before_anything_is_pinned_it_is_refused_with_the_commands_that_pin() -> None:
    with pytest.raises(StackError) as caught:
        plan(declared())
    assert [line.strip() for line in str(caught.value).splitlines() if "make pin" in line] == [
        "Run make pin MODEL=qwen-coder-7b, which writes the commit into the lock.",
        "Run make pin MODEL=dolphin, which writes the commit into the lock.",
    ]


def test_no_checksum_was_made_up_for_the_inventory() -> None:
    names = sorted(path.name for path in (INVENTORY / "group_vars/all").iterdir())
    assert [name for name in names if "lock" in name] == []
