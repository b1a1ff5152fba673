# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Bring a file of the controller to the host, when the host lacks it, and let the module install it."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

MODULE = "lab.llm_stack.release"
CHUNK = 1 << 20


class ActionModule(ActionBase):
    """Transfer ``src`` unless ``remote_src`` says that it is on the host; models are large, so ask first."""

    TRANSFERS_FILES = False  # it makes its remote directory itself, when there is something to transfer

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = dict(self._task.args)
        if not args.get("src") or boolean(args.get("remote_src", False)):
            return {**result, **self._module(args, task_vars)}
        source = self._source(args["src"])
        args["sha256"] = args.get("sha256") or sha256_of(source)
        foreseen = self._foresee(args, task_vars)
        if self._task.check_mode or foreseen.get("failed") or not foreseen.get("changed"):
            return {**result, **foreseen}
        try:
            directory = self._make_tmp_path() if not self._connection._shell.tmpdir else self._connection._shell.tmpdir
            remote = self._connection._shell.join_path(directory, os.path.basename(source))
            self._transfer_file(source, remote)
            self._fixup_perms2((directory, remote))
            return {**result, **self._module({**args, "src": remote, "remote_src": True}, task_vars)}
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)

    def _foresee(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Ask the module in check mode, in which it does not read the file that is not there yet."""
        checked = self._task.check_mode
        self._task.check_mode = True
        try:
            return self._module(args, task_vars)
        finally:
            self._task.check_mode = checked

    def _module(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(module_name=MODULE, module_args=args, task_vars=task_vars)
        return answer

    def _source(self, name: str) -> str:
        try:
            return str(self._loader.get_real_file(self._find_needle("files", name)))
        except AnsibleError as error:
            raise AnsibleActionFail(f"{MODULE}: src: {error}") from error


def sha256_of(path: str) -> str:
    """The checksum of a file of the controller, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()
