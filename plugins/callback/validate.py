# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sets the exit status of a run that looked at every promise."""

from __future__ import annotations

DOCUMENTATION = r"""
name: validate
type: aggregate
short_description: Exit with a status that says whether every promise is kept
version_added: 0.1.0
author:
  - The lab.llm_stack authors (@lab-llm-stack)
description:
  - Collects the results of M(lab.llm_stack.probe) and sets the exit status when the run ends.
  - The exit status is 0 where every promise is kept, 10 where one is not, 11 where all are but something is to be
    looked at, which counts only with O(strict). A run that went wrong keeps Ansible's 2, one with unreachable hosts
    its 4.
  - It acts on playbooks named C(validate.yml) alone, so that it may stay enabled. Without it they end with 2 where a
    promise is not kept.
requirements:
  - C(callbacks_enabled) has to name it.
options:
  strict:
    description:
      - Whether warnings, and promises that could not be looked at, change the exit status.
    type: bool
    default: false
    env:
      - name: LLM_STACK_STRICT_VALIDATE
    ini:
      - section: callback_validate
        key: strict
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.plugins.callback import CallbackBase

if TYPE_CHECKING:
    from ansible.executor.stats import AggregateStats
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.playbook import Playbook

PLAYBOOK = "validate.yml"
VERDICT = "Say which promise is not kept"
"""The task that fails because a promise is not kept, and for no other reason."""


class CallbackModule(CallbackBase):
    """One instance for each run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "lab.llm_stack.validate"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._active = False
        self._results: list[dict[str, Any]] = []
        self._verdicts: dict[str, int] = {}

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        self._active = Path(str(playbook._file_name)).name == PLAYBOOK
        # Ansible copies each result for every callback that is not.
        self.disabled = not self._active

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        from ansible_collections.lab.llm_stack.plugins.module_utils._exit_status import PROBE

        action = str(result._task.resolved_action or result._task.action)
        if self._active and action == PROBE:
            self._results += result._result.get("results") or []

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        if self._active and result._task.get_name().endswith(VERDICT) and not ignore_errors:
            host = result._host.get_name()
            self._verdicts[host] = self._verdicts.get(host, 0) + 1

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        if not self._active:
            return
        from ansible_collections.lab.llm_stack.plugins.module_utils._exit_status import exit_status

        summaries = {host: stats.summarize(host) for host in stats.processed}
        other = sum(each["failures"] - self._verdicts.get(host, 0) for host, each in summaries.items())
        unreachable = any(each["unreachable"] for each in summaries.values())
        status = exit_status(self._results, strict=bool(self.get_option("strict")))
        if status and not unreachable and other <= 0:
            raise SystemExit(status)
