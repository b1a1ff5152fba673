# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running gateway tells of its deployments, against what was declared."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._deployments import differences, told


def at(name: str, port: int = 8080, **more: Any) -> dict[str, Any]:
    return {"name": name, "model": f"openai/{name}", "api_base": f"http://127.0.0.1:{port}/v1", **more}


@pytest.mark.parametrize(
    ("declared", "found", "expected"),
    [
        pytest.param([at("a"), at("b")], [at("b"), at("a")], [], id="the same in another order"),
        pytest.param([at("a", timeout=5)], [at("a", timeout=5.0)], [], id="LiteLLM makes a number a fraction"),
        pytest.param(
            [at("a")], [{**at("a"), "api_base": "http://127.0.0.1:8080/v1/"}], [], id="a slash at the end of an address"
        ),
        pytest.param([at("a"), at("b")], [at("a")], ["b at http://127.0.0.1:8080/v1 is missing"], id="one was dropped"),
        pytest.param(
            [at("a")], [at("a"), at("x", 1)], ["x at http://127.0.0.1:1/v1 is not declared"], id="one too many"
        ),
        pytest.param(
            [at("a", 1), at("a", 2)],
            [at("a", 2)],
            ["a at http://127.0.0.1:1/v1 is missing"],
            id="one of a pool was dropped",
        ),
        pytest.param(
            [at("a"), at("a")],
            [at("a"), at("a"), at("a")],
            ["a at http://127.0.0.1:8080/v1 is not declared"],
            id="one of a pool twice",
        ),
        pytest.param(
            [at("a", 1)],
            [at("a", 2)],
            ["a has api_base http://127.0.0.1:2/v1, declared http://127.0.0.1:1/v1"],
            id="another address",
        ),
        pytest.param(
            [at("e/a", timeout=5, num_retries=0)],
            [at("e/a", timeout=30.0)],
            ["e/a has timeout 30.0, declared 5", "e/a has num_retries unset, declared 0"],
            id="another patience",
        ),
        pytest.param([at("a")], [at("a", timeout=9)], ["a has timeout 9, declared unset"], id="a patience nobody gave"),
        pytest.param(
            [at("a", 1, timeout=1), at("a", 2, timeout=2)],
            [at("a", 1, timeout=2), at("a", 2, timeout=2)],
            ["a has timeout 2, declared 1"],
            id="the right one of a pool is named",
        ),
        pytest.param(
            [at("a", info={"max_input_tokens": 4096})],
            [at("a", info={"max_input_tokens": 8192, "id": "1"})],
            ["a is said to have max_input_tokens 8192, declared 4096"],
            id="another context than clients should be told",
        ),
        pytest.param(
            [at("a", info={"supports_function_calling": True})],
            [at("a")],
            ["a is said to have supports_function_calling unset, declared True"],
            id="an ability that clients are not told of",
        ),
        pytest.param([], [], [], id="nothing of nothing"),
    ],
)
def test_differences(declared: list[dict[str, Any]], found: list[dict[str, Any]], expected: list[str]) -> None:
    assert differences(declared, found) == expected


def test_what_litellm_tells_is_read_without_what_it_adds() -> None:
    params = {"model": "openai/a", "api_base": "http://h/v1", "timeout": 5.0, "use_litellm_proxy": False}
    assert told([{"model_name": "a", "litellm_params": params, "model_info": {"id": "1"}}]) == [
        {"name": "a", "model": "openai/a", "api_base": "http://h/v1", "timeout": 5.0, "info": {"id": "1"}}
    ]


@pytest.mark.parametrize("entry", [{}, {"model_name": None}, {"litellm_params": []}, {"litellm_params": None}])
def test_an_answer_that_makes_no_sense_is_a_difference(entry: dict[str, Any]) -> None:
    assert differences([at("a")], told([entry])) == [
        "a at http://127.0.0.1:8080/v1 is missing",
        "None at no address is not declared",
    ]
