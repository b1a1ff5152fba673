# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The role has built llama.cpp's Python server on the host, and what it serves is what was declared."""

from __future__ import annotations

import json

from llama import PORTS, QUESTION, WEATHER, ask, command, said
from observed import Stack
from played import assert_clean


def test_a_check_finds_nothing_to_do() -> None:
    assert_clean()


def test_it_was_built_here_for_this_processor_and_nothing_else_was_installed(stack: Stack) -> None:
    environments = ".local/share/llm-stack/envs"
    assert sorted(stack.output(f"ls {environments}").split()) == ["litellm", "llamacpp-python"]
    python = command(stack, "plain")
    assert python.startswith(f"{environments}/llamacpp-python/")
    installed = python.removesuffix("/bin/python")
    wheel = stack.output(f"cat {installed}/lib/python3*/site-packages/llama_cpp_python-*.dist-info/WHEEL")
    assert "Generator: scikit-build-core" in wheel
    said_by_library = "import llama_cpp; print(json.dumps(llama_cpp.llama_print_system_info().decode()))"
    told = json.loads(stack.output(f"{python} -c 'import json; {said_by_library}' 2>/dev/null"))
    assert "CPU" in told


def test_it_answers_through_the_gateway(stack: Stack) -> None:
    assert said(stack, "plain") == "Hello from the tiny test model."
    assert [each["id"] for each in ask(stack, "plain", "/v1/models")["data"]] == ["plain"]


def test_a_call_at_the_python_server_comes_back_as_text(stack: Stack) -> None:
    """Why the plan refuses tools: true there. Once this fails, that refusal has had its day."""
    body = {"model": "plain", "messages": QUESTION, "tools": [WEATHER], "tool_choice": "auto", "max_tokens": 60}
    (choice,) = ask(stack, "plain", "/v1/chat/completions", body)["choices"]
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["content"].startswith("<tool_call>")
    assert not choice["message"].get("tool_calls")


def test_no_page_of_a_browser_may_read_the_python_server(stack: Stack) -> None:
    headers = stack.output(
        f"curl --silent --head --request GET --header 'Origin: http://elsewhere' http://127.0.0.1:{PORTS['plain']}/v1/models"
    )
    assert "access-control-allow-origin" not in headers.lower()
