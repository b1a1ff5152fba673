# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Broken declarations, one file each: what is refused, and the exact words. A new refusal is a new file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError

REFUSED = sorted((Path(__file__).parents[3] / "fixtures" / "refused").glob("*.yml"))
CANARIES = ("correct-horse", "hunter2", "sk-0123456789", "abc-canary")


@pytest.mark.parametrize("case", REFUSED, ids=[file.stem.replace("_", " ") for file in REFUSED])
def test_a_broken_declaration_is_refused(case: Path) -> None:
    expected = yaml.safe_load(case.read_text(encoding="utf-8"))
    with pytest.raises(StackError) as refusal:
        plan(expected["declaration"])
    assert str(refusal.value) == expected["message"]


def test_there_are_enough_cases() -> None:
    assert len(REFUSED) >= 60


@pytest.mark.parametrize("case", REFUSED, ids=[file.stem.replace("_", " ") for file in REFUSED])
def test_a_refusal_says_what_to_do_and_shows_no_secret(case: Path) -> None:
    message = yaml.safe_load(case.read_text(encoding="utf-8"))["message"]
    blocks = message.split("\n\n", 1)[1].split("\nllm_stack_")
    assert all("\n    " in block for block in blocks)
    assert not [canary for canary in CANARIES if canary in message]
