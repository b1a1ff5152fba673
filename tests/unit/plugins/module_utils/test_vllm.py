# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What may be declared of a model for vLLM, and the flags it is served with."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _schema, _vllm
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import render
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_flags import FLAGS
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_options import (
    DERIVED,
    DERIVED_VARIABLES,
    FIELD,
    OPTIONS,
    PINNED,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_source import Source, source_of

REVISION, OTHER = "0123456789" * 4, "9876543210" * 4
PATH = "llm_stack_models.m"
HUB = "Qwen/Qwen2.5-7B-Instruct"


def problems(
    source: str = "/srv/m", tools: bool = False, context: int = 0, pin: Any = None, **options: Any
) -> list[str]:
    """What stands against a model, first by the shape of its options and then by what they say."""
    shape = [render(each) for each in _schema.check(options, FIELD, f"{PATH}.vllm")]
    given = {**options, PINNED: pin} if pin else options
    return shape or [render(each) for each in _vllm.check(source, given, PATH, tools=tools, context=context)]


@pytest.mark.parametrize(
    ("source", "options"),
    [
        pytest.param("/srv/m", {}, id="a folder on the host"),
        pytest.param("~/models/m", {}, id="a folder in the home"),
        pytest.param("./models/m", {}, id="a folder on the controller"),
        pytest.param(HUB, {"revision": REVISION}, id="a repository at a commit"),
        pytest.param(HUB, {"pin": {"repo": HUB, "revision": REVISION}}, id="a repository that is pinned"),
        pytest.param(
            HUB, {"pin": {"repo": HUB, "revision": REVISION}, "revision": REVISION}, id="the commit of the lock again"
        ),
        pytest.param(HUB, {"revision": REVISION, "tools": True}, id="tools of a family that calls them"),
        pytest.param("/srv/m", {"tools": True, "accept_tools": "none"}, id="tools that are known to be none"),
        pytest.param(
            "/srv/m", {"tools": True, "tool_call_parser": "hermes"}, id="tools by a parser that the user names"
        ),
        pytest.param("/srv/m", {"tool_call_parser": "none", "reasoning_parser": "none"}, id="no parser"),
        pytest.param("/srv/m", {"chat_template": "tool_use"}, id="a template of the model's own"),
        pytest.param("/srv/m", {"chat_template": "~/mine.jinja"}, id="a template of the user's"),
        pytest.param(
            "/srv/m", {"tool_parser_plugin": "/srv/p.py", "tool_call_parser": "mine"}, id="a parser of the user's"
        ),
        pytest.param("/srv/m", {"extra": {"async-scheduling": True, "max_logprobs": 5}}, id="flags without an option"),
        pytest.param("/srv/m", {"extra": {"no-async-scheduling": True}}, id="a flag that is turned off"),
        pytest.param("/srv/m", {"extra": {"something-of-a-later-version": 1}}, id="a flag that no version has yet"),
        pytest.param("/srv/m", {"env": {"VLLM_CPU_KVCACHE_SPACE": 1, "OMP_NUM_THREADS": "2"}}, id="variables"),
        pytest.param("/srv/m", {"gpu_memory_utilization": 0.9, "max_num_seqs": 4, "dtype": "half"}, id="options"),
        pytest.param("/srv/m", {"context": 4096, "max_num_batched_tokens": 2048}, id="a context in several parts"),
        pytest.param("/srv/m", {"accept": ["tight", "memory"]}, id="what is accepted of the preflight"),
        pytest.param(
            HUB,
            {
                "context": 65536,
                "hf_overrides": {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}},
                "pin": {"repo": HUB, "revision": REVISION, "evidence": {"chats": True, "max_context": 32768}},
            },
            id="a context that is stretched on purpose",
        ),
    ],
)
def test_what_is_fine(source: str, options: dict[str, Any]) -> None:
    assert problems(source, **options) == []


