# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Promises of tools that vLLM could not keep are refused with the reason, and parsers that would fail the start."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import render
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling import choose
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_check import check
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_files import Files
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_types import Setting
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_parsers import VLLM_0_33

CODER = "Qwen/Qwen2.5-Coder-7B-Instruct-AWQ"
DOLPHIN = "solidrust/dolphin-2.8-mistral-7b-v02-AWQ"
PLAIN = Files(tokens=frozenset({"<|im_start|>"}))


def refused(model: str, setting: Mapping[str, str], found: Files | None = None, tools: bool = True) -> list[str]:
    wanted = Setting(**setting)
    choice = choose(model, wanted, VLLM_0_33, found)
    return [render(each) for each in check("llm_stack_models.m", tools, wanted, choice, VLLM_0_33, found)]


@pytest.mark.parametrize(
    ("model", "setting", "tools"),
    [
        pytest.param("Qwen/Qwen2.5-7B-Instruct", {}, True, id="a model that calls tools"),
        pytest.param(CODER, {}, False, id="no tools were promised"),
        pytest.param(CODER, {"accept_tools": "degraded"}, True, id="degraded was accepted by name"),
        pytest.param(CODER, {"accept_tools": "none"}, True, id="who accepts none accepts degraded too"),
        pytest.param(DOLPHIN, {"accept_tools": "none"}, True, id="none was accepted by name"),
        pytest.param("unheard/of", {"tool_call_parser": "hermes"}, True, id="the user answers for the parser"),
        pytest.param(
            "unheard/of",
            {"tool_call_parser": "mine", "tool_parser_plugin": "/srv/mine.py"},
            True,
            id="a parser from a plugin",
        ),
        pytest.param(DOLPHIN, {"tool_call_parser": "none", "reasoning_parser": "none"}, False, id="no parsers wanted"),
    ],
)
def test_what_can_be_kept_is_not_refused(model: str, setting: Mapping[str, str], tools: bool) -> None:
    assert refused(model, setting, tools=tools) == []


@pytest.mark.parametrize(
    ("model", "setting", "found", "message"),
    [
        pytest.param(
            CODER,
            {},
            None,
            "llm_stack_models.m.tools: true is more than this model keeps: it calls tools unreliably.\n"
            "    Qwen2.5-Coder. It writes its calls as JSON into the text, so tool_calls stays empty. "
            "(vllm#32926, vllm#29192, vllm#10952)\n"
            "    Declare another model, set tools: false, or accept it by name: vllm: {accept_tools: degraded}.",
            id="a degraded model",
        ),
        pytest.param(
            DOLPHIN,
            {"accept_tools": "degraded"},
            Files(chat_template="{{ messages }}"),
            "llm_stack_models.m.tools: true is more than this model keeps: it calls no tools.\n"
            "    Its chat template renders no tools, so vLLM drops them without a word.\n"
            "    Declare another model, set tools: false, or accept it by name: vllm: {accept_tools: none}.",
            id="a model without tools where only degraded was accepted",
        ),
        pytest.param(
            "unheard/of",
            {"tool_call_parser": "hermse"},
            None,
            "llm_stack_models.m.vllm.tool_call_parser: 'hermse' is no tool parser of vLLM 0.33.0.\n"
            "    Did you mean 'hermes'?",
            id="a misspelt tool parser, and nothing beside",
        ),
        pytest.param(
            "m/tiny",
            {"tool_call_parser": "deepseek_v3"},
            PLAIN,
            "llm_stack_models.m.vllm.tool_call_parser: 'deepseek_v3' needs tokens that the model's tokenizer lacks: "
            "<\uff5ctool▁calls▁begin\uff5c>, <\uff5ctool▁calls▁end\uff5c>.\n"
            "    vLLM would find that out only after it has loaded the model.\n"
            "    Remove the parser, so that the model's own files decide; or set tools: false.",
            id="a parser whose tokens are missing, before the minute that vLLM takes to find out",
        ),
        pytest.param(
            "Qwen/Qwen2.5-7B-Instruct",
            {"reasoning_parser": "qwen33"},
            None,
            "llm_stack_models.m.vllm.reasoning_parser: 'qwen33' is no reasoning parser of vLLM 0.33.0.\n"
            "    Did you mean 'qwen3'?",
            id="a misspelt reasoning parser",
        ),
        pytest.param(
            "Qwen/Qwen2.5-7B-Instruct",
            {"reasoning_parser": "deepseek_r1", "tool_call_parser": "none", "accept_tools": "none"},
            PLAIN,
            "llm_stack_models.m.vllm.reasoning_parser: 'deepseek_r1' needs tokens that the model's tokenizer lacks: "
            "<think>, </think>.\n"
            "    Remove it: the model does not think in this form.",
            id="a reasoning parser whose tokens are missing",
        ),
        pytest.param(
            CODER,
            {"accept_tools": "degrade"},
            None,
            "llm_stack_models.m.vllm.accept_tools: 'degrade' is no verdict on tools.\n    Did you mean 'degraded'?",
            id="a misspelt acceptance",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(
    model: str, setting: Mapping[str, str], found: Files | None, message: str
) -> None:
    assert refused(model, setting, found) == [message]


def test_a_parser_is_refused_even_where_no_tools_are_promised() -> None:
    assert len(refused("unheard/of", {"tool_call_parser": "hermse", "reasoning_parser": "qwen33"}, tools=False)) == 2
