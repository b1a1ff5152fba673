# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of checks as a checklist for people: one line each, the cause and the remedy below what is not well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._check_kinds import TOOLS
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, PASS, SKIPPED, WARN, join
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import count

Row = Mapping[str, Any]
_STATE_WIDTH = 9


def checklist_text(results: Sequence[Row]) -> str:
    """Lay out all results and end with the counts."""
    hosts = max((len(each["host"]) for each in results), default=0) + 2
    titles = max((len(each["title"]) for each in results), default=0) + 3
    lines = [line for each in results for line in _lines(each, hosts, titles)]
    return "\n".join([*lines, _summary(results)])


def _lines(each: Row, hosts: int, titles: int) -> Iterator[str]:
    state = str(each["state"])
    shown = state.upper() if state == FAIL else state
    yield f"{shown:<{_STATE_WIDTH}}{each['host']:<{hosts}}{each['title']:<{titles}}{each['evidence']}".rstrip()
    for name in ("cause", "remedy"):
        if each[name]:
            yield f"{'':<{_STATE_WIDTH}}{name:<8}{each[name]}"


def _summary(results: Sequence[Row]) -> str:
    if not results:
        return "0 checks: nothing was promised, so nothing was proven."
    states = [each["state"] for each in results]
    words = ((PASS, "passed"), (WARN, "with a warning"), (FAIL, "failed"), (SKIPPED, "skipped"))
    counts = ", ".join(f"{states.count(state)} {word}" for state, word in words if state in states)
    hosts = {each["host"] for each in results}
    text = f"{count(len(results), 'check')} on {count(len(hosts), 'host')}: {counts}."
    refused = sorted(
        {each["model"] for each in results if each["check"] in TOOLS and each["state"] not in (PASS, WARN)}
    )
    return f"{text} Not certified for tools: {join(refused)}." if refused else text
