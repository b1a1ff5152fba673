# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Options that are no texts reach the filters as what they are, also when ``-e name=value`` gives them as texts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "roles"


@pytest.mark.parametrize("role", ["litellm", "llamacpp", "ollama", "vllm"])
def test_numbers_and_switches_are_no_texts(role: str) -> None:
    specs = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    options = specs["argument_specs"]["main"]["options"]
    typed = {name: each["type"] for name, each in options.items() if each["type"] in ("int", "float", "bool")}
    text = (ROLES / role / "vars/main.yml").read_text(encoding="utf-8")
    used = [name for name in typed if re.search(rf"\b{name}\b", text)]
    assert used
    assert [name for name in used if not re.search(rf"\b{name} \| {typed[name]}\b", text)] == []