PIN = {"repo": HUB, "revision": REVISION}
REFUSED = [
    pytest.param(
        HUB,
        {},
        ".vllm.revision: is missing, so nobody could tell which files will be served.\n"
        "    Run make pin MODEL=m, which writes the commit into the lock.",
        id="a repository without a commit",
    ),
    pytest.param(
        HUB,
        {"revision": "main"},
        ".vllm.revision: 'main' is not a commit; a branch or a tag may hold other files tomorrow.\n"
        "    Write the 40 digits of a commit of the repository, in quotes.",
        id="a branch",
    ),
    pytest.param(
        "/srv/m",
        {"revision": REVISION},
        f".vllm.revision: '{REVISION}' is for a repository, but the source is a folder.\n    Remove it.",
        id="a commit of a folder",
    ),
    pytest.param(
        HUB,
        {"pin": {**PIN, "repo": "Qwen/Qwen3-8B"}},
        f".source: '{HUB}' is not what the lock pins, which is Qwen/Qwen3-8B.\n"
        "    Run make pin MODEL=m, which writes the commit into the lock.",
        id="a lock for what was declared before",
    ),
    pytest.param(
        HUB,
        {"pin": PIN, "revision": OTHER},
        f".vllm.revision: '{OTHER}' is not the commit in the lock, which is {REVISION}.\n"
        "    Run make pin MODEL=m, which writes the commit into the lock.\n    Or remove it here.",
        id="another commit than in the lock",
    ),
    pytest.param(
        f"{HUB}@main",
        {},
        f".source: '{HUB}@main' has '@main' after the name of a repository.\n"
        f"    Write {HUB} here, and the commit as vllm: {{revision: ...}}.",
        id="a branch in the source",
    ),
    pytest.param(
        "https://huggingface.co/Qwen/Qwen2.5-7B-Instruct",
        {},
        ".source: 'https://huggingface.co/Qwen/Qwen2.5-7B-Instruct' is an address, and vllm takes a repository or a "
        "folder.\n    Write owner/name. A mirror of the hub is named by vllm_hub_endpoint.",
        id="an address",
    ),
    pytest.param(
        "files/tiny.gguf",
        {},
        ".source: 'files/tiny.gguf' is a GGUF file, which vllm does not read.\n"
        "    Write engine: llamacpp, or name a repository with safetensors.",
        id="a GGUF file",
    ),
    pytest.param(
        "/srv/m/model.safetensors",
        {},
        ".source: '/srv/m/model.safetensors' is one file of a model.\n"
        "    Name the folder, which also has its config.json.",
        id="one file of a model",
    ),
    pytest.param(
        "qwen",
        {},
        ".source: 'qwen' is neither a repository of the hub nor a folder.\n"
        "    Write owner/name, /a/folder on the host, or ./a/folder beside the inventory.",
        id="a word",
    ),
    pytest.param(
        "models/of/mine",
        {},
        ".source: 'models/of/mine' is neither a repository of the hub nor a folder.\n"
        "    Write owner/name, /a/folder on the host, or ./a/folder beside the inventory.",
        id="a relative path without a dot",
    ),
    pytest.param(
        "~ann/m",
        {},
        ".source: '~ann/m' is below the home of another user.\n    Write the absolute path.",
        id="another home",
    ),
    pytest.param(
        "Qwen/Qwen2.5-Coder-7B-Instruct",
        {"revision": REVISION, "tools": True},
        ".tools: true is more than this model keeps: it calls tools unreliably.\n"
        "    Qwen2.5-Coder. It writes its calls as JSON into the text, so tool_calls stays empty. "
        "(vllm#32926, vllm#29192, vllm#10952)\n"
        "    Declare another model, set tools: false, or accept it by name: vllm: {accept_tools: degraded}.",
        id="tools of a model that calls them unreliably",
    ),
    pytest.param(
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
        {"revision": REVISION, "tools": True, "accept_tools": "degraded"},
        ".tools: true is more than this model keeps: it calls no tools.\n"
        "    Distillations of DeepSeek-R1. Its template renders no tools and its tokenizer has none of their tokens. "
        "(documentation of vLLM 0.33, vllm#19001, vllm#28219)\n"
        "    Declare another model, set tools: false, or accept it by name: vllm: {accept_tools: none}.",
        id="tools that are less than what was accepted",
    ),
    pytest.param(
        "/srv/unheard-of",
        {"tools": True},
        ".tools: true is more than this model keeps: it calls no tools.\n"
        "    Neither its files nor its name tell which parser reads its calls.\n"
        "    Name the parser in llm_stack_models.m.vllm.tool_call_parser: the host's own files are held against it.\n"
        "    Declare another model, set tools: false, or accept it by name: vllm: {accept_tools: none}.",
        id="tools of a model that nobody knows",
    ),
    pytest.param(
        "/srv/m",
        {"tool_call_parser": "hermess"},
        ".vllm.tool_call_parser: 'hermess' is no tool parser of vLLM 0.33.0.\n    Did you mean 'hermes'?",
        id="a slip in a tool parser",
    ),
    pytest.param(
        "/srv/m",
        {"reasoning_parser": "qwen4"},
        ".vllm.reasoning_parser: 'qwen4' is no reasoning parser of vLLM 0.33.0.\n    Did you mean 'qwen3'?",
        id="a slip in a reasoning parser",
    ),
    pytest.param(
        "/srv/m",
        {"tool_parser_plugin": "/srv/p.py"},
        ".vllm.tool_call_parser: is missing, so the plugin would not be used.\n"
        "    Write the name that the plugin registers.",
        id="a plugin that nobody uses",
    ),
    pytest.param(
        "/srv/m",
        {"tool_parser_plugin": "p.py", "tool_call_parser": "mine"},
        ".vllm.tool_parser_plugin: 'p.py' is not an absolute path.\n    Write the absolute path of a file on the host.",
        id="a plugin by a relative path",
    ),
    pytest.param(
        "/srv/m",
        {"chat_template": "templates/mine.jinja"},
        ".vllm.chat_template: 'templates/mine.jinja' is not an absolute path.\n"
        "    Write the absolute path of a file on the host, or a name in the model's tokenizer_config.json.",
        id="a template by a relative path",
    ),
    pytest.param(
        "/srv/m",
        {"extra": {"--seed": 1}},
        ".vllm.extra.--seed: begins with a dash.\n    Write seed.",
        id="a flag with its dashes",
    ),
    pytest.param(
        "/srv/m",
        {"extra": {"TP": 1}},
        ".vllm.extra.TP: cannot be a flag of vLLM.\n    Write its long name in lower case.",
        id="a short flag",
    ),
    pytest.param(
        "/srv/m",
        {"extra": {"max-num-seqs": 1}},
        ".vllm.extra.max-num-seqs: has an option of its own.\n    Write it as vllm.max_num_seqs.",
        id="a flag that has an option",
    ),
    pytest.param(
        "/srv/m",
        {"max_num_seqs": 2, "extra": {"max-num-seqs": 1}},
        ".vllm.extra.max-num-seqs: has an option of its own, and it is written there too.\n"
        "    Write it as vllm.max_num_seqs.",
        id="a flag in both places",
    ),
    pytest.param(
        "/srv/m",
        {"extra": {"max-model-len": 4096}},
        ".vllm.extra.max-model-len: is derived from context.\n    Write it there instead.",
        id="a flag that is derived",
    ),
    pytest.param(
        "/srv/m",
        {"extra": {"enable-auto-tool-choice": True}},
        ".vllm.extra.enable-auto-tool-choice: is derived from tools.\n    Write it there instead.",
        id="automatic tool choice by hand",
    ),
    pytest.param(
        "/srv/m",
        {"extra": {"async_scheduling": True, "async-scheduling": True}},
        ".vllm.extra.async-scheduling: is the same flag as async_scheduling.\n    Remove one of them.",
        id="a flag in two spellings",
    ),
    pytest.param(
        "/srv/m",
        {"extra": {"max-logprob": 5}},
        ".vllm.extra.max-logprob: is no flag of vLLM 0.32.0.\n    Did you mean 'max_logprobs'?",
        id="a slip in a flag",
    ),
    pytest.param(
        "/srv/m",
        {"env": {"VLLM_API_KEY": "k"}},
        ".vllm.env.VLLM_API_KEY: does not belong here.\n    Set llm_stack_instance_key on the host, from a vault.",
        id="a key among the variables",
    ),
    pytest.param(
        "/srv/m",
        {"env": {"HF_TOKEN": "hf_k"}},
        ".vllm.env.HF_TOKEN: does not belong here.\n"
        "    The model is fetched with the token in vllm_hub_token, from a vault.",
        id="a token among the variables",
    ),
    pytest.param(
        "/srv/m",
        {"env": {"VLLM_SERVER_DEV_MODE": 1}},
        ".vllm.env.VLLM_SERVER_DEV_MODE: has no place: it opens calls that run any method of the engine.\n"
        "    Remove it.",
        id="the mode for developers",
    ),
    pytest.param(
        "/srv/m",
        {"env": {"VLLM_PORT": 1}},
        ".vllm.env.VLLM_PORT: is derived from vllm.port.\n    Write it there instead.",
        id="a variable that is derived",
    ),
    pytest.param(
        "/srv/m",
        {"env": {"VLLM_CPU_KVCACHE_SPACE": [1]}},
        ".vllm.env.VLLM_CPU_KVCACHE_SPACE: [1] is not text on one line, a number, true or false.\n    Write one value.",
        id="a list in a variable",
    ),
    pytest.param(
        "/srv/m",
        {"context": 8192, "max_num_batched_tokens": 2048, "enable_chunked_prefill": False},
        ".vllm.max_num_batched_tokens: 2048 is less than context, which is 8192, and enable_chunked_prefill is false.\n"
        "    Write 8192 or more.",
        id="a context that is not taken at once",
    ),
    pytest.param(
        HUB,
        {"pin": {**PIN, "evidence": {"chats": True, "max_context": 32768}}, "context": 65536},
        ".context: 65536 is more than the 32768 tokens that the model was made for.\n    Write 32768 or less.",
        id="a context beyond the model",
    ),
    pytest.param(
        "/srv/m",
        {"accept": ["tight", "memmory"]},
        ".vllm.accept[1]: 'memmory' is no verdict and no reason of the preflight.\n    Did you mean 'memory'?",
        id="a slip in what is accepted",
    ),
    pytest.param(
        "/srv/m",
        {"gpu_memory_utilisation": 0.9},
        ".vllm.gpu_memory_utilisation: is not a known key.\n    Did you mean 'gpu_memory_utilization'?",
        id="a slip in an option",
    ),
    pytest.param(
        "/srv/m",
        {"gpu_memory_utilization": 90},
        ".vllm.gpu_memory_utilization: 90 is out of range.\n    Write a share of the card's memory from 0.05 to 1.",
        id="a share in percent",
    ),
    pytest.param(
        "/srv/m",
        {"quantization": "awk"},
        ".vllm.quantization: 'awk' is not a quantisation that vLLM knows.\n    Did you mean 'awq'?",
        id="a slip in a quantisation",
    ),
    pytest.param(
        "/srv/m",
        {"dtype": "fp16"},
        ".vllm.dtype: 'fp16' is not a type of numbers.\n    Known: auto, bfloat16, float, float16, float32, half.",
        id="a type by another name",
    ),
    pytest.param(
        "/srv/m",
        {"accept_tools": "native"},
        ".vllm.accept_tools: 'native' is not a verdict on tools.\n    Known: degraded, none.",
        id="what needs no acceptance",
    ),
    pytest.param(
        "/srv/m",
        {"enforce_eager": "yes"},
        ".vllm.enforce_eager: 'yes' is not true or false.\n    Write true, without quotes.",
        id="a switch as text",
    ),
    pytest.param(
        "/srv/m",
        {"tensor_parallel_size": 0},
        ".vllm.tensor_parallel_size: 0 is out of range.\n    Write a number of cards from 1 to 64.",
        id="no card at all",
    ),
]


