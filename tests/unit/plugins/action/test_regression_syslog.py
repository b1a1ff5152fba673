# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Ansible writes each module's arguments into the host's syslog; those of the service module hold whole files."""

from __future__ import annotations

from typing import Any

import pytest
from ansible import constants
from ansible_collections.lab.llm_stack.plugins.action.service import ActionModule


def test_the_arguments_of_the_module_stay_out_of_the_hosts_log(task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    action, _calls = task(ActionModule, {"name": "example"})
    given: list[dict[str, Any]] = []

    def execute(task_vars: dict[str, Any], **_options: object) -> dict[str, Any]:
        given.append(task_vars)
        return {}

    monkeypatch.setattr(action, "_execute_module", execute)
    action.run(task_vars={"of": "the task"})
    (variables,) = given
    assert variables["of"] == "the task"
    assert constants.config.get_config_value("DEFAULT_NO_TARGET_SYSLOG", variables=variables) is True
