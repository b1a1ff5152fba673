# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a request may take, in sums that were done by hand."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._latency import Term, bound, number
from hypothesis import given
from hypothesis import strategies as st


def deployment(name: str, **params: Any) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": f"openai/{name}", **params}}


def config(*deployments: dict[str, Any], litellm: dict[str, Any] | None = None, **router: Any) -> dict[str, Any]:
    return {"model_list": list(deployments), "router_settings": router, "litellm_settings": litellm or {}}


FAST = {"timeout": 5, "num_retries": 0}


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        pytest.param(config(deployment("a", **FAST)), 5, id="one try, no wait"),
        # 3 tries of 1 s; waits of 0.5, 1 and 2 s, each with up to 0.75 s at random: 3 + 3.5 + 2.25.
        pytest.param(config(deployment("a", timeout=1, num_retries=2)), 8.75, id="two retries wait three times"),
        # 5 x 0.5 + (0.5 + 1 + 2 + 4 + 8) + 5 x 0.75.
        pytest.param(config(deployment("a", timeout=0.5, num_retries=4)), 21.75, id="waits double up to eight seconds"),
        # 8 x 1 + (0.5 + 1 + 2 + 4 + 8 + 8 + 8 + 8) + 8 x 0.75.
        pytest.param(config(deployment("a", timeout=1, num_retries=7)), 53.5, id="and no further"),
        # 2 x 0.5 + 3 + 3 + 2 x 0.75.
        pytest.param(config(deployment("a", timeout=0.5, num_retries=1), retry_after=3), 8.5, id="a shortest wait"),
        pytest.param(
            config(deployment("a", timeout=1, num_retries=2), deployment("a", timeout=2, num_retries=0)),
            6,
            id="a second deployment is tried at once, and the slower one may get every try",
        ),
        # 3 x 120 + 5.75.
        pytest.param(config(deployment("a"), timeout=120, num_retries=2), 365.75, id="the gateway's own settings"),
        # 3 x 6000 + 5.75.
        pytest.param(config(deployment("a")), 18005.75, id="what holds when nothing is set"),
        pytest.param(
            config(deployment("a"), timeout=9, num_retries=0, litellm={"request_timeout": 4}),
            4,
            id="request_timeout stands above the router's timeout",
        ),
        pytest.param(
            config(deployment("a", num_retries=0), litellm={"num_retries": 5, "request_timeout": 2}),
            2,
            id="own retries",
        ),
        pytest.param(
            config(deployment("a", **FAST), stream_timeout=30), 30, id="a streamed answer has a limit of its own"
        ),
        pytest.param(
            config(deployment("a", stream_timeout=5, **FAST), stream_timeout=30), 5, id="unless the deployment sets it"
        ),
        pytest.param(
            config(deployment("a", **FAST), timeout=9, litellm={"request_timeout": 40}),
            40,
            id="request_timeout undoes a deployment's limit for streamed answers when the router has a timeout",
        ),
        # A policy stands above the retries of a deployment: 3 x 5 + 5.75.
        pytest.param(
            config(deployment("a", **FAST), retry_policy={"TimeoutErrorRetries": 2}), 20.75, id="a policy adds retries"
        ),
        pytest.param(
            config(deployment("a", **FAST), model_group_retry_policy={"a": {"TimeoutErrorRetries": 1}}),
            # 2 x 5 + 0.5 + 1 + 2 x 0.75.
            13,
            id="the policy of one name",
        ),
    ],
)
def test_the_tries_of_one_name(written: dict[str, Any], seconds: float) -> None:
    assert bound("a", written).seconds == seconds


@pytest.mark.parametrize(
    ("fallbacks", "more", "tried"),
    [
        pytest.param([{"a": ["b", "c"]}], {}, "a b c", id="in order"),
        pytest.param([{"a": ["b"]}, {"b": ["c"]}], {}, "a b c", id="a fallback has its own"),
        pytest.param([{"a": ["b", "c"]}, {"b": ["c"]}], {}, "a b c", id="nobody is tried twice"),
        pytest.param([{"a": ["b"]}, {"b": ["a"]}], {}, "a b", id="a circle ends"),
        pytest.param(
            [{"a": ["b"]}, {"b": ["c"]}, {"c": ["d"]}], {"max_fallbacks": 1}, "a b", id="how deep a chain goes"
        ),
        pytest.param([{"a": ["b", "c", "d"]}], {"max_fallbacks": 1}, "a b c d", id="not how broad"),
        pytest.param([{"c": ["b"]}], {"default_fallbacks": ["d"]}, "a d", id="fallbacks for every name"),
        pytest.param([{"a": ["b"]}], {"default_fallbacks": ["d"]}, "a b", id="but only for those without any"),
        pytest.param([{"a": ["b"]}, {"*": ["c"]}], {}, "a b", id="a star is every name without any"),
    ],
)
def test_the_chain(fallbacks: list[dict[str, list[str]]], more: dict[str, Any], tried: str) -> None:
    written = config(*(deployment(name, **FAST) for name in "abcd"), fallbacks=fallbacks, **more)
    found = bound("a", written)
    assert [term.name for term in found.terms] == tried.split()
    assert found.seconds == 5 * len(tried.split())


def test_an_alias_has_the_limits_of_its_model_and_fallbacks_of_its_own() -> None:
    aliases = {"chat": "a", "hidden": {"model": "a", "hidden": True}}
    written = config(
        deployment("a", timeout=2, num_retries=0),
        deployment("b", timeout=3, num_retries=0),
        model_group_alias=aliases,
        fallbacks=[{"chat": ["b"]}],
    )
    assert [bound(name, written).seconds for name in ("a", "chat", "hidden")] == [2, 5, 2]


def test_a_bound_is_the_sum_of_its_terms_and_says_them() -> None:
    written = config(deployment("a", timeout=1, num_retries=2), deployment("b", **FAST), fallbacks=[{"a": ["b"]}])
    found = bound("a", written)
    assert found.terms == (Term("a", 3, 1, 5.75), Term("b", 1, 5, 0))
    assert [str(term) for term in found.terms] == ["3 tries of 1 s + 5.75 s of waits", "1 try of 5 s"]
    assert found.as_dict() == {
        "seconds": 13.75,
        "terms": [
            {"name": "a", "tries": 3, "timeout": 1, "waits": 5.75},
            {"name": "b", "tries": 1, "timeout": 5, "waits": 0},
        ],
    }


@pytest.mark.parametrize(
    ("seconds", "text"), [(5.0, "5"), (0.5, "0.5"), (7.25, "7.25"), (120, "120"), (1 / 3, "0.333")]
)
def test_seconds_are_written_as_people_do(seconds: float, text: str) -> None:
    assert number(seconds) == text


@given(st.integers(0, 9), st.floats(0.1, 600), st.integers(0, 9), st.floats(0.1, 600))
def test_more_patience_never_shortens_the_bound(retries: int, timeout: float, more: int, longer: float) -> None:
    def seconds(retries: int, timeout: float) -> float:
        return bound("a", config(deployment("a", timeout=timeout, num_retries=retries))).seconds

    assert seconds(retries + more, timeout + longer) >= seconds(retries, timeout) >= timeout * (retries + 1) - 0.001
