# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ladder of an instance and of the gateway: each rung fails alone, and none wakes a model that sleeps."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _gateway_rungs, _ladder
from ansible_collections.lab.llm_stack.plugins.module_utils._answer import Answer
from ansible_collections.lab.llm_stack.plugins.module_utils._answers import Question
from ansible_collections.lab.llm_stack.plugins.module_utils._check_order import gateway_silent, needs, waits
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import (
    FAIL,
    PASS,
    SKIPPED,
    WARN,
    Verdict,
    faults,
    title,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan
from ansible_collections.lab.llm_stack.plugins.module_utils._probe import Probe, converse

URL, GATEWAY = "http://127.0.0.1:8080", "http://127.0.0.1:4000"
SAID = {"choices": [{"message": {"content": "Hello"}}]}


def ok(body: Any, seconds: float = 0.5, **headers: str) -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)
    return Answer(
        200, {f"x-litellm-{name.replace('_', '-')}": value for name, value in headers.items()}, text, "", seconds
    )


def refused(status: int, text: str = "{}", seconds: float = 0.5) -> Answer:
    return Answer(status, {}, text, "", seconds)


def had(talk: Any, answers: Sequence[Answer]) -> tuple[Verdict, list[Question]]:
    """Have a talk with prepared answers, all of which have to be asked for."""
    asked: list[Question] = []
    waiting = iter(answers)

    def answer(question: Question) -> Answer:
        asked.append(question)
        return next(waiting)

    verdict = converse(talk, answer)
    assert next(waiting, None) is None
    return verdict, asked


def engine(kind: str, name: str = "llamacpp", **more: Any) -> dict[str, Any]:
    return {"check": kind, "url": URL, "model": "tiny", "engine": name, "direct": True, **more}


def counted(value: float, name: str = "llamacpp:tokens_predicted_total") -> Answer:
    return ok(f"# HELP {name} Tokens.\n# TYPE {name} counter\n{name} {value}\nother_total 7\n")


def busy(value: float, running: int = 1) -> Answer:
    return ok(f"llamacpp:tokens_predicted_total {value}\nllamacpp:requests_processing {running}\n")


VLLM = 'vllm:generation_tokens_total{engine="0",model_name="a"} 3.0\nvllm:generation_tokens_total{model_name="b"} 4e0\n'
RUN, LOOK = "look at the journal of its unit", "look at the unit's journal"


def test_the_requests_of_others_count_and_nothing_is_asked_beside_them() -> None:
    verdict, asked = had(_ladder.talk(engine("engine_counters")), [busy(9), busy(9), busy(40)])
    assert verdict == Verdict(PASS, "9 tokens, then 40, by the requests of others")
    assert [(each.body, each.pause) for each in asked] == [(None, 0.0), (None, 0.25), (None, 0.25)]


def test_requests_of_others_that_count_only_at_their_end_are_not_waited_for() -> None:
    answers = [*[busy(9)] * 5, ok(SAID), busy(13)]
    verdict, asked = had(_ladder.talk(engine("engine_counters")), answers)
    assert verdict == Verdict(PASS, "9 tokens before a question, 13 after it")
    assert sum(each.pause for each in asked) == 1.0


