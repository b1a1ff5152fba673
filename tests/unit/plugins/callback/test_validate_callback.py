# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The exit status of a look at every promise, which no failure of another kind may hide."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.callback.validate import VERDICT, CallbackModule
from ansible_collections.lab.llm_stack.plugins.module_utils._exit_status import exit_status

PROBE = "lab.llm_stack.probe"


@pytest.mark.parametrize(
    ("states", "strict", "status"),
    [
        pytest.param([], True, 0, id="nothing was promised"),
        pytest.param(["pass", "pass"], True, 0, id="all are kept"),
        pytest.param(["pass", "warn"], False, 0, id="a warning does not count"),
        pytest.param(["pass", "warn"], True, 11, id="unless it shall"),
        pytest.param(["pass", "skipped"], True, 11, id="nor may one that was not looked at"),
        pytest.param(["warn", "fail"], False, 10, id="one is not kept"),
        pytest.param(["skipped", "fail"], True, 10, id="which counts more than all others"),
    ],
)
def test_exit_status(states: list[str], strict: bool, status: int) -> None:
    assert exit_status([{"state": state} for state in states], strict=strict) == status


def ended(name: str, action: str, **result: Any) -> Any:
    task = SimpleNamespace(resolved_action=action, action=action, get_name=lambda: name)
    return SimpleNamespace(_task=task, _host=SimpleNamespace(get_name=lambda: "gw"), _result=result)


def run(playbook: str, states: list[str], failures: int = 0, told: int = 0, unreachable: int = 0) -> int:
    """The status of a run; of its failures ``told`` are the verdict."""
    callback = CallbackModule()
    callback.get_option = lambda _name: False
    callback.v2_playbook_on_start(SimpleNamespace(_file_name=f"/playbooks/{playbook}"))
    callback.v2_runner_on_ok(ended("Look", PROBE, results=[{"state": state} for state in states]))
    callback.v2_runner_on_ok(ended("Look elsewhere", "lab.llm_stack.service", results=[{"state": "fail"}]))
    for _number in range(told):
        callback.v2_runner_on_failed(ended(f"Play : {VERDICT}", "ansible.builtin.assert"))
    summary = {"failures": failures, "unreachable": unreachable}
    stats = SimpleNamespace(processed=["gw"], summarize=lambda _host: summary)
    try:
        callback.v2_playbook_on_stats(stats)
    except SystemExit as end:
        return int(str(end.code))
    return 0


@pytest.mark.parametrize(
    ("given", "status"),
    [
        pytest.param({"playbook": "validate.yml", "states": ["pass"]}, 0, id="all are kept"),
        pytest.param({"playbook": "validate.yml", "states": ["fail"], "failures": 1, "told": 1}, 10, id="one is not"),
        pytest.param(
            {"playbook": "validate.yml", "states": ["fail"], "failures": 2, "told": 1},
            0,
            id="a task that went wrong keeps Ansible's own status",
        ),
        pytest.param(
            {"playbook": "validate.yml", "states": ["fail"], "failures": 1, "told": 1, "unreachable": 1},
            0,
            id="so does a host that was not reached",
        ),
        pytest.param({"playbook": "status.yml", "states": ["fail"]}, 0, id="another playbook"),
    ],
)
def test_the_callback_ends_the_run(given: dict[str, Any], status: int) -> None:
    assert run(**given) == status
