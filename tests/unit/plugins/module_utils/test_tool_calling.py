# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Which parsers a model gets: what the user wrote, then its files, then its name; and where names and files lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling import choose
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_check import check
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_files import Files, tokens_of
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_types import VERDICTS, Choice, Setting
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_parsers import VLLM_0_32, VLLM_0_33
from hypothesis import given
from hypothesis import strategies as st

CHATML = "{% for m in messages %}{{ '<|im_start|>' + m.role + m.content }}{% endfor %}"
TOOLS = "{% if tools %}{% for tool in tools %}{{ tool | tojson }}{% endfor %}{% endif %}"
HERMES = TOOLS + "{{ 'Return <tool_call>...</tool_call>' }}" + CHATML
QWEN3 = HERMES + "{% if add_generation_prompt %}{% if enable_thinking is false %}<think></think>{% endif %}{% endif %}"
MISTRAL = (
    "{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
)
# As the distillations have it: it writes calls of old turns, yet never shows the model which tools there are.
DISTILLED = (
    "{% for m in messages %}{% for tool in m['tool_calls'] %}{{ '<\uff5ctool▁calls▁begin\uff5c>' }}{% endfor %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<\uff5cAssistant\uff5c><think>\\n' }}{% endif %}"
)
R1_TOKENS = frozenset({"<think>", "</think>", "<\uff5cAssistant\uff5c>"})
DEEPSEEK_TOKENS = R1_TOKENS | {"<\uff5ctool▁calls▁begin\uff5c>", "<\uff5ctool▁calls▁end\uff5c>"}


def files(template: str | None = None, **more: Any) -> Files:
    return Files(chat_template=template, **more)


def chosen(model: str, found: Files | None = None, **setting: str) -> Choice:
    return choose(model, Setting(**setting), VLLM_0_33, found)


def told(choice: Choice) -> tuple[str, str | None, str | None]:
    return choice.verdict, choice.tool_parser, choice.reasoning_parser


def sources(choice: Choice) -> list[str]:
    return [reason.source for reason in choice.reasons]


# What decides


@pytest.mark.parametrize(
    ("model", "setting", "found", "expected", "source"),
    [
        pytest.param(
            "Qwen/Qwen2.5-7B-Instruct",
            {"tool_call_parser": "pythonic"},
            files(HERMES),
            ("native", "pythonic", None),
            ["explicit"],
            id="what the user wrote wins over files and name",
        ),
        pytest.param(
            "meta-llama/Llama-3.1-8B-Instruct",
            {},
            files(HERMES),
            ("native", "hermes", None),
            ["evidence"],
            id="files win over the name",
        ),
        pytest.param(
            "Qwen/Qwen2.5-7B-Instruct",
            {},
            None,
            ("native", "hermes", None),
            ["table"],
            id="without files the name decides",
        ),
        pytest.param(
            "Qwen/Qwen2.5-7B-Instruct",
            {},
            files(TOOLS),
            ("native", "hermes", None),
            ["table"],
            id="the name decides where the template shows no form of calls",
        ),
        pytest.param("unheard/of", {}, None, ("none", None, None), ["none"], id="neither files nor name tell"),
        pytest.param("unheard/of", {}, files(TOOLS), ("none", None, None), ["none"], id="tools in a form nobody reads"),
        pytest.param(
            "unheard/of", {}, files(HERMES), ("native", "hermes", None), ["evidence"], id="files alone suffice"
        ),
        pytest.param(
            "Qwen/Qwen2.5-7B-Instruct",
            {"tool_call_parser": "none"},
            files(HERMES),
            ("none", None, None),
            ["explicit"],
            id="the user wants no parser",
        ),
    ],
)
def test_the_order_of_what_decides(
    model: str, setting: Mapping[str, str], found: Files | None, expected: tuple[str, ...], source: list[str]
) -> None:
    choice = chosen(model, found, **setting)
    assert (told(choice), sources(choice)) == (expected, source)


