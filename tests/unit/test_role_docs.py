# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The option tables of the roles' READMEs, as tools/role-docs writes them."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

TOOL = runpy.run_path(str(Path(__file__).resolve().parents[2] / "tools/role-docs"))
HEAD = "| Variable | Type | Default | Meaning |\n|---|---|---|---|\n"


@pytest.mark.parametrize(
    ("option", "row"),
    [
        pytest.param({"type": "int", "default": 4000}, "| `x_y` | int | `4000` |  |", id="a number"),
        pytest.param({"type": "str", "default": ""}, "| `x_y` | str | `''` |  |", id="an empty text is shown as one"),
        pytest.param(
            {"type": "bool", "default": False}, "| `x_y` | bool | `false` |  |", id="a boolean as YAML writes it"
        ),
        pytest.param({"type": "path", "required": True}, "| `x_y` | path | *required* |  |", id="a required one"),
        pytest.param({}, "| `x_y` | str |  |  |", id="Ansible takes str where no type is given"),
        pytest.param(
            {"type": "list", "elements": "dict", "default": []}, "| `x_y` | list of dict | `[]` |  |", id="a list"
        ),
        pytest.param(
            {"description": ["Either C(a|b), or O(x_z)."], "choices": ["pip", "distro"]},
            r"| `x_y` | str |  | Either `a\|b`, or `x_z`. One of `pip`, `distro`. |",
            id="markup becomes Markdown and a bar does not end the cell",
        ),
        pytest.param(
            {"type": "list", "elements": "dict", "options": {"name": {"required": True}}},
            "| `x_y` | list of dict |  |  |\n| `x_y[].name` | str | *required* |  |",
            id="options of an option stand below it",
        ),
    ],
)
def test_a_row(option: dict, row: str) -> None:
    assert TOOL["rows"]({"x_y": option}) == row.split("\n")


def test_only_what_stands_between_the_markers_is_written() -> None:
    before, after = TOOL["MARKERS"].split("\n")
    specs = {"argument_specs": {"main": {"options": {"x_y": {"type": "int"}}}}}
    written = TOOL["render"](f"# x\n{before}\nold\n{after}\nend\n", specs)
    assert written == f"# x\n{before}\n{HEAD}| `x_y` | int |  |  |\n{after}\nend\n"
