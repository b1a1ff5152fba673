# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user may say of the checklist, llm_stack_checks: its shape, and what stands against it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field

_ALLOWED = Field(
    "section",
    fields={
        "match": Field("text", required=True, hint="Write a regular expression that finds the line."),
        "reason": Field("text", required=True, hint="Write why this line is no error."),
    },
)

FIELD = Field(
    "section",
    fields={
        "min_uptime": Field("int", "a number of seconds", low=0, high=31536000),
        "min_free_disk": Field("number", "a number of GiB", low=0, high=1048576),
        "min_free_memory": Field("number", "a number of GiB", low=0, high=1048576),
        "journal_allow": Field("list", item=_ALLOWED),
    },
)


def check_patterns(written: object) -> Iterator[Problem]:
    """Yield a problem for each pattern that is no regular expression, or that allows every line."""
    entries = written.get("journal_allow") if isinstance(written, Mapping) else None
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        match = entry.get("match") if isinstance(entry, Mapping) else None
        if not isinstance(match, str):
            continue
        path = f"llm_stack_checks.journal_allow[{index}].match"
        try:
            if re.search(match, ""):
                yield Problem(path, match, "fits every line.", "Write what is special about the line.")
        except re.error as error:
            remedy = "Put a backslash before a bracket, a dot or a star that stands for itself."
            yield Problem(path, match, f"is not a regular expression: {error}.", remedy)
