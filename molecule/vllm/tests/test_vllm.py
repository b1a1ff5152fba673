# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Real vLLM: what is promised of it holds, asked directly and through the gateway, whatever dies or is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from engine import ADDRESS, GREETING, QUESTION, TOOLS, UNIT, Engine
from observed import CONFIG, DATA, STATE, UNITS, Stack, eventually
from played import assert_clean, deploy, play, refused

HELLO = "Hello from the tiny test model."
CALL = ("get_weather", {"city": "Paris"})
ASKED_BACK = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'


def declared(stack: Stack, **changes: object) -> dict[str, object]:
    """Return the declaration of the scenario with some words of its model changed; those below vllm are laid over."""
    (tiny,) = stack.host.ansible.get_variables()["llm_stack_models"].values()
    changed = {**tiny, **changes, "vllm": {**tiny["vllm"], **(changes.get("vllm") or {})}}
    return {"llm_stack_models": {"tiny": changed}}


def called(calls: Iterable[Mapping[str, Any]]) -> tuple[str, dict[str, object]]:
    """Return name and arguments of one call, in one piece or in several."""
    parts = [call["function"] for call in calls]
    arguments = "".join(part.get("arguments") or "" for part in parts)
    return "".join(part.get("name") or "" for part in parts), json.loads(arguments)


def test_the_server_has_the_declared_model(stack: Stack, engine: Engine) -> None:
    status, text = engine.ask("/v1/models")
    (model,) = json.loads(text)["data"]
    assert (status, model["id"], model["max_model_len"]) == (200, "tiny", 1024)
    assert model["root"].startswith(stack.home(f"{DATA}/models/tiny/"))
    assert stack.show(UNIT)["ActiveState"] == "active"


def test_a_chat(stack: Stack, engine: Engine) -> None:
    assert engine.chat(messages=GREETING)["message"]["content"] == HELLO
    (choice,) = stack.chat({"messages": GREETING})["choices"]
    assert choice["message"]["content"] == HELLO


def test_a_streamed_chat(stack: Stack, engine: Engine) -> None:
    direct = engine.stream(messages=GREETING)
    through = [choice["delta"] for chunk in stack.stream({"messages": GREETING}) for choice in chunk["choices"]]
    for deltas in (direct, through):
        assert "".join(delta.get("content") or "" for delta in deltas) == HELLO
        assert len(deltas) > 2, "the answer came in one chunk"


def test_a_tool_call(stack: Stack, engine: Engine) -> None:
    direct = engine.chat(messages=QUESTION, tools=TOOLS)
    (through,) = stack.chat({"messages": QUESTION, "tools": TOOLS})["choices"]
    for choice in (direct, through):
        assert called(choice["message"]["tool_calls"]) == CALL
        assert choice["finish_reason"] == "tool_calls"


def test_a_streamed_tool_call(stack: Stack, engine: Engine) -> None:
    body: dict[str, object] = {"messages": QUESTION, "tools": TOOLS}
    direct = engine.stream(**body)
    through = [choice["delta"] for chunk in stack.stream(body) for choice in chunk["choices"]]
    for deltas in (direct, through):
        assert called(call for delta in deltas for call in delta.get("tool_calls") or []) == CALL


def test_a_conversation_goes_on_after_the_tool_has_answered(stack: Stack) -> None:
    (first,) = stack.chat({"messages": QUESTION, "tools": TOOLS})["choices"]
    call = first["message"]["tool_calls"][0]
    asked = {"role": "assistant", "content": None, "tool_calls": [call]}
    told = {"role": "tool", "tool_call_id": call["id"], "content": '{"weather": "sunny"}'}
    (second,) = stack.chat({"messages": [*QUESTION, asked, told], "tools": TOOLS})["choices"]
    assert second["message"]["content"] == "It is sunny in Paris."


def test_a_check_after_the_deployment_predicts_and_touches_nothing(stack: Stack) -> None:
    before = stack.show(UNIT)["InvocationID"]
    assert_clean()
    assert stack.show(UNIT)["InvocationID"] == before


@pytest.mark.parametrize("process", ["VLLM::APIServer", "VLLM::EngineCore"])
def test_a_killed_process_takes_the_others_with_it_and_all_come_back(
    stack: Stack, engine: Engine, process: str
) -> None:
    before = engine.processes()
    assert len(before) == 3, before
    stack.output("kill -KILL %s", str(before[process]))
    assert eventually(lambda: engine.processes().get(process) != before[process], seconds=30)
    assert engine.serves_again(before), stack.show(UNIT)
    assert eventually(stack.answers, seconds=30)


def test_without_the_flags_a_tool_call_is_refused_and_with_them_it_is_not(stack: Stack, engine: Engine) -> None:
    """The 400 of the field: vLLM takes no tools without a parser, and a parser alone changes nothing."""
    deploy(declared(stack, tools=False, vllm={"tool_call_parser": "none"}))
    status, text = engine.ask("/v1/chat/completions", {"messages": QUESTION, "tools": TOOLS})
    assert (status, ASKED_BACK in json.loads(text)["error"]["message"]) == (400, True), text
    through = stack.request("/v1/chat/completions", {"model": "chat", "messages": QUESTION, "tools": TOOLS})
    assert through.rc != 0
    assert "tool" in through.stdout
    deploy()
    assert called(engine.chat(messages=QUESTION, tools=TOOLS)["message"]["tool_calls"]) == CALL


def test_a_parser_that_the_model_has_no_tokens_for_is_refused_before_anything_stops(stack: Stack) -> None:
    before = stack.show(UNIT)["InvocationID"]
    message = refused(declared(stack, vllm={"tool_call_parser": "deepseek_v3"}))
    assert "deepseek_v3" in message
    assert stack.show(UNIT)["InvocationID"] == before


def test_a_start_that_fails_brings_back_what_served(stack: Stack, engine: Engine) -> None:
    """A flag that only vLLM itself refuses, after minutes on a card: no preflight knows what it will say."""
    message = refused(declared(stack, vllm={"extra": {"load-format-of-mine": "none"}}))
    assert message.startswith(f"{UNIT} did not become ready: it exited with code 2"), message
    assert "\n    Cause: This vLLM does not know the setting --load-format-of-mine, or refuses its value.\n" in message
    assert f"\n{UNIT} is serving again (ready after " in message
    assert engine.chat(messages=GREETING)["message"]["content"] == HELLO
    assert_clean()


def test_a_removal_leaves_no_process_port_or_file(stack: Stack, engine: Engine) -> None:
    played = play("remove")
    assert played.code == 0, played.output
    assert eventually(lambda: engine.processes() == {}, seconds=30)
    assert stack.root(f"ss --no-header --listening --tcp 'sport = :{ADDRESS.rpartition(':')[2]}'") == ""
    places = f"{UNITS} {CONFIG} {STATE} {DATA}/envs"
    assert stack.output(f"find {places} ! -type d 2> /dev/null || true") == ""
    assert stack.output(f"ls {DATA}/models") == "tiny"
