# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The openai client, which is not ours, talks to the gateway from another machine through an ssh tunnel."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from observed import CONFIG, Stack, eventually
from openai import OpenAI

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
QUESTION: dict[str, Any] = {"role": "user", "content": "What is the weather in Paris?"}
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[OpenAI]:
    """The client behind a tunnel to the gateway, made from the inventory like every other connection."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = stack.host.ansible.get_variables()
    options = [*shlex.split(variables["ansible_ssh_common_args"]), "-i", variables["ansible_ssh_private_key_file"]]
    options += ["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ExitOnForwardFailure=yes"]
    forward = ["-N", "-L", f"127.0.0.1:{port}:127.0.0.1:4000", f"{variables['ansible_user']}@{stack.name}"]
    key = stack.output(f". ./{CONFIG}/litellm/secrets.env && echo $LITELLM_MASTER_KEY")
    tunnel = subprocess.Popen(["ssh", *options, *forward], stdin=subprocess.DEVNULL)
    try:
        assert eventually(lambda: listens(port), seconds=20)
        yield OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0, timeout=60)
    finally:
        tunnel.terminate()
        tunnel.wait(timeout=10)


def test_the_models_are_listed(client: OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {"tiny", "chat"}


def test_a_chat(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="chat", messages=HELLO, max_tokens=60)
    assert answer.choices[0].message.content == "Hello from the tiny test model."


def test_a_stream(client: OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="chat", messages=HELLO, max_tokens=60, stream=True))
    pieces = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    assert "".join(pieces) == "Hello from the tiny test model."
    assert len(pieces) > 1


def test_a_tool_is_called_and_its_result_answered(client: OpenAI) -> None:
    asked: list[Any] = [QUESTION]
    first = client.chat.completions.create(model="chat", messages=asked, tools=[WEATHER], max_tokens=60)
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert message.tool_calls
    (call,) = message.tool_calls
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Paris"})
    result = {"role": "tool", "tool_call_id": call.id, "content": json.dumps({"temperature": 21, "sky": "clear"})}
    told = [QUESTION, message.model_dump(exclude_none=True), result]
    second = client.chat.completions.create(model="chat", messages=told, tools=[WEATHER], max_tokens=60)
    assert second.choices[0].finish_reason == "stop"
    assert second.choices[0].message.content
