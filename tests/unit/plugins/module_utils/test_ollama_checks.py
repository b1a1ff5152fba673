# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Honest models: what a model at Ollama can do, what context it really has, and whether it is on the card."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ollama_servers as servers
import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_checks
from ansible_collections.lab.llm_stack.plugins.module_utils._answer import Answer
from ansible_collections.lab.llm_stack.plugins.module_utils._check_order import needs, waits
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import Verdict, faults, title
from ansible_collections.lab.llm_stack.plugins.module_utils._probe import Probe
from ollama_servers import TINY, call

CHECK = {"id": "x", "host": "gpu-01", "url": "http://127.0.0.1:11434", "model": "chat", "ollama_name": "llm-stack/chat"}
NAME = "llm-stack/chat:latest"


def answer(value: object) -> Answer:
    return Answer(200, {}, json.dumps(value))


def judge(kind: str, *answers: object, card: bool = False, **more: object) -> Verdict:
    check = {**CHECK, "check": kind, **more}
    return _ollama_checks.judge(check, [answer(each) for each in answers], card)


def loaded(**more: object) -> dict[str, Any]:
    return {"models": [{"name": NAME, "size": 100, "size_vram": 0, "context_length": 8192, **more}]}


NOTHING: dict[str, Any] = {"models": []}
MADE = {"parameters": "num_ctx                        8192", "capabilities": ["completion", "tools"]}


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        pytest.param(judge("ollama_tools", MADE), Verdict("pass", "it can do completion, tools"), id="tools"),
        pytest.param(
            judge("ollama_tools", {"capabilities": ["completion"]}),
            Verdict(
                "fail",
                "it can do completion",
                "its template knows no tools",
                "set tools: false in llm_stack_models.chat, or choose a model that calls tools",
            ),
            id="no tools",
        ),
        pytest.param(
            judge("ollama_context", MADE, loaded(), context=8192),
            Verdict("pass", "8192 tokens in memory"),
            id="the declared context in memory",
        ),
        pytest.param(
            judge("ollama_context", {}, loaded(context_length=4096), context=8192),
            Verdict(
                "fail",
                "4096 tokens in memory, declared 8192",
                "the server's own context counts",
                "run deploy, then unload the model",
            ),
            id="the silent 4096",
        ),
        pytest.param(
            judge("ollama_context", MADE, loaded(context_length=32768), context=8192),
            Verdict(
                "warn",
                "32768 tokens in memory, declared 8192",
                "a request asked for another context",
                "run deploy, then unload the model",
            ),
            id="more than declared, which costs memory",
        ),
        pytest.param(
            judge("ollama_context", MADE, NOTHING, context=8192),
            Verdict("pass", "not loaded; 8192 is written into it"),
            id="asleep, with its context inside",
        ),
        pytest.param(
            judge("ollama_context", {}, NOTHING, context=4096),
            Verdict("pass", "not loaded; the server's own counts"),
            id="asleep, without one",
        ),
        pytest.param(
            judge("ollama_context", MADE, NOTHING, context=4096),
            Verdict(
                "fail",
                "not loaded; 8192 is written into it, declared 4096",
                "it was made from another declaration",
                "run deploy",
            ),
            id="asleep, with another context inside",
        ),
        pytest.param(
            judge("ollama_context", MADE, loaded(context_length=None), context=8192),
            Verdict("skipped", "loaded, but this version of Ollama does not tell its context"),
            id="unknown is no zero",
        ),
        pytest.param(
            judge("ollama_gpu", loaded(size_vram=100), card=True),
            Verdict("pass", "all of it on the card"),
            id="on the card",
        ),
        pytest.param(
            judge("ollama_gpu", loaded(), card=True),
            Verdict(
                "fail",
                "none of it on the card",
                "the server found no card when it started, or lost it",
                "restart ollama.service; journalctl --user -u ollama tells which cards it found",
            ),
            id="fallen back to the processor",
        ),
        pytest.param(
            judge("ollama_gpu", loaded(size_vram=40), card=True),
            Verdict(
                "warn",
                "40 % of it on the card",
                "the card has no room for the rest",
                "choose a smaller model, quantisation or context",
            ),
            id="half of it",
        ),
        pytest.param(
            judge("ollama_gpu", loaded()),
            Verdict("pass", "on the processor; this host has no card"),
            id="a host without a card",
        ),
        pytest.param(
            judge("ollama_gpu", NOTHING, card=True),
            Verdict("skipped", "not loaded, so there is nothing to measure"),
            id="asleep",
        ),
    ],
)
def test_verdicts(verdict: Verdict, expected: Verdict) -> None:
    assert verdict == expected


