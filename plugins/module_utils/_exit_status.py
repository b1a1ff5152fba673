# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exit status of a run that looked at every promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, SKIPPED, WARN

PROBE = "lab.llm_stack.probe"
KEPT, FAILED, WARNED = 0, 10, 11


def exit_status(results: Sequence[Mapping[str, Any]], *, strict: bool) -> int:
    """Give 10 where a promise is not kept; where one is doubtful or was not looked at, 11 if that counts; else 0."""
    states = {each["state"] for each in results}
    if FAIL in states:
        return FAILED
    return WARNED if strict and states & {WARN, SKIPPED} else KEPT
