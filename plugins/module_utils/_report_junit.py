# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as JUnit XML, for CI systems: one suite for each host, one case for each check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, SKIPPED
from ansible_collections.lab.llm_stack.plugins.module_utils._report_escape import html as xml
from ansible_collections.lab.llm_stack.plugins.module_utils._report_escape import line
from ansible_collections.lab.llm_stack.plugins.module_utils._report_rows import UNCHECKED, Row


def junit(data: Mapping[str, Any]) -> str:
    """Lay out the checklist. What could not be checked counts as an error, not as a pass."""
    hosts: dict[str, list[Row]] = {}
    for row in data["checklist"]:
        hosts.setdefault(row["host"], []).append(row)
    suites = [part for host, rows in hosts.items() for part in _suite(host, rows, data["generated"])]
    totals = _totals(data["checklist"])
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<testsuites name="lab.llm_stack" {totals}>',
            *suites,
            "</testsuites>",
            "",
        ]
    )


def _totals(rows: Sequence[Row]) -> str:
    states = [row["state"] for row in rows]
    seconds = sum(row["seconds"] for row in rows)
    numbers = {
        "tests": len(rows),
        "failures": states.count(FAIL),
        "errors": states.count(UNCHECKED),
        "skipped": states.count(SKIPPED),
    }
    return " ".join([*(f'{name}="{number}"' for name, number in numbers.items()), f'time="{seconds:.3f}"'])


def _suite(host: str, rows: Sequence[Row], generated: str) -> Iterator[str]:
    stamp = xml(generated.removesuffix("Z"))
    yield f'  <testsuite name="{xml(line(host))}" {_totals(rows)} timestamp="{stamp}">'
    for row in rows:
        yield from _case(row)
    yield "  </testsuite>"


def _case(row: Row) -> Iterator[str]:
    name, kind = xml(line(row["title"])), xml(line(f"{row['host']}.{row['check']}"))
    begin = f'    <testcase name="{name}" classname="{kind}" time="{row["seconds"]:.3f}"'
    tag = {FAIL: "failure", UNCHECKED: "error", SKIPPED: "skipped"}.get(row["state"])
    if tag is None:
        told = xml(row["evidence"])
        yield f"{begin}><system-out>{told}</system-out></testcase>"
        return
    details = [f"{word}: {row[word]}" for word in ("evidence", "cause", "remedy") if row[word]]
    yield f'{begin}><{tag} message="{xml(line(row["evidence"]))}">{xml(chr(10).join(details))}</{tag}></testcase>'
