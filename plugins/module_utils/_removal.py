# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Remove what a transaction owns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from ansible_collections.lab.llm_stack.plugins.module_utils._files import is_ours, remove
from ansible_collections.lab.llm_stack.plugins.module_utils._service_read import read_units
from ansible_collections.lab.llm_stack.plugins.module_utils._state import State
from ansible_collections.lab.llm_stack.plugins.module_utils._systemd import Manager


def remove_all(wanted_units: Sequence[str], files: Sequence[str], manager: Manager, state: State) -> None:
    """Stop, disable and delete what a transaction owns; the account's data stays."""
    if manager.present() and wanted_units:
        loaded = [unit.name for unit in read_units(manager, wanted_units).values() if unit.load == "loaded"]
        if loaded:
            manager.systemctl("disable", "--quiet", "--now", "--", *loaded)
            failed = [unit.name for unit in read_units(manager, loaded).values() if unit.active == "failed"]
            if failed:
                manager.systemctl("reset-failed", "--", *failed)
    remove_files(files)
    if manager.present():
        manager.systemctl("daemon-reload")
    state.forget()


def remove_files(paths: Iterable[str]) -> None:
    """Remove files of ours, and directories of ours that this empties."""
    for path in paths:
        remove(path)
        directory = os.path.dirname(path)
        if is_ours(directory) and os.path.isdir(directory) and not os.listdir(directory):
            os.rmdir(directory)