@pytest.mark.parametrize(
    ("mark", "parser"),
    [
        ("<|tool_calls_section_begin|>", "kimi_k2"),
        ("<\uff5cDSML\uff5cfunction_calls>", "deepseek_v32"),
        ("<\uff5ctool▁calls▁begin\uff5c>function```json", "deepseek_v3"),
        ("<\uff5ctool▁calls▁begin\uff5c>", "deepseek_v31"),
        ("<|channel|>commentary", "openai"),
        ("<|tool_call>call", "gemma4"),
        ("<start_function_call>", "functiongemma"),
        ("<minimax:tool_call>", "minimax_m2"),
        ("<seed:tool_call><function=", "seed_oss"),
        ("<tool_call>name<arg_key>", "glm45"),
        ("<tool_call><function=", "qwen3_coder"),
        ("<longcat_tool_call>", "longcat"),
        ("<|tool_call_start|>[", "lfm2"),
        ("<function_calls>", "olmo3"),
        ("<|action_start|><|plugin|>", "internlm"),
        ("<tool_calls>", "jamba"),
        ("<|tools_prefix|>", "apertus"),
        ("[AVAILABLE_TOOLS]", "mistral"),
        ("functools[", "phi4_mini_json"),
        ("<|tool_call|>", "granite"),
        ("<function_call>", "granite-20b-fc"),
        ("<tool_call>", "hermes"),
        ("Environment: ipython", "llama3_json"),
        ("[func_name1(params_name1=", "pythonic"),
    ],
)
def test_the_form_of_calls_in_the_template_tells_the_parser(mark: str, parser: str) -> None:
    choice = chosen("unheard/of", files(TOOLS + mark + CHATML))
    assert (choice.verdict, choice.tool_parser, sources(choice)) == ("native", parser, ["evidence"])


@pytest.mark.parametrize(
    ("model", "found", "parser"),
    [
        pytest.param("zai-org/GLM-4.7", files(TOOLS + "<arg_key>"), "glm47", id="the newer of two GLM parsers"),
        pytest.param("MiniMaxAI/MiniMax-M3", files(TOOLS + "<minimax:tool_call>"), "minimax_m3", id="MiniMax-M3"),
        pytest.param("XiaomiMiMo/MiMo-V2-Pro", files(TOOLS + "<function="), "mimo", id="MiMo"),
        pytest.param("ibm-granite/granite-4.0-h-tiny", files(HERMES), "granite4", id="Granite 4 writes like Hermes"),
        pytest.param(
            "unheard/of",
            files(TOOLS + "<tool_calls>", config={"architectures": ["HunYuanMoEV1ForCausalLM"]}),
            "hunyuan_a13b",
            id="the class of the model tells Hunyuan from Jamba",
        ),
    ],
)
def test_of_several_parsers_for_one_form_the_name_or_the_class_chooses(model: str, found: Files, parser: str) -> None:
    assert chosen(model, found).tool_parser == parser


def test_a_response_template_is_read_by_the_parser_of_transformers() -> None:
    found = files(TOOLS, tokenizer_config={"response_template": {"thinking": "x", "content": "y"}})
    assert told(chosen("unheard/of", found)) == ("native", "hf", "hf")
    assert told(chosen("unheard/of", files(TOOLS, tokenizer_config={"response_template": "y"}))) == (
        "native",
        "hf",
        None,
    )


# Where names lie


