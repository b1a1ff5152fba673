# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What was found is shown and sets the exit status, whatever becomes of the files."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.callback.drift import CallbackModule

SERVICE = "lab.llm_stack.service"
FILE = {"kind": "file", "subject": "/etc/x", "expected": "as declared", "actual": "other content"}


class Shown:
    """A display that remembers."""

    def __init__(self) -> None:
        self.text, self.errors = "", ""

    def display(self, text: str) -> None:
        self.text += text

    def error(self, text: str) -> None:
        self.errors += text


def run(directory: Path, result: dict[str, Any], failures: int = 0, playbook: str = "drift.yml") -> tuple[int, Shown]:
    """The exit status of a run in which one task gave this result, and what was shown."""
    callback, shown = CallbackModule(), Shown()
    callback._display = shown
    callback.get_option = {"directory": str(directory), "strict": True}.get
    callback.v2_playbook_on_start(SimpleNamespace(_file_name=f"/playbooks/{playbook}"))
    task = SimpleNamespace(resolved_action=SERVICE, action=SERVICE, get_name=lambda: "Converge", loop=None)
    host = SimpleNamespace(get_name=lambda: "gw")
    callback.v2_runner_on_ok(SimpleNamespace(_task=task, task=task, _host=host, _result=result))
    summary = {"failures": failures, "unreachable": 0}
    try:
        callback.v2_playbook_on_stats(SimpleNamespace(processed=["gw"], summarize=lambda _host: summary))
    except SystemExit as end:
        return int(str(end.code)), shown
    return 0, shown


@pytest.mark.parametrize(("items", "status"), [([], 0), ([FILE], 10)], ids=["clean", "drift"])
def test_the_status_says_what_was_found_and_the_files_tell_it(
    tmp_path: Path, items: list[dict[str, str]], status: int
) -> None:
    ended, shown = run(tmp_path / "reports", {"items": items, "checked": 3})
    assert (ended, shown.errors) == (status, "")
    assert shown.text.endswith(("no difference", "1 difference"))
    names = sorted(each.name for each in (tmp_path / "reports").iterdir())
    assert names == ["drift.json", "drift.md", "drift.prom", "drift.xml"]
    assert json.loads((tmp_path / "reports/drift.json").read_text())["exit"] == status


@pytest.mark.parametrize("items", [[], [FILE]], ids=["clean", "drift"])
def test_reports_that_cannot_be_written_hide_nothing(tmp_path: Path, items: list[dict[str, str]]) -> None:
    (tmp_path / "reports").write_text("a file")
    ended, shown = run(tmp_path / "reports", {"items": items, "checked": 3})
    assert (ended, "checked 3 things on 1 host" in shown.text) == (1, True)
    assert "reports could not be written" in shown.errors
    assert "LLM_STACK_REPORTS" in shown.errors


def test_a_fault_of_the_report_itself_is_never_called_clean(tmp_path: Path) -> None:
    ended, shown = run(tmp_path, {"items": [], "checked": 3, "missing": [{"no": "kind"}]})
    assert ended == 1
    assert "KeyError" in shown.errors


def test_a_run_that_failed_keeps_the_status_of_ansible(tmp_path: Path) -> None:
    assert run(tmp_path, {"items": [FILE], "checked": 3}, failures=1)[0] == 0


def test_other_playbooks_are_left_alone_and_pay_nothing(tmp_path: Path) -> None:
    assert run(tmp_path / "reports", {"items": [FILE], "checked": 3}, playbook="deploy.yml")[0] == 0
    assert not (tmp_path / "reports").exists()
    callback = CallbackModule()
    callback.v2_playbook_on_start(SimpleNamespace(_file_name="deploy.yml"))
    assert callback.disabled
