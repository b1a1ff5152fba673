# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as a whole: golden plans, and what holds for every plan."""

from __future__ import annotations

import copy
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan
from hypothesis import given, settings
from hypothesis import strategies as st

PLANS = sorted((Path(__file__).parents[3] / "fixtures" / "plans").glob("*.yml"))


CASES = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in PLANS}


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(CASES[name])
    return found


@pytest.mark.parametrize("name", [file.stem for file in PLANS])
def test_golden_plans(name: str) -> None:
    case = load(name)
    assert plan(case["declaration"]) == case["plan"]


@pytest.mark.parametrize("name", [file.stem for file in PLANS])
def test_a_plan_is_json_and_the_same_each_time(name: str) -> None:
    declaration = load(name)["declaration"]
    once = json.dumps(plan(declaration))
    assert json.loads(once) == plan(json.loads(json.dumps(declaration)))
    assert once == json.dumps(plan(declaration))


def test_a_plan_leaves_the_declaration_as_it_was() -> None:
    declaration = load("fleet")["declaration"]
    before = json.dumps(declaration)
    plan(declaration)["hosts"]["gw-01"]["litellm"]["config"]["router_settings"]["added"] = True
    assert json.dumps(declaration) == before


def shuffled(value: Any, order: random.Random) -> Any:
    """The same value with the keys of every mapping in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key], order) for key in order.sample(list(value), len(value))}
    return value


@given(st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_order_of_keys_changes_nothing_but_derived_ports(order: random.Random) -> None:
    declaration = load("fleet")["declaration"]
    for port, name in enumerate(sorted(declaration["models"]), start=8090):
        declaration["models"][name]["llamacpp"] = {"port": port}
    assert json.dumps(plan(shuffled(declaration, order))) == json.dumps(plan(declaration))


NAMES = st.from_regex(r"[a-z][a-z0-9._-]{0,8}", fullmatch=True)


@given(st.lists(NAMES, min_size=1, max_size=12, unique=True), st.sets(st.integers(8080, 8090), max_size=4))
@settings(max_examples=50, deadline=None)
def test_every_model_gets_a_port_of_its_own_and_keeps_the_one_it_chose(names: list[str], chosen: set[int]) -> None:
    models: dict[str, Any] = {name: {"source": f"{name}.gguf"} for name in names}
    wanted = dict(zip(names, sorted(chosen), strict=False))
    for name, port in wanted.items():
        models[name]["llamacpp"] = {"port": port}
    derived = plan({"models": models, "hosts": {"a": {"groups": ["llamacpp", "litellm"]}}})
    ports = {each["name"]: each["port"] for each in derived["hosts"]["a"]["llamacpp"]["instances"]}
    assert set(ports) == set(names)
    assert len(set(ports.values())) == len(names)
    assert {name: ports[name] for name in wanted} == wanted


def test_ports_follow_the_order_of_declaration() -> None:
    models = {name: {"source": f"{name}.gguf"} for name in ("zulu", "alpha", "mike")}
    derived = plan({"models": models, "hosts": {"a": {"groups": ["llamacpp", "litellm"]}}})
    ports = {each["name"]: each["port"] for each in derived["hosts"]["a"]["llamacpp"]["instances"]}
    assert ports == {"zulu": 8080, "alpha": 8081, "mike": 8082}


def test_derived_ports_keep_clear_of_the_gateway() -> None:
    models = {name: {"source": f"{name}.gguf"} for name in ("one", "two")}
    derived = plan({"models": models, "gateway": {"port": 8080}, "hosts": {"a": {"groups": ["llamacpp", "litellm"]}}})
    assert [each["port"] for each in derived["hosts"]["a"]["llamacpp"]["instances"]] == [8081, 8082]


def test_a_host_of_the_group_without_models_is_planned_empty_so_that_its_old_ones_go() -> None:
    declaration = load("fleet")["declaration"]
    declaration["models"]["llama3.1"]["hosts"] = ["gpu-02"]
    declaration["models"]["small"]["hosts"] = ["gpu-02"]
    assert plan(declaration)["hosts"]["gpu-01"] == {"llamacpp": {"instances": []}}


def test_each_check_has_an_id_of_its_own_and_a_host_of_the_plan() -> None:
    derived = plan(load("fleet")["declaration"])
    ids = [check["id"] for check in derived["checklist"]]
    assert len(ids) == len(set(ids))
    assert {check["host"] for check in derived["checklist"]} <= set(derived["hosts"])


def test_no_check_expects_a_standby_to_run() -> None:
    derived = plan(load("fleet")["declaration"])
    assert not [check for check in derived["checklist"] if "llamacpp-dolphin.service" in check.get("units", ())]
    routes = [check for check in derived["checklist"] if check["check"] == "route" and check["model"] == "dolphin"]
    assert {base for check in routes for base in check["api_bases"]} == {
        "http://192.0.2.1:8090/v1",
        "http://192.0.2.11:8090/v1",
        "http://192.0.2.12:8090/v1",
    }


def test_twelve_models_are_planned_within_ten_milliseconds() -> None:
    models = {
        f"m{i}": {"source": f"m{i}.gguf", "tools": True, "fallbacks": [f"m{j}" for j in range(i + 1, 12)]}
        for i in range(12)
    }
    apps = {"editor": {"models": list(models), "timeout": 5, "retries": 0}}
    declaration = {"models": models, "apps": apps, "hosts": {"a": {"groups": ["llamacpp", "litellm"]}}}
    spent = []
    for _ in range(5):
        before = time.process_time()
        plan(declaration)
        spent.append(time.process_time() - before)
    assert min(spent) < 0.010
