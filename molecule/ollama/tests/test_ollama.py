# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The role on a real systemd host. The server is a STAND-IN: what is shown is the role's work, nothing about Ollama."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import RELEASES, release
from observed import Stack
from played import Played, assert_clean, check, deploy, refused

URL = "http://127.0.0.1:11434"
HELLO = [{"role": "user", "content": "hello"}]
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}


def api(stack: Stack, path: str, body: object = None) -> dict[str, Any]:
    data = [] if body is None else ["--data", json.dumps(body)]
    answer = stack.output("curl -sS %s" + " %s" * len(data), URL + path, *data)
    return dict(json.loads(answer))


def digests(stack: Stack) -> dict[str, str]:
    return {each["name"]: each["digest"] for each in api(stack, "/api/tags")["models"]}


def serving(stack: Stack) -> tuple[str, str]:
    """Which start of the server serves, and which version it says it is."""
    return stack.show("ollama.service")["InvocationID"], api(stack, "/api/version")["version"]


def of_ollama(played: Played) -> list[str]:
    """The modules that ran for the role on the host; what checks its variables stays on the controller."""
    names = [step.action for step in played.steps if "ollama :" in step.task or "Ollama" in step.task]
    return [name for name in names if name != "ansible.builtin.validate_argument_spec"]


def test_a_clean_run_is_one_task_of_the_role() -> None:
    assert_clean()
    assert of_ollama(check()) == ["lab.llm_stack.service"]


def test_the_declared_models_are_there_and_what_was_seeded_needed_no_network(stack: Stack) -> None:
    assert sorted(digests(stack)) == [
        "llm-stack/narrow:latest",
        "llm-stack/tiny:latest",
        "llm-stack/wide:latest",
        "tiny:1b",
    ]


@pytest.mark.parametrize(("model", "context"), [("tiny", 2048), ("wide", 8192), ("narrow", 1024)])
def test_the_gateway_answers_with_the_declared_context(stack: Stack, model: str, context: int) -> None:
    answer = stack.chat({"model": model, "messages": HELLO})
    assert answer["choices"][0]["message"]["content"] == "I do as I am told."
    loaded = {each["name"]: each["context_length"] for each in api(stack, "/api/ps")["models"]}
    assert loaded[f"llm-stack/{model}:latest"] == context


def test_a_tool_is_called_through_the_gateway(stack: Stack) -> None:
    answer = stack.chat({"model": "tiny", "messages": HELLO, "tools": [TOOL]})
    call = answer["choices"][0]["message"]["tool_calls"][0]["function"]
    assert (call["name"], json.loads(call["arguments"])) == ("get_weather", {"city": "Rome"})


def test_it_listens_on_loopback_with_its_cloud_off(stack: Stack) -> None:
    assert "127.0.0.1:11434" in stack.output("ss -ltnH 'sport = :11434'").split()
    assert api(stack, "/api/status") == {"cloud": {"disabled": True, "source": "env"}}


def test_the_unit_ends_with_all_it_started(stack: Stack) -> None:
    properties = stack.show("ollama.service")
    assert (properties["KillMode"], properties["MemoryDenyWriteExecute"]) == ("control-group", "no")
    assert properties["UnitFileState"] == "enabled"


def test_an_update_looks_at_every_model_and_finds_nothing_new(stack: Stack) -> None:
    before = serving(stack)
    played = deploy({"ollama_update": "true"})
    assert "lab.llm_stack.ollama_model" in of_ollama(played)
    assert (played.items, played.changed) == (set(), 0), played.output
    assert serving(stack) == before


# What goes wrong


def test_a_model_removed_by_hand_is_missed_and_made_again(faulty: Stack) -> None:
    before = digests(faulty)
    faulty.output("curl -sS -X DELETE %s --data %s", f"{URL}/api/delete", '{"model": "llm-stack/wide"}')
    assert ("model-create", "llm-stack/wide:latest") in check().items
    invocation = serving(faulty)
    assert deploy().items == {("model-create", "llm-stack/wide:latest")}
    assert (digests(faulty), serving(faulty)) == (before, invocation)
    assert_clean()


