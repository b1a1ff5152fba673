#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""An engine whose models call tools as the name of the model says, mostly wrong: tool_shapes.py [PORT]

It is scripted_backend.py with further behaviours, for which that file has to stand beside this one. Each is a way in
which engines, parsers, templates and gateways were seen to lose a call; ``tools_native`` is how it should be.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from scripted_backend import PLAIN, Answer, Refusal, Turn, hang, main

NAME = "get_weather"
ARGUMENTS = '{"city": "Paris"}'
CALL: Mapping[str, Any] = {
    "index": 0,
    "id": "call_1",
    "type": "function",
    "function": {"name": NAME, "arguments": ARGUMENTS},
}


def offered(turn: Turn) -> bool:
    return bool(turn.call.body.get("tools")) and turn.call.body.get("tool_choice") != "none"


def returned(turn: Turn) -> bool:
    """Whether the tool has given its result."""
    return bool(turn.call.body["messages"][-1]["role"] == "tool")


def streamed(turn: Turn) -> bool:
    return bool(turn.call.body.get("stream"))


def bare(turn: Turn) -> bool:
    """Whether the tool has no arguments."""
    return not turn.call.body["tools"][0]["function"]["parameters"]["properties"]


def calling(
    *calls: Mapping[str, Any], finish: str = "tool_calls", content: str | None = None, **more: object
) -> Answer:
    """These calls, whole; streamed, each in three pieces."""
    whole = [{key: value for key, value in call.items() if key != "index"} for call in calls]
    deltas = [piece for call in calls for piece in pieces(call)]
    first: dict[str, Any] = {"role": "assistant", "content": content, **more}
    return Answer(
        finish=finish,
        message={**first, "tool_calls": whole},
        deltas=(first, *({"tool_calls": [piece]} for piece in deltas)),
        prompt=60,
    )


