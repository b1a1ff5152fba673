# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes in which a call of a tool goes wrong, each with its cause and its remedy; _tool_shapes recognises them."""

from __future__ import annotations

from collections.abc import Mapping

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
