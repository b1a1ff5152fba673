# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A run that changes nothing starts one module for each role, and a checklist one on each host and one beside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ROLES = ("litellm", "llamacpp", "ollama", "vllm")


def tasks(path: Path) -> Iterator[dict[str, Any]]:
    """The tasks of a file and of those that it imports; what it includes is another matter."""
    for task in yaml.safe_load(path.read_text(encoding="utf-8")):
        imported = task.get("ansible.builtin.import_tasks")
        if imported:
            yield from tasks(path.parent / imported)
        else:
            yield task


def actions(found: list[dict[str, Any]]) -> list[str]:
    """What each task does; the only keys with a dot are the names of actions."""
    return [key for task in found for key in task if "." in key]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_starts_one_module_unless_that_misses_something(role: str) -> None:
    always, done, *others = tasks(ROOT / f"roles/{role}/tasks/main.yml")
    assert actions([always]) == ["lab.llm_stack.service"]
    assert "loop" not in always
    assert done["ansible.builtin.meta"] == "end_role"
    assert f"__{role}_result.missing | length == 0" in done["when"]
    assert actions(others) == ["ansible.builtin.include_tasks"]


def test_a_checklist_starts_one_module_on_each_host_and_asks_git_once() -> None:
    (play,) = yaml.safe_load((ROOT / "playbooks/validate.yml").read_text(encoding="utf-8"))
    on_the_controller = {f"ansible.builtin.{name}" for name in ("assert", "debug", "set_fact", "import_tasks")}
    started = [each for each in play["tasks"] if not {*actions([each])} <= on_the_controller]
    assert actions(started) == ["lab.llm_stack.source_info", "lab.llm_stack.probe"]
    assert (started[0]["run_once"], started[0]["delegate_to"]) == (True, "localhost")
    assert play["gather_facts"] is False
    assert {*actions(list(tasks(ROOT / "playbooks/tasks/plan.yml")))} == {"ansible.builtin.set_fact"}
