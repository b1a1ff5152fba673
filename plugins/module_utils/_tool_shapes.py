# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes in which a call of a tool goes wrong, each with its cause and its remedy, and how they are recognised.

Pure: what was said arrives as a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.lab.llm_stack.plugins.module_utils._answer import Unusable, short
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_answer import Call, Said

MOST_CALLS = 4
"""One question for one thing is not answered by more calls than this."""

_PARSER = "{parser}"
_REPORT = "report it to {who} with the transcript, or set tools: false"
_TEMPLATE = "{template}"

# name: (what is told of it, cause, remedy)
SHAPES: Mapping[str, tuple[str, str, str]] = {
    "json_in_content": (
        "the call arrived as JSON in content",
        "the parser does not recognise this model's calls",
        _PARSER,
    ),
    "fenced": (
        "the call arrived as a block of code in content",
        "the model writes its calls as code, as Qwen2.5-Coder does, and no parser reads that",
        "choose a model that is trained for tools, or set tools: false",
    ),
    "tagged": (
        "the call arrived with its marks in content",
        "no parser was chosen, or one for the marks of another model",
        _PARSER,
    ),
    "pythonic": (
        "the call arrived as Python in content",
        "the model writes its calls as Python, and the chosen parser reads JSON",
        "{pythonic}",
    ),
    "in_reasoning": (
        "the call arrived inside the reasoning",
        "the reasoning parser takes the call for a thought",
        "set another reasoning parser, or switch thinking off for this model",
    ),
    "repeated_in_content": (
        "the call was parsed and stands in content as well",
        "the parser leaves in content what it has read",
        _PARSER,
    ),
    "empty_calls": (
        "finish_reason is tool_calls and there is no call",
        "the parser found the beginning of a call and lost the rest",
        _PARSER,
    ),
    "no_call": (
        "no call; the model answered {said}",
        "the model did not call the offered tool",
        "choose a model that calls tools, or set tools: false",
    ),
    "still_thinking": (
        "no call; the model was still thinking at the limit of tokens",
        "it thinks for longer than a question with a tool may take",
        "switch thinking off for this model, or set tools: false",
    ),
    "dropped": (
        "no call, and the prompt was no longer with the tool than without",
        "the tools never reach the model: its chat template leaves them out, or the gateway does",
        _TEMPLATE,
    ),
    "cut_off": (
        "the call was cut off at the limit of tokens: {arguments}",
        "the model does not end its calls",
        _PARSER,
    ),
    "endless": (
        "{count} calls for one question",
        "the model calls without end, as vLLM does with tool_choice and no strict tool",
        "choose another model or chat template, or set tools: false",
    ),
    "no_id": ("the call has no id", "the engine leaves the id out, so no result can be sent back", _REPORT),
    "same_id": ("two calls have one id", "the engine gives the same id twice", _REPORT),
    "no_name": ("the call names no tool", "the parser lost the name", _PARSER),
    "other_name": (
        "the call names {name}, which was not offered",
        "the model made the name up, or the parser left marks in it",
        _PARSER,
    ),
    "without_index": (
        "a piece of the streamed call has no index",
        "the engine streams calls in pieces of its own",
        _REPORT,
    ),
    "shared_index": ("two streamed calls share an index", "parallel calls are merged into one", _REPORT),
    "name_repeated": (
        "the name of the streamed call came more than once",
        "the parser repeats the name, and clients join the pieces",
        _REPORT,
    ),
    "finish_stop": (
        "finish_reason is {finish}, although there is a call",
        "the engine does not say that it waits for the tool, so clients take the answer for the end",
        _REPORT,
    ),
    "legacy": ("the call came as function_call", "the engine speaks the API as it was before tools", _REPORT),
    "no_arguments": (
        "the call has no arguments, not even an empty object",
        "the parser leaves out the arguments, and clients cannot parse nothing",
        _PARSER,
    ),
    "object_arguments": (
        "the arguments are an object instead of text",
        "the engine answers in its own form and not in that of the OpenAI API",
        _REPORT,
    ),
    "escaped_twice": (
        "the arguments are text inside text: {arguments}",
        "the arguments were escaped twice on their way",
        _REPORT,
    ),
    "merged": (
        "the arguments are two objects in a row: {arguments}",
        "parallel calls are merged into one",
        _PARSER,
    ),
    "not_finite": (
        "the arguments are {arguments}, which is no JSON",
        "the form of the call was enforced and its arguments were not",
        _PARSER,
    ),
    "not_json": ("the arguments are no JSON: {arguments}", "they were cut off, or not parsed", _PARSER),
    "no_object": ("the arguments are no object: {arguments}", "the parser took something else for them", _PARSER),
    "incomplete": ("the arguments lack the city: {arguments}", "the model did not fill in what is required", _PARSER),
    "unoffered": (
        "a call, although no tool was offered",
        "the engine forces calls, or the model was trained to call in any case",
        "{parser}",
    ),
    "marks_unoffered": (
        "marks of a call in content, although no tool was offered",
        "the chat template offers tools to the model in any case",
        _TEMPLATE,
    ),
    "asks_again": (
        "it calls the tool again, although it has the result",
        "the chat template does not show the model what the tool returned",
        _TEMPLATE,
    ),
    "silent": ("the answer to the tool's result is empty", "the model has nothing to say after a tool", _TEMPLATE),
    "named_ignored": (
        "a tool that was asked for by name was not called",
        "the engine takes a named tool_choice for auto",
        "write tool_choice: required and offer one tool",
    ),
}


