# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The walk over a table of fields; whole declarations are in test_plan_refused.py."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, render
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field, check, secrets, unless_secret

SECONDS = Field("number", "a number of seconds", low=0.5, high=60)
COUNT = Field("int", "a number of requests", low=1)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        pytest.param(SECONDS, 5, "", id="a whole number is a number"),
        pytest.param(SECONDS, 0.5, "", id="a bound is within"),
        pytest.param(
            SECONDS, "5s", "'5s' is not a number of seconds.\n    Write 5.", id="a unit that goes without saying"
        ),
        pytest.param(
            Field("int", "a number of tokens", low=1),
            "4s",
            "'4s' is not a number of tokens.\n    Write a number of tokens, at least 1.",
            id="a unit that belongs to something else",
        ),
        pytest.param(
            SECONDS, "2.5 seconds", "'2.5 seconds' is not a number of seconds.\n    Write 2.5.", id="a unit in words"
        ),
        pytest.param(
            SECONDS,
            "5 minutes",
            "'5 minutes' is not a number of seconds.\n    Write a number of seconds from 0.5 to 60.",
            id="another unit is not corrected",
        ),
        pytest.param(
            SECONDS,
            "120",
            "'120' is not a number of seconds.\n    Write a number of seconds from 0.5 to 60.",
            id="no number out of range is suggested",
        ),
        pytest.param(
            SECONDS,
            float("inf"),
            "inf is not a number of seconds.\n    Write a number of seconds from 0.5 to 60.",
            id="infinity is no number of seconds",
        ),
        pytest.param(
            SECONDS,
            True,
            "true is not a number of seconds.\n    Write a number of seconds from 0.5 to 60.",
            id="true is no number",
        ),
        pytest.param(
            SECONDS, 61, "61 is out of range.\n    Write a number of seconds from 0.5 to 60.", id="above the bounds"
        ),
        pytest.param(COUNT, 0, "0 is out of range.\n    Write a number of requests, at least 1.", id="one bound only"),
        pytest.param(COUNT, 2.0, "2.0 is not a number of requests.\n    Write 2.", id="a whole number with a point"),
        pytest.param(
            COUNT, 2.5, "2.5 is not a number of requests.\n    Write a number of requests, at least 1.", id="a fraction"
        ),
        pytest.param(Field("int"), "x", "'x' is not a whole number.\n    Write a number.", id="no bounds and no words"),
        pytest.param(Field("number"), [], "[] is not a number.\n    Write a number.", id="a list is no number"),
        pytest.param(
            Field("bool"), "off", "'off' is not true or false.\n    Write false, without quotes.", id="a word"
        ),
        pytest.param(Field("bool"), 1, "1 is not true or false.\n    Write true or false.", id="one is not true"),
        pytest.param(Field("text"), True, 'true is not text.\n    Write "true", in quotes.', id="true is no text"),
        pytest.param(Field("text"), [], "[] is not text.\n    Write text, or remove the key.", id="a list is no text"),
        pytest.param(Field("text"), " ", "' ' is empty.\n    Write a value, or remove the key.", id="blank text"),
        pytest.param(
            Field("text"),
            datetime.date(2026, 1, 2),
            "datetime.date(2026, 1, 2) is not text.\n    Write text, or remove the key.",
            id="what YAML takes for a date",
        ),
        pytest.param(Field(), None, "null is not a value.\n    Write a value, or remove the key.", id="nothing"),
        pytest.param(Field(), {"a": 1}, "", id="anything"),
        pytest.param(Field("list"), "a", "'a' is not a list.\n    Write [a].", id="one entry without brackets"),
        pytest.param(
            Field("list"), 3, "3 is not a list.\n    Write a list: [first, second].", id="a number is no list"
        ),
        pytest.param(
            Field("map"), 3, "3 is not a mapping of keys to values.\n    Write key: value below it.", id="no mapping"
        ),
        pytest.param(Field(choices=(True, "auto")), "auto", "", id="a choice"),
        pytest.param(
            Field(choices=(True, "auto")),
            1,
            "1 is not one of the choices.\n    Known: true, auto.",
            id="one is not true",
        ),
    ],
)
def test_one_value(field: Field, value: object, expected: str) -> None:
    found = [render(problem).removeprefix("here: ") for problem in check(value, field, "here")]
    assert found == ([expected] if expected else [])


def test_everything_is_told_in_one_walk() -> None:
    field = Field("section", fields={"a": Field("int", required=True, hint="Write 1."), "b": Field("list", item=COUNT)})
    assert [render(problem) for problem in check({"b": [1, "2", 0], "c": 1}, field, "x")] == [
        "x.b[1]: '2' is not a number of requests.\n    Write 2.",
        "x.b[2]: 0 is out of range.\n    Write a number of requests, at least 1.",
        "x.c: is not a known key.\n    Known: a, b.",
        "x.a: is missing.\n    Write 1.",
    ]


@pytest.mark.parametrize(
    ("value", "by_key", "paths"),
    [
        pytest.param({"api_key": "x"}, True, ["v.api_key"], id="a key that says so"),
        pytest.param({"API_KEY": 7}, True, ["v.API_KEY"], id="a number in any case"),
        pytest.param({"api_key": "os.environ/KEY"}, True, [], id="a reference to the environment"),
        pytest.param({"api_key": None, "password": ""}, True, [], id="nothing to hide"),
        pytest.param({"token": "tiny"}, False, [], id="a key of the user's choice"),
        pytest.param({"a": [{"b": "sk-1234"}]}, False, ["v.a[0].b"], id="a value that says so, deep inside"),
        pytest.param("postgresql://me:secret@db/x", False, ["v"], id="an address with a password"),
        pytest.param("https://example.org/a:b@c", False, [], id="an address without one"),
        pytest.param({"max_tokens": 5, "cache_type_k": "q8_0"}, True, [], id="keys that only look alike"),
    ],
)
def test_secrets(value: object, by_key: bool, paths: list[str]) -> None:
    assert [problem.path for problem in secrets(value, "v", by_key)] == paths


def test_what_would_show_a_secret_is_not_told() -> None:
    hidden = [Problem("a.b[0]", NOTHING, "holds a secret.")]
    others = [Problem("a", {"b": ["sk-1"]}, "x"), Problem("a.b", ["sk-1"], "x"), Problem("a.b[0]", "sk-1", "x")]
    near = [Problem("a.bc", 1, "x"), Problem("a.b[1]", 1, "x")]
    assert unless_secret([*others, *near], hidden) == [*hidden, *near]
