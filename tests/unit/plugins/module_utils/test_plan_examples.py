# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The examples, one workstation and a fleet: their golden plans in fixtures/plans are those of the very inventories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.lab.llm_stack.plugins.module_utils._inventory import declaration
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError

ROOT = Path(__file__).parents[4]
EXAMPLES = ("fleet", "workstation")
# What the example of the fleet leaves to a vault.
VAULT = {"llm_stack_instance_key": "a-key", "llm_stack_secrets": {"OPENAI_API_KEY": "a-key"}}


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def hosts_of(example: str) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
    """The variables of each host as its inventory has them, and who is in which group."""
    inventory = read(f"inventories/{example}/hosts.yml")["all"]
    found: dict[str, dict[str, Any]] = {name: own or {} for name, own in inventory.get("hosts", {}).items()}
    groups: dict[str, list[str]] = {}
    for group, entry in inventory["children"].items():
        groups[group] = list(entry["hosts"])
        for name, own in entry["hosts"].items():
            found.setdefault(name, {}).update(own or {})
    return found, {**groups, "all": list(found)}


def declared(example: str, **more: Any) -> dict[str, Any]:
    variables = {**read(f"inventories/{example}/group_vars/all/stack.yml"), **more}
    hosts, groups = hosts_of(example)
    made = declaration(variables, groups, {name: {**own, **variables} for name, own in hosts.items()})
    return {name: value for name, value in made.items() if value}


def golden(example: str) -> dict[str, Any]:
    name = {"fleet": "example_fleet"}.get(example, example)
    found: dict[str, Any] = read(f"tests/fixtures/plans/{name}.yml")
    return found


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_golden_plan_is_that_of_the_inventory(example: str) -> None:
    case = golden(example)
    vault = VAULT if example == "fleet" else {}
    lock = case["declaration"]["model_lock"]
    assert plan(declared(example, **vault, llm_stack_model_lock=lock)) == case["plan"]


@pytest.mark.parametrize("example", EXAMPLES)
def test_no_checksum_was_made_up_for_an_inventory(example: str) -> None:
    names = sorted(path.name for path in (ROOT / f"inventories/{example}/group_vars/all").iterdir())
    assert [name for name in names if "lock" in name or "vault" in name] == []


def test_every_engine_of_the_workstation_has_the_port_that_people_know_it_by() -> None:
    host = golden("workstation")["plan"]["hosts"]["workstation"]
    ports = {each["name"]: each["port"] for engine in ("vllm", "llamacpp") for each in host[engine]["instances"]}
    assert ports == {"qwen-coder-7b": 8001, "dolphin": 8002, "qwen-small": 8080, "phi-small": 8000}
    assert (host["ollama"]["port"], host["litellm"]["port"]) == (11434, 4000)


@pytest.mark.parametrize(
    ("example", "host", "slots"),
    [
        ("workstation", "workstation", {"dolphin": ("gpu", True), "qwen-coder-7b": ("gpu", False)}),
        ("fleet", "gpu-02", {"thinker": ("gpu", True), "coder": ("gpu", False)}),
    ],
    ids=["workstation", "fleet"],
)
def test_one_model_at_a_time_has_the_card(example: str, host: str, slots: dict[str, tuple[str, bool]]) -> None:
    instances = golden(example)["plan"]["hosts"][host]["vllm"]["instances"]
    assert {each["name"]: (each["slot"], each["standby"]) for each in instances} == slots


def test_the_app_of_the_workstation_fails_fast() -> None:
    """What broke in the story behind this example: one file said 5 s and no retries, another said otherwise."""
    made = golden("workstation")["plan"]
    config = made["hosts"]["workstation"]["litellm"]["config"]
    (deployment,) = [each for each in config["model_list"] if each["model_name"] == "charm-assistant/qwen-coder-7b"]
    assert deployment["litellm_params"]["timeout"] == 5
    assert made["summary"]["latency"]["charm-assistant"]["qwen-coder-7b"]["seconds"] == 10


def test_a_model_of_the_fleet_is_served_by_two_hosts() -> None:
    config = golden("fleet")["plan"]["hosts"]["gw-01"]["litellm"]["config"]
    places = [each["litellm_params"]["api_base"] for each in config["model_list"] if each["model_name"] == "coder"]
    assert places == ["http://192.0.2.21:8001/v1", "http://192.0.2.22:8001/v1"]


def test_no_engine_of_the_fleet_listens_everywhere() -> None:
    hosts = golden("fleet")["plan"]["hosts"]
    binds = {
        each["bind"] for host in hosts.values() for engine in host.values() for each in engine.get("instances", [])
    }
    assert binds == {"192.0.2.21", "192.0.2.22", "192.0.2.31"}


@pytest.mark.parametrize(
    ("example", "remedies"),
    [
        (
            "workstation",
            [
                "Run make pin MODEL=qwen-coder-7b, which writes the commit into the lock.",
                "Run make pin MODEL=dolphin, which writes the commit into the lock.",
            ],
        ),
        (
            "fleet",
            [
                "Run make pin MODEL=coder, which writes the commit into the lock.",
                "Run make pin MODEL=thinker, which writes the commit into the lock.",
                "Set llm_stack_instance_key for cpu-01 in host_vars or group_vars, from a vault.",
                "Put it there from a vault: llm_stack_secrets: {OPENAI_API_KEY: ...}.",
            ],
        ),
    ],
    ids=EXAMPLES[::-1],
)
def test_before_anything_is_pinned_it_is_refused_with_what_to_do(example: str, remedies: list[str]) -> None:
    with pytest.raises(StackError) as caught:
        plan(declared(example))
    lines = [line.strip() for line in str(caught.value).splitlines()]
    assert [line for line in lines if line.startswith(("Run make pin", "Set llm_stack", "Put it there"))] == remedies
