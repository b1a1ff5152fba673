# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for tools: each known way in which a call is lost, at a scripted engine, and when one is void."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _certificate
from ansible_collections.lab.llm_stack.plugins.module_utils._answer import Answer
from ansible_collections.lab.llm_stack.plugins.module_utils._answers import Question
from ansible_collections.lab.llm_stack.plugins.module_utils._certified import Certified
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, PASS, SKIPPED, WARN, Verdict
from ansible_collections.lab.llm_stack.plugins.module_utils._probe import ask, converse
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_shapes import words
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_shapes_table import SHAPES

sys.path.insert(0, str(Path(__file__).parents[3] / "stand_ins"))

from scripted_backend import Backend
from tool_shapes import SCRIPTS

BASE = "http://192.0.2.7:8001"
NOW = 1_700_000_000.0
LIMIT = "the answer cannot be used"


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with Backend() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


class Stack:
    """One scripted engine, and a gateway before it that says who answered; ``gateway`` may spoil what it says."""

    def __init__(self, backend: Backend, script: str, through: str = "") -> None:
        self.backend, self.model, self.through = backend, f"tools_{script}", f"tools_{through or script}"
        self.asked: list[Question] = []
        self.identity = "/models/one.gguf"

    def check(self, engine: str = "vllm", **more: Any) -> dict[str, Any]:
        bases = [{"url": BASE, "name": "engines-own", "engine": engine, "key": "A_KEY"}]
        given = {"id": "x", "host": "gw", "check": _certificate.KIND, "url": "http://gw:4000", "model": "coder"}
        return {**given, "bases": bases, "api_bases": [f"{BASE}/v1"], "digest": "d", **more}

    def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        if question.body is None:
            listed = {"data": [{"id": "engines-own", "root": self.identity}]}
            return Answer(200, {}, json.dumps(listed))
        direct = question.url.startswith(BASE)
        body = {**question.body, "model": self.model if direct else self.through}
        url = f"{self.backend.url}/v1/chat/completions"
        answer = ask(replace(question, url=url, body=body), {}, 0.5)
        return answer if direct else replace(answer, headers={"x-litellm-model-api-base": f"{BASE}/v1"})

    def certify(self, stored: dict[str, Any] | None = None, now: float = NOW, **more: Any) -> Any:
        return converse(_certificate.talk(self.check(**more), stored or {}, now), self.ask)


def test_a_model_that_calls_tools_in_every_way_is_native(backend: Backend) -> None:
    verdict, record = Stack(backend, "native").certify()
    assert verdict == Verdict(PASS, "native: 16 of 16 ways")
    assert (record["verdict"], record["identity"]) == ("native", {BASE: "/models/one.gguf"})
    assert [way["way"] for way in record["ways"]][:9] == [
        "directly, without tools",
        "directly, a tool with arguments",
        "directly, a tool without arguments",
        "directly, with the result of a tool",
        "directly, a tool with arguments, streamed",
        "directly, a tool without arguments, streamed",
        "directly, with the result of a tool, streamed",
        "directly, without tools, streamed",
        "directly, a tool by its name",
    ]
    assert record["decided_by"]["way"] == "through the gateway, a tool with arguments"


# script: (shape, the way that decides, verdict)
WITH, BARE, RESULT, PLAIN = (
    "a tool with arguments",
    "a tool without arguments",
    "with the result of a tool",
    "without tools",
)
STREAMED = f"{WITH}, streamed"
CAUGHT = {
    **{
        name: (name, WITH, "none")
        for name in (
            *("json_in_content", "fenced", "tagged", "pythonic", "in_reasoning", "repeated_in_content", "empty_calls"),
            *("no_call", "dropped", "still_thinking", "cut_off", "endless", "no_id", "same_id", "no_name"),
            *("other_name", "no_arguments", "object_arguments", "escaped_twice", "merged", "not_finite", "not_json"),
            *("no_object", "legacy", "finish_stop"),
        )
    },
    **dict.fromkeys(("mistral_marks", "deepseek_marks", "python_tag"), ("tagged", WITH, "none")),
    "in_new_reasoning": ("in_reasoning", WITH, "none"),
    "incomplete": ("incomplete", WITH, "degraded"),
    "bare_empty": ("no_arguments", BARE, "degraded"),
    "finish_stop_streamed": ("finish_stop", STREAMED, "degraded"),
    "text_streamed": ("tagged", STREAMED, "degraded"),
    "lost_brace": ("not_json", STREAMED, "degraded"),
    **{name: (name, STREAMED, "degraded") for name in ("without_index", "shared_index", "name_repeated")},
    **{name: (name, RESULT, "degraded") for name in ("asks_again", "silent")},
    **{name: (name, PLAIN, "degraded") for name in ("unoffered", "marks_unoffered")},
}


