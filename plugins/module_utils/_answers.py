# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to ask a gateway or an engine for each check, and what its answer proves. Pure: answers come in as values."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._answer import (
    Answer,
    Unusable,
    as_json,
    entries,
    events,
    expect_ok,
    short,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import PASS, WARN, Check, Verdict, join
from ansible_collections.lab.llm_stack.plugins.module_utils._deployments import differences, told

WRONG_KEY = "sk-this-key-does-not-exist"
NOBODYS_MODEL = "llm-stack-nobodys-model"
TOOL_NAME = "get_weather"
TOOL: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": TOOL_NAME,
        "description": "Get the current weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
QUESTION = "What is the weather in Paris?"
# How many differences one line of the checklist shows.
_SHOWN = 6
API_BASE, FALLBACKS = "x-litellm-model-api-base", "x-litellm-attempted-fallbacks"


@dataclass(frozen=True)
class Question:
    """One request: the address, what to send (nothing for GET), whose key goes along, and the seconds to wait first."""

    url: str
    body: Mapping[str, Any] | None = None
    key: str = "right"
    pause: float = 0.0


def key_of(app: str) -> str:
    """Name the key of an app among those that a probe has."""
    return f"app {app}"


def question(check: Check) -> Question:
    """Say what to ask for a check."""
    kind, url = check["check"], str(check["url"]).rstrip("/")
    chat: dict[str, Any]
    if kind == "gateway_alive":
        return Question(f"{url}/health/liveliness", key="none")
    if kind in ("gateway_models", "gateway_key"):
        return Question(f"{url}/v1/models", key="wrong" if kind == "gateway_key" else "right")
    if kind == "gateway_deployments":
        return Question(f"{url}/model/info")
    if kind == "app_models":
        return Question(f"{url}/v1/models", key=key_of(check["app"]))
    if kind == "app_refused":
        chat = {"model": NOBODYS_MODEL, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 1}
        return Question(f"{url}/v1/chat/completions", chat, key_of(check["app"]))
    chat = {"model": check["model"], "messages": [{"role": "user", "content": QUESTION}]}
    if kind == "tool_call":
        chat.update(tools=[TOOL], tool_choice="auto", max_tokens=256, stream=bool(check.get("stream")))
    else:
        chat.update(max_tokens=8)
    return Question(f"{url}/v1/chat/completions", chat, "engine" if check.get("direct") else "right")


def judge_answer(check: Check, answer: Answer) -> Verdict:
    """Say what an answer proves for its check."""
    try:
        return _JUDGES[check["check"]](check, answer)
    except Unusable as fault:
        return fault.verdict


def _alive(check: Check, answer: Answer) -> Verdict:
    expect_ok(answer)
    return Verdict(PASS, f"200 in {answer.seconds * 1000:.0f} ms at {check['url']}")


def _models(check: Check, answer: Answer) -> Verdict:
    expect_ok(answer)
    listed = {str(entry.get("id")) for entry in entries(as_json(answer), "data")}
    declared = set(check["models"])
    parts = [
        f"{words}: {join(sorted(names))}"
        for words, names in (("missing", declared - listed), ("not declared", listed - declared))
        if names
    ]
    if parts:
        raise Unusable(
            "; ".join(parts), "the gateway runs with another configuration than the declared one", "run deploy"
        )
    return Verdict(PASS, f"{len(declared)} of {len(declared)}")


def _deployments(check: Check, answer: Answer) -> Verdict:
    expect_ok(answer)
    declared = check["deployments"]
    said = differences(declared, told(entries(as_json(answer), "data")))
    if said:
        cause = "LiteLLM left out what it cannot use, or runs with another configuration than the declared one"
        more = f"; and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
        raise Unusable(
            "; ".join(said[:_SHOWN]) + more, cause, "run deploy; the gateway's journal says what was left out"
        )
    return Verdict(PASS, f"{len(declared)} of {len(declared)}")


def _app_refused(_check: Check, answer: Answer) -> Verdict:
    if answer.status == 403:
        return Verdict(PASS, "403 to a model that is not its own")
    if answer.status in (0, 401):
        expect_ok(answer)
    evidence = f"{answer.status}: a model that is not its own was not refused"
    raise Unusable(evidence, "LiteLLM does not hold keys to their models", "run deploy")


def _key(_check: Check, answer: Answer) -> Verdict:
    if answer.status in (400, 401, 403):
        return Verdict(PASS, f"{answer.status}")
    if answer.status == 200:
        raise Unusable("200: a wrong key was let in", "the gateway runs without its master key", "run deploy")
    if answer.status == 500:
        return Verdict(WARN, "500: refused, but by a crash", "LiteLLM's package prisma is not installed", "run deploy")
    expect_ok(answer)
    raise Unusable(f"{answer.status} instead of 401")