@pytest.mark.parametrize(
    ("check", "answers", "expected"),
    [
        pytest.param(
            engine("engine_key"), [refused(401)], Verdict(PASS, "401 to a wrong key"), id="a key is asked for"
        ),
        pytest.param(
            engine("engine_key"),
            [ok({"data": []})],
            Verdict(FAIL, "200: a wrong key was let in", "the engine runs without its key", "run deploy"),
            id="anybody is let in",
        ),
        pytest.param(
            engine("engine_counters"),
            [counted(5), ok(SAID), counted(5), counted(9)],
            Verdict(PASS, "5 tokens before a question, 9 after it"),
            id="it counts, a moment later",
        ),
        pytest.param(
            engine("engine_counters", "vllm"),
            [ok(VLLM), ok(SAID), ok(VLLM.replace("4e0", "8.0"))],
            Verdict(PASS, "7 tokens before a question, 11 after it"),
            id="vLLM counts for each name",
        ),
        pytest.param(
            engine("engine_counters"),
            [counted(5), ok(SAID), counted(5), counted(5), counted(5)],
            Verdict(
                FAIL,
                "5 tokens before and after a question",
                "what answers is not the engine that counts",
                "look at who holds the port; run deploy",
            ),
            id="somebody else answers",
        ),
        pytest.param(
            engine("engine_counters"),
            [counted(5), ok(SAID), counted(0), counted(0), counted(0)],
            Verdict(
                FAIL,
                "5 tokens before a question, 0 after it",
                "the engine was started again meanwhile",
                RUN,
            ),
            id="it crashed in between",
        ),
        pytest.param(
            engine("engine_counters"),
            [refused(501)],
            Verdict(FAIL, "501 at /metrics", "the engine was started without its counters", "run deploy"),
            id="its counters are off",
        ),
        pytest.param(
            engine("engine_counters"),
            [ok("python_info 1\n")],
            Verdict(
                FAIL,
                "/metrics has no llamacpp:tokens_predicted_total",
                "what answers is another engine, or another version of it",
                LOOK,
            ),
            id="another engine",
        ),
        pytest.param(
            engine("engine_context", context=4000),
            [ok({"default_generation_settings": {"n_ctx": 4096}})],
            Verdict(PASS, "4096 tokens for a request"),
            id="the context, rounded up",
        ),
        pytest.param(
            engine("engine_context", context=32768),
            [ok({"default_generation_settings": {"n_ctx": 4096}})],
            Verdict(
                FAIL,
                "4096 tokens for a request, declared 32768",
                "the engine runs with another context than the declared one, or its model was made for less",
                "run deploy, or lower context in llm_stack_models.tiny",
            ),
            id="less than declared",
        ),
        pytest.param(
            engine("engine_context", "vllm", context=4096),
            [ok({"data": [{"id": "tiny", "max_model_len": 32768}]})],
            Verdict(
                WARN,
                "32768 tokens for a request, declared 4096",
                "the engine runs with another context than the declared one",
                "run deploy",
            ),
            id="more than declared",
        ),
        pytest.param(
            engine("engine_context", "vllm", context=4096),
            [ok({"data": [{"id": "other", "max_model_len": 4096}]})],
            Verdict(SKIPPED, "this version of the engine does not tell its context"),
            id="it does not tell",
        ),
    ],
)
def test_the_rungs_of_an_engine(check: dict[str, Any], answers: list[Answer], expected: Verdict) -> None:
    verdict, _asked = had(_ladder.talk(check), answers)
    assert verdict == expected


def test_the_counters_cost_four_tokens() -> None:
    _verdict, asked = had(_ladder.talk(engine("engine_counters")), [counted(1), ok(SAID), counted(2)])
    assert [each.url for each in asked] == [f"{URL}/metrics", f"{URL}/v1/chat/completions", f"{URL}/metrics"]
    assert asked[1].body is not None
    assert asked[1].body["max_tokens"] == 4


# Who sleeps


SLEEPY = {"check": "route", "sleeps": [{"url": "http://127.0.0.1:11434", "name": "tiny"}]}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(ok({"models": [{"name": "tiny:latest"}]}), Verdict(PASS, "in memory"), id="awake"),
        pytest.param(
            ok({"models": []}),
            Verdict(SKIPPED, "tiny is not in memory, and only a deep check loads it"),
            id="asleep",
        ),
        pytest.param(refused(500), Verdict(PASS, "in memory"), id="what does not answer is for the question to tell"),
    ],
)
def test_a_model_that_sleeps_is_not_woken(answer: Answer, expected: Verdict) -> None:
    verdict, (question,) = had(_ladder.asleep(SLEEPY), [answer])
    assert verdict == expected
    assert (question.url, question.body) == ("http://127.0.0.1:11434/api/ps", None)


# The gateway


def gateway(kind: str, **more: Any) -> dict[str, Any]:
    return {"check": kind, "url": GATEWAY, "model": "big", **more}


FALLS = gateway("gateway_fallbacks", fallbacks={"big": ["small"]})
ALIAS = gateway("alias", alias="chat", api_bases=[f"{URL}/v1"])
FALLBACK = gateway("fallback", fallback="small", api_bases=["http://127.0.0.1:8081/v1"])
PATIENCE = gateway("app_timeout", timeout=5)