@pytest.mark.parametrize(("script", "expected"), CAUGHT.items(), ids=CAUGHT)
def test_every_known_way_of_losing_a_call_is_caught(
    backend: Backend, script: str, expected: tuple[str, str, str]
) -> None:
    shape, way, found = expected
    verdict, record = Stack(backend, script).certify()
    decided = record["decided_by"]
    _told, cause, remedy = SHAPES[shape]
    assert (verdict.state, record["verdict"], decided["way"]) == (FAIL, found, f"directly, {way}")
    assert verdict.evidence.startswith(f"{found}, ")
    assert f" of 16 ways: directly, {way}: 200, but " in verdict.evidence
    assert (verdict.cause, verdict.remedy) == (cause, remedy.format(**vars(words("vllm", "coder"))))
    assert next(each for each in record["ways"] if not each["kept"])["shape"] == shape
    assert decided["question"]["messages"]
    assert len(decided["answer"]) <= _certificate.LONGEST


REFUSED = {
    "no_parser": ("400", "the engine was started without a tool parser", "none"),
    "unable": ("400", "the model has no tools", "none"),
    "jinja": ("500", "llama.cpp was started without its template engine", "none"),
    "alternating": ("400", "the chat template takes no system and tool messages", "degraded"),
    "no_null": ("500", "the engine refuses an empty content, which clients send beside a call", "degraded"),
}


@pytest.mark.parametrize(("script", "expected"), REFUSED.items(), ids=REFUSED)
def test_an_engine_that_refuses_tools_is_told_by_its_words(
    backend: Backend, script: str, expected: tuple[str, str, str]
) -> None:
    status, cause, found = expected
    verdict, record = Stack(backend, script).certify()
    assert (verdict.state, record["verdict"], verdict.cause) == (FAIL, found, cause)
    assert f": {status}: " in verdict.evidence
    assert verdict.remedy


def test_one_that_hangs_with_tools_is_given_up_at_once(backend: Backend) -> None:
    verdict, record = Stack(backend, "hanging").certify()
    assert verdict.evidence == "none, 2 of 4 ways: directly, a tool with arguments: no answer within 0.5 s"
    assert verdict.cause == "the engine answers without tools and not with them"
    assert len(record["ways"]) == 4


def test_every_shape_has_a_script() -> None:
    shapes = {shape for shape, _way, _verdict in CAUGHT.values()} | {"named_ignored"}
    assert shapes == set(SHAPES)
    assert set(SCRIPTS) == {*CAUGHT, *REFUSED, "native", "hanging", "named_ignored"}


@pytest.mark.parametrize("engine", ["vllm", "llamacpp", "ollama", ""])
def test_every_shape_has_a_cause_and_a_remedy_for_every_engine(engine: str) -> None:
    for told, cause, remedy in SHAPES.values():
        assert told
        assert cause
        assert "{" not in remedy.format(**vars(words(engine, "coder")))


def test_a_named_tool_that_is_not_called_is_told_and_counts_for_nothing(backend: Backend) -> None:
    verdict, record = Stack(backend, "named_ignored").certify()
    assert verdict == Verdict(PASS, "native: 16 of 16 ways; a tool that was asked for by name was not called")
    assert record["verdict"] == "native"


def test_what_only_the_gateway_does_wrong_is_the_gateways(backend: Backend) -> None:
    verdict, record = Stack(backend, "native", through="text_streamed").certify()
    assert verdict == Verdict(
        FAIL,
        "degraded, 14 of 16 ways: through the gateway, a tool with arguments, streamed: "
        "200, but the call arrived with its marks in content",
        "the engine answers well, and the gateway does not: "
        "no parser was chosen, or one for the marks of another model",
        "run deploy; if that does not help, report it to LiteLLM with the transcript, or set tools: false",
    )
    assert record["verdict"] == "degraded"


@pytest.mark.parametrize(
    ("script", "accept", "state"),
    [
        pytest.param("text_streamed", "degraded", WARN, id="what was accepted is a warning"),
        pytest.param("tagged", "degraded", FAIL, id="what is worse is not"),
        pytest.param("tagged", "none", WARN, id="unless that was accepted too"),
    ],
)
def test_a_verdict_may_be_accepted(backend: Backend, script: str, accept: str, state: str) -> None:
    verdict, _record = Stack(backend, script).certify(accept=accept)
    assert verdict.state == state


PAST = {"past_gateway": True}


def test_past_a_gateway_that_is_silent_the_engine_is_asked_and_nothing_is_kept(backend: Backend) -> None:
    stack = Stack(backend, "native")
    verdict, record = stack.certify(**PAST)
    assert verdict == Verdict(SKIPPED, "directly, 8 of 8 ways; the gateway does not answer")
    assert record is None
    assert {each.url.partition("/v1")[0] for each in stack.asked} == {BASE}


def test_an_engine_without_a_tool_parser_is_found_past_a_gateway_that_is_silent(backend: Backend) -> None:
    verdict, record = Stack(backend, "no_parser").certify(**PAST)
    assert (verdict.state, record) == (FAIL, None)
    assert verdict.evidence.startswith("none, 2 of 8 ways: directly, a tool with arguments: 400: ")
    assert verdict.cause == "the engine was started without a tool parser"
    assert verdict.remedy


