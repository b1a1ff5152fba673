# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A change that does not come up: the play fails and says why, and what served before serves again."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from clients import ALIVE, unbroken
from observed import CONFIG, PROJECT, Stack
from played import Variables, assert_clean, play

ENGINE = "llamacpp-tiny.service"
pytestmark = pytest.mark.only_in("default")

HANGS = "#!/bin/sh\nexec sleep 600\n"
EXITS = "#!/bin/sh\necho 'no feet to stand on' >&2\nexit 3\n"
# Serves what the readiness check asks for, and ends a second later.
LEAVES = """#!/usr/bin/python3
import http.server, os, threading
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"data": [{"id": "tiny"}]}')
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"choices": [{"text": ""}]}')
        threading.Timer(1, os._exit, [5]).start()
http.server.HTTPServer(("127.0.0.1", 8080), Answer).serve_forever()
"""


def refused(stack: Stack, variables: Variables) -> str:
    """Deploy what cannot work; afterwards a chat gets its answer, and nothing is left to mend."""
    played = play("deploy", variables=variables)
    assert played.code != 0, played.output
    assert stack.answers()
    assert_clean()
    return played.message


@pytest.mark.parametrize(
    ("program", "ready_timeout", "words"),
    [
        pytest.param(HANGS, 2, ["its readiness check failed", "is not ready after"], id="hangs"),
        pytest.param(EXITS, 60, ["it exited with code 3", "no feet to stand on"], id="exits at once"),
        pytest.param(LEAVES, 60, ["it became ready and then it exited with code 5"], id="exits after it was ready"),
    ],
)
def test_a_server_that_does_not_stay(faulty: Stack, program: str, ready_timeout: int, words: list[str]) -> None:
    path = faulty.home("fake-server")
    faulty.output("printf %s %s > %s && chmod +x %s", "%s", program, path, path)
    method = {"llamacpp_method": "existing", "llamacpp_program": path, "llamacpp_ready_timeout": ready_timeout}
    with unbroken(faulty, ALIVE):
        message = refused(faulty, method)
    assert message.startswith(f"{ENGINE} did not become ready: {words[0]}"), message
    assert [word for word in words if word not in message] == []
    assert f"\n{ENGINE} is serving again (ready after " in message
    assert message.endswith(" s). The declaration was not applied.")


def declared(model: Path) -> Variables:
    """The stack with another file as its model."""
    source = os.path.relpath(model, os.environ["MOLECULE_INVENTORY_FILE"])
    return {"llm_stack_models": {"tiny": {"source": source, "tools": True, "context": 4096}}}


def test_a_model_that_is_no_model_stops_nothing(faulty: Stack, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"<html>Sign in to download</html>" * 4096)
    with unbroken(faulty):
        message = refused(faulty, declared(broken))
    assert "llm_stack_models.tiny.source: " in message
    assert " is an HTML page: what was fetched is an answer for people, such as a login page." in message


def test_a_model_that_is_newer_than_the_server(faulty: Stack, tmp_path: Path) -> None:
    """Nothing but the server itself can tell."""
    model = (PROJECT / "models/tiny-tools.gguf").read_bytes()
    place = model.index(b"qwen2", model.index(b"tokenizer.ggml.pre"))
    newer = tmp_path / "newer.gguf"
    newer.write_bytes(model[:place] + b"qwen9" + model[place + 5 :])
    message = refused(faulty, declared(newer))
    assert "\n    Cause: This llama.cpp does not know the model's tokenizer.\n" in message
    assert f"\n{ENGINE} is serving again (ready after " in message


def with_lost_deployment(config: dict[str, Any]) -> None:
    parameters = {"model": "nosuch/lost", "api_base": "http://127.0.0.1:8080/v1", "api_key": "none"}
    config["model_list"].append({"model_name": "lost", "litellm_params": parameters})


def with_unknown_strategy(config: dict[str, Any]) -> None:
    config["router_settings"]["routing_strategy"] = "fastest"


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        pytest.param(
            with_lost_deployment,
            "Cause: LiteLLM does not know the provider in front of the model's name.",
            id="a deployment that LiteLLM leaves out",
        ),
        pytest.param(with_unknown_strategy, "Cause: LiteLLM refuses a setting.", id="a setting that LiteLLM refuses"),
    ],
)
def test_a_gateway_that_does_not_come_up_takes_over_nothing(
    faulty: Stack, spoil: Callable[[dict[str, Any]], None], cause: str
) -> None:
    serving = faulty.slot()
    config = yaml.safe_load(faulty.output("cat %s", f"{CONFIG}/litellm/{serving.partition('@')[2][0]}/config.yaml"))
    spoiled = copy.deepcopy(config)
    spoil(spoiled)
    with unbroken(faulty):
        message = refused(faulty, {"litellm_config": spoiled, "litellm_check": False})
    assert f"\n    {cause}\n    Log: " in message
    assert message.endswith(f"\n{serving} kept serving. The declaration was not applied.")
    assert faulty.slot() == serving
