# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model said to a question with tools, whole or put together from a stream, with what is wrong in its form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._answer import (
    Answer,
    Unusable,
    as_json,
    entries,
    events,
    expect_ok,
)


@dataclass
class Call:
    """One call of a tool; the arguments are what was sent, of whatever type."""

    id: str = ""
    name: str = ""
    arguments: object = None


@dataclass
class Said:
    """What was said. ``faults`` has the shapes of a stream that a client cannot put together as it is."""

    content: str = ""
    reasoning: str = ""
    calls: list[Call] = field(default_factory=list)
    finish: str = ""
    listed: bool = False
    """Whether there was a list of calls at all, also an empty one."""
    legacy: bool = False
    """Whether the call came in the field that was there before tools."""
    prompt_tokens: int = 0
    faults: list[str] = field(default_factory=list)


def read(answer: Answer, stream: bool) -> Said:
    """Read an answer, or raise why it cannot be used."""
    expect_ok(answer)
    return _streamed(answer) if stream else _whole(answer)


def _whole(answer: Answer) -> Said:
    body = as_json(answer)
    choices = entries(body, "choices")
    if not choices or not isinstance(choices[0].get("message"), dict):
        raise Unusable("200, but no choices in the answer", "what answers does not speak the OpenAI protocol")
    message = choices[0]["message"]
    return Said(
        content=_text(message.get("content")),
        reasoning=_reasoning(message),
        calls=[_call(each) for each in entries(message, "tool_calls")],
        finish=str(choices[0].get("finish_reason") or ""),
        listed=message.get("tool_calls") is not None,
        legacy=bool(message.get("function_call")),
        prompt_tokens=_prompt(body),
    )


def _call(entry: Mapping[str, Any]) -> Call:
    function = entry.get("function")
    function = function if isinstance(function, Mapping) else {}
    return Call(str(entry.get("id") or ""), str(function.get("name") or ""), function.get("arguments"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _reasoning(message: Mapping[str, Any]) -> str:
    return _text(message.get("reasoning_content") or message.get("reasoning"))


def _prompt(body: Mapping[str, Any]) -> int:
    usage = body.get("usage")
    found = usage.get("prompt_tokens") if isinstance(usage, Mapping) else None
    return found if isinstance(found, int) else 0


def _streamed(answer: Answer) -> Said:
    said = Said()
    calls: dict[object, Call] = {}
    for choice in _choices(answer.text):
        delta = choice.get("delta")
        delta = delta if isinstance(delta, Mapping) else {}
        said.content += _text(delta.get("content"))
        said.reasoning += _reasoning(delta)
        said.finish = str(choice.get("finish_reason") or said.finish)
        said.listed = said.listed or delta.get("tool_calls") is not None
        said.legacy = said.legacy or bool(delta.get("function_call"))
        for piece in entries(delta, "tool_calls"):
            _add(piece, calls, said)
    if "data: [DONE]" not in answer.text:
        raise Unusable("200, but the stream broke off before its end", "the connection to the engine was lost")
    said.calls = [*calls.values()]
    return said


def _add(piece: Mapping[str, Any], calls: dict[object, Call], said: Said) -> None:
    """Add a piece of a call to the call that it belongs to, as clients do: by its index."""
    index = piece.get("index")
    if not isinstance(index, int):
        said.faults.append("without_index")
    new, call = _call(piece), calls.setdefault(index, Call())
    if new.id and call.id and new.id != call.id:
        said.faults.append("shared_index")
    if new.name and call.name:
        said.faults.append("name_repeated")
    call.id, call.name = call.id or new.id, call.name or new.name
    if isinstance(new.arguments, str):
        call.arguments = f"{call.arguments or ''}{new.arguments}"
    elif new.arguments is not None:
        call.arguments = new.arguments


def _choices(text: str) -> Iterator[dict[str, Any]]:
    for event in events(text):
        # What else is told beside the answer, such as its cost, may come without one.
        yield from entries(event, "choices")[:1]