@pytest.mark.parametrize(
    ("model", "found", "expected"),
    [
        pytest.param(
            "Qwen/Qwen2.5-Coder-7B-Instruct-AWQ",
            files(HERMES),
            ("degraded", "hermes", None),
            id="Qwen2.5-Coder has the template of Qwen2.5 and writes JSON into the text all the same",
        ),
        pytest.param(
            "solidrust/dolphin-2.8-mistral-7b-v02-AWQ",
            files(CHATML),
            ("none", None, None),
            id="dolphin is no Mistral: ChatML without tools",
        ),
        pytest.param(
            "solidrust/dolphin-2.8-mistral-7b-v02-AWQ",
            files(MISTRAL + CHATML),
            ("none", None, None),
            id="dolphin with the template of Mistral",
        ),
        pytest.param(
            "cognitivecomputations/dolphin-2.9-llama3-8b",
            files(HERMES),
            ("native", "hermes", None),
            id="a dolphin whose template renders tools",
        ),
        pytest.param(
            "huihui-ai/DeepSeek-R1-Distill-Qwen-7B-abliterated-v2",
            files(DISTILLED, tokens=R1_TOKENS),
            ("none", None, "deepseek_r1"),
            id="a distillation of DeepSeek-R1 shows calls of old turns but no tools",
        ),
        pytest.param(
            "x/Llama-3.1-8B-uncensored",
            files(CHATML),
            ("none", None, None),
            id="a tune of Llama 3.1 that lost the tools",
        ),
        pytest.param(
            "x/Mistral-7B-Instruct-v0.3-heretic",
            files(CHATML),
            ("none", None, None),
            id="a tune of Mistral that lost the tools",
        ),
        pytest.param(
            "Qwen/Qwen3-Embedding-0.6B",
            files(HERMES, config={"architectures": ["Qwen3ForCausalLM"]}),
            ("none", None, None),
            id="an embedding model with the class and the template of a chat model",
        ),
        pytest.param(
            "unheard/of",
            files(HERMES, config={"architectures": ["Qwen3ForSequenceClassification"]}),
            ("none", None, None),
            id="a ranking model, by its class",
        ),
        pytest.param(
            "x/DeepSeek-R1-something",
            files(TOOLS + "<\uff5ctool▁calls▁begin\uff5c>```json", tokens=R1_TOKENS),
            ("none", None, "deepseek_r1"),
            id="the parser that fits the name fails after the load: its tokens are missing",
        ),
        pytest.param(
            "deepseek-ai/DeepSeek-R1-0528",
            files(DISTILLED, tokens=DEEPSEEK_TOKENS),
            ("native", "deepseek_v3", "deepseek_r1"),
            id="the real DeepSeek-R1 gets the template that vLLM has for it",
        ),
        pytest.param(
            "google/gemma-3-4b-it", files(MISTRAL), ("degraded", "pythonic", None), id="Gemma 3 has no form of its own"
        ),
        pytest.param(
            "NousResearch/Hermes-3-Llama-3.1-8B",
            files(CHATML),
            ("native", "hermes", None),
            id="a copy of Hermes that lost its template gets vLLM's",
        ),
        pytest.param(
            "meta-llama/Llama-3.2-3B-Instruct",
            files(TOOLS + "Environment: ipython"),
            ("degraded", "llama3_json", None),
            id="a Llama too small to call tools reliably, whatever its template",
        ),
        pytest.param(
            "openai/gpt-oss-20b", files(None), ("native", "openai", None), id="gpt-oss needs no template: vLLM renders"
        ),
        pytest.param("Qwen/Qwen2.5-7B-Instruct", files(None), ("none", None, None), id="no chat template at all"),
    ],
)
def test_names_and_files_that_lie_are_seen_through(model: str, found: Files, expected: tuple[str, ...]) -> None:
    assert told(chosen(model, found)) == expected


@pytest.mark.parametrize(
    ("template", "renders"),
    [
        pytest.param(HERMES, True, id="a loop over tools"),
        pytest.param("{%- if tools is not none -%}x{%- endif -%}", True, id="a condition on tools"),
        pytest.param("{{ render(tools) }}", True, id="a call with tools"),
        pytest.param(CHATML, False, id="ChatML"),
        pytest.param(DISTILLED, False, id="tool_calls of old turns"),
        pytest.param("You may use tools. " + CHATML, False, id="the word in the text"),
        pytest.param("{{ 'these tools' }}" + CHATML, False, id="the word in a string"),
        pytest.param("{# tools #}" + CHATML, False, id="the word in a comment"),
        pytest.param("{% if message.tools %}{% endif %}", False, id="a field of a message"),
        pytest.param("{% set builtin_tools = 1 %}", False, id="another variable"),
    ],
)
def test_only_a_variable_shows_that_tools_are_rendered(template: str, renders: bool) -> None:
    assert files(template).renders_tools is renders


# Thinking


@pytest.mark.parametrize(
    ("model", "found", "parser"),
    [
        pytest.param("Qwen/Qwen3-8B", files(QWEN3), "qwen3", id="Qwen3 thinks"),
        pytest.param("Qwen/Qwen3-8B", files(HERMES), None, id="a Qwen3 whose files show no thinking"),
        pytest.param("Qwen/Qwen3-4B-Instruct-2507", files(QWEN3), None, id="a Qwen3 that is known not to think"),
        pytest.param("unheard/of", files(QWEN3), "qwen3", id="a switch for thinking"),
        pytest.param("unheard/of", files(DISTILLED), "deepseek_r1", id="a thought opened in the prompt"),
        pytest.param(
            "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
            files(CHATML, tokens=frozenset({"a"})),
            None,
            id="a distillation without the tokens",
        ),
        pytest.param(
            "Qwen/Qwen3-8B",
            files(QWEN3, tokens=frozenset({"<think>"})),
            None,
            id="a tokenizer without the end of a thought",
        ),
        pytest.param(
            "x/GLM-like",
            files(TOOLS + "<arg_key>{% if enable_thinking %}{% endif %}"),
            None,
            id="a way of thinking of its own",
        ),
    ],
)
def test_a_reasoning_parser_needs_a_model_that_thinks(model: str, found: Files, parser: str | None) -> None:
    assert chosen(model, found).reasoning_parser == parser


