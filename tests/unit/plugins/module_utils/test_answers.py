# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer proves, for every shape in which servers were seen to fail."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._answers import Answer, Question, judge_answer, question
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, PASS, WARN, Verdict

URL, BASE = "http://127.0.0.1:4000", "http://127.0.0.1:8080/v1"
OWN = {"x-litellm-model-api-base": BASE, "x-litellm-attempted-fallbacks": "0"}
ALIVE = {"check": "gateway_alive", "url": URL}
MODELS = {"check": "gateway_models", "url": URL, "models": ["chat", "tiny"]}
KEY = {"check": "gateway_key", "url": URL}
DEPLOYMENTS = {
    "check": "gateway_deployments",
    "url": URL,
    "deployments": [{"name": f"m{number}", "model": "openai/m", "api_base": BASE} for number in range(8)],
}
APP_MODELS = {"check": "app_models", "url": URL, "app": "editor", "models": ["editor/tiny", "tiny"]}
APP_REFUSED = {"check": "app_refused", "url": URL, "app": "editor"}
ROUTE = {"check": "route", "url": URL, "model": "tiny", "api_bases": [BASE]}
TOOL = {**ROUTE, "check": "tool_call", "stream": False}
STREAM = {**TOOL, "stream": True}
DIRECT = {"check": "tool_call", "url": "http://127.0.0.1:8080", "model": "tiny", "direct": True}
PARSER = "set the engine's tool parser, or tools: false, in llm_stack_models.tiny"
JOURNAL = "look at the unit's journal"


def ok(body: Any, headers: dict[str, str] | None = None) -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)
    return Answer(200, OWN if headers is None else headers, text, seconds=0.02)


def error(status: int, message: str) -> Answer:
    return Answer(status, {}, json.dumps({"error": {"message": message}}))


