# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The note that says that an installed directory is complete, and what was put into it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping

from ansible_collections.lab.llm_stack.plugins.module_utils import _files


def complete(path: str, marker: str, content: Mapping[str, object]) -> None:
    """Declare what was built at path complete: only now, when every byte of it is on the disk."""
    os.sync()
    _files.write_atomic(os.path.join(path, marker), json.dumps(content, indent=1).encode() + b"\n", 0o644)


def read(path: str, marker: str) -> dict[str, object] | None:
    """Return what was noted when path was completed, or None where it never was."""
    content = _files.read(os.path.join(path, marker))
    if content is None:
        return None
    with contextlib.suppress(ValueError):
        noted = json.loads(content)
        if isinstance(noted, dict):
            return noted
    return None