@pytest.mark.parametrize(("source", "options", "expected"), REFUSED)
def test_what_is_refused(source: str, options: dict[str, Any], expected: str) -> None:
    assert problems(source, **options) == [PATH + expected]


def test_a_name_that_is_no_variable_shows_what_those_begin_with() -> None:
    [problem] = problems(env={"PATH": "/opt"})
    assert problem.startswith(f"{PATH}.vllm.env.PATH: is not a variable of vLLM or of the libraries below it.\n")
    assert "VLLM_, CUDA_" in problem


def test_a_secret_in_a_flag_is_not_shown() -> None:
    [problem] = problems(extra={"some-token": "sk-123456"})
    assert "sk-123456" not in problem
    assert "holds a secret in plain text." in problem


@pytest.mark.parametrize(
    ("source", "options", "expected"),
    [
        (HUB, {"revision": REVISION}, Source("hub", HUB, REVISION)),
        (HUB, {PINNED: {"repo": HUB, "revision": OTHER}}, Source("hub", HUB, OTHER)),
        ("/srv/m", {}, Source("host", "/srv/m", None)),
        ("~/m", {}, Source("host", "~/m", None)),
        ("./m", {}, Source("controller", "./m", None)),
        ("../m", {}, Source("controller", "../m", None)),
    ],
)
def test_where_a_model_comes_from(source: str, options: dict[str, Any], expected: Source) -> None:
    assert source_of(source, options) == expected


