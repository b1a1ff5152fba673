# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Write the result of every task as one line of JSON, for tests that compare values instead of reading text."""

from __future__ import annotations

DOCUMENTATION = """
name: results
type: aggregate
short_description: Keep task results as JSON lines
description:
  - Appends one line for each task result to the file that the environment variable TASK_RESULTS names.
"""

import json
import os

from ansible.executor.task_result import CallbackTaskResult
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Keeps what the tests ask for: who, which task, how it ended, and the module's own answer."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "results"

    def _keep(self, status: str, result: CallbackTaskResult) -> None:
        kept = os.environ.get("TASK_RESULTS")
        # Ansible also loads what lies beside the scenarios' own playbooks, which nobody compares.
        if not kept:
            return
        line = {
            "host": result.host.get_name(),
            "task": result.task.get_name(),
            "action": result.task.action,
            "status": status,
            "answer": {name: value for name, value in result.result.items() if not name.startswith("_ansible")},
        }
        with open(kept, "a", encoding="utf-8") as results:
            results.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        self._keep("ok", result)

    def v2_runner_on_failed(self, result: CallbackTaskResult, **_options: bool) -> None:
        self._keep("failed", result)

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        self._keep("unreachable", result)
