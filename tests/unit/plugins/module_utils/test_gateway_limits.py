# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of requests and tokens are in force, at the price of one token; small ones are used up only by a deep look."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _gateway_limits
from ansible_collections.lab.llm_stack.plugins.module_utils._answer import Answer
from ansible_collections.lab.llm_stack.plugins.module_utils._answers import Question
from ansible_collections.lab.llm_stack.plugins.module_utils._check_order import needs
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import (
    FAIL,
    PASS,
    SKIPPED,
    Verdict,
    faults,
    title,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan
from ansible_collections.lab.llm_stack.plugins.module_utils._probe import converse

GATEWAY = "http://127.0.0.1:4000"
APP = {"check": "app_limits", "url": GATEWAY, "app": "charm", "model": "tiny"}
MODEL = {"check": "model_limits", "url": GATEWAY, "model": "tiny"}
OTHER = "the gateway runs with another limit than the declared one"


def told(counted: str = "api_key", **limits: int) -> Answer:
    return Answer(200, {f"x-ratelimit-{counted}-limit-{name}": str(value) for name, value in limits.items()}, "{}")


def refused(kind: str) -> Answer:
    return Answer(429, {"rate_limit_type": kind}, json.dumps({"error": {"message": f"Limit type: {kind}."}}))


def had(check: Mapping[str, Any], answers: Sequence[Answer]) -> tuple[Verdict, list[Question]]:
    """Have the talk with prepared answers, all of which have to be asked for."""
    asked: list[Question] = []
    waiting = iter(answers)

    def answer(question: Question) -> Answer:
        asked.append(question)
        return next(waiting)

    verdict = converse(_gateway_limits.talk(check), answer)
    assert next(waiting, None) is None
    return verdict, asked


@pytest.mark.parametrize(
    ("check", "answers", "expected"),
    [
        pytest.param(
            {**APP, "rpm": 100, "tpm": 5000},
            [told(requests=100, tokens=5000), refused("tokens")],
            Verdict(PASS, "100 requests a minute, 5001 tokens refused at once"),
            id="both are in force",
        ),
        pytest.param(
            {**APP, "rpm": 100},
            [told(requests=100)],
            Verdict(PASS, "100 requests a minute"),
            id="requests alone",
        ),
        pytest.param(
            {**MODEL, "tpm": 5000},
            [told("model_per_key", tokens=5000), refused("tokens")],
            Verdict(PASS, "5001 tokens refused at once"),
            id="tokens of a model",
        ),
        pytest.param(
            {**APP, "rpm": 100},
            [refused("requests")],
            Verdict(PASS, "429: the requests of this minute are used up"),
            id="it is busy right now, which shows it as well",
        ),
        pytest.param(
            {**APP, "rpm": 100, "tpm": 5000},
            [told(tokens=9)],
            Verdict(
                FAIL,
                "no limit of requests a minute, declared 100; 9 tokens a minute, declared 5000",
                OTHER,
                "run deploy",
            ),
            id="other limits",
        ),
        pytest.param(
            {**APP, "rpm": 100},
            [told(requests=100, tokens=7)],
            Verdict(FAIL, "7 tokens a minute, declared none", OTHER, "run deploy"),
            id="a limit that nobody declared",
        ),
        pytest.param(
            {**APP, "tpm": 5000},
            [told(tokens=5000), Answer(200, {}, "{}")],
            Verdict(
                FAIL,
                "200 to a request for 5001 tokens, instead of 429",
                "LiteLLM tells its limit of tokens and does not hold to it",
                "run deploy",
            ),
            id="told and not held",
        ),
        pytest.param(
            {**APP, "rpm": 3},
            [],
            Verdict(SKIPPED, "3 requests a minute are too few to check them, and only a deep check uses them"),
            id="few requests are left to the app",
        ),
        pytest.param(
            {**APP, "rpm": 3, "deep": True},
            [told(requests=3), told(requests=3), told(requests=3), refused("requests")],
            Verdict(PASS, "3 requests a minute, the next one refused"),
            id="few requests are used up by a deep look",
        ),
        pytest.param(
            {**APP, "rpm": 2, "deep": True},
            [told(requests=2), told(requests=2), told(requests=2)],
            Verdict(
                FAIL,
                "3 requests in a minute were answered, declared 2",
                "LiteLLM tells its limit of requests and does not hold to it",
                "run deploy",
            ),
            id="few requests are not held",
        ),
        pytest.param(
            {**APP, "rpm": 100},
            [Answer(429, {}, json.dumps({"error": {"message": "slow down"}}))],
            Verdict(
                FAIL,
                "429: slow down",
                "the engine, or a limit, allows no more requests right now",
                "look at the unit's journal",
            ),
            id="a refusal of the engine is none of the gateway",
        ),
    ],
)
def test_limits(check: dict[str, Any], answers: list[Answer], expected: Verdict) -> None:
    assert had(check, answers)[0] == expected


def test_it_costs_one_token_and_no_model_is_asked_for_more() -> None:
    check = {**APP, "rpm": 100, "tpm": 5000}
    _verdict, asked = had(check, [told(requests=100, tokens=5000), refused("tokens")])
    assert [(each.key, (each.body or {})["max_tokens"]) for each in asked] == [("app charm", 1), ("app charm", 5001)]


def test_the_plan_promises_them_and_wakes_nobody_for_it() -> None:
    scripted = {"provider": "openai_compatible", "api_base": "http://127.0.0.1:9/v1", "source": "x"}
    found = plan(
        {
            "models": {
                "small": {**scripted, "limits": {"rpm": 7}},
                "dozing": {"source": "llama3.1:latest", "tools": False},
            },
            "apps": {
                "charm": {"models": ["dozing"], "limits": {"rpm": 100, "tpm": 5000}},
                "alone": {"models": ["small"], "limits": {"tpm": 10}, "isolation": "instance"},
                "free": {"models": ["small"]},
            },
            "hosts": {"box": {"groups": ["ollama", "litellm"]}},
        }
    )
    checks = [each for each in found["checklist"] if each["check"] in _gateway_limits.KINDS]
    kept = [{key: each.get(key) for key in ("check", "app", "model", "rpm", "tpm")} for each in checks]
    assert kept == [
        {"check": "app_limits", "app": "charm", "model": "dozing", "rpm": 100, "tpm": 5000},
        {"check": "model_limits", "app": None, "model": "small", "rpm": 7, "tpm": None},
        {"check": "app_limits", "app": "alone", "model": "alone/small", "rpm": None, "tpm": 10},
    ]
    assert faults(found["checklist"]) == []
    assert [title(each) for each in checks] == [
        "the key of charm is held to its limits",
        "small is held to its limits",
        "the key of alone is held to its limits",
    ]
    assert checks[0]["sleeps"] == [{"url": "http://127.0.0.1:11434", "name": "llama3.1:latest"}]
    # Where the model does not answer, that is told once.
    assert [[one["check"] for one in needs(each, found["checklist"])] for each in checks] == [["route"]] * 3