def test_an_error_is_no_verdict_about_the_model() -> None:
    check = {**CHECK, "check": "ollama_tools"}
    found = _ollama_checks.judge(check, [Answer(404, {}, '{"error":"model \'x\' not found"}')])
    assert (found.state, "not found" in found.evidence) == ("fail", True)


@dataclass(frozen=True)
class Model:
    name: str = "chat"
    source: str = "tiny:1b"
    context: int = 8192
    tools: bool = True
    standby: bool = False
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Instance:
    model: Model
    unit: str = "ollama.service"
    bind: str = "127.0.0.1"
    port: int = 11434
    needs_key: bool = False


def kinds(model: Model) -> list[str]:
    found = list(_ollama_checks.checks(Instance(model), "gpu-01", "http://127.0.0.1:11434"))
    assert faults(found) == []
    assert all("{" not in title(each) for each in found)
    return [each["check"] for each in found]


def test_a_model_gets_the_checks_that_its_declaration_calls_for() -> None:
    assert kinds(Model()) == ["ollama_tools", "ollama_context", "ollama_gpu"]
    assert kinds(Model(tools=False)) == ["ollama_context", "ollama_gpu"]
    assert kinds(Model(standby=True)) == ["ollama_tools", "ollama_context"]
    off = {"ollama": {"parameters": {"num_gpu": 0}}}
    assert kinds(Model(options=off)) == ["ollama_tools", "ollama_context"]


def test_a_model_is_measured_after_its_route_has_woken_it() -> None:
    measured = {**CHECK, "check": "ollama_gpu", "direct": True}
    route = {"id": "route:chat", "host": "gpu-01", "check": "route", "url": "http://127.0.0.1:4000", "model": "chat"}
    others = [route, {**route, "id": "route:other", "model": "other"}, measured]
    assert waits(measured, others) == [route]
    # One that was not woken can be told what is written into it.
    assert needs(measured, others) == []


@pytest.mark.parametrize("kind", servers.KINDS)
def test_a_sleeping_model_is_not_woken_unless_asked_to(kind: str, tmp_path: Path) -> None:
    with servers.started(kind, tmp_path / "home") as url:
        digest = f"sha256:{servers.sha256(TINY.read_bytes())}"
        call(f"{url}/api/blobs/{digest}", TINY.read_bytes())
        body = {"model": "chat", "files": {"a.gguf": digest}, "parameters": {"num_ctx": 2048}}
        call(f"{url}/api/create", body)
        found = list(_ollama_checks.checks(Instance(Model(context=2048)), "here", url))
        found = [{**each, "ollama_name": "chat"} for each in found]
        probe = Probe({}, 30, 1)
        asleep = {each.check: (each.state, each.evidence) for each in probe.run(found)}
        assert asleep["ollama_context"] == ("pass", "not loaded; 2048 is written into it")
        assert json.loads(call(f"{url}/api/ps")[1]) == NOTHING
        awake = {each.check: (each.state, each.evidence) for each in probe.run([{**e, "deep": True} for e in found])}
        assert awake["ollama_tools"] == ("pass", "it can do completion, tools")
        assert awake["ollama_context"] == ("pass", "2048 tokens in memory")
        assert awake["ollama_gpu"][0] == "pass"
