# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A deployed stack serves, mends itself and comes back, whoever owns it; each scenario has another kind of owner."""

from __future__ import annotations

import json
import re

import pytest
from observed import Stack, eventually
from played import assert_clean, check

GREETING: dict[str, object] = {"messages": [{"role": "user", "content": "hello"}]}
QUESTION: dict[str, object] = {
    "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
    "tool_choice": "auto",
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "weather",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            },
        }
    ],
}


def listeners(stack: Stack, port: int) -> dict[str, set[str]]:
    """Return the addresses that listen on a port, each with the units of the processes that hold it."""
    found: dict[str, set[str]] = {}
    for line in stack.output(
        "ss --no-header --listening --tcp --numeric --processes %s", f"sport = :{port}"
    ).splitlines():
        units = {
            stack.output("cat %s", f"/proc/{pid}/cgroup").rpartition("/")[2] for pid in re.findall(r"pid=(\d+)", line)
        }
        found.setdefault(line.split()[3], set()).update(units)
    return found


def test_each_service_is_enabled_and_active(stack: Stack) -> None:
    for unit in ("llamacpp-tiny.service", "litellm.socket", stack.slot()):
        state = stack.show(unit)
        assert (state["ActiveState"], state["UnitFileState"]) == ("active", "enabled"), unit


def test_only_the_serving_gateway_is_enabled(stack: Stack) -> None:
    (resting,) = {"litellm@a.service", "litellm@b.service"} - {stack.slot()}
    assert stack.show(resting)["UnitFileState"] != "enabled"


def test_no_unit_has_failed(stack: Stack) -> None:
    assert stack.output("systemctl --user --failed --plain --no-legend") == ""


def test_the_engine_owns_its_port_on_loopback_only(stack: Stack) -> None:
    assert listeners(stack, 8080) == {"127.0.0.1:8080": {"llamacpp-tiny.service"}}


def test_the_gateway_and_its_socket_own_the_port_on_loopback_only(stack: Stack) -> None:
    # The user manager itself (init.scope) keeps the socket open while gateways come and go.
    assert listeners(stack, 4000) == {"127.0.0.1:4000": {"init.scope", stack.slot()}}


def test_the_gateway_offers_exactly_the_declared_names(stack: Stack) -> None:
    result = stack.request("/v1/models")
    assert result.rc == 0, result
    assert {model["id"] for model in json.loads(result.stdout)["data"]} == {"tiny", "chat"}


def test_the_gateway_refuses_a_stranger(stack: Stack) -> None:
    code = stack.output("curl --silent --output /dev/null --write-out '%{http_code}' http://127.0.0.1:4000/v1/models")
    assert code == "401"


def test_a_chat_in_one_piece(stack: Stack) -> None:
    (choice,) = stack.chat(GREETING)["choices"]
    assert choice["message"]["content"] == "Hello from the tiny test model."
    assert choice["finish_reason"] == "stop"


def test_a_streamed_chat(stack: Stack) -> None:
    choices = [choice for chunk in stack.stream(GREETING) for choice in chunk["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == "Hello from the tiny test model."
    assert len(choices) > 1, "the answer came in one chunk"
    assert choices[-1]["finish_reason"] == "stop"


def test_a_tool_call_in_one_piece(stack: Stack) -> None:
    (choice,) = stack.chat(QUESTION)["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("get_weather", {"city": "Paris"})
    assert choice["finish_reason"] == "tool_calls"


def test_a_streamed_tool_call(stack: Stack) -> None:
    choices = [choice for chunk in stack.stream(QUESTION) for choice in chunk["choices"]]
    calls = [call["function"] for choice in choices for call in choice["delta"].get("tool_calls") or []]
    assert "".join(call.get("name") or "" for call in calls) == "get_weather"
    assert json.loads("".join(call.get("arguments") or "" for call in calls)) == {"city": "Paris"}
    assert choices[-1]["finish_reason"] == "tool_calls"


def test_a_check_after_the_deployment_predicts_nothing(stack: Stack) -> None:
    before = stack.imprint()
    assert_clean()
    assert stack.imprint() == before


@pytest.mark.only_in("default")
def test_a_clean_check_starts_one_module_for_each_role() -> None:
    assert check().module_tasks == ["lab.llm_stack.service"] * 2


@pytest.mark.parametrize("part", [0, 1], ids=["engine", "gateway"])
def test_a_killed_service_comes_back(stack: Stack, part: int) -> None:
    unit = stack.services()[part]
    before = stack.show(unit)
    stack.output("systemctl --user kill --signal=KILL --kill-whom=main %s", unit)

    def is_back() -> bool:
        now = stack.show(unit)
        return now["ActiveState"] == "active" and int(now["NRestarts"]) == int(before["NRestarts"]) + 1

    assert eventually(is_back, seconds=60), stack.show(unit)
    assert stack.show(unit)["MainPID"] != before["MainPID"]
    assert stack.answers()


def test_a_reboot_brings_everything_back(stack: Stack) -> None:
    serving = stack.services()
    stack.reboot()
    assert eventually(stack.answers, seconds=90), stack.journal()
    assert stack.services() == serving
    assert all(stack.show(unit)["NRestarts"] == "0" for unit in serving)
