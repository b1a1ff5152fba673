# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine shows before its model gets a request, for the ways in which a healthy server is still wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._acceptance import KINDS, acceptance, judge, questions
from ansible_collections.lab.llm_stack.plugins.module_utils._answers import Answer
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, PASS, Verdict, faults, title

URL = "http://127.0.0.1:8001"
BASE = {"url": URL, "model": "coder", "direct": True, "engine": "vllm"}
IDENTITY = {**BASE, "check": "model_identity", "root": "*/Qwen--Coder/0123456789ab*"}
LOOK = "look at the unit's journal"
PARSER = "set the engine's tool parser, or tools: false"


def ok(body: Any) -> Answer:
    return Answer(200, {}, json.dumps(body), seconds=0.5)


def said(**message: Any) -> Answer:
    return ok({"choices": [{"message": message}]})


def called(arguments: str) -> Answer:
    return said(content=None, tool_calls=[{"function": {"name": "get_weather", "arguments": arguments}}])


def listed(name: str, root: str | None = None) -> Answer:
    return ok({"data": [{"id": name, **({"root": root} if root else {})}]})


SNAPSHOT = "/home/llm/.local/share/llm-stack/models/Qwen--Coder/0123456789ab"


@pytest.mark.parametrize(
    ("kind", "answers", "expected"),
    [
        pytest.param("model_identity", [listed("coder", SNAPSHOT)], Verdict(PASS, f"root = {SNAPSHOT}"), id="itself"),
        pytest.param(
            "model_identity",
            [listed("coder", "/models/other")],
            Verdict(FAIL, "coder is /models/other", "another model answers to this name", "run deploy"),
            id="another model under its name",
        ),
        pytest.param(
            "model_identity",
            [listed("other", SNAPSHOT)],
            Verdict(FAIL, "200, but it lists other", "another model is loaded", "run deploy"),
            id="another name",
        ),
        pytest.param(
            "model_identity",
            [ok({"data": []})],
            Verdict(FAIL, "200, but it lists no model", "another model is loaded", "run deploy"),
            id="no name",
        ),
        pytest.param(
            "model_identity",
            [listed("coder"), ok({"model_path": SNAPSHOT})],
            Verdict(PASS, f"root = {SNAPSHOT}"),
            id="llama.cpp tells it in its properties",
        ),
        pytest.param(
            "model_identity",
            [listed("coder"), ok({"model_path": "/models/other.gguf"})],
            Verdict(FAIL, "coder is /models/other.gguf", "another model answers to this name", "run deploy"),
            id="and tells of another one",
        ),
        pytest.param(
            "model_identity",
            [listed("coder")],
            Verdict(PASS, "listed; this engine does not tell from where"),
            id="an engine that does not tell",
        ),
        pytest.param("chat_content", [said(content="Hello")], Verdict(PASS, "'Hello' in 0.50 s"), id="words"),
        pytest.param(
            "chat_content",
            [said(content=None, reasoning="Hello")],
            Verdict(
                FAIL,
                "200, but all words are reasoning and content is empty",
                "the reasoning parser is wrong",
                "remove the reasoning parser, or set the one of this model",
            ),
            id="a wrong reasoning parser takes all words",
        ),
        pytest.param(
            "chat_content",
            [said(content=" ")],
            Verdict(FAIL, "200, but content is empty", "the engine generates nothing", "look at the engine's journal"),
            id="nothing",
        ),
        pytest.param(
            "chat_content",
            [ok({"choices": []})],
            Verdict(FAIL, "200, but no choices in the answer", "what answers does not speak the OpenAI protocol", LOOK),
            id="another protocol",
        ),
        pytest.param(
            "chat_content",
            [Answer(error="no answer: [Errno 111] Connection refused")],
            Verdict(FAIL, "no answer: [Errno 111] Connection refused", "nothing listens at this address", LOOK),
            id="nobody",
        ),
        pytest.param(
            "tools_rendered",
            [ok({"count": 21}), ok({"count": 615})],
            Verdict(PASS, "21 tokens without tools, 615 with one"),
            id="a template with tools",
        ),
        pytest.param(
            "tools_rendered",
            [ok({"count": 20}), ok({"count": 20})],
            Verdict(
                FAIL,
                "20 tokens with and without tools",
                "the chat template leaves tools out",
                "set a chat template that has tools, or tools: false",
            ),
            id="a template that drops tools in silence",
        ),
        pytest.param(
            "tools_rendered",
            [ok({"prompt": "user"}), ok({"prompt": "tools user"})],
            Verdict(PASS, "4 characters without tools, 10 with one"),
            id="llama.cpp shows the prompt itself",
        ),
        pytest.param(
            "tool_forced", [called('{"city": "Paris"}')], Verdict(PASS, 'get_weather {"city": "Paris"}'), id="a call"
        ),
        pytest.param(
            "tool_forced",
            [called("Infinity")],
            Verdict(FAIL, "200, but the arguments are Infinity", "they do not fit the tool", PARSER),
            id="a call that does not fit the tool",
        ),
        pytest.param(
            "tool_forced",
            [called('{"city": "Par')],
            Verdict(
                FAIL,
                '200, but the arguments are no JSON: {"city": "Par',
                "the call was cut off, or the tool parser does not work",
                PARSER,
            ),
            id="a call that was cut off",
        ),
        pytest.param(
            "tool_forced",
            [said(content="It is sunny.")],
            Verdict(FAIL, "200, but no call although one was required", "the tool parser does not work", PARSER),
            id="no call",
        ),
        pytest.param(
            "tool_conversation",
            [said(content="Sunny.")],
            Verdict(PASS, "4 turns with a tool's answer in 0.50 s"),
            id="a conversation",
        ),
        pytest.param(
            "tool_conversation",
            [Answer(400, {}, '{"error": {"message": "Conversation roles must alternate user/assistant"}}')],
            Verdict(
                FAIL,
                "400: Conversation roles must alternate user/assistant",
                "the chat template refuses a conversation with a tool",
                "set a chat template that takes system and tool messages, or tools: false",
            ),
            id="a template that knows two roles",
        ),
    ],
)
def test_an_answer_proves(kind: str, answers: list[Answer], expected: Verdict) -> None:
    assert judge({**IDENTITY, "check": kind}, answers) == expected