@pytest.mark.parametrize(
    ("check", "answer", "expected"),
    [
        pytest.param(FALLS, ok({"fallback_models": ["small"]}), Verdict(PASS, "1 of 1"), id="as declared"),
        pytest.param(
            FALLS,
            refused(404),
            Verdict(
                FAIL,
                "big falls back to nothing, declared small",
                "the gateway runs with another configuration than the declared one",
                "run deploy",
            ),
            id="no fallback",
        ),
        pytest.param(
            ALIAS,
            ok(SAID, model_api_base=f"{URL}/v1"),
            Verdict(PASS, f"from {URL}/v1 in 0.50 s"),
            id="an alias",
        ),
        pytest.param(
            ALIAS,
            ok(SAID, model_api_base="http://127.0.0.1:9/v1"),
            Verdict(
                FAIL,
                f"200 from http://127.0.0.1:9/v1, expected {URL}/v1",
                "the gateway runs with another configuration than the declared one",
                "run deploy",
            ),
            id="an alias of another model",
        ),
        pytest.param(
            FALLBACK,
            ok(SAID, model_api_base="http://127.0.0.1:8081/v1", attempted_fallbacks="1"),
            Verdict(PASS, "from http://127.0.0.1:8081/v1 in 0.50 s"),
            id="the fallback answers",
        ),
        pytest.param(
            FALLBACK,
            ok(SAID, model_api_base=f"{URL}/v1"),
            Verdict(
                FAIL, f"200 from {URL}/v1, but not from a fallback", "LiteLLM did not fail as it was asked to", LOOK
            ),
            id="nothing failed",
        ),
        pytest.param(
            FALLBACK,
            ok(SAID, model_api_base="http://127.0.0.1:8082/v1", attempted_fallbacks="2"),
            Verdict(
                FAIL,
                "200 from http://127.0.0.1:8082/v1, expected http://127.0.0.1:8081/v1",
                "the first fallback failed as well, or the gateway runs with another configuration",
                RUN,
            ),
            id="another fallback answers",
        ),
        pytest.param(
            FALLBACK,
            refused(500, '{"error": {"message": "This is a mock exception"}}'),
            Verdict(
                FAIL,
                "500 to a question that was to fail",
                "no fallback answered in its place",
                "run deploy; the gateway's journal says what each fallback answered",
            ),
            id="no fallback answers",
        ),
        pytest.param(PATIENCE, refused(408, seconds=5.2), Verdict(PASS, "408 after 5.2 s"), id="in time"),
        pytest.param(
            PATIENCE,
            ok(SAID),
            Verdict(
                FAIL,
                '200: {"choices": [{"message": {"content": "Hello"}}]}, instead of 408',
                "the limit of the app is not in force",
                "run deploy",
            ),
            id="never",
        ),
    ],
)
def test_the_rungs_of_a_gateway(check: dict[str, Any], answer: Answer, expected: Verdict) -> None:
    verdict, _asked = had(_gateway_rungs.talk(check), [answer])
    assert verdict == expected


def test_a_limit_of_time_is_measured_again_before_it_is_called_late() -> None:
    late = "the gateway runs with another limit, or tries again in spite of it"
    once, _asked = had(_gateway_rungs.talk(PATIENCE), [refused(408, seconds=20.0), refused(408, seconds=5.2)])
    assert once == Verdict(PASS, "408 after 5.2 s")
    twice, _asked = had(_gateway_rungs.talk(PATIENCE), [refused(408, seconds=20.0), refused(408, seconds=9.0)])
    assert twice == Verdict(FAIL, "408 after 9.0 s, declared 5 s", late, "run deploy")


def test_a_gateway_tells_of_plain_names_only() -> None:
    listed = [{"big": ["small"]}, {"editor/big": ["editor/small"]}, {"*": ["small"]}, {"own": [{"model": "small"}]}]
    config: Mapping[str, Any] = {"router_settings": {"fallbacks": listed}}
    assert _gateway_rungs.fallbacks(config) == {"big": ["small"]}
    assert _gateway_rungs.fallbacks({}) == {}


# The order


INSTANCE = {
    "name": "tiny",
    "tools": True,
    "context": 4096,
    "needs_key": True,
    "source": {"origin": "host", "path": "/models/tiny.gguf"},
    "settings": {"LLAMA_ARG_ENDPOINT_METRICS": "1"},
}
ORDER = ["engine_key", "model_identity", "chat_content", "tools_rendered", "engine_counters", "engine_context"]


def ladder(**changed: Any) -> list[dict[str, Any]]:
    return [*_ladder.rungs("llamacpp", {**INSTANCE, **changed}, URL, "gpu-01")]