def pieces(call: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A streamed call: its name, then its arguments in two halves."""
    function = call["function"]
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        return [dict(call)]
    half = len(arguments) // 2
    place = {"index": call["index"]} if "index" in call else {}
    return [
        {**call, "function": {**function, "arguments": ""}},
        {**place, "function": {"arguments": arguments[:half]}},
        {**place, "function": {"arguments": arguments[half:]}},
    ]


def saying(content: str | None = None, finish: str = "stop", prompt: int = 60, **more: object) -> Answer:
    message: dict[str, Any] = {"role": "assistant", "content": content, **more}
    return Answer(finish=finish, message=message, deltas=(message,), prompt=prompt)


def but(**changed: object) -> dict[str, Any]:
    """The right call with something else in it; None takes the part away."""
    parts = {"name": NAME, "arguments": ARGUMENTS, "id": "call_1", "index": 0, **changed}
    call = {"index": parts["index"], "id": parts["id"], "type": "function"}
    function = {key: parts[key] for key in ("name", "arguments") if parts[key] is not None}
    return {**{key: value for key, value in call.items() if value is not None}, "function": function}


def native(turn: Turn) -> Answer:
    if returned(turn):
        return saying("It is sunny in Paris.")
    if not offered(turn):
        return saying("I cannot know.", prompt=20)
    return calling(but(arguments="{}") if bare(turn) else CALL)


def always(answer: Answer) -> Callable[[Turn], Answer]:
    """This instead of every call."""
    return lambda turn: answer if offered(turn) and not returned(turn) else native(turn)


def when_streamed(answer: Answer) -> Callable[[Turn], Answer]:
    """This instead of every streamed call."""
    return lambda turn: answer if offered(turn) and not returned(turn) and streamed(turn) else native(turn)


def repeating() -> Answer:
    """The name of the tool in every piece, as clients that join them read it."""
    named = [{**piece, "function": {"name": NAME, **piece["function"]}} for piece in pieces(CALL)]
    whole = calling(CALL)
    return Answer(finish="tool_calls", message=whole.message, deltas=tuple({"tool_calls": [each]} for each in named))


def without_result(turn: Turn) -> Answer:
    return calling(CALL) if returned(turn) else native(turn)


def speechless(turn: Turn) -> Answer:
    return saying("") if returned(turn) else native(turn)


def alternating(turn: Turn) -> Answer:
    if returned(turn):
        message = "Conversation roles must alternate user/assistant/user/assistant/..."
        raise Refusal(400, message, "BadRequestError")
    return native(turn)


def no_null(turn: Turn) -> Answer:
    if returned(turn):
        raise Refusal(500, "7 validation errors: content: Input should be a valid string", "internal_server_error")
    return native(turn)


def jinja(turn: Turn) -> Answer:
    if offered(turn) or returned(turn):
        raise Refusal(500, "tools param requires --jinja flag", "server_error")
    return native(turn)


def no_parser(turn: Turn) -> Answer:
    if offered(turn):
        text = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
        raise Refusal(400, text, "BadRequestError")
    return native(turn)


def unable(turn: Turn) -> Answer:
    if offered(turn):
        raise Refusal(400, f'"{turn.call.model}" does not support tools', "api_error")
    return native(turn)


def hanging(turn: Turn) -> Answer:
    return hang(turn) if offered(turn) else native(turn)


def eager(turn: Turn) -> Answer:
    return calling(CALL)


def marked(turn: Turn) -> Answer:
    return native(turn) if offered(turn) or returned(turn) else saying(f"<tool_call>{JSON}</tool_call>")


def bare_empty(turn: Turn) -> Answer:
    return calling(but(arguments="")) if offered(turn) and not returned(turn) and bare(turn) else native(turn)


def forgetful(turn: Turn) -> Answer:
    """A tool that is asked for by its name is one of many."""
    named = isinstance(turn.call.body.get("tool_choice"), dict)
    return saying("Hello.") if named else native(turn)


JSON = f'{{"name": "{NAME}", "arguments": {ARGUMENTS}}}'
SCRIPTS: dict[str, Callable[[Turn], Answer]] = {
    "native": native,
    "json_in_content": always(saying(JSON)),
    "fenced": always(saying(f"```json\n{JSON}\n```")),
    "tagged": always(saying(f"<tool_call>\n{JSON}\n</tool_call>")),
    "mistral_marks": always(saying(f"[TOOL_CALLS][{JSON}]")),
    "deepseek_marks": always(saying(f"<\uff5ctool▁calls▁begin\uff5c>function<\uff5ctool▁sep\uff5c>{NAME}")),
    "python_tag": always(saying(f"<|python_tag|>{JSON}")),
    "pythonic": always(saying(f'[{NAME}(city="Paris")]')),
    "in_reasoning": always(saying("", reasoning_content=f"I shall say <tool_call>{JSON}</tool_call>")),
    "in_new_reasoning": always(saying(None, reasoning=f"I shall say {JSON}")),
    "repeated_in_content": always(calling(CALL, content=f"<tool_call>{JSON}</tool_call>")),
    "empty_calls": always(saying("", finish="tool_calls", tool_calls=[])),
    "no_call": always(saying("I cannot look that up.")),
    "dropped": always(saying("I cannot look that up.", prompt=20)),
    "still_thinking": always(saying("", finish="length", reasoning_content="Well, where is Paris?")),
    "cut_off": always(calling(but(arguments='{"city": "Par'), finish="length")),
    "endless": always(calling(*(but(id=f"call_{number}", index=number) for number in range(40)), finish="length")),
    "no_id": always(calling(but(id=None))),
    "same_id": always(calling(CALL, but(index=1))),
    "no_name": always(calling(but(name=None))),
    "other_name": always(calling(but(name=f"functions.{NAME}"))),
    "no_arguments": always(calling(but(arguments=None))),
    "bare_empty": bare_empty,
    "object_arguments": always(calling(but(arguments={"city": "Paris"}))),
    "escaped_twice": always(calling(but(arguments=json.dumps(ARGUMENTS)))),
    "merged": always(calling(but(arguments=ARGUMENTS + '{"city": "Rome"}'))),
    "not_finite": always(calling(but(arguments="Infinity"))),
    "not_json": always(calling(but(arguments="{'city': 'Paris'}"))),
    "no_object": always(calling(but(arguments='["Paris"]'))),
    "incomplete": always(calling(but(arguments="{}"))),
    "legacy": always(saying(None, function_call={"name": NAME, "arguments": ARGUMENTS})),
    "finish_stop": always(calling(CALL, finish="stop")),
    "finish_stop_streamed": when_streamed(calling(CALL, finish="stop")),
    "without_index": when_streamed(calling(but(index=None))),
    "shared_index": when_streamed(calling(CALL, but(id="call_2"))),
    "name_repeated": when_streamed(repeating()),
    "text_streamed": when_streamed(saying(f"<tool_call>{JSON}</tool_call>")),
    "lost_brace": when_streamed(calling(but(arguments=ARGUMENTS[:-1]))),
    "asks_again": without_result,
    "silent": speechless,
    "alternating": alternating,
    "no_null": no_null,
    "jinja": jinja,
    "no_parser": no_parser,
    "unable": unable,
    "hanging": hanging,
    "unoffered": eager,
    "marks_unoffered": marked,
    "named_ignored": forgetful,
}
PLAIN.update({f"tools_{name}": act for name, act in SCRIPTS.items()})


if __name__ == "__main__":
    main()
