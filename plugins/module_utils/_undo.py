# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Put a single file back as a snapshot has it."""

from __future__ import annotations

from ansible_collections.lab.llm_stack.plugins.module_utils._files import remove, switch_symlink, write_atomic
from ansible_collections.lab.llm_stack.plugins.module_utils._service_read import read_file
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import FileFound


def put_back(path: str, file: FileFound) -> None:
    """Put a file back as it was; one that was not there goes."""
    if file.link:
        switch_symlink(path, file.link)
    elif file.content is not None:
        if has_changed(path, file):
            write_atomic(path, file.content, file.mode)
    elif not file.strange:
        remove(path)


def has_changed(path: str, file: FileFound) -> bool:
    """Whether a file is another now than it was."""
    now = read_file(path)
    return (now.content, now.mode) != (file.content, file.mode)
