# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which engine serves a source, on which host, at which address."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import parse
from ansible_collections.lab.llm_stack.plugins.module_utils._engine_choice import engines
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import render
from ansible_collections.lab.llm_stack.plugins.module_utils._routing import base_url, key_variable, route

HERE = {"here": {"groups": ["llamacpp", "litellm"]}}


def problems(models: dict[str, Any], **declared: Any) -> list[str]:
    declaration, refused = parse({"models": models, "hosts": HERE, **declared})
    assert refused == []
    declaration, unserved = engines(declaration)
    return [render(problem) for problem in [*unserved, *route(declaration)[1]]]


@pytest.mark.parametrize(
    ("source", "engine"),
    [
        ("files/tiny.gguf", "llamacpp"),
        ("org/repo/tiny.gguf", "llamacpp"),
        ("Qwen/Qwen2.5-7B-Instruct", "vllm"),
        ("llama3.1:latest", "ollama"),
    ],
)
def test_the_default_routes(source: str, engine: str) -> None:
    pin = {"m": {"repo": source, "revision": "0" * 40}}
    declaration, _refused = parse({"models": {"m": {"source": source}}, "hosts": HERE, "model_lock": pin})
    settled, problems_found = engines(declaration)
    assert (settled.models["m"].engine, problems_found) == (engine, [])


def test_the_first_route_that_fits_wins() -> None:
    routes = [{"match": "gguf", "engine": "llamacpp"}, {"match": ".", "engine": "vllm"}]
    assert problems({"m": {"source": "x/y.gguf"}}, routes=routes) == []
    assert len(problems({"m": {"source": "x/y.gguf"}}, routes=routes[::-1])) == 1


def test_a_named_engine_stands_above_the_routes() -> None:
    routes = [{"match": ".", "engine": "vllm"}]
    assert problems({"m": {"source": "x/y.gguf", "engine": "llamacpp"}}, routes=routes) == []


def test_a_broken_route_is_told_once_and_not_again_at_each_model() -> None:
    assert problems({"m": {"source": "tiny"}}, routes=[{"match": "(", "engine": "llamacpp"}]) == [
        "llm_stack_routes[0].match: '(' is not a regular expression: "
        "missing ), unterminated subpattern at position 0.\n"
        "    Correct it; a bracket, a dot or a star that stands for itself needs a backslash before it."
    ]


def test_on_one_host_everything_is_loopback_and_needs_no_key() -> None:
    declaration, _refused = parse({"models": {"m": {"source": "m.gguf"}}, "hosts": HERE})
    routing, _problems = route(engines(declaration)[0])
    assert [(each.bind, each.needs_key) for each in routing.instances] == [("127.0.0.1", False)]
    assert routing.gateways == {"here": "127.0.0.1"}


def test_an_instance_for_a_gateway_elsewhere_listens_on_its_address_with_a_key() -> None:
    hosts = {
        "gw": {"groups": ["litellm"]},
        "far": {"groups": ["llamacpp"], "address": "192.0.2.7", "has_instance_key": True},
    }
    declaration, _refused = parse({"models": {"m": {"source": "m.gguf"}}, "hosts": hosts})
    routing, found = route(engines(declaration)[0])
    assert found == []
    assert [(each.host, each.api_base, each.needs_key) for each in routing.instances] == [
        ("far", "http://192.0.2.7:8080/v1", True)
    ]


def test_the_gateway_may_be_one_host_of_several() -> None:
    hosts = {"a": {"groups": ["litellm", "llamacpp"]}, "b": {"groups": ["litellm"]}}
    declaration, _refused = parse({"models": {"m": {"source": "m.gguf"}}, "gateway": {"host": "a"}, "hosts": hosts})
    routing, found = route(engines(declaration)[0])
    assert found == []
    assert routing.gateways == {"a": "127.0.0.1"}


def test_addresses_of_the_sixth_version_stand_in_brackets() -> None:
    assert base_url("2001:db8::1", 80) == "http://[2001:db8::1]:80"


def test_an_address_has_one_form_however_it_is_written() -> None:
    """The kernel tells of a listener in that form; another one would look like a port that nobody listens on."""
    hosts = {
        "gw": {"groups": ["litellm"]},
        "far": {"groups": ["llamacpp"], "address": "2001:DB8:0::0007", "has_instance_key": True},
    }
    declaration, _refused = parse({"models": {"m": {"source": "m.gguf"}}, "hosts": hosts})
    routing, found = route(engines(declaration)[0])
    assert (found, [each.bind for each in routing.instances]) == ([], ["2001:db8::7"])


def test_the_port_of_an_app_makes_way_for_the_one_that_ollama_was_given() -> None:
    declaration, _refused = parse(
        {
            "models": {"m": {"source": "llama3.1:8b"}},
            "apps": {"editor": {"models": ["m"], "isolation": "instance"}},
            "ollama": {"port": 4001},
            "hosts": {"here": {"groups": ["ollama", "litellm"]}},
        }
    )
    routing, found = route(engines(declaration)[0])
    assert (found, routing.app_ports) == ([], {"editor": 4002})


def test_the_variable_of_a_key_names_its_host() -> None:
    assert key_variable("gpu-01.example") == "LLM_STACK_INSTANCE_KEY_GPU_01_EXAMPLE"
