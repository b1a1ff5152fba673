# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences that are known and accepted: the shape of llm_stack_drift_ignore, where each needs a reason and a day."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field

_PATTERN = Field("text", hint="Write a pattern such as *.service; without it every one is meant.")

FIELD = Field(
    "section",
    fields={
        "kind": _PATTERN,
        "host": _PATTERN,
        "subject": _PATTERN,
        "reason": Field("text", required=True, hint="Write why this difference is accepted."),
        "until": Field("text", required=True, hint="Write the last day on which it is, such as '2027-01-31'."),
    },
)


def check_rules(written: object) -> Iterator[Problem]:
    """Yield a problem for each rule whose day is none, or that would hide everything."""
    for index, rule in enumerate(written if isinstance(written, list) else ()):
        if not isinstance(rule, Mapping):
            continue
        path, until = f"llm_stack_drift_ignore[{index}]", rule.get("until")
        if isinstance(until, str) and not _is_day(until):
            yield Problem(f"{path}.until", until, "is not a day.", "Write year, month and day, such as '2027-01-31'.")
        if not {"kind", "host", "subject"} & set(rule):
            remedy = "Write kind, host or subject, so that anything else is still told."
            yield Problem(path, dict(rule), "would ignore every difference there is.", remedy)


def _is_day(text: str) -> bool:
    try:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text) and date.fromisoformat(text))
    except ValueError:
        return False