@pytest.mark.parametrize(
    ("changed", "missing"),
    [
        pytest.param({}, (), id="all of it"),
        pytest.param({"needs_key": False}, ("engine_key",), id="no key"),
        pytest.param({"tools": False}, ("tools_rendered",), id="no tools"),
        pytest.param({"settings": {}}, ("engine_counters",), id="no counters"),
        pytest.param({"context": 0}, ("engine_context",), id="a context that nobody declared"),
        pytest.param(
            {"server": "python"},
            ("tools_rendered", "engine_counters", "engine_context"),
            id="a server that tells nothing of itself",
        ),
    ],
)
def test_a_ladder_has_what_can_be_shown(changed: dict[str, Any], missing: tuple[str, ...]) -> None:
    rungs = ladder(**changed)
    assert [each["check"] for each in rungs] == [kind for kind in ORDER if kind not in missing]
    assert faults(rungs) == []
    assert all(title(each) != each["check"] for each in rungs)


def test_a_rung_needs_the_one_below() -> None:
    owner = {"id": "o", "check": "port_owner", "bind": "127.0.0.1", "port": 8080, "units": ["a.service"]}
    route = {"id": "r", "check": "route", "url": GATEWAY, "model": "tiny", "api_bases": [f"{URL}/v1"]}
    rungs = [owner, *ladder()]
    by = {each["check"]: each for each in rungs}
    below = {kind: [each["check"] for each in needs(by[kind], rungs)] for kind in ORDER}
    assert below == {
        "engine_key": ["port_owner"],
        "model_identity": ["engine_key"],
        "chat_content": ["model_identity"],
        "tools_rendered": ["model_identity"],
        "engine_counters": ["chat_content"],
        "engine_context": ["model_identity"],
    }
    assert needs(route, [*rungs, route]) == [by["chat_content"]]
    assert needs(by["model_identity"], [owner, by["model_identity"]]) == [owner]


def test_what_the_route_wakes_is_measured_after_it_and_not_because_of_it() -> None:
    route = {"id": "r", "check": "route", "url": GATEWAY, "model": "tiny", "api_bases": []}
    context = {"id": "c", "check": "ollama_context", "url": "http://127.0.0.1:11434", "model": "tiny", "direct": True}
    assert needs(context, [route, context]) == []
    assert waits(context, [route, context]) == [route]


CERTIFICATE = {
    "id": "c",
    "check": "tool_certificate",
    "url": GATEWAY,
    "model": "tiny",
    "digest": "d",
    "bases": [{"url": URL, "name": "tiny", "engine": "llamacpp"}],
}
ALIVE = {"id": "a", "check": "gateway_alive", "url": GATEWAY}
ROUTE = {"id": "r", "check": "route", "url": GATEWAY, "model": "tiny", "api_bases": [f"{URL}/v1"]}


def test_a_certificate_needs_the_route_and_the_tools_in_the_prompt_of_its_own_instances() -> None:
    far = [{**each, "id": f"far {each['id']}", "url": "http://192.0.2.9:8080"} for each in ladder()]
    wanted = needs(CERTIFICATE, [ALIVE, ROUTE, *ladder(), *far, CERTIFICATE])
    assert [(each["check"], each["url"]) for each in wanted] == [("route", GATEWAY), ("tools_rendered", URL)]


@pytest.mark.parametrize(
    ("alive", "rendered", "expected"),
    [
        pytest.param(FAIL, PASS, True, id="the gateway alone"),
        pytest.param(SKIPPED, PASS, True, id="the gateway's unit"),
        pytest.param(FAIL, FAIL, False, id="its engine as well"),
        pytest.param(PASS, PASS, False, id="another reason"),
    ],
)
def test_a_certificate_is_looked_at_past_a_gateway_that_is_silent(alive: str, rendered: str, expected: bool) -> None:
    (template,) = [each for each in ladder() if each["check"] == "tools_rendered"]
    others = [ALIVE, ROUTE, template, CERTIFICATE]
    states = {"a": alive, "r": SKIPPED, template["id"]: rendered}
    assert gateway_silent(CERTIFICATE, others, states) is expected
    assert gateway_silent({**CERTIFICATE, "bases": []}, others, states) is False


def test_the_engines_are_asked_for_a_certificate_while_the_gateway_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def spoken(_self: Probe, check: dict[str, Any]) -> Verdict:
        asked.append((check["check"], check.get("past_gateway")))
        return Verdict(FAIL, "silence")

    monkeypatch.setattr(Probe, "_spoken", spoken)
    found = Probe({}, 1, 1).run([{**each, "host": "gw"} for each in (ALIVE, ROUTE, CERTIFICATE)])
    assert asked == [("gateway_alive", None), ("tool_certificate", True)]
    assert [each.state for each in found] == [FAIL, SKIPPED, FAIL]


