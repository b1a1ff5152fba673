# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the shapes are recognised in which a call of a tool goes wrong.

Pure: what was said arrives as a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ansible_collections.lab.llm_stack.plugins.module_utils._answer import Unusable, short
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_answer import Call, Said
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_shapes_table import SHAPES

MOST_CALLS = 4
"""One question for one thing is not answered by more calls than this."""


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
