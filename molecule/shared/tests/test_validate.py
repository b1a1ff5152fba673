# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A checklist of a stack that runs, and of one in which one promise is broken: that one is named, and no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from observed import CONFIG, DATA, STATE, UNITS, Stack
from played import play

pytestmark = pytest.mark.only_in("default")

PROBE = "lab.llm_stack.probe"
UNIT = "llamacpp-tiny.service"
DROP_IN = f"{UNITS}/{UNIT}.d"
# Units that a test has just started are young, and what is broken on purpose complains.
CALM = {"llm_stack_checks": {"min_uptime": 0, "journal_allow": [{"match": ".", "reason": "a test"}]}}
# Answers all that is asked of a server's health, and nothing that is asked of its model.
HUNG = """
import http.server, json, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = {"data": [{"id": "tiny"}], "model_path": sys.argv[1], "default_generation_settings": {"n_ctx": 4096}}
        self.send_response(200); self.end_headers(); self.wfile.write(json.dumps(said).encode())
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/apply-template":
            time.sleep(600)
        prompt = {"prompt": json.dumps(asked)}
        self.send_response(200); self.end_headers(); self.wfile.write(json.dumps(prompt).encode())
http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Looked:
    """What a look at every promise found."""

    code: int
    modules: int
    results: dict[str, dict[str, Any]]

    @property
    def failed(self) -> dict[str, tuple[str, str]]:
        """Which checks failed, each with its cause and its remedy."""
        wrong = {name: each for name, each in self.results.items() if each["state"] == "fail"}
        return {name.split(":")[0]: (each["cause"], each["remedy"]) for name, each in wrong.items()}


def look() -> Looked:
    played = play("validate", variables={**CALM, "validate_timeout": 5})
    probed = [step.answer for step in played.steps if step.action == PROBE]
    results = {each["id"]: each for one in probed for each in one["results"]}
    return Looked(played.code, len(played.module_tasks), results)


@pytest.fixture
def broken(faulty: Stack) -> Iterator[Stack]:
    """The stack for a test that breaks its instance by a drop-in or its environment; both are put right again."""
    faulty.output("cp %s /tmp/tiny.env", f"{CONFIG}/llamacpp/tiny.env")
    yield faulty
    faulty.output("cp /tmp/tiny.env %s && rm -rf %s", f"{CONFIG}/llamacpp/tiny.env", DROP_IN)
    faulty.output(
        "systemctl --user daemon-reload && systemctl --user reset-failed && systemctl --user restart %s", UNIT
    )


def drop_in(stack: Stack, *lines: str) -> None:
    """Let the unit run something else, which need not become ready."""
    stack.output("mkdir -p %s && printf %s >%s", DROP_IN, "\n".join(["[Service]", *lines, ""]), f"{DROP_IN}/x.conf")
    stack.output("systemctl --user daemon-reload && systemctl --user restart %s", UNIT)


def test_every_promise_is_kept_each_time_in_one_task() -> None:
    for _turn in range(3):
        found = look()
        assert (found.failed, found.code, found.modules) == ({}, 0, 1)
    assert "native, certified " in next(
        each["evidence"] for name, each in found.results.items() if name.startswith("tool_certificate:")
    )


def test_a_certificate_is_on_the_gateways_host_and_holds_no_key(stack: Stack) -> None:
    text = stack.output("cat %s", f"{STATE}/certified/tiny.json")
    record = json.loads(text)
    assert (record["verdict"], {each["kept"] for each in record["ways"] if each["counted"]}) == ("native", {True})
    key = stack.output(". %s && echo $LITELLM_MASTER_KEY", f"{CONFIG}/litellm/secrets.env")
    assert key not in text


def test_an_engine_that_hangs_behind_a_healthy_face(broken: Stack) -> None:
    broken.output("echo %s >/tmp/hung.py", HUNG)
    model = broken.output("ls %s/models/tiny-*.gguf", broken.home(DATA))
    drop_in(broken, "ExecStart=", f"ExecStart=/usr/bin/python3 /tmp/hung.py {model}", "ExecStartPost=")
    found = look()
    assert set(found.failed) == {"chat_content"}
    assert found.code == 10


def test_another_model_under_the_right_name(broken: Stack) -> None:
    # Earlier tests leave models beside the one that is served, and not all of them are whole.
    environment = f"/proc/$(systemctl --user show --value --property=MainPID {UNIT})/environ"
    broken.output(f"cp \"$(tr '\\0' '\\n' <{environment} | sed -n s/^LLAMA_ARG_MODEL=//p)\" /tmp/other.gguf")
    drop_in(broken, "Environment=LLAMA_ARG_MODEL=/tmp/other.gguf")
    assert look().failed == {"model_identity": ("another model answers to this name", "run deploy")}


def test_a_context_that_is_not_the_declared_one(broken: Stack) -> None:
    broken.output("sed -i s/CTX_SIZE=4096/CTX_SIZE=1024/ %s", f"{CONFIG}/llamacpp/tiny.env")
    broken.output("systemctl --user restart %s", UNIT)
    (cause, remedy) = look().failed.pop("engine_context")
    assert cause.startswith("the engine runs with another context than the declared one")
    assert remedy == "run deploy, or lower context in llm_stack_models.tiny"


def test_an_engine_without_its_counters(broken: Stack) -> None:
    broken.output("sed -i /METRICS/d %s", f"{CONFIG}/llamacpp/tiny.env")
    broken.output("systemctl --user restart %s", UNIT)
    assert look().failed == {"engine_counters": ("the engine was started without its counters", "run deploy")}


def test_a_template_without_tools(broken: Stack) -> None:
    plain = "{% for message in messages %}{{ message.content }}{% endfor %}"
    broken.output("echo %s >/tmp/plain.jinja", plain)
    broken.output("echo LLAMA_ARG_CHAT_TEMPLATE_FILE=/tmp/plain.jinja >>%s", f"{CONFIG}/llamacpp/tiny.env")
    drop_in(broken, "ExecStartPost=")
    broken.output("for i in $(seq 50); do curl -sf http://127.0.0.1:8080/health && break; sleep 0.1; done")
    found = look()
    assert "tools_rendered" in found.failed
    assert found.failed["tools_rendered"][0] == "the chat template leaves tools out"


def test_a_service_that_ends_again_and_again(broken: Stack) -> None:
    drop_in(broken, "ExecStart=", "ExecStart=/bin/sleep 1", "ExecStartPost=", "RestartSec=30")
    broken.output("sleep 2")
    cause, remedy = look().failed.pop("unit_active")
    assert cause == "its process keeps ending"
    assert remedy == f"run deploy; journalctl --user -u {UNIT} says more"
