# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The chat templates that the table of families names: rendered as vLLM renders them, and read back by our own rules.

A whole conversation with a call stands in tests/fixtures/chat_templates, one file for each template, to be read.
``UPDATE_GOLDEN=1`` writes them anew.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling import choose, family_of
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_family import Family
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_files import Files
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_table import FAMILIES
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_types import Setting
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_parsers import VLLM_0_33
from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "roles/vllm/files/chat_templates"
GOLDEN = ROOT / "tests/fixtures/chat_templates"
NAMES = sorted(path.name for path in FOLDER.glob("*.jinja"))
WITH_TOOLS = [name for name in NAMES if name != "template_chatml.jinja"]
FORMS = [pytest.param(family, id=family.name) for family in FAMILIES if family.template]

SYSTEM = {"role": "system", "content": "Answer in one sentence."}
QUESTION = {"role": "user", "content": 'How is the weather in "Łódź"?'}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "id": "chatcmpl-tool-0f1e2d3c4",
            "type": "function",
            "function": {"name": "get_weather", "arguments": {"city": "Łódź", "days": 2, "hourly": True}},
        }
    ],
}
RESULT = {"role": "tool", "tool_call_id": "chatcmpl-tool-0f1e2d3c4", "content": '{"sky": "clear"}'}
ANSWER = {"role": "assistant", "content": "The sky is clear."}
NEXT = {"role": "user", "content": "And tomorrow?"}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Tell the weather of a city.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Its name"},
                    "days": {"type": "integer"},
                    "hourly": {"type": "boolean"},
                },
                "required": ["city"],
            },
        },
    },
    {
        "type": "function",
        "function": {"name": "ping", "description": "Do nothing.", "parameters": {"type": "object", "properties": {}}},
    },
]


def refuse(message: str) -> None:
    raise TemplateError(message)


