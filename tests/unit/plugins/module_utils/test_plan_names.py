# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers for a name: aliases, fallbacks, models that stand by."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Model
from ansible_collections.lab.llm_stack.plugins.module_utils._names import (
    answering,
    chain,
    check_aliases,
    check_cycles,
    reached,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import render

NAMES = ("llama3.1", "qwen")


def models(**fallbacks: str) -> dict[str, Model]:
    """Models by their fallbacks; a name in capitals stands by."""
    return {
        name: Model(name, f"{name}.gguf", standby=name.isupper(), fallbacks=tuple(each.split()))
        for name, each in fallbacks.items()
    }


@pytest.mark.parametrize(
    ("aliases", "expected"),
    [
        pytest.param({"chat": "llama3.1"}, [], id="an alias of a model is fine"),
        pytest.param(
            {"chat": "lama3.1"},
            ["llm_stack_aliases.chat: 'lama3.1' is not a declared model.\n    Did you mean 'llama3.1'?"],
            id="a misspelt target is refused with the likely name",
        ),
        pytest.param(
            {"chat": "mixtral"},
            ["llm_stack_aliases.chat: 'mixtral' is not a declared model.\n    Known: llama3.1, qwen."],
            id="a target like no other is refused with all names",
        ),
        pytest.param(
            {"qwen": "llama3.1"},
            ["llm_stack_aliases.qwen: is already the name of a model, which it would hide.\n    Choose another alias."],
            id="an alias that hides a model is refused",
        ),
        pytest.param(
            {"a": "b", "b": "qwen"},
            ["llm_stack_aliases.a: 'b' is itself an alias.\n    Write the model: qwen."],
            id="an alias of an alias is refused with the model",
        ),
    ],
)
def test_aliases(aliases: Mapping[str, str], expected: list[str]) -> None:
    assert [render(problem) for problem in check_aliases(aliases, NAMES)] == expected


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        pytest.param(models(a="b c", b="c", c=""), [], id="a diamond is no circle"),
        pytest.param(models(a="b", b="a"), ["a: a -> b -> a."], id="two that name each other"),
        pytest.param(models(a="b", b="c", c="b"), ["b: b -> c -> b."], id="a circle behind a straight way"),
        pytest.param(
            models(a="b", b="a", c="d", d="c"), ["a: a -> b -> a.", "c: c -> d -> c."], id="two circles are told apart"
        ),
        pytest.param(models(a="a"), [], id="a model that names itself is told elsewhere"),
        pytest.param(models(a="nothing"), [], id="a name that is no model is told elsewhere"),
    ],
)
def test_circles_of_fallbacks(declared: Mapping[str, Model], expected: list[str]) -> None:
    assert [problem.wrong.removeprefix("lead back to ") for problem in check_cycles(declared)] == expected


@pytest.mark.parametrize(
    ("declared", "name", "first", "rest"),
    [
        pytest.param(models(a=""), "a", ["a"], [], id="a running model answers itself"),
        pytest.param(models(a="b c", b="", c=""), "a", ["a"], ["b", "c"], id="its fallbacks follow in order"),
        pytest.param(
            models(A="b c", b="", c=""), "A", ["b", "c"], ["b", "c"], id="a standby is answered by its fallbacks"
        ),
        pytest.param(models(A="B", B="c", c=""), "A", ["c"], ["c"], id="a standby behind a standby"),
        pytest.param(models(a="B", B="c", c=""), "a", ["a"], ["c"], id="a fallback that stands by"),
        pytest.param(models(a="B c", B="c", c=""), "a", ["a"], ["c"], id="nobody is tried twice"),
    ],
)
def test_who_answers(declared: Mapping[str, Model], name: str, first: list[str], rest: list[str]) -> None:
    assert answering(name, declared) == first
    assert chain(name, declared) == rest


def test_an_app_reaches_its_models_and_all_they_fall_back_to() -> None:
    assert reached(["a"], models(a="b", b="c", c="", d="")) == ["a", "b", "c"]


def test_models_of_a_slot_that_all_name_each_other_are_walked_once() -> None:
    """There are more ways through twenty names than could ever be walked."""
    names = [f"M{number}" for number in range(20)]
    slot = models(run=" ".join(names), **{name: " ".join({*names, "run"} - {name}) for name in names})
    assert [chain(name, slot) for name in names] == [["run"]] * len(names)
    assert chain("run", slot) == []