def test_a_server_that_ends_comes_back_by_itself(stack: Stack) -> None:
    stack.output("systemctl --user kill --signal=KILL ollama.service")
    stack.output("for i in $(seq 60); do curl -sf %s/api/version && break; sleep 0.5; done", URL)
    assert_clean()


def test_one_that_was_stopped_is_started_and_no_model_is_fetched(stack: Stack) -> None:
    stack.output("systemctl --user stop ollama.service")
    assert ("not-active", "ollama.service") in check().items
    assert {kind for kind, _subject in deploy().items} == {"not-active"}


def test_a_stranger_on_the_port_is_named_and_left_alone(faulty: Stack) -> None:
    faulty.output("systemctl --user stop ollama.service")
    faulty.output("systemd-run --user --unit=rival python3 -m http.server 11434 --bind 127.0.0.1")
    try:
        faulty.output("for i in $(seq 50); do curl -sf %s && break; sleep 0.1; done", URL)
        words = refused()
        assert "A port is taken. Nothing was changed." in words
        assert "127.0.0.1:11434 should be held by ollama.service, but is" in words
        assert re.search(r"pid \d+ \(python3\) of deploy; stop it, or declare another port", words)
        assert faulty.is_serving("rival.service")
    finally:
        faulty.output("systemctl --user stop rival.service")


def test_tools_that_a_model_has_not_are_refused_before_the_gateway_knows_of_it(faulty: Stack) -> None:
    plain = str(RELEASES.parent / "plain/plain.gguf")
    assert Path(plain).exists()
    model = {"source": "../plain/plain.gguf", "engine": "ollama", "tools": True, "context": 2048}
    words = refused({"llm_stack_models": {"plain": model}, "llm_stack_aliases": {}})
    assert "llm-stack/plain:latest.capabilities: 'tools' is not among what llm-stack/plain:latest can do" in words
    assert "Declare tools: false, or choose a model that calls tools." in words
    listed = json.loads(faulty.request("/v1/models").stdout)["data"]
    assert "plain" not in {each["id"] for each in listed}


# Upgrades


def test_an_upgrade_keeps_the_models_and_restarts_once(stack: Stack) -> None:
    before, (invocation, version) = digests(stack), serving(stack)
    assert version == "0.35.0"
    deploy(release("0.35.1"))
    after = serving(stack)
    assert (after[1], after[0] != invocation) == ("0.35.1", True)
    assert digests(stack) == before
    assert stack.show("ollama.service")["NRestarts"] == "0"
    assert_clean(release("0.35.1"))
    deploy()
    assert serving(stack)[1] == "0.35.0"


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("broken", "it answers and does not generate"),
        ("no-runner", "has no llama-server, without which it lists models and answers nothing"),
        ("lies", "the server says it is 0.1.0, and 0.36.0 was installed"),
        ("silent", "it exited with code 3"),
    ],
)
def test_an_upgrade_that_does_not_serve_is_put_back(stack: Stack, name: str, cause: str) -> None:
    before = digests(stack)
    words = refused(release(name))
    assert "ollama.service did not become ready" in words
    assert cause in words
    assert "ollama.service is serving again" in words
    assert (serving(stack)[1], digests(stack)) == ("0.35.0", before)
    assert stack.chat({"model": "tiny", "messages": HELLO})["choices"]


def test_a_host_without_zstd_says_so_before_anything_is_fetched(stack: Stack) -> None:
    asset = "ollama-linux-amd64.tar.zst"
    entry = {"url": f"http://127.0.0.1:9/{asset}", "size": 1, "sha256": "ab" * 32}
    lock = {"ollama": {"tag": "v0.36.0", "assets": {asset: entry}}}
    words = refused({"llm_stack_release_lock": lock, "ollama_release_directory": ""})
    assert "zstd: is missing on this host, and the archive is compressed with it." in words
    assert serving(stack)[1] == "0.35.0"