def as_json(value: Any, ensure_ascii: bool = False, indent: int | None = None) -> str:
    """What transformers makes of the filter: nothing is escaped for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


def render(name: str, messages: list[dict[str, Any]], generate: bool = True, **more: Any) -> str:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = as_json
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda _form: "23 Nov 2026"
    given = {"bos_token": "<BOS>", "eos_token": "<EOS>", "tools": None, **more}
    template = environment.from_string((FOLDER / name).read_text())
    return template.render(messages=messages, add_generation_prompt=generate, **given)


def whole() -> list[dict[str, Any]]:
    return copy.deepcopy([SYSTEM, QUESTION, CALL, RESULT, ANSWER, NEXT])


# The files and the table


def test_each_template_that_is_named_is_here_and_each_that_is_here_is_named() -> None:
    assert {family.template for family in FAMILIES if family.template} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_says_whose_it_is_and_what_form_it_has(name: str) -> None:
    lines = (FOLDER / name).read_text().splitlines()
    assert lines[0] == "{#- SPDX-License-Identifier: GPL-3.0-or-later #}"
    assert lines[1].startswith("{#- Copyright: (c) ")
    assert lines[2].startswith("{#- ")
    assert lines[2].endswith(". #}")


@pytest.mark.parametrize("family", FORMS)
def test_our_own_rules_read_the_parser_from_the_template(family: Family) -> None:
    """The form of the calls, wherever it has a mark of its own; xLAM writes bare JSON, which has none."""
    files = Files(chat_template=(FOLDER / str(family.template)).read_text())
    assert files.renders_tools == (family.parser is not None)
    assert not files.takes_turns
    if family.parser in (None, "xlam"):
        assert files.mark is None
    else:
        assert files.mark is not None
        assert family.parser in files.mark.parsers


SHOWN = {
    "Qwen/Qwen3-Coder-30B-A3B-Instruct": "qwen3_coder",
    "deepseek-ai/DeepSeek-V3.1": "deepseek_v31",
    "deepseek-ai/DeepSeek-R1": "deepseek_v3",
    "meta-llama/Llama-3.1-8B-Instruct": "llama3_json",
    "meta-llama/Llama-4-Scout-17B-16E-Instruct": "llama4_pythonic",
    "google/gemma-3-4b-it": "pythonic",
    "Salesforce/Llama-xLAM-2-8b-fc-r": "xlam",
    "ibm-granite/granite-20b-functioncalling": "granite-20b-fc",
    "solidrust/dolphin-2.8-mistral-7b-v02": None,
}


@pytest.mark.parametrize(("model", "parser"), SHOWN.items())
def test_a_model_that_is_served_with_it_is_read_by_the_parser_of_the_table(model: str, parser: str | None) -> None:
    family = family_of(model)
    assert family is not None
    files = Files(chat_template=(FOLDER / str(family.template)).read_text())
    assert choose(model, Setting(), VLLM_0_33, files).tool_parser == parser


# What they render


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_conversation(name: str) -> None:
    messages = whole() if name in WITH_TOOLS else [SYSTEM, QUESTION, ANSWER, NEXT]
    found = render(name, messages, tools=TOOLS if name in WITH_TOOLS else None)
    golden = GOLDEN / f"{name.removesuffix('.jinja')}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(found + "\n")
    assert found + "\n" == golden.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_plain_conversation_is_lost(name: str) -> None:
    found = render(name, [SYSTEM, QUESTION, ANSWER, NEXT])
    places = [found.index(str(each["content"])) for each in (QUESTION, ANSWER, NEXT)]
    assert places == sorted(places)
    assert found.count(str(SYSTEM["content"])) == 1
    assert "get_weather" not in found


@pytest.mark.parametrize("name", WITH_TOOLS)
def test_nothing_of_a_conversation_with_tools_is_lost(name: str) -> None:
    found = render(name, whole(), tools=TOOLS)
    for words in ("Tell the weather of a city.", "ping", "clear", "Answer in one sentence.", "The sky is clear."):
        assert words in found, words
    assert found.count("get_weather") >= 2
    # Once in the question, once in the call.
    assert found.count("Łódź") == 2
    assert "None" not in found
    assert "Undefined" not in found


@pytest.mark.parametrize("name", WITH_TOOLS)
def test_tools_change_the_prompt(name: str) -> None:
    """A template that forgets the tools costs the calls without a word; this is how that is noticed on a server too."""
    assert len(render(name, [QUESTION], tools=TOOLS)) > len(render(name, [QUESTION])) + 100
    assert render(name, [QUESTION], tools=[]) == render(name, [QUESTION])


@pytest.mark.parametrize("name", NAMES)
def test_the_prompt_ends_where_the_model_begins(name: str) -> None:
    with_prompt, without = render(name, [QUESTION]), render(name, [QUESTION], generate=False)
    assert with_prompt.startswith(without)
    # Mistral's own form has no mark for the answer.
    assert (with_prompt != without) == (name != "tool_chat_template_mistral_parallel.jinja")


@pytest.mark.parametrize("name", NAMES)
def test_parts_of_text_are_the_same_as_text(name: str) -> None:
    parts = [{"role": "user", "content": [{"type": "text", "text": QUESTION["content"]}]}]
    assert render(name, parts) == render(name, [QUESTION])


@pytest.mark.parametrize("name", WITH_TOOLS)
def test_two_calls_at_a_time(name: str) -> None:
    calls = [
        {"id": f"call-000{n}xyz", "type": "function", "function": {"name": "get_weather", "arguments": {"city": city}}}
        for n, city in enumerate(("Oslo", "Rome"))
    ]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": f"sun {n}"} for n, call in enumerate(calls)]
    messages = [QUESTION, {"role": "assistant", "content": "", "tool_calls": calls}, *results]
    if name in ("tool_chat_template_internlm2_tool.jinja", *(n for n in NAMES if "llama3." in n)):
        with pytest.raises(TemplateError, match="one call at a time"):
            render(name, messages, tools=TOOLS)
        return
    found = render(name, messages, tools=TOOLS)
    places = [found.index(words) for words in ("Oslo", "Rome", "sun 0", "sun 1")]
    assert places == sorted(places)


# Forms that a parser must be able to read


def between(text: str, start: str, end: str) -> str:
    return text.rpartition(start)[2].partition(end)[0]


def called(name: str) -> str:
    return render(name, [QUESTION, CALL, RESULT], tools=TOOLS)


ARGUMENTS = {"city": "Łódź", "days": 2, "hourly": True}
READ: Mapping[str, tuple[str, str, Any]] = {
    "hermes": ("<tool_call>\n", "\n</tool_call>", {"name": "get_weather", "arguments": ARGUMENTS}),
    "granite": ("<|tool_call|>", "<|end_of_text|>", [{"name": "get_weather", "arguments": ARGUMENTS}]),
    "granite_20b_fc": ("<function_call> ", "<|endoftext|>", {"name": "get_weather", "arguments": ARGUMENTS}),
    "phi4_mini": ("functools", "<|end|>", [{"name": "get_weather", "arguments": ARGUMENTS}]),
    "apertus": ("<|tools_prefix|>", "<|tools_suffix|>", [{"get_weather": ARGUMENTS}]),
    "xlam_qwen": ("<|im_start|>assistant\n", "<|im_end|>", [{"name": "get_weather", "arguments": ARGUMENTS}]),
    "internlm2_tool": (
        "<|action_start|><|plugin|>\n",
        "<|action_end|>",
        {"name": "get_weather", "parameters": ARGUMENTS},
    ),
    "llama3.1_json": (
        "assistant<|end_header_id|>\n\n",
        "<|eot_id|>",
        {"name": "get_weather", "parameters": ARGUMENTS},
    ),
    "mistral_parallel": (
        "[TOOL_CALLS] ",
        "<EOS>",
        [{"name": "get_weather", "arguments": ARGUMENTS, "id": "0f1e2d3c4"}],
    ),
    "deepseekv3": ("```json\n", "\n```", ARGUMENTS),
}


@pytest.mark.parametrize("form", READ)
def test_an_earlier_call_is_written_as_the_parser_reads_one(form: str) -> None:
    start, end, expected = READ[form]
    name = f"tool_chat_template_{form}.jinja"
    without_prompt = render(name, [QUESTION, CALL, RESULT], generate=False, tools=TOOLS)
    assert json.loads(between(without_prompt, start, end)) == expected


def test_calls_in_the_syntax_of_python() -> None:
    for form in ("toolace", "gemma3_pythonic", "llama4_pythonic"):
        found = called(f"tool_chat_template_{form}.jinja")
        assert '[get_weather(city="Łódź", days=2, hourly=True)]' in found


def test_arguments_that_are_text_already_are_not_quoted_again() -> None:
    call = copy.deepcopy(CALL)
    call["tool_calls"][0]["function"]["arguments"] = '{"city": "Łódź"}'  # type: ignore[index]
    for name in ("tool_chat_template_hermes.jinja", "tool_chat_template_mistral_parallel.jinja"):
        assert '"arguments": {"city": "Łódź"}' in render(name, [QUESTION, call, RESULT], tools=TOOLS)


def test_an_id_that_mistral_cannot_read_is_refused() -> None:
    call = copy.deepcopy(CALL)
    call["tool_calls"][0]["id"] = "short"  # type: ignore[index]
    with pytest.raises(TemplateError, match="nine characters"):
        render("tool_chat_template_mistral_parallel.jinja", [QUESTION, call], tools=TOOLS)


def test_thoughts_of_earlier_answers_are_left_out() -> None:
    thought = {"role": "assistant", "content": "<think>secret</think>It rains."}
    for form in ("deepseekr1", "deepseekv31"):
        found = render(f"tool_chat_template_{form}.jinja", [QUESTION, thought, NEXT])
        assert "secret" not in found
        assert "It rains." in found
