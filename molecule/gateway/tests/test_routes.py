# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Who answers for a name, what the headers say of it, and that the running gateway is the planned one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from fleet import Client, Scripted, address, host
from played import check, play

PROBE = "Look at every promise of this host"
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]


@pytest.fixture(scope="module")
def planned() -> dict[str, Any]:
    """The plan of this moment for the gateway."""
    facts = [step.answer.get("ansible_facts", {}) for step in check().steps]
    (plan,) = [each["llm_stack_plan"] for each in facts if "llm_stack_plan" in each]
    found: dict[str, Any] = plan["hosts"]["gw"]["litellm"]
    return found


def deployments(model_list: list[dict[str, Any]]) -> Counter[tuple[object, ...]]:
    """Each deployment: its name, where it goes, and with how much patience."""
    kept = ("model", "api_base", "timeout", "stream_timeout", "num_retries")
    return Counter((each["model_name"], *map(each["litellm_params"].get, kept)) for each in model_list)


def test_the_running_gateway_is_the_planned_one(operator: Client, planned: dict[str, Any]) -> None:
    told = operator.get("/model/info").body["data"]
    # LiteLLM repeats a deployment for each alias that leads to it.
    aliases = planned["config"]["router_settings"]["model_group_alias"]
    running = [each for each in told if each["model_name"] not in aliases]
    assert deployments(running) == deployments(planned["config"]["model_list"])
    facts = {each["model_name"]: each["model_info"] for each in running}
    for each in planned["config"]["model_list"]:
        assert each.get("model_info", {}).items() <= facts[each["model_name"]].items(), each["model_name"]


def test_validate_names_the_models_that_do_not_answer_and_no_others() -> None:
    # Earlier tests have restarted gateways.
    variables = {"validate_timeout": 3, "llm_stack_checks": {"min_uptime": 0}}
    probed = [step.answer for step in play("validate", variables=variables).steps if step.task == PROBE]
    results = [each for answer in probed for each in answer["results"]]
    failed = {each["model"] or each["title"] for each in results if each["state"] == "fail"}
    assert failed == {"broken", "crowded", "overflowing", "doubtful", "hopeless", "stuck", "sleepy"}


def test_a_model_on_two_hosts_is_answered_by_both(apps: Mapping[str, Client]) -> None:
    answers = [apps["steady"].chat("tiny") for _number in range(20)]
    assert {answer.said for answer in answers} == {"Hello from the tiny test model."}
    engines = {str(answer.litellm("model-api-base")).split("/")[2].partition(":")[0] for answer in answers}
    assert engines == {address(host(name)) for name in ("gw-llama-1", "gw-llama-2")}


@pytest.mark.parametrize(("who", "name"), [("steady", "resting"), ("steady", "steady/resting")])
def test_a_model_that_stands_by_is_answered_by_its_fallback(apps: Mapping[str, Client], who: str, name: str) -> None:
    answer = apps[who].chat(name)
    assert (answer.status, answer.said) == (200, "Hello from the tiny test model.")
    # A standby is an alias, no fallback at work: the header with the engine's model is the one that tells.
    assert (answer.litellm("model-name"), answer.litellm("attempted-fallbacks")) == ("openai/tiny", "0")


@pytest.mark.parametrize(
    ("model", "more", "calls"),
    [
        pytest.param("broken", {}, ["err500"] * 3 + ["ok"], id="an engine that fails, after two more tries"),
        pytest.param("crowded", {}, ["err429"] * 3 + ["ok"], id="one that is too busy, after two more tries"),
        pytest.param("overflowing", {}, ["ctx", "ok"], id="a context that is too short, at once"),
        pytest.param("toolless", {"tools": TOOLS}, ["notool", "ok"], id="an engine that calls no tools, at once"),
    ],
)
def test_a_fallback_answers_and_the_headers_say_so(
    operator: Client, scripted: Scripted, model: str, more: dict[str, Any], calls: list[str]
) -> None:
    answer = operator.chat(model, **more)
    assert (answer.status, answer.litellm("attempted-fallbacks"), answer.litellm("model-group")) == (200, "1", "prompt")
    assert scripted.calls() == calls


def test_an_engine_that_is_still_loading_is_waited_for(operator: Client, scripted: Scripted) -> None:
    answer = operator.chat("starting")
    assert (answer.status, answer.litellm("attempted-fallbacks")) == (200, "0"), answer
    assert set(scripted.calls()) == {"slowstart-1"}


def test_an_engine_gets_nothing_that_is_not_in_its_api(operator: Client) -> None:
    assert operator.chat("strict", temperature=0).status == 200


def test_a_deployment_from_a_native_file_is_served(operator: Client) -> None:
    answer = operator.chat("brought-along")
    assert (answer.status, answer.litellm("model-name")) == (200, "openai/ok@brought-along")


def test_a_provider_gets_the_key_that_is_meant_for_it_and_others_get_none(operator: Client, scripted: Scripted) -> None:
    assert [operator.chat(model).status for model in ("keyed", "prompt")] == [200, 200]
    assert scripted.keys() == ["the-key-of-a-provider-that-takes-any", "none"]
