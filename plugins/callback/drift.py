# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Collects what tasks find and reports it when the run ends."""

from __future__ import annotations

DOCUMENTATION = r"""
name: drift
type: aggregate
short_description: Report every difference between declaration and hosts, and exit with a status that says so
version_added: 0.1.0
author:
  - The lab.llm_stack authors (@lab-llm-stack)
description:
  - Collects the differences that the modules of this collection find, and what could not be looked at.
  - At the end of a run it prints them, writes them as JSON, Markdown, JUnit and metrics, and sets the exit status.
  - The exit status is 0 where nothing differs, 10 where something does, 11 where nothing does but something could not
    be checked, 1 where the report could not be made or written. A run that failed keeps Ansible's 2, one with
    unreachable hosts its 4.
  - It acts on playbooks named C(drift.yml) alone, so that it may stay enabled.
requirements:
  - C(callbacks_enabled) has to name it.
options:
  directory:
    description: Where the reports are written, as C(drift.json), C(drift.md), C(drift.xml) and C(drift.prom).
    type: path
    default: reports
    env:
      - name: LLM_STACK_REPORTS
    ini:
      - section: callback_drift
        key: directory
  strict:
    description: Whether something that could not be checked changes the exit status.
    type: bool
    default: true
    env:
      - name: LLM_STACK_STRICT
    ini:
      - section: callback_drift
        key: strict
"""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.plugins.callback import CallbackBase

if TYPE_CHECKING:
    from types import ModuleType

    from ansible.executor.stats import AggregateStats
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.playbook import Playbook

PLAYBOOK = "drift.yml"
NO_REPORT = 1
"""The exit status where what was found could not be reported whole."""


class CallbackModule(CallbackBase):
    """One instance for each run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "lab.llm_stack.drift"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._active = False
        self._events: list[Any] = []

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        self._active = Path(str(playbook._file_name)).name == PLAYBOOK
        # Ansible copies each result for every callback that is not.
        self.disabled = not self._active

    def _collect(self, result: CallbackTaskResult, state: str) -> None:
        if not self._active:
            return
        from ansible_collections.lab.llm_stack.plugins.module_utils._drift import Event

        task = result._task
        host = result._host.get_name()
        self._events.append(
            Event(host, task.get_name(), str(task.resolved_action or task.action), state, result._result)
        )

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        # Of a loop, each turn was told already.
        if not result.task.loop:
            self._collect(result, "ok")

    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        self._collect(result, "ok")

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            self._collect(result, "failed")

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        self._collect(result, "unreachable")

    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        self._collect(result, "skipped")

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        if not self._active:
            return
        try:
            status = self._report()
        except Exception as error:  # noqa: BLE001 - Ansible makes a warning of it, and the run would seem clean
            words = f"{type(error).__name__}: {error}"
            self._display.error(f"What differs could not be reported, which is a fault of this collection: {words}.")
            status = NO_REPORT
        failed = any(stats.summarize(host)[key] for host in stats.processed for key in ("failures", "unreachable"))
        if status and not failed:
            raise SystemExit(status)

    def _report(self) -> int:
        """Show the report, then write it, and give the exit status."""
        from ansible_collections.lab.llm_stack.plugins.module_utils import _drift, _drift_text

        generated = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        data = _drift.report(_drift.findings(self._events), generated, bool(self.get_option("strict")))
        self._display.display("\n" + _drift_text.table(data))
        try:
            self._write(data, _drift_text)
        except OSError as error:
            self._display.error(
                f"The reports could not be written: {error}. Those that lie there may be of an earlier run. "
                "Make room there, or name another directory with LLM_STACK_REPORTS."
            )
            return NO_REPORT
        return int(data["exit"] or 0)

    def _write(self, data: dict[str, Any], text: ModuleType) -> None:
        directory = Path(self.get_option("directory"))
        directory.mkdir(parents=True, exist_ok=True)
        contents = {
            "drift.json": json.dumps(data, indent=1) + "\n",
            "drift.md": text.as_markdown(data),
            "drift.xml": text.as_junit(data),
            "drift.prom": text.as_metrics(data),
        }
        for name, content in contents.items():
            # A reader never sees half a report.
            temporary = directory / f".{name}.new"
            temporary.write_text(content, encoding="utf-8")
            temporary.replace(directory / name)
