# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which a model is asked for a certificate: what is sent, and what the answer has to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._answers import QUESTION, TOOL, TOOL_NAME
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_answer import Said
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_shapes import (
    Shape,
    Words,
    judge_call,
    judge_plain,
    judge_result,
)

PLAIN, CALL, BARE, RESULT, NAMED = "plain", "call", "bare", "result", "named"
_SAID = {
    PLAIN: "without tools",
    CALL: "a tool with arguments",
    BARE: "a tool without arguments",
    RESULT: "with the result of a tool",
    NAMED: "a tool by its name",
}
MAX_CALL, MAX_PLAIN = 768, 32
"""Tokens that an answer may have: room to think before a call, and a few words."""

# The schema forbids nothing: a model that names the city all the same has called the tool.
_BARE_TOOL = {
    "type": "function",
    "function": {
        "name": TOOL_NAME,
        "description": "Get the current weather where the user is.",
        "parameters": {"type": "object", "properties": {}},
    },
}
_ASKED = {"role": "user", "content": QUESTION}
_CALLED = {"id": "call_1", "type": "function", "function": {"name": TOOL_NAME, "arguments": '{"city": "Paris"}'}}
# Clients send an empty content as null.
_RETURNED = [
    _ASKED,
    {"role": "assistant", "content": None, "tool_calls": [_CALLED]},
    {"role": "tool", "tool_call_id": "call_1", "content": '{"weather": "sunny"}'},
]


@dataclass(frozen=True)
class Leg:
    """One way of asking."""

    kind: str
    stream: bool = False

    @property
    def words(self) -> str:
        """Say it for people."""
        return f"{_SAID[self.kind]}{', streamed' if self.stream else ''}"

    @property
    def counted(self) -> bool:
        """Whether it decides. llama.cpp and Ollama take a named tool for auto, and most clients do without."""
        return self.kind != NAMED

    @property
    def calls(self) -> bool:
        """Whether a call is to come."""
        return self.kind in (CALL, BARE)


LEGS = (
    *(Leg(kind) for kind in (PLAIN, CALL, BARE, RESULT)),
    *(Leg(kind, stream=True) for kind in (CALL, BARE, RESULT, PLAIN)),
    Leg(NAMED),
)


@dataclass(frozen=True)
class Path:
    """Whom to ask: the address, the name of the model there, whose engine it is, and whose key goes along.

    ``of`` is the public name. ``bases`` are those that have to have answered, where a gateway is asked.
    """

    words: str
    url: str
    model: str
    engine: str
    key: str
    of: str
    bases: tuple[str, ...] = ()


def body(path: Path, leg: Leg) -> dict[str, Any]:
    """What to send."""
    sent: dict[str, Any] = {"model": path.model, "messages": [_ASKED], "max_tokens": MAX_CALL}
    # The same question has the same answer; a provider may refuse to be told.
    sent |= {"temperature": 0} if path.engine else {}
    sent |= {"stream": True} if leg.stream else {}
    if leg.kind == PLAIN:
        return {**sent, "max_tokens": MAX_PLAIN}
    tool: Mapping[str, Any] = _BARE_TOOL if leg.kind == BARE else TOOL
    sent["tools"] = [tool]
    if leg.kind == RESULT:
        return {**sent, "messages": _RETURNED}
    if leg.kind == NAMED:
        hello = {"role": "user", "content": "Hello!"}
        named = {"type": "function", "function": {"name": TOOL_NAME}}
        return {**sent, "messages": [hello], "tool_choice": named, "max_tokens": MAX_PLAIN * 4}
    return {**sent, "tool_choice": "auto"}


def judge(leg: Leg, said: Said, spoken: Words, plain_tokens: int) -> str:
    """Say what a right answer shows, or raise the shape in which it went wrong."""
    if leg.kind == PLAIN:
        judge_plain(said, TOOL_NAME, spoken)
        return "no call"
    if leg.kind == RESULT:
        judge_result(said, TOOL_NAME, spoken)
        return "an answer"
    if leg.kind == NAMED:
        if not said.calls:
            raise Shape("named_ignored", spoken)
        return "called"
    required = ("city",) if leg.kind == CALL else ()
    return f"{TOOL_NAME} {judge_call(said, TOOL_NAME, required, spoken, plain_tokens)}"
