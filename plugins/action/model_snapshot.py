# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Call the module until the model is on the host, and show how far it is; bring a folder of the controller there."""

from __future__ import annotations

import os
import time
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot import listed
from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot_text import Meter

MODULE = "lab.llm_stack.model_snapshot"


class ActionModule(ActionBase):
    """Give the module its slices of time, or its files, one after the other."""

    TRANSFERS_FILES = False  # it makes its remote directory itself, when there is something to transfer

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = dict(self._task.args)
        host = str((task_vars or {}).get("inventory_hostname", ""))
        on_controller = args.get("src") and not boolean(args.get("remote_src", False))
        if on_controller and args.get("state", "present") != "absent":
            return {**result, **self._brought(args, host, task_vars)}
        return {**result, **self._fetched(args, host, task_vars)}

    def _fetched(self, args: dict[str, Any], host: str, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Call the module again as long as it has a file in work. What changed is what its first call found."""
        first = answer = self._module(args, task_vars)
        meter = Meter(args.get("repo") or args.get("name") or "", host)
        while not self._task.check_mode and answer.get("progress", {}).get("file") and not answer.get("failed"):
            self._show(meter, answer)
            answer = self._module({**args, "files": answer["files"]}, task_vars)
        return self._summed_up(first, answer)

    def _brought(self, args: dict[str, Any], host: str, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Transfer the files that the host lacks, one at a time, so that a run that was cut short goes on."""
        source = self._source(args["src"])
        args = {"name": os.path.basename(os.path.normpath(source)), **args, "files": listed(source)}
        args.pop("src")
        first = answer = self._module(args, task_vars)
        meter = Meter(args["name"], host)
        while not self._task.check_mode and answer.get("progress", {}).get("file") and not answer.get("failed"):
            self._show(meter, answer)
            answer = self._sent(args, source, answer["progress"]["file"], task_vars)
        return self._summed_up(first, answer)

    def _sent(self, args: dict[str, Any], source: str, name: str, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Transfer one file in a directory of its own: one that was given to another account takes no second file."""
        directory = self._make_tmp_path()
        try:
            remote = self._connection._shell.join_path(directory, "file")
            self._transfer_file(os.path.join(source, name), remote)
            self._fixup_perms2((directory, remote))
            return self._module({**args, "upload": remote, "uploaded": name}, task_vars)
        finally:
            self._remove_tmp_path(directory)
            self._connection._shell.tmpdir = None

    def _summed_up(self, first: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
        kept = [] if last.get("failed") else ["changed", "items", "diff", "needed"]
        result = {**last, **{name: first[name] for name in kept if name in first}}
        result.pop("files", None)
        if not self._task.diff:
            result.pop("diff", None)
        return result

    def _show(self, meter: Meter, answer: dict[str, Any]) -> None:
        progress = answer["progress"]
        Display().display(meter.line(progress["here"], progress["total"], progress["file"], time.monotonic()))

    def _module(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(module_name=MODULE, module_args=args, task_vars=task_vars)
        return answer

    def _source(self, name: str) -> str:
        try:
            path = str(self._find_needle("files", name))
        except AnsibleError as error:
            raise AnsibleActionFail(f"{MODULE}: src: {error}") from error
        if not os.path.isdir(path):
            raise AnsibleActionFail(f"{MODULE}: src: {path} is no folder. Name the folder that holds config.json.")
        return path