def test_what_is_accepted_of_a_model_is_accepted_past_the_gateway_too(backend: Backend) -> None:
    verdict, _record = Stack(backend, "text_streamed").certify(accept="degraded", **PAST)
    assert verdict.state == WARN


def test_an_engine_that_does_not_answer_either_is_told_by_its_own_checks() -> None:
    stack = Stack.__new__(Stack)
    check = stack.check(**PAST)
    verdict, record = converse(_certificate.talk(check, {}, NOW), lambda _question: Answer(error="no answer"))
    assert (verdict.state, record) == (SKIPPED, None)


def test_an_engine_that_does_not_answer_is_not_judged(backend: Backend) -> None:
    stack = Stack(backend, "native")
    verdict, record = converse(_certificate.talk(stack.check(), {}, NOW), lambda _question: Answer(error="no answer"))
    assert (verdict.state, verdict.evidence) == (FAIL, "not certified: directly, without tools: no answer")
    assert record is None


def asked(stack: Stack) -> int:
    """How many questions cost tokens."""
    return sum(question.body is not None for question in stack.asked)


def test_a_certificate_counts_and_one_call_confirms_it(backend: Backend) -> None:
    stack = Stack(backend, "native")
    _verdict, record = stack.certify()
    assert asked(stack) == 18
    stack.asked.clear()
    verdict, again = stack.certify(record, NOW + 7200)
    assert verdict == Verdict(PASS, 'native, certified 2 h ago; get_weather {"city": "Paris"} now, streamed')
    assert (again, asked(stack)) == (None, 1)


@pytest.mark.parametrize(
    ("changed", "later"),
    [
        pytest.param({"digest": "another"}, 60.0, id="another configuration"),
        pytest.param({}, 90000.0, id="a day later"),
        pytest.param({}, -60.0, id="a clock that was set back"),
    ],
)
def test_a_certificate_is_void(backend: Backend, changed: dict[str, Any], later: float) -> None:
    stack = Stack(backend, "native")
    _verdict, record = stack.certify()
    verdict, again = stack.certify(record, NOW + later, **changed)
    assert verdict.evidence == "native: 16 of 16 ways"
    assert again["at"] == NOW + later


def test_another_model_under_the_same_name_voids_it(backend: Backend) -> None:
    stack = Stack(backend, "native")
    _verdict, record = stack.certify()
    stack.identity = "/models/two.gguf"
    _verdict, again = stack.certify(record, NOW + 60)
    assert again["identity"] == {BASE: "/models/two.gguf"}


def test_a_call_that_fails_now_voids_it(backend: Backend) -> None:
    _verdict, record = Stack(backend, "native").certify()
    verdict, again = Stack(backend, "text_streamed").certify(record, NOW + 60)
    assert (verdict.state, again["verdict"]) == (FAIL, "degraded")


def test_what_was_degraded_is_certified_anew_each_time(backend: Backend) -> None:
    _verdict, record = Stack(backend, "text_streamed").certify()
    verdict, again = Stack(backend, "native").certify(record, NOW + 60)
    assert (verdict.state, again["verdict"]) == (PASS, "native")


# The file


def look(stack: Stack, folder: Path, kept: bool = True, **more: Any) -> Verdict:
    check = {**stack.check(), **more}
    return Certified(str(folder), 3600, kept).look(check, lambda talk: converse(talk, stack.ask), ["Paris"])


def test_a_certificate_is_kept_without_secrets(backend: Backend, tmp_path: Path) -> None:
    assert look(Stack(backend, "native"), tmp_path).state == PASS
    text = (tmp_path / "coder.json").read_text()
    assert json.loads(text)["schema"] == "lab.llm_stack.certified/1"
    assert "Paris" not in text
    assert "(secret)" in text
    stack = Stack(backend, "native")
    assert look(stack, tmp_path).evidence.startswith("native, certified ")
    assert asked(stack) == 1


def test_a_deep_look_certifies_anew(backend: Backend, tmp_path: Path) -> None:
    look(Stack(backend, "native"), tmp_path)
    assert look(Stack(backend, "native"), tmp_path, deep=True).evidence == "native: 16 of 16 ways"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "another", "verdict": "native"}'])
def test_a_file_that_says_nothing_certifies_nothing(backend: Backend, tmp_path: Path, content: str) -> None:
    (tmp_path / "coder.json").write_text(content)
    assert look(Stack(backend, "native"), tmp_path).evidence == "native: 16 of 16 ways"


def test_check_mode_keeps_none(backend: Backend, tmp_path: Path) -> None:
    assert look(Stack(backend, "native"), tmp_path / "none", kept=False).state == PASS
    assert not (tmp_path / "none").exists()


def test_the_clock_of_the_host_counts(backend: Backend, tmp_path: Path) -> None:
    before = time.time()
    look(Stack(backend, "native"), tmp_path)
    assert json.loads((tmp_path / "coder.json").read_text())["at"] >= int(before)
