# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Write one line for each module that ansible-playbook really starts, and one with the counters of the run."""

from __future__ import annotations

DOCUMENTATION = """
name: tally
type: aggregate
short_description: Count started modules, their CPU time and how long each was waited for
description:
  - Appends JSON lines to the file that the environment variable BENCH_TALLY names.
  - A task is no measure of work. Some start no module at all, M(ansible.builtin.template) starts two; hence it counts
    where Ansible itself hands a module over for execution.
"""

import functools
import json
import os
import resource
import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase


def record(**line: object) -> None:
    """Append a line; short appends of several processes do not mix."""
    with open(os.environ["BENCH_TALLY"], "a", encoding="utf-8") as tally:
        tally.write(json.dumps(line) + "\n")


def children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def counted(execute_module: Any) -> Any:
    """Wrap the method through which every action plugin starts modules."""

    @functools.wraps(execute_module)
    def execute(self: Any, module_name: str | None = None, *args: Any, **kwargs: Any) -> Any:
        before, began = children(), time.monotonic()
        try:
            return execute_module(self, module_name, *args, **kwargs)
        finally:
            task = self._task
            role = task._role.get_name() if task._role else ""
            module = module_name or task.action
            wall = time.monotonic() - began
            record(task=str(task._uuid), role=role, module=module, cpu=children() - before, wall=wall)

    return execute


class CallbackModule(CallbackBase):
    """Loaded before the first task, so that the processes that carry tasks out inherit the wrapped method."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "tally"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        ActionBase._execute_module = counted(ActionBase._execute_module)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        record(**{name: sum(getattr(stats, name).values()) for name in ("ok", "changed", "failures", "skipped")})