def flags(source: str = "/srv/m", context: int = 0, **options: Any) -> dict[str, object]:
    return _vllm.settings("m", source, context, options, "127.0.0.1", 8001)


def test_the_flags_of_a_model_that_says_nothing() -> None:
    assert flags() == {"host": "127.0.0.1", "port": 8001, "served-model-name": "m"}


def test_every_option_becomes_the_flag_of_its_name() -> None:
    found = flags(context=4096, gpu_memory_utilization=0.8, enforce_eager=True, limit_mm_per_prompt={"image": 0})
    assert found == {
        "enforce-eager": True,
        "gpu-memory-utilization": 0.8,
        "host": "127.0.0.1",
        "limit-mm-per-prompt": {"image": 0},
        "max-model-len": 4096,
        "port": 8001,
        "served-model-name": "m",
    }


def test_automatic_tool_choice_stands_with_a_parser_and_never_without() -> None:
    named = flags(tool_call_parser="hermes")
    assert (named["enable-auto-tool-choice"], named["tool-call-parser"]) == (True, "hermes")
    assert not {"enable-auto-tool-choice", "tool-call-parser"} & {*flags(tool_call_parser="none")}
    assert not {"enable-auto-tool-choice", "tool-call-parser"} & {*flags("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B")}


def test_a_thinking_model_gets_its_reasoning_parser() -> None:
    assert flags("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B")["reasoning-parser"] == "deepseek_r1"


