# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A long download is shown while it lasts, and is one change in the end."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.utils.display import Display
from ansible_collections.lab.llm_stack.plugins.action.ollama_model import ActionModule

PULLED = {"kind": "model-pull", "subject": "tiny:1b", "expected": "as declared", "actual": "absent", "remedy": "deploy"}
HALF = {"status": "pulling 89cc350a5b39", "completed": 1_200_000_000, "total": 4_800_000_000}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(Display, "display", lambda _self, words, *_args, **_named: said.append(words))
    return said


def test_a_download_in_slices_is_told_and_counted_once(
    task: Any, shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    action, _calls = task(ActionModule, {"models": []})
    answers = [
        {"items": [], "unfinished": HALF},
        {"items": [PULLED], "unfinished": HALF},
        {"items": [PULLED], "unfinished": {}},
    ]
    slices: list[object] = []

    def execute(module_args: dict[str, Any], **_named: object) -> dict[str, Any]:
        slices.append(module_args["slice"])
        return answers.pop(0)

    monkeypatch.setattr(action, "_execute_module", execute)
    result = action.run(task_vars={})
    assert (result["changed"], result["items"]) == (True, [PULLED, PULLED])
    assert shown == ["  pulling 89cc350a5b39: 1.2 of 4.8 GB, 25 %"] * 2
    # The second slice brought nothing: a server that begins anew gets more time.
    assert slices == [60, 60, 120]


def test_a_failure_ends_it(task: Any, shown: list[str]) -> None:
    action, _calls = task(ActionModule, {"models": []}, answer={"failed": True, "msg": "no", "unfinished": HALF})
    assert action.run(task_vars={})["failed"]
    assert shown == []


def test_who_asks_for_a_slice_gets_one(task: Any, shown: list[str]) -> None:
    action, calls = task(ActionModule, {"models": [], "slice": 5}, answer={"items": [], "unfinished": HALF})
    assert action.run(task_vars={})["unfinished"] == HALF
    assert [call["slice"] for call in calls] == [5]
    assert shown == []
