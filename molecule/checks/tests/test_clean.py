# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A stack that keeps its promises: no false alarm, in one task a host, and nobody is woken for it."""

from __future__ import annotations

import json

import pytest
from cases import OLLAMA, TINY, WHOLE, says
from looking import YOUNG, look
from observed import CONFIG, STATE, Stack

RESTING = "llamacpp-resting.service"
ERRORS = {**YOUNG["llm_stack_checks"], "journal_allow": [{"match": "the moon is", "reason": "it is where it is"}]}


def loaded(stack: Stack) -> list[str]:
    """The models that Ollama's stand-in has in memory."""
    return [each["name"] for each in json.loads(stack.output(f"curl -sS {OLLAMA}/api/ps"))["models"]]


def asleep(stack: Stack) -> None:
    stack.output(f"curl -sS {OLLAMA}/api/generate --data %s", '{"model": "llm-stack/dozing", "keep_alive": 0}')
    assert loaded(stack) == []


def test_every_promise_is_kept_each_time_and_no_sleeping_model_is_woken(stack: Stack) -> None:
    asleep(stack)
    for _turn in range(3):
        found = look()
        # One on each host, and git's on the controller.
        assert (found.wrong, found.code, found.modules, found.issues) == ({}, 0, 3, [])
    assert loaded(stack) == []
    assert (stack.show(RESTING)["ActiveState"], stack.show(RESTING).get("InvocationID", "")) == ("inactive", "")
    skipped = {name for name, each in found.results.items() if each["state"] == "skipped"}
    assert skipped == {
        "route:ck:dozing",
        "tool_certificate:ck:dozing",
        "ollama_gpu:ck:dozing",
        "app_limits:ck:few",
    }
    assert "native, certified " in found.results["tool_certificate:ck:tiny"]["evidence"]


def test_what_was_not_looked_at_counts_for_who_is_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_STACK_STRICT_VALIDATE", "true")
    found = look()
    assert (found.wrong, found.code) == ({}, 11)


def test_a_deep_look_wakes_and_provokes_and_then_all_was_looked_at(stack: Stack) -> None:
    asleep(stack)
    found = look(None, "--tags", "deep")
    assert (found.wrong, found.code) == ({}, 0)
    assert [each["id"] for each in found.results.values() if each["state"] == "skipped"] == []
    assert loaded(stack) == ["llm-stack/dozing:latest"]
    # The second where this minute's requests were used up by the tests before.
    assert found.results["app_limits:ck:few"]["evidence"] in (
        "4 requests a minute, the next one refused",
        "429: the requests of this minute are used up",
    )
    assert found.results["app_timeout:ck:charm/tiny"]["evidence"].startswith("408 after ")


def test_a_line_that_is_allowed_with_a_reason_is_no_error(stack: Stack) -> None:
    stack.output(says("ERROR: the moon is in the wrong house"))
    found = look({"llm_stack_checks": ERRORS})
    stack.output(WHOLE)
    assert found.wrong == {}
    assert found.results[f"journal_clean:ck:{TINY}"]["evidence"].endswith("since its start; 1 allowed")


def test_a_certificate_is_on_the_gateways_host_and_holds_no_key(stack: Stack) -> None:
    text = stack.output("cat %s", f"{STATE}/certified/tiny.json")
    record = json.loads(text)
    assert (record["verdict"], {each["kept"] for each in record["ways"] if each["counted"]}) == ("native", {True})
    key = stack.output(". %s && echo $LITELLM_MASTER_KEY", f"{CONFIG}/litellm/secrets.env")
    assert len(key) > 15
    assert key not in text