@dataclass(frozen=True)
class Words:
    """How to speak of who is responsible: the parser, the template and the engine of one model."""

    parser: str
    template: str
    pythonic: str
    who: str


def words(engine: str, model: str) -> Words:
    """Give the remedies that an engine has."""
    path = f"llm_stack_models.{model}"
    other = "choose a model that calls tools, or set tools: false"
    if engine == "vllm":
        parser = f"set vllm.tool_call_parser in {path} to that of this model, or tools: false"
        return Words(
            parser,
            f"set vllm.chat_template in {path} to one with tools, or tools: false",
            f"set vllm.tool_call_parser: pythonic in {path}, or tools: false",
            "vLLM",
        )
    if engine == "llamacpp":
        template = f"set llamacpp.env.LLAMA_ARG_CHAT_TEMPLATE_FILE in {path} to a template with tools, or tools: false"
        return Words(template, template, template, "llama.cpp")
    return Words(other, other, other, "Ollama" if engine == "ollama" else "who serves the model")


class Shape(Unusable):
    """An answer in one of the known shapes."""

    def __init__(self, shape: str, spoken: Words, **shown: object) -> None:
        told, cause, remedy = SHAPES[shape]
        super().__init__(f"200, but {told.format(**shown)}", cause, remedy.format(**vars(spoken)))
        self.name = shape


def judge_call(said: Said, tool: str, required: Collection[str], spoken: Words, plain_tokens: int = 0) -> str:
    """Give the arguments of the one call that was to be made, or raise the shape in which it went wrong.

    ``plain_tokens`` is what the same question cost without tools, where that is known.
    """
    if not said.calls:
        raise _nothing(said, tool, spoken, plain_tokens)
    name = next(_wrong(said, tool), None)
    if name:
        shown = {"count": len(said.calls), "finish": said.finish or "empty", "name": repr(said.calls[0].name)}
        raise Shape(name, spoken, **shown, arguments=short(str(said.calls[0].arguments), 80))
    first, *_others = [_arguments(call, required, spoken) for call in said.calls]
    return first


def _wrong(said: Said, tool: str) -> Iterator[str]:
    """Yield what is wrong with the calls but for their arguments."""
    ids = [call.id for call in said.calls]
    yield from said.faults
    if said.finish == "length":
        yield "cut_off" if len(said.calls) <= MOST_CALLS else "endless"
    if len(said.calls) > MOST_CALLS:
        yield "endless"
    if not all(call.name for call in said.calls):
        yield "no_name"
    if any(call.name != tool for call in said.calls):
        yield "other_name"
    if not all(ids):
        yield "no_id"
    if len(set(ids)) < len(ids):
        yield "same_id"
    if said.finish != "tool_calls":
        yield "finish_stop"
    if marks(said.content, tool):
        yield "repeated_in_content"


