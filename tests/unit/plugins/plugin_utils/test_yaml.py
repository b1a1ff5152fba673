# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading YAML: the same data as PyYAML's own, the keys that are written twice, and the line of each path."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import Duplicate
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError, render
from ansible_collections.lab.llm_stack.plugins.plugin_utils._yaml import load

TEXT = """\
base: &base
  timeout: 5
models:
  - name: a
    <<: *base
    timeout: 6
  - {name: b, tags: [x, y]}
on: yes
"""


def test_the_data_are_what_pyyaml_gives() -> None:
    assert load(TEXT).data == yaml.safe_load(TEXT)
    assert load("").data is None


def test_each_path_has_its_line() -> None:
    lines = load(TEXT).lines
    assert lines["models[0].timeout"] == 6
    assert lines["models[1].tags[1]"] == 7
    assert lines["on"] == 8


@pytest.mark.parametrize(
    ("path", "line"),
    [
        pytest.param("models[0].name", 4, id="a value"),
        pytest.param("models[1].api_base", 7, id="a missing key stands where its entry does"),
        pytest.param("models[7].name", 3, id="a missing entry stands where its list does"),
        pytest.param("environment", 1, id="what is not in the file stands on its first line"),
    ],
)
def test_a_finding_has_a_line(path: str, line: int) -> None:
    assert load(TEXT).line(path) == line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(TEXT, (), id="a key that overrides a merged one is not written twice"),
        pytest.param("a: 1\nb: 2\na: 3\n", (Duplicate("a", (1, 3)),), id="at the top"),
        pytest.param("a:\n  - {b: 1, b: 2}\n", (Duplicate("a[0].b", (2, 2)),), id="in a list, on one line"),
        pytest.param("a: {b: 1}\na: {b: 2}\n", (Duplicate("a", (1, 2)),), id="what is below it is not told for itself"),
        pytest.param("a: 1\na: 2\na: 3\n", (Duplicate("a", (1, 2, 3)),), id="three times"),
        pytest.param("- &x {a: 1}\n- *x\n", (), id="an anchor used twice"),
    ],
)
def test_keys_written_twice(text: str, expected: tuple[Duplicate, ...]) -> None:
    assert load(text).duplicates == expected


def test_an_anchor_that_holds_itself_is_not_followed() -> None:
    assert load("a: &a\n  b: *a\n").lines == {"a": 1, "a.b": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            'a: "b\n',
            "line 2, column 1: is not YAML: found unexpected end of stream.\n    Nothing below it was read.",
            id="an open quote",
        ),
        pytest.param(
            "a: 2026-13-01\n",
            "the file: is not YAML: month must be in 1..12.\n    Nothing below it was read.",
            id="a date that is none",
        ),
        pytest.param(
            "a: 1\n---\nb: 2\n",
            "line 2, column 1: is not YAML: but found another document.\n    Nothing below it was read.",
            id="two documents",
        ),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(StackError) as refusal:
        load(text)
    assert render(refusal.value.problems[0]) == message
