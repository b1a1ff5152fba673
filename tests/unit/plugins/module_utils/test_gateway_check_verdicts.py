# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What LiteLLM says of every configuration of the checker's tests, told by the pinned LiteLLM itself.

Runs where LITELLM_PYTHON names the Python of an environment that holds it; `make litellm` makes one that `make unit`
uses. LLM_STACK_CI=1: there has to be one.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible_collections.lab.llm_stack.plugins.module_utils import _litellm_keys, _litellm_model_keys

PYTHON = os.environ.get("LITELLM_PYTHON", "")
pytestmark = pytest.mark.skipif(
    not PYTHON and not os.environ.get("LLM_STACK_CI"),
    reason="no LiteLLM to ask: make litellm installs the pinned one",
)


def run(*command: str) -> str:
    return subprocess.run([PYTHON, *command], check=True, capture_output=True, text=True).stdout


def test_litellm_says_of_each_configuration_what_is_recorded(root: Path) -> None:
    files = sorted((root / "tests/fixtures/litellm_configs").glob("*/*.yml"))
    recorded = {file.name: yaml.safe_load(file.read_text(encoding="utf-8"))["litellm"] for file in files}
    printed = run(str(root / "tests/live/litellm_verdicts.py"), *map(str, files))
    assert json.loads(printed.splitlines()[-1]) == recorded


@pytest.mark.parametrize(
    ("what", "module"), [("settings", _litellm_keys), ("models", _litellm_model_keys)], ids=["settings", "models"]
)
def test_the_stored_lists_are_those_of_this_litellm(root: Path, what: str, module: object) -> None:
    stored: dict[str, object] = {}
    exec(run(str(root / "tools" / "litellm_keys.py"), what), stored)  # noqa: S102 - the tool of this checkout wrote it
    tables = [name for name in stored if name.isupper()]
    assert {name: stored[name] for name in tables} == {name: getattr(module, name) for name in tables}
    assert tables