def _nothing(said: Said, tool: str, spoken: Words, plain_tokens: int) -> Shape:
    found = marks(said.content, tool)
    if found:
        return Shape(found, spoken)
    if said.legacy:
        return Shape("legacy", spoken)
    if marks(said.reasoning, tool):
        return Shape("in_reasoning", spoken)
    if said.finish == "tool_calls":
        return Shape("empty_calls", spoken)
    if plain_tokens and said.prompt_tokens and said.prompt_tokens <= plain_tokens:
        return Shape("dropped", spoken)
    if said.finish == "length" and said.reasoning and not said.content.strip():
        return Shape("still_thinking", spoken)
    text = said.content.strip() or said.reasoning.strip()
    return Shape("no_call", spoken, said=f"text: {short(text, 80)}" if text else "nothing")


_TAGS = re.compile(
    r"<\|?/?(tool_call|tool_calls|function_call|function_calls|tool▁call\w*|tool▁calls\w*|python_tag|start_function_call)"
    r"|<function=|\[TOOL_CALLS?\]|<tool_calls?>|\bfunctools\[|<invoke |<[\uff5c|]tool"
)


def marks(text: str, tool: str) -> str:
    """Name the shape in which a call stands in a text; empty where there is none."""
    if not text:
        return ""
    if _TAGS.search(text):
        return "tagged"
    name = re.escape(tool)
    if re.search(rf"```[^`]*{name}", text):
        return "fenced"
    if re.search(rf"[\"'](?:name|function|tool|tool_name)[\"']\s*:\s*[\"'](?:functions\.)?{name}[\"']", text):
        return "json_in_content"
    return "pythonic" if re.search(rf"\b{name}\s*\(", text) else ""


def _arguments(call: Call, required: Collection[str], spoken: Words) -> str:
    """Give the arguments of a call as text; they have to be an object in JSON with all that is required."""
    found = call.arguments
    if found is None or found == "":
        raise Shape("no_arguments", spoken)
    if not isinstance(found, str):
        raise Shape("object_arguments", spoken)
    shown = short(found, 80)
    try:
        parsed, end = json.JSONDecoder(parse_constant=_not_finite).raw_decode(found.strip())
    except _NotFinite:
        raise Shape("not_finite", spoken, arguments=shown) from None
    except ValueError:
        raise Shape("not_json", spoken, arguments=shown) from None
    rest = found.strip()[end:].strip()
    if rest:
        raise Shape("merged" if rest.startswith("{") else "not_json", spoken, arguments=shown)
    if isinstance(parsed, str):
        raise Shape("escaped_twice", spoken, arguments=shown)
    if not isinstance(parsed, dict):
        raise Shape("no_object", spoken, arguments=shown)
    if any(not isinstance(parsed.get(key), str) or not parsed[key] for key in required):
        raise Shape("incomplete", spoken, arguments=shown)
    return json.dumps(parsed, ensure_ascii=False)


class _NotFinite(Exception):
    """A word such as Infinity, which Python takes for JSON and JSON does not know."""


def _not_finite(word: str) -> object:
    raise _NotFinite(word)


def judge_plain(said: Said, tool: str, spoken: Words) -> None:
    """Without tools on offer there is no call, and no trace of one."""
    if said.calls:
        raise Shape("unoffered", spoken)
    if marks(said.content, tool):
        raise Shape("marks_unoffered", spoken)


def judge_result(said: Said, tool: str, spoken: Words) -> None:
    """With the result of the tool at hand, the model says something and does not ask for it again."""
    if said.calls or marks(said.content, tool):
        raise Shape("asks_again", spoken)
    if not (said.content.strip() or said.reasoning.strip()):
        raise Shape("silent", spoken)