def test_why_there_is_no_reasoning_parser_is_told() -> None:
    (thought,) = chosen("Qwen/Qwen3-8B", files(HERMES)).thoughts
    assert thought.text == (
        "qwen3 would take every answer for a thought: nothing in the model's files shows that it thinks."
    )


def test_the_reasoning_parser_of_the_user_stands() -> None:
    assert chosen("Qwen/Qwen3-8B", files(HERMES), reasoning_parser="qwen3").reasoning_parser == "qwen3"
    assert chosen("Qwen/Qwen3-8B", files(QWEN3), reasoning_parser="none").reasoning_parser is None


# Templates and settings


@pytest.mark.parametrize(
    ("model", "found", "setting", "template"),
    [
        pytest.param("Qwen/Qwen2.5-7B-Instruct", files(HERMES), {}, (None, False), id="the model's own suffices"),
        pytest.param(
            "deepseek-ai/DeepSeek-V3-0324",
            files(CHATML),
            {},
            ("tool_chat_template_deepseekv3.jinja", True),
            id="the model's own does not fit its parser",
        ),
        pytest.param(
            "meta-llama/Llama-3.1-8B-Instruct",
            files(TOOLS + "Environment: ipython"),
            {},
            ("tool_chat_template_llama3.1_json.jinja", True),
            id="vLLM's is better than the model's own",
        ),
        pytest.param(
            "meta-llama/Llama-3.1-8B-Instruct",
            files(HERMES),
            {},
            (None, False),
            id="not with the parser of another form",
        ),
        pytest.param(
            "x/Llama-3.1-8B-uncensored", files(CHATML), {}, (None, False), id="a template makes no tune call tools"
        ),
        pytest.param(
            "NousResearch/Hermes-3-Llama-3.1-8B",
            files(CHATML),
            {},
            ("tool_chat_template_hermes.jinja", True),
            id="the model's own renders no tools",
        ),
        pytest.param("NousResearch/Hermes-3-Llama-3.1-8B", files(HERMES), {}, (None, False), id="the model's own does"),
        pytest.param(
            "NousResearch/Hermes-3-Llama-3.1-8B",
            files(
                tokenizer_config={
                    "chat_template": [
                        {"name": "default", "template": CHATML},
                        {"name": "tool_use", "template": HERMES},
                    ]
                }
            ),
            {},
            ("tool_use", False),
            id="the model has one for tools",
        ),
        pytest.param(
            "solidrust/dolphin-2.8-mistral-7b-v02-AWQ",
            files(None),
            {},
            ("template_chatml.jinja", True),
            id="a model without any could not even chat",
        ),
        pytest.param(
            "solidrust/dolphin-2.8-mistral-7b-v02-AWQ",
            files(CHATML),
            {},
            (None, False),
            id="a model that can chat keeps its own",
        ),
        pytest.param(
            "deepseek-ai/DeepSeek-V3-0324",
            files(CHATML),
            {"chat_template": "/srv/mine.jinja"},
            ("/srv/mine.jinja", False),
            id="the user's wins",
        ),
    ],
)
def test_which_chat_template_is_served(
    model: str, found: Files, setting: Mapping[str, str], template: tuple[str | None, bool]
) -> None:
    choice = chosen(model, found, **setting)
    assert (choice.chat_template, choice.ships) == template


def test_the_settings_of_vllm_follow() -> None:
    choice = chosen("meta-llama/Llama-3.1-8B-Instruct")
    assert choice.arguments("/srv/templates") == {
        "chat_template": "/srv/templates/tool_chat_template_llama3.1_json.jinja",
        "enable_auto_tool_choice": True,
        "tool_call_parser": "llama3_json",
    }


def test_without_a_parser_tool_calling_is_not_enabled() -> None:
    assert chosen("unheard/of").arguments("/srv/templates") == {}


def test_some_models_need_settings_of_their_own() -> None:
    assert chosen("deepseek-ai/DeepSeek-V3.2", files(None)).settings == {"tokenizer_mode": "deepseek_v32"}
    official = files(None, names=frozenset({"params.json", "tekken.json"}))
    choice = chosen("mistralai/Devstral-Small-2507", official)
    assert (choice.verdict, choice.tool_parser, choice.chat_template) == ("native", "mistral", None)
    assert choice.arguments("/srv") == {
        "config_format": "mistral",
        "enable_auto_tool_choice": True,
        "load_format": "mistral",
        "tokenizer_mode": "mistral",
        "tool_call_parser": "mistral",
    }


