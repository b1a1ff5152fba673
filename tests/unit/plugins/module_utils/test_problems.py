# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a refusal reads."""

from __future__ import annotations

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import (
    NOTHING,
    Problem,
    StackError,
    nearest,
    quote,
    render,
    render_all,
)


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        pytest.param(Problem("a.b", "x", "is wrong."), "a.b: 'x' is wrong.", id="without a remedy it is one line"),
        pytest.param(
            Problem("a.b", "5s", "is not a number.", "Write 5."),
            "a.b: '5s' is not a number.\n    Write 5.",
            id="the remedy stands below, indented",
        ),
        pytest.param(
            Problem("a", 7, "is odd.", "Because.\nWrite 8."),
            "a: 7 is odd.\n    Because.\n    Write 8.",
            id="reasons before the remedy are lines of their own",
        ),
        pytest.param(Problem("a", NOTHING, "is missing."), "a: is missing.", id="an absent value is not quoted"),
    ],
)
def test_render(problem: Problem, expected: str) -> None:
    assert render(problem) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "'text'"),
        (5, "5"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        (["a", 1], "['a', 1]"),
        ("x" * 200, "'" + "x" * 117 + "...'"),
    ],
)
def test_values_are_shown_as_people_write_them(value: object, expected: str) -> None:
    assert quote(value) == expected


def test_the_headline_counts_problems_and_variables() -> None:
    problems = [
        Problem("llm_stack_models.a.source", 1, "is a number."),
        Problem("llm_stack_models[0]", 2, "is a number."),
        Problem("llm_stack_aliases", 3, "is a number."),
    ]
    assert render_all(problems) == (
        "3 problems in 2 variables. Nothing was changed on any host.\n"
        "\n"
        "llm_stack_models.a.source: 1 is a number.\n"
        "llm_stack_models[0]: 2 is a number.\n"
        "llm_stack_aliases: 3 is a number."
    )


def test_one_problem_is_singular() -> None:
    assert str(StackError(Problem("a", "b", "is wrong."))).startswith("1 problem in 1 variable. Nothing was changed")


def test_an_error_keeps_its_problems_as_values() -> None:
    problems = [Problem("a", 1, "x"), Problem("b", 2, "y")]
    assert StackError(problems).problems == tuple(problems)


@pytest.mark.parametrize(
    ("name", "names", "expected"),
    [
        pytest.param("lama3.1", ["llama3.1", "qwen"], "Did you mean 'llama3.1'?", id="one letter missing"),
        pytest.param("qewn", ["llama3.1", "qwen"], "Did you mean 'qwen'?", id="two letters swapped"),
        pytest.param("Tiny", ["tiny"], "Did you mean 'tiny'?", id="another case"),
        pytest.param("tinx", ["tiny", "tina"], "Known: tina, tiny.", id="two near names are listed, not guessed"),
        pytest.param("zebra", ["qwen", "llama"], "Known: llama, qwen.", id="nothing near: the names, sorted"),
        pytest.param("b", ["a"], "Did you mean 'a'?", id="single letters are one slip apart"),
        pytest.param(
            "zebra",
            [f"model-{number}" for number in range(30)] + ["zinc"],
            "The nearest of 31 known names: zinc, model-0, model-1, model-2.",
            id="a long list is cut to the closest",
        ),
        pytest.param("x", [], "None is declared.", id="nothing to choose from"),
    ],
)
def test_nearest(name: str, names: list[str], expected: str) -> None:
    assert nearest(name, names) == expected
