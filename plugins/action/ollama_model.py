# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Call the module in slices while it downloads, and show in between how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

MODULE = "lab.llm_stack.ollama_model"
SLICE_SECONDS = 60.0


class ActionModule(ActionBase):
    """A download of tens of gigabytes takes long; whoever waits for it wants to see that it moves."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = {"slice": SLICE_SECONDS, **self._task.args}
        before: list[dict[str, Any]] = []
        last: dict[str, Any] = {}
        while True:
            answer: dict[str, Any] = self._execute_module(module_name=MODULE, module_args=args, task_vars=task_vars)
            answer["items"] = [*before, *(answer.get("items") or [])]
            answer["changed"] = bool(answer["items"])
            if answer.get("failed") or not answer.get("unfinished") or "slice" in self._task.args:
                break
            before = answer["items"]
            Display().display(f"  {told(answer['unfinished'])}")
            # A server that begins a paused download anew would never end it in slices of one length.
            args["slice"] *= 1 if moved(last, answer["unfinished"]) else 2
            last = answer["unfinished"]
        if not self._task.diff:
            answer.pop("diff", None)
        return {**result, **answer}


def moved(last: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Tell whether a slice brought the download any further."""
    return last.get("status") != now.get("status") or int(now.get("completed") or 0) > int(last.get("completed") or 0)


def told(line: Mapping[str, Any]) -> str:
    """Say how far a download is: 'pulling 89cc350a5b39: 1.2 of 4.7 GB, 25 %'."""
    completed, total = int(line.get("completed") or 0), int(line.get("total") or 1)
    return f"{line.get('status')}: {completed / 1e9:.1f} of {total / 1e9:.1f} GB, {100 * completed // total} %"
