# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine has to show before its model gets any request: asked directly, beside the gateway.

A healthy server may still serve another model, give its words to the reasoning, or drop tools without a word. Pure:
answers come in as values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._answer import (
    Answer,
    Unusable,
    as_json,
    entries,
    expect_ok,
    reason,
    short,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._answers import QUESTION, TOOL, TOOL_NAME, Question
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import PASS, Check, Verdict, join

KINDS = ("model_identity", "chat_content", "tools_rendered", "tool_forced", "tool_conversation")
_ASKED = {"role": "user", "content": QUESTION}
_STRICT = {"type": "function", "function": {**TOOL["function"], "strict": True}}
_CALL = {"id": "call_1", "type": "function", "function": {"name": TOOL_NAME, "arguments": '{"city": "Paris"}'}}
_CONVERSATION = [
    {"role": "system", "content": "You answer questions about the weather."},
    _ASKED,
    {"role": "assistant", "content": None, "tool_calls": [_CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": '{"weather": "sunny"}'},
]


def acceptance(engine: str, instance: Mapping[str, Any], url: str, host: str) -> Iterator[dict[str, Any]]:
    """Yield the checks of one instance of a plan, which listens at ``url``."""
    model = str(instance["settings"].get("served-model-name", instance["name"]))
    kinds = ["model_identity", "chat_content"]
    if instance["tools"]:
        # llama.cpp's Python server renders its prompts out of sight.
        seen = [] if instance.get("server") == "python" else ["tools_rendered"]
        kinds += [*seen, "tool_forced", "tool_conversation", "tool_call"]
    for kind in kinds:
        check: dict[str, Any] = {
            "id": f"{kind}:{host}:{instance['name']}:direct",
            "host": host,
            "check": kind,
            "url": url,
        }
        check |= {"model": model, "direct": True, "engine": engine}
        if kind == "model_identity":
            check["root"] = _root(instance["source"], str(instance["name"]))
            check["asks"] = "none" if instance.get("server") == "python" else engine
        if kind == "chat_content" and (instance.get("tool_calling") or {}).get("reasoning_parser"):
            # It may well think for longer than it is asked to speak.
            check["thinks"] = True
        yield check


def _root(source: Mapping[str, Any], name: str) -> str:
    """A pattern of the path that the engine has its model from; a repository ends in its name and revision."""
    if source["origin"] == "host":
        return f"*{str(source['path']).removeprefix('~')}"
    if source["origin"] == "hub":
        return f"*{str(source['path']).replace('/', '--')}/{str(source.get('revision') or '')[:12]}*"
    return f"*/{name}*"


def questions(check: Check) -> list[Question]:
    """Say what to ask for a check, in order."""
    url, kind = str(check["url"]).rstrip("/"), check["check"]
    if kind == "model_identity":
        props = [Question(f"{url}/props", key="engine")] if check.get("asks") == "llamacpp" else []
        return [Question(f"{url}/v1/models", key="engine"), *props]
    if kind == "tools_rendered":
        path = "/apply-template" if check.get("engine") == "llamacpp" else "/tokenize"
        plain = {"model": check["model"], "messages": [_ASKED]}
        return [Question(url + path, body, "engine") for body in (plain, {**plain, "tools": [TOOL]})]
    body: dict[str, Any] = {"model": check["model"], "messages": [_ASKED], "max_tokens": 16}
    if kind == "tool_forced":
        body.update(tools=[_STRICT], tool_choice="required", max_tokens=256)
    elif kind == "tool_conversation":
        body.update(messages=_CONVERSATION, tools=[TOOL])
    return [Question(f"{url}/v1/chat/completions", body, "engine")]


def judge(check: Check, answers: Sequence[Answer]) -> Verdict:
    """Say what the answers prove for their check."""
    try:
        return _JUDGES[check["check"]](check, answers)
    except Unusable as fault:
        return fault.verdict


def _identity(check: Check, answers: Sequence[Answer]) -> Verdict:
    expect_ok(answers[0])
    listed = {str(entry.get("id")): entry for entry in entries(as_json(answers[0]), "data")}
    if check["model"] not in listed:
        evidence = f"200, but it lists {join(sorted(listed)) if listed else 'no model'}"
        raise Unusable(evidence, "another model is loaded", "run deploy")
    root = str(listed[check["model"]].get("root") or "")
    if len(answers) > 1:
        expect_ok(answers[1])
        root = str(as_json(answers[1]).get("model_path") or "")
    if root and not fnmatchcase(root, str(check.get("root") or "*")):
        raise Unusable(f"{check['model']} is {root}", "another model answers to this name", "run deploy")
    return Verdict(PASS, f"root = {root}" if root else "listed; this engine does not tell from where")


def _content(check: Check, answers: Sequence[Answer]) -> Verdict:
    choice = _choice(answers[0])
    message = choice.get("message") or {}
    if str(message.get("content") or "").strip():
        return Verdict(PASS, f"{short(str(message['content']), 40)!r} in {answers[0].seconds:.2f} s")
    thought = str(message.get("reasoning") or message.get("reasoning_content") or "")
    # llama.cpp finds out by itself what a thought is, so no parser of it can be the wrong one.
    thinks = check.get("thinks") or check.get("engine") == "llamacpp"
    if thought and thinks and choice.get("finish_reason") == "length":
        return Verdict(PASS, f"it thinks: {short(thought, 40)!r} in {answers[0].seconds:.2f} s")
    if thought:
        remedy = "remove the reasoning parser, or set the one of this model"
        raise Unusable("200, but all words are reasoning and content is empty", "the reasoning parser is wrong", remedy)
    raise Unusable("200, but content is empty", "the engine generates nothing", "look at the engine's journal")


def _rendered(_check: Check, answers: Sequence[Answer]) -> Verdict:
    sizes = []
    for answer in answers:
        expect_ok(answer)
        said = as_json(answer)
        sizes.append(int(said["count"]) if isinstance(said.get("count"), int) else len(str(said.get("prompt") or "")))
    plain, tooled = sizes
    unit = "tokens" if "count" in as_json(answers[0]) else "characters"
    if tooled > plain:
        return Verdict(PASS, f"{plain} {unit} without tools, {tooled} with one")
    remedy = "set a chat template that has tools, or tools: false"
    raise Unusable(f"{plain} {unit} with and without tools", "the chat template leaves tools out", remedy)


def _forced(_check: Check, answers: Sequence[Answer]) -> Verdict:
    choice = _choice(answers[0])
    calls = [call.get("function") or {} for call in entries(choice.get("message") or {}, "tool_calls")]
    remedy = "set the engine's tool parser, or tools: false"
    if not calls:
        raise Unusable("200, but no call although one was required", "the tool parser does not work", remedy)
    try:
        arguments = json.loads(str(calls[0].get("arguments")))
    except ValueError:
        evidence = f"200, but the arguments are no JSON: {short(str(calls[0].get('arguments')))}"
        raise Unusable(evidence, "the call was cut off, or the tool parser does not work", remedy) from None
    if not isinstance(arguments, dict) or not isinstance(arguments.get("city"), str):
        raise Unusable(f"200, but the arguments are {short(json.dumps(arguments))}", "they do not fit the tool", remedy)
    return Verdict(PASS, f"{calls[0].get('name')} {json.dumps(arguments, ensure_ascii=False)}")


def _conversation(_check: Check, answers: Sequence[Answer]) -> Verdict:
    if answers[0].status == 400:
        evidence = f"400: {short(reason(answers[0].text))}"
        remedy = "set a chat template that takes system and tool messages, or tools: false"
        raise Unusable(evidence, "the chat template refuses a conversation with a tool", remedy)
    expect_ok(answers[0])
    return Verdict(PASS, f"4 turns with a tool's answer in {answers[0].seconds:.2f} s")


def _choice(answer: Answer) -> dict[str, Any]:
    expect_ok(answer)
    choices = entries(as_json(answer), "choices")
    if not choices:
        raise Unusable("200, but no choices in the answer", "what answers does not speak the OpenAI protocol")
    return choices[0]


_JUDGES: Mapping[str, Callable[[Check, Sequence[Answer]], Verdict]] = dict(
    zip(KINDS, (_identity, _content, _rendered, _forced, _conversation))
)