def _route(check: Check, answer: Answer) -> Verdict:
    expect_ok(answer)
    message = _message(check, answer)
    if not any(message.get(name) for name in ("content", "reasoning_content", "tool_calls")):
        raise Unusable("200, but the answer is empty", "the engine generates nothing", "look at the engine's journal")
    return Verdict(PASS, f"from {own_instance(check, answer)} in {answer.seconds:.2f} s")


def _tool_call(check: Check, answer: Answer) -> Verdict:
    expect_ok(answer)
    message = _message(check, answer)
    calls = [call.get("function") or {} for call in entries(message, "tool_calls")]
    remedy = f"set the engine's tool parser, or tools: false, in llm_stack_models.{check['model']}"
    if not calls:
        raise _no_call(str(message.get("content") or ""), answer.status, remedy)
    name, arguments = str(calls[0].get("name") or ""), calls[0].get("arguments")
    if name != TOOL_NAME:
        raise Unusable(f"200, but the call names {name or 'no tool'!r}", "the call was not parsed as a whole", remedy)
    shown = _arguments(arguments, remedy)
    where = "" if check.get("direct") else f" from {own_instance(check, answer)}"
    return Verdict(PASS, f"{name} {shown}{where} in {answer.seconds:.2f} s")


def _no_call(content: str, status: int, remedy: str) -> Unusable:
    if TOOL_NAME in content or "<tool_call>" in content:
        cause = "the chosen parser does not recognise this model's calls"
        return Unusable(f"{status}, but the call arrived as text in content", cause, remedy)
    said = f"text: {short(content)}" if content.strip() else "nothing"
    return Unusable(
        f"{status}, but no call; the model answered {said}", "the model did not call the offered tool", remedy
    )


def _arguments(arguments: object, remedy: str) -> str:
    """Give the arguments of a call, which have to be a JSON object with the city, as text."""
    if not isinstance(arguments, str) or not arguments.strip():
        raise Unusable("200, but the call has no arguments", "the parser dropped the arguments", remedy)
    try:
        parsed = json.loads(arguments)
    except ValueError:
        cause = "the arguments were cut off or not parsed"
        raise Unusable(f"200, but the arguments are no JSON: {short(arguments)}", cause, remedy) from None
    if not isinstance(parsed, dict) or not parsed.get("city"):
        raise Unusable(f"200, but the arguments lack the city: {short(arguments)}", "the call is incomplete", remedy)
    return json.dumps(parsed, ensure_ascii=False)


def own_instance(check: Check, answer: Answer) -> str:
    """Return who answered, after making sure that it is an instance of this model: a fallback would hide a failure."""
    base, fallbacks = answer.headers.get(API_BASE, ""), answer.headers.get(FALLBACKS, "0")
    expected = [str(each).rstrip("/") for each in check.get("api_bases", [])]
    if not base:
        raise Unusable(f"200, but no header {API_BASE}", "what answers is not LiteLLM", "look at the owner of the port")
    if fallbacks not in ("", "0"):
        cause = f"the instance of {check['model']} failed, and a fallback answered"
        raise Unusable(f"200 from {base} after {fallbacks} fallbacks", cause, "look at the journal of its unit")
    if base.rstrip("/") not in expected:
        evidence = f"200 from {base}, expected {join(expected) if expected else 'another'}"
        raise Unusable(evidence, "the gateway runs with another configuration than the declared one", "run deploy")
    return base


def _message(check: Check, answer: Answer) -> dict[str, Any]:
    """Return the message of the first choice, put together when it came in pieces."""
    if check.get("stream"):
        return _assembled(answer)
    choices = entries(as_json(answer), "choices")
    if not choices or not isinstance(choices[0].get("message"), dict):
        raise Unusable("200, but no choices in the answer", "what answers does not speak the OpenAI protocol")
    return dict(choices[0]["message"])


def _assembled(answer: Answer) -> dict[str, Any]:
    """Put the pieces of a stream together."""
    content = ""
    calls: dict[int, dict[str, str]] = {}
    for delta in _deltas(answer.text):
        content += str(delta.get("content") or "")
        for piece in entries(delta, "tool_calls"):
            call = calls.setdefault(int(piece.get("index") or 0), {"name": "", "arguments": ""})
            for name in call:
                call[name] += str((piece.get("function") or {}).get(name) or "")
    if "data: [DONE]" not in answer.text:
        raise Unusable("200, but the stream broke off before its end", "the connection to the engine was lost")
    return {"content": content, "tool_calls": [{"function": call} for _index, call in sorted(calls.items())]}


def _deltas(text: str) -> Iterator[dict[str, Any]]:
    for event in events(text):
        yield from (choice.get("delta") or {} for choice in entries(event, "choices"))


_JUDGES: Mapping[str, Callable[[Check, Answer], Verdict]] = {
    "gateway_alive": _alive,
    "gateway_models": _models,
    "gateway_key": _key,
    "gateway_deployments": _deployments,
    "app_models": _models,
    "app_refused": _app_refused,
    "route": _route,
    "tool_call": _tool_call,
}
KINDS = tuple(_JUDGES)