# Etiquette


def test_a_budget_that_is_used_up_begins_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    given = [{"id": str(number), "host": "h", "check": "gateway_alive", "url": GATEWAY} for number in range(3)]
    monkeypatch.setattr(Probe, "_look", lambda *_args: time.sleep(0.2) or Verdict(PASS, "200"))
    found = Probe({}, 1, 1, budget=0.3).run(given)
    assert [each.state for each in found] == [PASS, PASS, SKIPPED]
    assert found[-1].evidence == "the 0.3 s that all checks may take were over"


def test_a_look_takes_as_long_as_its_longest_ladder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four instances of which each has one slow rung, another for each: none waits for a rung of another."""
    pace = {0: "model_identity", 1: "chat_content", 2: "engine_counters", 3: "engine_context"}
    instances = [[*_ladder.rungs("llamacpp", INSTANCE, f"http://127.0.0.1:{8080 + n}", f"gpu-{n}")] for n in range(4)]
    slow = {each["id"] for number, rungs in enumerate(instances) for each in rungs if each["check"] == pace[number]}

    def look(_self: Probe, check: dict[str, Any], _host: object) -> Verdict:
        time.sleep(0.5 if check["id"] in slow else 0.001)
        return Verdict(PASS, "well")

    monkeypatch.setattr(Probe, "_look", look)
    start = time.monotonic()
    found = Probe({}, 1, 8).run([each for rungs in instances for each in rungs])
    assert {each.state for each in found} == {PASS}
    assert time.monotonic() - start < 0.9


@pytest.mark.parametrize(("deep", "state", "asked"), [(False, SKIPPED, 1), (True, FAIL, 1)])
def test_only_a_deep_look_asks_a_model_that_sleeps(
    monkeypatch: pytest.MonkeyPatch, deep: bool, state: str, asked: int
) -> None:
    seen: list[str] = []

    def answer(question: Question, **_more: object) -> Answer:
        seen.append(question.url)
        return ok({"models": []})

    monkeypatch.setattr("ansible_collections.lab.llm_stack.plugins.module_utils._probe.ask", answer)
    check = {**SLEEPY, "id": "r", "host": "h", "url": GATEWAY, "model": "tiny", "api_bases": [f"{URL}/v1"]}
    (found,) = Probe({}, 1, 1, deep=deep).run([check])
    assert (found.state, len(seen)) == (state, asked)
    assert seen == [f"{GATEWAY}/v1/chat/completions" if deep else "http://127.0.0.1:11434/api/ps"]


# The plan


def planned(**settings: Any) -> dict[str, Any]:
    """The plan of a stack with an app, a fallback and an alias, whose gateway has these settings."""
    model = {"source": "/models/a.gguf", "engine": "llamacpp", "tools": True, "context": 4096}
    written = {
        "models": {"big": {**model, "fallbacks": ["small"]}, "small": model},
        "aliases": {"chat": "big"},
        "apps": {"editor": {"models": ["big"], "timeout": 5}, "mail": {"models": ["small"]}},
        "gateway": {"general_settings": settings},
        "hosts": {"box": {"groups": ["llamacpp", "litellm"]}},
    }
    return plan(written)


def test_nothing_is_provoked_at_a_gateway_that_forbids_it() -> None:
    found = planned()
    kinds = {each["check"] for each in found["checklist"]}
    assert {"gateway_fallbacks", "alias", "tool_certificate"} <= kinds
    assert "fallback" not in kinds
    assert "deep" not in found


def test_where_it_may_a_fallback_is_provoked_and_a_deep_look_waits_for_each_limit() -> None:
    found = planned(dangerously_allow_mock_testing_request_params=True)
    (fallback,) = [each for each in found["checklist"] if each["check"] == "fallback"]
    assert title(fallback) == "big is answered by small when it fails"
    assert [title(each) for each in found["deep"]] == ["editor/big gives up after 5 s"]
    assert faults([*found["checklist"], *found["deep"]]) == []


def test_a_certificate_is_for_one_configuration() -> None:
    digests = [
        each["digest"]
        for settings in ({}, {"enforce_user_param": True})
        for each in planned(**settings)["checklist"]
        if each["check"] == "tool_certificate"
    ]
    big, small, again, _small = digests
    assert big == again
    assert big != small
