# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""llama.cpp's Python server: its settings, and what it is refused for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _llamacpp_python as python
from ansible_collections.lab.llm_stack.plugins.module_utils._llamacpp import OPTIONS
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import render


def derive(context: int = 4096, **options: Any) -> dict[str, str]:
    return python.settings("tiny", context, options, "127.0.0.1", 8000)


def test_the_defaults_are_those_that_keep_memory_and_answers() -> None:
    assert derive() == {
        "LLAMA_PYTHON_HOST": "127.0.0.1",
        "LLAMA_PYTHON_INTERRUPT_REQUESTS": "0",
        "LLAMA_PYTHON_LOGITS_ALL": "0",
        "LLAMA_PYTHON_MODEL_ALIAS": "tiny",
        "LLAMA_PYTHON_N_CTX": "4096",
        "LLAMA_PYTHON_N_GPU_LAYERS": "-1",
        "LLAMA_PYTHON_PORT": "8000",
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"threads": 2}, {"N_THREADS": "2", "N_THREADS_BATCH": "2"}),
        ({"gpu_layers": 0}, {"N_GPU_LAYERS": "0"}),
        ({"batch": 256, "ubatch": 128}, {"N_BATCH": "256", "N_UBATCH": "128"}),
        ({"flash_attn": True}, {"FLASH_ATTN": "1"}),
        ({"cache_type_k": "q8_0", "cache_type_v": "f16"}, {"TYPE_K": "8", "TYPE_V": "1"}),
        ({"cache_ram_mib": 512}, {"CACHE": "1", "CACHE_TYPE": "ram", "CACHE_SIZE": "536870912"}),
        ({"cache_ram_mib": 0}, {"CACHE": "0", "CACHE_TYPE": "ram", "CACHE_SIZE": "0"}),
        ({"chat_format": "chatml"}, {"CHAT_FORMAT": "chatml"}),
        ({"env": {"LLAMA_PYTHON_LOGITS_ALL": True}}, {"LOGITS_ALL": "1"}),
        ({"env": {"LLAMA_PYTHON_TENSOR_SPLIT": "[3, 1]"}}, {"TENSOR_SPLIT": "[3, 1]"}),
    ],
)
def test_options_become_settings(options: dict[str, Any], expected: dict[str, str]) -> None:
    found = derive(**options)
    assert {name: found[f"LLAMA_PYTHON_{name}"] for name in expected} == expected


def test_every_variable_is_a_setting_that_the_server_has() -> None:
    options: dict[str, Any] = {name: "f16" if "type" in name else 1 for name in python.MAPPED}
    assert set(derive(**options)) <= python.VARIABLES


def test_every_option_of_llamacpp_is_followed_or_refused() -> None:
    known = {*python.MAPPED, *python._LACKING}
    assert set(OPTIONS) - known == set()


def test_both_servers_stand_beside_each_other_on_ports_of_their_own() -> None:
    models = {
        "native": {"source": "a.gguf"},
        "python": {"source": "b.gguf", "llamacpp": {"server": "python"}},
        "another": {"source": "c.gguf", "llamacpp": {"server": "python"}},
    }
    derived = plan({"models": models, "hosts": {"a": {"groups": ["llamacpp", "litellm"]}}})
    found = {each["name"]: each for each in derived["hosts"]["a"]["llamacpp"]["instances"]}
    assert {name: (each["server"], each["port"]) for name, each in found.items()} == {
        "native": ("native", 8080),
        "python": ("python", 8000),
        "another": ("python", 8001),
    }
    assert found["python"]["settings"]["LLAMA_PYTHON_PORT"] == "8000"
    assert found["native"]["settings"]["LLAMA_ARG_PORT"] == "8080"


def refusals(tools: bool = False, **options: Any) -> list[str]:
    return [render(each) for each in python.check(options, "llm_stack_models.tiny", tools=tools)]


@pytest.mark.parametrize(
    "options",
    [{}, {"threads": 2, "flash_attn": False}, {"env": {"LLAMA_PYTHON_SEED": 7, "LLAMA_PYTHON_VERBOSE": False}}],
)
def test_what_it_can_do_is_not_refused(options: dict[str, Any]) -> None:
    assert refusals(**options) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(
            {"tools": True},
            "llm_stack_models.tiny.tools: true cannot be kept by llama.cpp's Python server: it returns a model's calls "
            "as text.\n"
            "    Remove llm_stack_models.tiny.llamacpp.server, so that the native server serves it, or set "
            "tools: false.",
            id="tool calls, which it does not read out of the answer",
        ),
        pytest.param(
            {"parallel": 2},
            "llm_stack_models.tiny.llamacpp.parallel: 2 is for the native server: it answers one request at a time.\n"
            "    Remove it, or remove server: python.",
            id="several requests at a time",
        ),
        pytest.param(
            {"metrics": True},
            "llm_stack_models.tiny.llamacpp.metrics: true is for the native server: it has no metrics.\n"
            "    Remove it, or remove server: python.",
            id="metrics",
        ),
        pytest.param(
            {"flash_attn": "auto"},
            "llm_stack_models.tiny.llamacpp.flash_attn: 'auto' is for the native server; the Python server does not "
            "choose.\n    Write true or false, or leave it out.",
            id="a choice that it does not make",
        ),
        pytest.param(
            {"env": {"LLAMA_ARG_SEED": 1}},
            "llm_stack_models.tiny.llamacpp.env.LLAMA_ARG_SEED: is not a setting of the Python server, which are "
            "written LLAMA_PYTHON_NAME.\n    Did you mean 'LLAMA_PYTHON_SEED'?",
            id="a variable of the native server",
        ),
        pytest.param(
            {"env": {"LLAMA_PYTHON_N_CTX": 1}},
            "llm_stack_models.tiny.llamacpp.env.LLAMA_PYTHON_N_CTX: is derived from context.\n    Write it there.",
            id="a setting that is derived",
        ),
        pytest.param(
            {"env": {"LLAMA_PYTHON_API_KEY": "abc-canary"}},
            "llm_stack_models.tiny.llamacpp.env.LLAMA_PYTHON_API_KEY: does not belong here.\n"
            "    Set llm_stack_instance_key on the host, from a vault.",
            id="a key, which is not shown",
        ),
        pytest.param(
            {"env": {"LLAMA_PYTHON_LORA_PATH": "a\nb"}},
            "llm_stack_models.tiny.llamacpp.env.LLAMA_PYTHON_LORA_PATH: 'a\\nb' is not text on one line, a number, "
            "true or false.\n    Write one value.",
            id="a value of two lines",
        ),
    ],
)
def test_what_it_cannot_do_is_refused(options: dict[str, Any], said: str) -> None:
    assert refusals(**options) == [said]