@pytest.mark.parametrize(
    ("check", "asked"),
    [
        ({"check": "model_identity"}, ["/v1/models"]),
        ({"check": "model_identity", "asks": "llamacpp"}, ["/v1/models", "/props"]),
        ({"check": "chat_content"}, ["/v1/chat/completions"]),
        ({"check": "tools_rendered"}, ["/tokenize", "/tokenize"]),
        ({"check": "tools_rendered", "engine": "llamacpp"}, ["/apply-template", "/apply-template"]),
        ({"check": "tool_forced"}, ["/v1/chat/completions"]),
        ({"check": "tool_conversation"}, ["/v1/chat/completions"]),
    ],
)
def test_what_is_asked(check: dict[str, Any], asked: list[str]) -> None:
    found = questions({**BASE, **check})
    assert [each.url for each in found] == [URL + path for path in asked]
    assert {each.key for each in found} == {"engine"}


def test_a_call_is_forced_with_a_strict_tool_and_room_for_it() -> None:
    (question,) = questions({**BASE, "check": "tool_forced"})
    assert question.body is not None
    assert (question.body["tool_choice"], question.body["max_tokens"]) == ("required", 256)
    assert question.body["tools"][0]["function"]["strict"] is True


SOURCES = [
    ({"origin": "host", "path": "~/models/tiny.gguf"}, "/home/llm/models/tiny.gguf", "/home/llm/models/big.gguf"),
    ({"origin": "hub", "path": "Qwen/Coder", "revision": "0123456789abcdef"}, SNAPSHOT, "/models/Qwen--Coder/9999"),
    ({"origin": "controller", "path": "files/x.gguf"}, "/data/models/coder-0a1b2c3d4e5f.gguf", "/data/models/x.gguf"),
]


@pytest.mark.parametrize(("source", "right", "wrong"), SOURCES)
def test_the_path_of_a_model_is_known_by_its_source(source: dict[str, str], right: str, wrong: str) -> None:
    instance = {"name": "coder", "tools": False, "settings": {}, "source": source}
    check, *_others = acceptance("vllm", instance, URL, "gpu-01")
    assert [judge(check, [listed("coder", root)]).state for root in (right, wrong)] == [PASS, FAIL]


@pytest.mark.parametrize(
    ("instance", "kinds"),
    [
        pytest.param({"tools": False}, KINDS[:2], id="a model without tools has to talk"),
        pytest.param({"tools": True}, (*KINDS, "tool_call"), id="one with tools has to call them, too"),
        pytest.param(
            {"tools": True, "server": "python"},
            (*(kind for kind in KINDS if kind != "tools_rendered"), "tool_call"),
            id="llama.cpp's Python server does not show its prompt",
        ),
    ],
)
def test_what_a_model_has_to_show(instance: dict[str, Any], kinds: tuple[str, ...]) -> None:
    instance = {"name": "coder", "settings": {}, "source": {"origin": "host", "path": "/m"}, **instance}
    checks = list(acceptance("llamacpp", instance, URL, "gpu-01"))
    assert tuple(check["check"] for check in checks) == kinds
    assert faults(checks) == []
    assert [title(check) for check in checks if title(check) == check["check"]] == []


THOUGHT = {"choices": [{"message": {"content": "", "reasoning": "Well, Paris"}, "finish_reason": "length"}]}


@pytest.mark.parametrize(
    ("more", "finish", "state"),
    [
        pytest.param({"thinks": True}, "length", PASS, id="a model with a reasoning parser may think for longer"),
        pytest.param({"engine": "llamacpp"}, "length", PASS, id="so may any model of llama.cpp"),
        pytest.param({"thinks": True}, "stop", FAIL, id="an answer that ended as a thought is no answer"),
        pytest.param({}, "length", FAIL, id="a model without a reasoning parser has no thoughts"),
    ],
)
def test_a_model_that_thinks_needs_no_words_yet(more: dict[str, Any], finish: str, state: str) -> None:
    body = {"choices": [{**THOUGHT["choices"][0], "finish_reason": finish}]}
    assert judge({**BASE, "check": "chat_content", **more}, [ok(body)]).state == state


def test_a_reasoning_parser_says_that_a_model_thinks() -> None:
    instance = {"name": "a", "tools": False, "source": {"origin": "host", "path": "/a"}, "settings": {}}
    kinds = {
        parser: [each.get("thinks") for each in acceptance("vllm", {**instance, "tool_calling": calling}, URL, "h")]
        for parser, calling in (("set", {"reasoning_parser": "qwen3"}), ("unset", {"reasoning_parser": None}))
    }
    assert kinds == {"set": [None, True], "unset": [None, None]}