def said(**message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", **message}}]}


def called(name: str = "get_weather", arguments: Any = '{"city": "Paris"}') -> dict[str, Any]:
    return said(content=None, tool_calls=[{"function": {"name": name, "arguments": arguments}}])


def streamed(*deltas: dict[str, Any], end: str = "data: [DONE]\n\n") -> str:
    return "".join(f"data: {json.dumps({'choices': [{'delta': delta}]})}\n\n" for delta in deltas) + end


def loaded(*numbers: int) -> Answer:
    params = {"model": "openai/m", "api_base": BASE}
    return ok({"data": [{"model_name": f"m{number}", "litellm_params": params} for number in numbers]})


LEFT_OUT = "LiteLLM left out what it cannot use, or runs with another configuration than the declared one"


def piece(name: str | None, arguments: str, index: int = 0) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": {"name": name, "arguments": arguments}}]}


@pytest.mark.parametrize(
    ("check", "answer", "expected"),
    [
        # alive
        pytest.param(ALIVE, ok("I'm alive!"), Verdict(PASS, f"200 in 20 ms at {URL}"), id="alive"),
        pytest.param(
            ALIVE,
            Answer(error="no answer: [Errno 111] Connection refused"),
            Verdict(FAIL, "no answer: [Errno 111] Connection refused", "nothing listens at this address", JOURNAL),
            id="nobody there",
        ),
        pytest.param(
            ALIVE,
            Answer(error="no answer within 10 s"),
            Verdict(FAIL, "no answer within 10 s", "it hangs, or has more to do than it can", JOURNAL),
            id="silence",
        ),
        # names
        pytest.param(
            MODELS, ok({"data": [{"id": "tiny"}, {"id": "chat"}]}), Verdict(PASS, "2 of 2"), id="the same names"
        ),
        pytest.param(
            MODELS,
            ok({"data": [{"id": "tiny"}, {"id": "old"}, {"id": "older"}]}),
            Verdict(
                FAIL,
                "missing: chat; not declared: old and older",
                "the gateway runs with another configuration than the declared one",
                "run deploy",
            ),
            id="other names",
        ),
        pytest.param(
            MODELS,
            ok("<html>hello</html>"),
            Verdict(
                FAIL,
                "200, but the answer is no JSON object: <html>hello</html>",
                "something else holds the port",
                JOURNAL,
            ),
            id="a web page",
        ),
        # the key
        pytest.param(KEY, error(401, "Authentication Error"), Verdict(PASS, "401"), id="a wrong key is refused"),
        pytest.param(KEY, error(400, "No connected db."), Verdict(PASS, "400"), id="refused the way LiteLLM does"),
        pytest.param(
            KEY,
            ok({"data": []}),
            Verdict(FAIL, "200: a wrong key was let in", "the gateway runs without its master key", "run deploy"),
            id="a wrong key is let in",
        ),
        pytest.param(
            KEY,
            error(500, "Internal Server Error"),
            Verdict(WARN, "500: refused, but by a crash", "LiteLLM's package prisma is not installed", "run deploy"),
            id="refused by a crash",
        ),
        # deployments
        pytest.param(DEPLOYMENTS, loaded(*range(8)), Verdict(PASS, "8 of 8"), id="every deployment is loaded"),
        pytest.param(
            DEPLOYMENTS,
            loaded(*range(7)),
            Verdict(
                FAIL, f"m7 at {BASE} is missing", LEFT_OUT, "run deploy; the gateway's journal says what was left out"
            ),
            id="LiteLLM dropped a deployment",
        ),
        pytest.param(
            DEPLOYMENTS,
            loaded(),
            Verdict(
                FAIL,
                "; ".join(f"m{number} at {BASE} is missing" for number in range(6)) + "; and 2 more",
                LEFT_OUT,
                "run deploy; the gateway's journal says what was left out",
            ),
            id="many differences are counted",
        ),
        # apps
        pytest.param(
            APP_MODELS,
            ok({"data": [{"id": "tiny"}, {"id": "editor/tiny"}]}),
            Verdict(PASS, "2 of 2"),
            id="an app's names",
        ),
        pytest.param(
            APP_MODELS,
            error(401, "The request carries no key of this gateway."),
            Verdict(
                FAIL,
                "401: The request carries no key of this gateway.",
                "the key is not the one the server was started with",
                "run deploy",
            ),
            id="an app's key is not known",
        ),
        pytest.param(
            APP_REFUSED,
            error(403, "The requested model is not available for this API key"),
            Verdict(PASS, "403 to a model that is not its own"),
            id="an app is refused a model of others",
        ),
        pytest.param(
            APP_REFUSED,
            error(400, "Invalid model name passed in model=llm-stack-nobodys-model"),
            Verdict(
                FAIL,
                "400: a model that is not its own was not refused",
                "LiteLLM does not hold keys to their models",
                "run deploy",
            ),
            id="an app may ask for any model",
        ),
        pytest.param(
            APP_REFUSED,
            Answer(error="no answer within 10 s"),
            Verdict(FAIL, "no answer within 10 s", "it hangs, or has more to do than it can", JOURNAL),
            id="an app gets no answer",
        ),
        # routes
        pytest.param(ROUTE, ok(said(content="Hello")), Verdict(PASS, f"from {BASE} in 0.02 s"), id="its own instance"),
        pytest.param(
            ROUTE,
            ok(said(content="", reasoning_content="Well")),
            Verdict(PASS, f"from {BASE} in 0.02 s"),
            id="a model that thinks first",
        ),
        pytest.param(
            ROUTE,
            ok(said(content="")),
            Verdict(
                FAIL, "200, but the answer is empty", "the engine generates nothing", "look at the engine's journal"
            ),
            id="an empty answer",
        ),
        pytest.param(
            ROUTE,
            ok({"choices": []}),
            Verdict(
                FAIL, "200, but no choices in the answer", "what answers does not speak the OpenAI protocol", JOURNAL
            ),
            id="no choices",
        ),
        pytest.param(
            ROUTE,
            ok(said(content="Hello"), {**OWN, "x-litellm-attempted-fallbacks": "1"}),
            Verdict(
                FAIL,
                f"200 from {BASE} after 1 fallbacks",
                "the instance of tiny failed, and a fallback answered",
                "look at the journal of its unit",
            ),
            id="a fallback answered",
        ),
        pytest.param(
            ROUTE,
            ok(said(content="Hello"), {"x-litellm-model-api-base": "http://127.0.0.1:8081/v1"}),
            Verdict(
                FAIL,
                f"200 from http://127.0.0.1:8081/v1, expected {BASE}",
                "the gateway runs with another configuration than the declared one",
                "run deploy",
            ),
            id="another instance",
        ),
        pytest.param(
            ROUTE,
            ok(said(content="Hello"), {}),
            Verdict(
                FAIL,
                "200, but no header x-litellm-model-api-base",
                "what answers is not LiteLLM",
                "look at the owner of the port",
            ),
            id="something that is not LiteLLM",
        ),
        pytest.param(
            ROUTE,
            error(401, "Authentication Error"),
            Verdict(
                FAIL,
                "401: Authentication Error",
                "the key is not the one the server was started with",
                "run deploy",
            ),
            id="the key is refused",
        ),
        pytest.param(
            ROUTE,
            error(400, "No connected db."),
            Verdict(FAIL, "400: No connected db.", "the key is not the one the gateway was started with", "run deploy"),
            id="the key is refused the way LiteLLM does",
        ),
        pytest.param(
            ROUTE,
            error(500, "litellm.InternalServerError: Connection error."),
            Verdict(
                FAIL,
                "500: litellm.InternalServerError: Connection error.",
                "the engine behind the gateway does not answer",
                "look at the journal of the engine's unit",
            ),
            id="the engine is down",
        ),
        pytest.param(
            ROUTE,
            error(408, "Timeout"),
            Verdict(FAIL, "408: Timeout", "the engine did not answer in time", JOURNAL),
            id="the engine is too slow",
        ),
        pytest.param(
            ROUTE,
            Answer(502, {}, "Bad Gateway"),
            Verdict(FAIL, "502: Bad Gateway", "the server failed while it answered", JOURNAL),
            id="an error that is no JSON",
        ),
        # tools
        pytest.param(
            TOOL,
            ok(called()),
            Verdict(PASS, f'get_weather {{"city": "Paris"}} from {BASE} in 0.02 s'),
            id="a real call",
        ),
        pytest.param(DIRECT, ok(called(), {}), Verdict(PASS, 'get_weather {"city": "Paris"} in 0.02 s'), id="directly"),
        pytest.param(
            TOOL,
            ok(said(content='<tool_call>\n{"name": "get_weather"}\n</tool_call>')),
            Verdict(
                FAIL,
                "200, but the call arrived as text in content",
                "the chosen parser does not recognise this model's calls",
                PARSER,
            ),
            id="the call as text",
        ),
        pytest.param(
            TOOL,
            ok(said(content="I cannot know that.")),
            Verdict(
                FAIL,
                "200, but no call; the model answered text: I cannot know that.",
                "the model did not call the offered tool",
                PARSER,
            ),
            id="no call",
        ),
        pytest.param(
            TOOL,
            ok(called(arguments="")),
            Verdict(FAIL, "200, but the call has no arguments", "the parser dropped the arguments", PARSER),
            id="empty arguments",
        ),
        pytest.param(
            TOOL,
            ok(called(arguments='{"city": "Pa')),
            Verdict(
                FAIL,
                '200, but the arguments are no JSON: {"city": "Pa',
                "the arguments were cut off or not parsed",
                PARSER,
            ),
            id="arguments that break off",
        ),
        pytest.param(
            TOOL,
            ok(called(arguments="{}")),
            Verdict(FAIL, "200, but the arguments lack the city: {}", "the call is incomplete", PARSER),
            id="arguments without the city",
        ),
        pytest.param(
            TOOL,
            ok(called(name="get_time")),
            Verdict(FAIL, "200, but the call names 'get_time'", "the call was not parsed as a whole", PARSER),
            id="another tool",
        ),
        pytest.param(
            TOOL,
            ok(called(), {**OWN, "x-litellm-attempted-fallbacks": "1"}),
            Verdict(
                FAIL,
                f"200 from {BASE} after 1 fallbacks",
                "the instance of tiny failed, and a fallback answered",
                "look at the journal of its unit",
            ),
            id="a fallback called the tool",
        ),
        pytest.param(
            TOOL,
            error(400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
            Verdict(
                FAIL,
                '400: "auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
                "the engine was started without a tool parser",
                "declare tools: true for this model and run deploy",
            ),
            id="an engine without a parser",
        ),
        pytest.param(
            STREAM,
            ok(streamed(piece("get_weather", ""), piece(None, '{"city":'), piece(None, ' "Paris"}'))),
            Verdict(PASS, f'get_weather {{"city": "Paris"}} from {BASE} in 0.02 s'),
            id="streamed: a call in pieces",
        ),
        pytest.param(
            STREAM,
            ok(streamed({"content": "<tool_"}, {"content": 'call>{"name": "get_weather"}'})),
            Verdict(
                FAIL,
                "200, but the call arrived as text in content",
                "the chosen parser does not recognise this model's calls",
                PARSER,
            ),
            id="streamed: the call as text",
        ),
        pytest.param(
            STREAM,
            ok(streamed(piece("get_weather", '{"city": "Paris"}'), end="")),
            Verdict(
                FAIL, "200, but the stream broke off before its end", "the connection to the engine was lost", JOURNAL
            ),
            id="streamed: it breaks off",
        ),
        pytest.param(
            STREAM,
            ok('data: {"error": {"message": "engine died"}}\n\n'),
            Verdict(
                FAIL, "200, then an error in the stream: engine died", "the server failed while it answered", JOURNAL
            ),
            id="streamed: an error on the way",
        ),
        pytest.param(
            STREAM,
            ok('data: {"choi\n\n'),
            Verdict(
                FAIL,
                '200, but a piece of the stream is no JSON: data: {"choi',
                "what answers does not keep to the protocol",
                JOURNAL,
            ),
            id="streamed: a broken piece",
        ),
    ],
)
def test_judge_answer(check: dict[str, Any], answer: Answer, expected: Verdict) -> None:
    assert judge_answer(check, answer) == expected


@pytest.mark.parametrize(
    ("check", "url", "key"),
    [
        pytest.param(ALIVE, f"{URL}/health/liveliness", "none", id="being alive is public"),
        pytest.param(MODELS, f"{URL}/v1/models", "right", id="the names need the key"),
        pytest.param(DEPLOYMENTS, f"{URL}/model/info", "right", id="the deployments need the operators' key"),
        pytest.param(APP_MODELS, f"{URL}/v1/models", "app editor", id="an app has its own key"),
        pytest.param(APP_REFUSED, f"{URL}/v1/chat/completions", "app editor", id="which is tried on a foreign model"),
        pytest.param(KEY, f"{URL}/v1/models", "wrong", id="the key check sends a wrong one"),
        pytest.param(DIRECT, "http://127.0.0.1:8080/v1/chat/completions", "engine", id="an engine has its own key"),
    ],
)
def test_question(check: dict[str, Any], url: str, key: str) -> None:
    asked = question(check)
    assert (asked.url, asked.key) == (url, key)


def test_a_route_asks_for_few_tokens_and_a_tool_leaves_the_choice_to_the_model() -> None:
    route, tool = question(ROUTE).body, question(STREAM).body
    assert isinstance(question(ROUTE), Question)
    assert route is not None
    assert tool is not None
    assert (route["max_tokens"], "tools" in route) == (8, False)
    assert (tool["tool_choice"], tool["stream"], tool["tools"][0]["function"]["name"]) == ("auto", True, "get_weather")
