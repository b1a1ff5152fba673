# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Everything was installed without a network, and each server is what its declaration says."""

from __future__ import annotations

import json

import pytest
from llama import QUESTION, TIME, WEATHER, ask, environment, has_python_server, program, said, status
from observed import Stack, eventually
from played import assert_clean

python_server = pytest.mark.skipif(not has_python_server(), reason="no wheel of the Python server: make wheels")


def test_the_host_has_no_network(stack: Stack) -> None:
    assert [line.split()[1] for line in stack.output("ip -oneline address").splitlines()] == ["lo", "lo"]


def test_a_check_finds_nothing_to_do() -> None:
    assert_clean()


@pytest.mark.parametrize(
    ("model", "answer"), [("tiny", "Hello from the tiny test model."), ("twin", "Hello from the twin test model.")]
)
def test_each_model_answers_under_its_own_name(stack: Stack, model: str, answer: str) -> None:
    assert said(stack, model) == answer


@pytest.mark.parametrize("model", ["tiny", "twin"])
def test_the_program_is_that_of_the_locked_archive(stack: Stack, model: str) -> None:
    path = program(stack, model)
    assert path.startswith(".local/share/llm-stack/releases/llamacpp/b11669-")
    assert path.endswith("/llama-server")
    assert ask(stack, model, "/props")["build_info"].startswith("b11669")


@pytest.mark.parametrize(("model", "slots", "context"), [("tiny", 2, 2048), ("twin", 1, 1024)])
def test_each_request_has_the_declared_context(stack: Stack, model: str, slots: int, context: int) -> None:
    """An explicit number of slots divides the context among them; what was declared is for each."""
    props = ask(stack, model, "/props")
    assert (props["total_slots"], props["default_generation_settings"]["n_ctx"]) == (slots, context)


@pytest.mark.parametrize("model", ["tiny", "twin"])
def test_a_server_serves_one_model_and_is_no_router(stack: Stack, model: str) -> None:
    assert [each["id"] for each in ask(stack, model, "/v1/models")["data"]] == [model]
    assert "role" not in ask(stack, model, "/props")


def test_only_what_was_declared_is_open(stack: Stack) -> None:
    assert [status(stack, "tiny", path) for path in ("/metrics", "/slots", "/")] == ["200", "200", "404"]
    assert [status(stack, "twin", path) for path in ("/metrics", "/slots", "/")] == ["200", "501", "404"]


def test_the_cache_of_prompts_is_bounded(stack: Stack) -> None:
    """By itself each instance would take 8192 MiB of the host's memory."""
    assert environment(stack, "tiny")["LLAMA_ARG_CACHE_RAM"] == "512"


def test_a_named_tool_is_ignored_and_nobody_promises_otherwise(stack: Stack) -> None:
    """llama-server takes a tool_choice that names a tool for "auto", so the gateway must not offer it."""
    named = {"type": "function", "function": {"name": "get_time"}}
    body = {"model": "tiny", "messages": QUESTION, "tools": [WEATHER, TIME], "tool_choice": named}
    (call,) = ask(stack, "tiny", "/v1/chat/completions", body)["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    told = {
        each["model_name"]: each["model_info"] for each in json.loads(stack.request("/v1/model/info").stdout)["data"]
    }
    assert told["tiny"]["supports_function_calling"] is True
    assert told["tiny"]["supports_tool_choice"] is not True
    assert {name for name in told if told[name]["supports_function_calling"]} == {"tiny", "chat"}


def test_a_server_that_lost_its_model_is_not_ready(stack: Stack) -> None:
    """Without a model llama-server starts as a router: healthy, and empty."""
    server = stack.home(program(stack, "tiny"))
    stack.output("systemd-run --user --quiet --unit=lost --setenv=LLAMA_ARG_PORT=9991 %s", server)
    try:
        healthy = "curl --silent --fail http://127.0.0.1:9991/health"
        assert eventually(lambda: stack.run(healthy).rc == 0, seconds=20)
        result = stack.run("python3 ~/.config/llm-stack/llamacpp/ready.py http://127.0.0.1:9991 tiny 2")
    finally:
        stack.run("systemctl --user stop lost")
    assert result.rc == 1
    assert "/v1/models lists no model, not tiny" in result.stderr


def test_a_port_that_is_none_wraps_in_silence(stack: Stack) -> None:
    """Why the role looks at every port itself: llama-server says 99999 and listens on what is left of it."""
    model = environment(stack, "twin")["LLAMA_ARG_MODEL"]
    words = ["--setenv=LLAMA_ARG_PORT=99999", f"--setenv=LLAMA_ARG_MODEL={model}", "--setenv=LLAMA_ARG_CTX_SIZE=256"]
    stack.output(f"systemd-run --user --quiet --unit=wrapped {' '.join(words)} {stack.home(program(stack, 'twin'))}")
    try:
        healthy = f"curl --silent --fail http://127.0.0.1:{99999 - 65536}/health"
        assert eventually(lambda: stack.run(healthy).rc == 0, seconds=20)
    finally:
        stack.run("systemctl --user stop wrapped")


@python_server
def test_the_python_server_answers_beside_the_native_ones(stack: Stack) -> None:
    assert said(stack, "plain") == "Hello from the tiny test model."
    assert [each["id"] for each in ask(stack, "plain", "/v1/models")["data"]] == ["plain"]


@python_server
def test_the_python_server_keeps_to_what_was_declared(stack: Stack) -> None:
    variables = environment(stack, "plain")
    own = {name: value for name, value in variables.items() if name.startswith("LLAMA_PYTHON_")}
    model = own.pop("LLAMA_PYTHON_MODEL")
    assert model.startswith(stack.home(".local/share/llm-stack/models/plain-"))
    assert own == {
        "LLAMA_PYTHON_HOST": "127.0.0.1",
        "LLAMA_PYTHON_INTERRUPT_REQUESTS": "0",
        "LLAMA_PYTHON_LOGITS_ALL": "0",
        "LLAMA_PYTHON_MODEL_ALIAS": "plain",
        "LLAMA_PYTHON_N_CTX": "1024",
        "LLAMA_PYTHON_N_GPU_LAYERS": "-1",
        "LLAMA_PYTHON_N_THREADS": "1",
        "LLAMA_PYTHON_N_THREADS_BATCH": "1",
        "LLAMA_PYTHON_PORT": "8000",
    }
