# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models share a slot, who holds it, and who answers for the others; refusals are in tests/fixtures/refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._slots import relations

HOSTS = {"workstation": {"groups": ["llamacpp", "vllm", "litellm"]}}


def vllm(**more: Any) -> dict[str, Any]:
    return {"source": "/models/a-model", "engine": "vllm", **more}


def gguf(**more: Any) -> dict[str, Any]:
    return {"source": "files/a-model.gguf", **more}


def derived(models: dict[str, Any], emptied: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return plan({"models": models, "hosts": HOSTS, **more}, emptied)


PAIR = {
    "small": gguf(),
    "a": gguf(slot="gpu", fallbacks=["b", "small"]),
    "b": gguf(slot="gpu", standby=True, fallbacks=["a", "small"]),
}


def standing_by(found: dict[str, Any]) -> list[str]:
    return list(found["summary"]["standby"])


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        pytest.param({"a": vllm()}, {}, id="one model alone shares nothing"),
        pytest.param({"a": vllm(), "b": vllm()}, {}, id="two that run have room for both"),
        pytest.param(
            {"a": vllm(), "b": vllm(standby=True, fallbacks=["a"])},
            {"gpu": ["a", "b"]},
            id="who waits on the same host waits for the card",
        ),
        pytest.param(
            {"a": vllm(), "b": vllm(slot="gpu", standby=True, fallbacks=["a"])},
            {"gpu": ["a", "b"]},
            id="whether it says so or not",
        ),
        pytest.param(
            {"a": vllm(), "b": vllm(slot="second", standby=True, fallbacks=["a"])},
            {"second": ["b"]},
            id="unless it waits for something else",
        ),
        pytest.param(
            {"a": vllm(), "b": gguf(standby=True, fallbacks=["a"])}, {}, id="llama.cpp shares a slot only when told"
        ),
        pytest.param(
            {"a": gguf(slot="cpu"), "b": gguf(slot="cpu", standby=True, fallbacks=["a"])},
            {"cpu": ["a", "b"]},
            id="and then it does",
        ),
    ],
)
def test_who_shares_a_slot(models: dict[str, Any], expected: dict[str, list[str]]) -> None:
    found = derived(models)
    assert {name: slot["models"] for name, slot in found["slots"].items()} == expected
    engines = [each for host in found["hosts"].values() for engine, each in host.items() if engine != "litellm"]
    slots = {each["name"]: each["slot"] for engine in engines for each in engine["instances"]}
    assert slots == {name: next((s for s, inside in expected.items() if name in inside), None) for name in models}


def test_who_runs_is_declared_until_somebody_chose() -> None:
    assert (derived(PAIR)["slots"]["gpu"]["active"], standing_by(derived(PAIR))) == ("a", ["b"])
    swapped = derived(PAIR, active={"gpu": "b"})
    assert (swapped["slots"]["gpu"]["active"], standing_by(swapped)) == ("b", ["a"])
    assert derived(PAIR, active={"gpu": "a"}) == derived(PAIR)


def test_two_that_run_are_fine_once_somebody_chose() -> None:
    models = {**PAIR, "b": gguf(slot="gpu", fallbacks=["a"])}
    assert standing_by(derived(models, active={"gpu": "b"})) == ["a"]


def test_a_slot_may_be_empty() -> None:
    found = derived(PAIR, ("gpu",))
    assert (found["slots"]["gpu"]["active"], standing_by(found)) == (None, ["a", "b"])
    config = found["hosts"]["workstation"]["litellm"]["config"]
    assert [each["model_name"] for each in config["model_list"]] == ["small"]
    assert config["router_settings"]["model_group_alias"] == {"a": "small", "b": "small"}


def test_nobody_answers_for_an_empty_slot_whose_models_have_only_each_other() -> None:
    models = {"a": gguf(slot="gpu", fallbacks=["b"]), "b": gguf(slot="gpu", standby=True, fallbacks=["a"])}
    assert standing_by(derived(models)) == ["b"]
    with pytest.raises(StackError, match="leaves nothing to answer for a"):
        derived(models, ("gpu",))


def test_the_one_that_runs_does_not_fall_back_to_itself() -> None:
    config = derived(PAIR)["hosts"]["workstation"]["litellm"]["config"]["router_settings"]
    assert (config["fallbacks"], config["model_group_alias"]) == ([{"a": ["small"]}, {"b": ["small"]}], {"b": "a"})


def test_of_each_two_in_a_slot_one_waits_for_the_other() -> None:
    instances = [{"name": name, "slot": slot} for name, slot in (("c", "x"), ("a", "x"), ("b", "y"), ("d", None))]
    assert [relations(each, instances) for each in instances] == [
        {"excluded": ["a"], "after": ["a"]},
        {"excluded": ["c"], "after": []},
        {"excluded": [], "after": []},
        {"excluded": [], "after": []},
    ]