def test_a_template_that_the_role_brings_is_named_by_its_file() -> None:
    source, options = "meta-llama/Llama-3.1-8B-Instruct", {"revision": REVISION}
    chosen = _vllm._tool_calling_of(_vllm.choice(source, options))
    assert chosen["chat_template"] == "tool_chat_template_llama3.1_json.jinja"
    # Its path is the host's business.
    assert "chat-template" not in flags(source, **options)


def test_a_template_of_the_user_is_a_flag() -> None:
    assert flags(chat_template="/srv/mine.jinja")["chat-template"] == "/srv/mine.jinja"


def test_other_flags_are_written_as_vllm_spells_them() -> None:
    assert flags(extra={"max_logprobs": 5})["max-logprobs"] == 5


def test_variables_are_text() -> None:
    assert _vllm.env({"env": {"VLLM_B": True, "VLLM_A": 1}}) == {"VLLM_A": "1", "VLLM_B": "1"}


def test_evidence_of_the_lock_counts_more_than_the_name() -> None:
    seen = {"chats": True, "has_template": True, "renders_tools": True, "mark": "mistral"}
    pin = {"repo": "someone/tuned", "revision": REVISION, "evidence": seen}
    assert problems("someone/tuned", tools=True, pin=pin) == []
    assert flags("someone/tuned", **{PINNED: pin})["tool-call-parser"] == "mistral"


def test_a_model_without_a_template_promises_no_tools() -> None:
    pin = {"repo": HUB, "revision": REVISION, "evidence": {"chats": True}}
    [problem] = problems(HUB, tools=True, pin=pin)
    assert "It has no chat template, so vLLM answers 400 to every conversation." in problem


def test_every_option_and_every_derived_flag_is_one_of_vllm() -> None:
    assert {*OPTIONS} - FLAGS == set()
    assert {*DERIVED} - FLAGS == {"help", "model_tag"}


def test_what_is_derived_is_no_option() -> None:
    assert {*OPTIONS} & {*DERIVED} == set()
    assert all(where for where in (*DERIVED.values(), *DERIVED_VARIABLES.values()))