def test_a_template_that_wants_turns_is_told_of() -> None:
    reasons = chosen("unheard/of", files(MISTRAL + TOOLS + "[TOOL_CALLS]")).reasons
    assert [each.text for each in reasons] == [
        "Its chat template writes calls as mistral reads them.",
        "Its chat template wants user and assistant in turn, and answers 400 to other orders.",
    ]


# What the user's own word is worth


@pytest.mark.parametrize(
    ("model", "found", "parser", "verdict"),
    [
        pytest.param("unheard/of", None, "hermes", "native", id="nothing speaks against it"),
        pytest.param("unheard/of", files(CHATML), "hermes", "none", id="the model never sees the tools"),
        pytest.param(
            "Qwen/Qwen2.5-Coder-7B", files(HERMES), "hermes", "degraded", id="observed to fail with this parser"
        ),
        pytest.param("Qwen/Qwen2.5-Coder-7B", files(HERMES), "pythonic", "native", id="not observed with this parser"),
        pytest.param("x/dolphin-2.8", None, "hermes", "degraded", id="a family known to call none"),
        pytest.param(
            "x/dolphin-2.8", files(HERMES), "hermes", "native", id="such a family, but its files show the form"
        ),
    ],
)
def test_a_parser_named_by_the_user_is_used_and_judged(
    model: str, found: Files | None, parser: str, verdict: str
) -> None:
    choice = chosen(model, found, tool_call_parser=parser)
    assert (choice.tool_parser, choice.verdict) == (parser, verdict)


def test_an_older_vllm_may_lack_the_parser() -> None:
    choice = choose("stepfun-ai/Step-5", Setting(), VLLM_0_32)
    assert (choice.verdict, choice.tool_parser) == ("none", None)
    assert choice.reasons[-1].text == "step5 is no tool parser of vLLM 0.32.0."


# Reading files


@pytest.mark.parametrize(
    ("tokenizer", "config", "expected"),
    [
        pytest.param(None, None, set(), id="no files"),
        pytest.param({"added_tokens": [{"id": 1, "content": "<think>"}]}, {}, {"<think>"}, id="added tokens"),
        pytest.param({"model": {"vocab": {"a": 0, "b": 1}}}, {}, {"a", "b"}, id="a vocabulary with numbers"),
        pytest.param({"model": {"vocab": [["a", -1.0], ["b", -2.0]]}}, {}, {"a", "b"}, id="a vocabulary with scores"),
        pytest.param(
            None, {"added_tokens_decoder": {"7": {"content": "<x>"}}}, {"<x>"}, id="only tokenizer_config.json"
        ),
    ],
)
def test_tokens_are_read_wherever_they_stand(tokenizer: object, config: object, expected: set[str]) -> None:
    assert tokens_of(tokenizer, config) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([HERMES, DISTILLED, "tool_use", "default"]),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["name", "template", "content"]), inner)
    ),
    max_leaves=8,
)
CONFIGS = st.dictionaries(
    st.sampled_from(
        ["architectures", "chat_template", "response_template", "added_tokens_decoder", "model", "added_tokens"]
    ),
    JSON,
)
WORDS = st.none() | st.text() | st.sampled_from(["none", "hermes", "deepseek_v3", "qwen3", "degraded"])


@given(
    model=st.text() | st.sampled_from(["Qwen/Qwen2.5-Coder-7B", "x/dolphin-2.8", "deepseek-ai/DeepSeek-R1"]),
    setting=st.builds(Setting, WORDS, WORDS, WORDS, WORDS, WORDS),
    found=st.none()
    | st.builds(
        Files,
        config=CONFIGS,
        tokenizer_config=CONFIGS,
        chat_template=st.none() | st.text() | st.sampled_from([HERMES, CHATML, QWEN3]),
        tokens=st.none() | CONFIGS.map(lambda each: tokens_of(each, each)),
    ),
)
def test_whatever_is_written_there_is_a_choice_and_no_promise_without_a_parser(
    model: str, setting: Setting, found: Files | None
) -> None:
    choice = choose(model, setting, VLLM_0_33, found)
    problems = check("llm_stack_models.m", True, setting, choice, VLLM_0_33, found)
    assert choice.verdict in VERDICTS
    assert choice.reasons
    assert (choice.verdict != "none") <= (choice.tool_parser is not None)
    assert (choice.tool_parser is not None) == ("enable_auto_tool_choice" in choice.arguments("/srv"))
    assert all(problem.path.startswith("llm_stack_models.m.") for problem in problems)
