# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lay out a drift report: for a terminal, as Markdown, as JUnit and for Prometheus. Nothing is decided here."""

from __future__ import annotations

import calendar
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._drift import VERDICTS, headline
from ansible_collections.lab.llm_stack.plugins.module_utils._report_escape import code, html, label, line, markdown

Report = Mapping[str, Any]
_BLAME = {"corrective": "the host was changed", "intentional": "the declaration was changed", "conflict": "both were"}


def table(data: Report) -> str:
    """For a terminal: one block for each difference, then what was not looked at, then one line of numbers."""
    return "\n".join([*_differences(data), *_beside(data), f"drift: {headline(data)}"])


def _differences(data: Report) -> Iterator[str]:
    for item in data["items"]:
        yield f"{item['host']}  {item['kind']}  {line(item['subject'])}"
        yield f"    expected  {line(item['expected'])}"
        yield f"    actual    {line(item['actual'])}"
        why = _BLAME.get(item["blame"], "")
        if why or item["since"]:
            yield "    because   " + ", ".join(filter(None, [why, item["since"] and f"since {item['since']}"]))
        yield f"    remedy    {line(item['remedy'])}"


def _beside(data: Report) -> Iterator[str]:
    for each in data["unchecked"]:
        yield f"not checked  {each['host']}  {line(each['what'])}: {line(each['why'])}"
    for each in data["ignored"]:
        yield f"ignored until {each['until']}  {_which(each)}"
    for each in data["expired"]:
        yield f"rule expired on {each['until']}  {_which(each)}"
    for each in data["unused"]:
        yield f"rule not needed  {_which(each)}"


def _which(each: Mapping[str, str]) -> str:
    return f"{each['host']}  {each['kind']}  {line(each['subject'])}: {line(each['reason'])}"


def as_markdown(data: Report) -> str:
    """For people who read it elsewhere."""
    lines = ["# Drift", "", f"{data['generated']}: {headline(data)}.", ""]
    if data["items"]:
        lines += ["| Host | Kind | Subject | Expected | Actual | Because | Since | Remedy |", "|---" * 8 + "|"]
        lines += [
            "| "
            + " | ".join(
                [
                    markdown(item["host"]),
                    markdown(item["kind"]),
                    code(item["subject"]),
                    markdown(item["expected"]),
                    markdown(item["actual"]),
                    markdown(_BLAME.get(item["blame"], "")),
                    markdown(item["since"]),
                    markdown(item["remedy"]),
                ]
            )
            + " |"
            for item in data["items"]
        ]
        lines.append("")
    beside = list(_beside(data))
    return "\n".join([*lines, *(f"- {markdown(each)}" for each in beside), *([""] if beside else [])])


def as_junit(data: Report) -> str:
    """For a build server: a failure for each difference, an error for what went wrong, skipped what else is told."""
    cases = [
        _case(item["host"], f"{item['kind']} {item['subject']}", "failure", f"{item['expected']}, but {item['actual']}")
        for item in data["items"]
    ]
    wrong = [each for each in data["unchecked"] if each.get("state") in ("failed", "unreachable")]
    cases += [_case(each["host"], each["what"], "error", each["why"]) for each in wrong]
    aside = [(each["host"], each["what"], each["why"]) for each in data["unchecked"] if each not in wrong]
    aside += [_accepted(each, "ignored until") for each in data["ignored"]]
    aside += [_accepted(each, "rule expired on") for each in data["expired"]]
    cases += [_case(host, name, "skipped", why) for host, name, why in aside]
    cases = cases or [f'  <testcase classname="drift" name="{html(headline(data))}"/>']
    counts = f'tests="{len(cases)}" failures="{len(data["items"])}" errors="{len(wrong)}" skipped="{len(aside)}"'
    head = f'<testsuite name="drift" timestamp="{data["generated"].rstrip("Z")}" {counts}>'
    return "\n".join(['<?xml version="1.0" encoding="utf-8"?>', head, *cases, "</testsuite>", ""])


def _accepted(each: Mapping[str, str], words: str) -> tuple[str, str, str]:
    return each["host"], f"{each['kind']} {each['subject']}", f"{words} {each['until']}: {each['reason']}"


def _case(host: str, name: str, outcome: str, message: str) -> str:
    case = f'  <testcase classname="{html(line(host))}" name="{html(line(name))}">'
    return f'{case}<{outcome} message="{html(line(message))}"/></testcase>'


def as_metrics(data: Report) -> str:
    """For the textfile collector of Prometheus' node exporter."""
    seconds = calendar.timegm(time.strptime(data["generated"], "%Y-%m-%dT%H:%M:%SZ"))
    verdicts = [f'{{verdict="{each}"}} {int(each == data["verdict"])}' for each in VERDICTS]
    lines = [
        *_gauge("last_check_timestamp_seconds", "When drift was last looked for.", [f" {seconds}"]),
        *_gauge("verdict", "What came of it; 1 for the verdict that holds.", verdicts),
        *_gauge("checked", "Things that were compared.", [f" {data['checked']}"]),
        *_gauge("unchecked", "Things that could not be looked at.", _by_host(data, "unchecked")),
        *_gauge("items", "Differences between declaration and host.", _by_kind(data)),
        *_gauge("ignored", "Differences that are known and accepted.", _by_host(data, "ignored")),
    ]
    return "\n".join([*lines, ""])


def _by_host(data: Report, key: str) -> list[str]:
    counts = Counter(each["host"] for each in data[key])
    return [f'{{host="{label(host)}"}} {counts[host]}' for host in sorted({*data["hosts"], *counts})]


def _by_kind(data: Report) -> list[str]:
    """Count the differences of each host; none are zero only where everything was looked at."""
    counts = Counter((item["host"], item["kind"]) for item in data["items"])
    known = {host for host, _kind in counts} | {each["host"] for each in data["unchecked"]}
    counts.update({(host, ""): 0 for host in data["hosts"] if host not in known})
    return [
        f'{{host="{label(host)}",kind="{label(kind)}"}} {number}' for (host, kind), number in sorted(counts.items())
    ]


def _gauge(name: str, words: str, values: list[str]) -> list[str]:
    full = f"llm_stack_drift_{name}"
    return [f"# HELP {full} {words}", f"# TYPE {full} gauge", *(f"{full}{value}" for value in values)]
