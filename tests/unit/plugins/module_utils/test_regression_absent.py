# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A removal where there is nothing leaves nothing, not even the directory of its own lock."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._state import State
from ansible_collections.lab.llm_stack.plugins.modules.service import _alone


@pytest.mark.parametrize(("wanted", "there"), [("absent", False), ("present", True)])
def test_only_a_run_that_changes_something_makes_the_directory_of_the_lock(
    tmp_path: Path, wanted: str, there: bool
) -> None:
    state = State(str(tmp_path / "llm-stack"), "example")
    with _alone(SimpleNamespace(params={"state": wanted, "holder": "a test", "break_lock": ""}), state):
        assert (tmp_path / "llm-stack/lock").exists() == there
