# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as Markdown: status.md, to be read, searched and committed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._report_escape import code, markdown
from ansible_collections.lab.llm_stack.plugins.module_utils._report_words import (
    changes,
    context,
    engine_of,
    issue_note,
    longest,
    places,
    seconds,
    source_words,
    state_word,
    tools_word,
)

Data = Mapping[str, Any]


def status_markdown(data: Data) -> str:
    """Lay out a report."""
    parts = (
        _head,
        _services,
        _models,
        _apps,
        _configuration,
        _issues,
        _recommendations,
        _checklist,
        _previous,
    )
    return "\n".join(line for part in parts for line in part(data)) + "\n"


def _head(data: Data) -> Iterator[str]:
    source = data["source"]
    yield "# Status of the stack"
    yield ""
    yield f"**{markdown(data['headline'])}**"
    yield ""
    yield f"- Verdict: {markdown(data['verdict'])}"
    yield f"- Date: {markdown(data['generated'])}"
    if source["commit"]:
        on, more = f" on {code(source['branch'])}" * bool(source["branch"]), markdown(source_words(source))
        yield f"- Declaration: {code(source['commit'][:12])}{on}{'; ' * bool(more)}{more}"
    counted = ", ".join(f"{number} {state_word(state)}" for state, number in data["counts"].items() if number)
    yield f"- Checks: {markdown(counted or 'none')}"
    worst = [each for each in data["issues"] if each["severity"] in ("critical", "high")]
    for each in worst[:5]:
        yield f"- {markdown(each['severity'].upper())}: {markdown(each['title'])}"
    yield ""


def _services(data: Data) -> Iterator[str]:
    yield "## Services"
    yield ""
    rows = [
        (
            markdown(state_word(each["state"])),
            code(each["name"]),
            markdown(each["host"]),
            markdown(engine_of(each)),
            code(f"{each['bind']}:{each['port']}"),
            markdown(each["evidence"]),
        )
        for each in data["services"]
    ]
    yield from _table(("State", "Service", "Host", "Engine", "Address", "Evidence"), rows)


def _models(data: Data) -> Iterator[str]:
    yield "## Models"
    yield ""
    rows = [
        (
            markdown(state_word(each["state"])),
            code(each["name"]),
            markdown(places(each)),
            markdown(tools_word(each)),
            markdown(context(each)),
            markdown(seconds(each["seconds"])),
            ", ".join(code(name) for name in each["fallbacks"]) or "none",
            ", ".join(code(name) for name in each["aliases"]) or "none",
        )
        for each in data["models"]
    ]
    yield from _table(("State", "Model", "Served by", "Tools", "Context", "Answer in", "Fallbacks", "Aliases"), rows)


def _apps(data: Data) -> Iterator[str]:
    if not data["apps"]:
        return
    yield "## Apps"
    yield ""
    rows = [
        (
            markdown(state_word(each["state"])),
            code(each["name"]),
            ", ".join(code(name) for name in each["models"]),
            markdown(longest(each)),
        )
        for each in data["apps"]
    ]
    yield from _table(("State", "App", "Models", "Longest request"), rows)


def _configuration(data: Data) -> Iterator[str]:
    found = data["configuration"]
    yield "## Configuration landscape"
    yield ""
    if not found["layers"]:
        yield "Nothing is known of the layers."
        yield ""
        return
    rows = [
        (code(each["name"]), str(each["values"]), ", ".join(code(place) for place in each["places"]) or "derived")
        for each in found["layers"]
    ]
    yield from _table(("Layer, from the bottom", "Values in force", "Written in"), rows)
    if not found["contested"]:
        yield "No layer overrides another."
        yield ""
        return
    yield from _table(
        ("Value", "In force", "From", "Instead of"),
        [
            (
                code(each["key"]),
                "removed" if each["removed_by"] else code(each["value"]),
                markdown(each["removed_by"] or f"{each['layer']}, {each['place']}"),
                "; ".join(f"{code(was['value'])} from {markdown(was['layer'])}" for was in each["overrode"])
                or code(each["value"]),
            )
            for each in found["contested"]
        ],
    )


def _issues(data: Data) -> Iterator[str]:
    yield "## Issues"
    yield ""
    if not data["issues"]:
        yield issue_note(data)
        yield ""
    for number, each in enumerate(data["issues"], 1):
        yield f"### {number}. {markdown(each['title'])} ({each['severity'].upper()})"
        yield ""
        yield f"- Problem: {markdown(each['problem'])}"
        yield f"- Impact: {markdown(each['impact'])}"
        yield f"- Fix: {markdown(each['fix'])}"
        if each["host"]:
            yield f"- Host: {markdown(each['host'])}"
        yield ""


def _recommendations(data: Data) -> Iterator[str]:
    if not data["recommendations"]:
        return
    yield "## Recommendations"
    yield ""
    for number, each in enumerate(data["recommendations"], 1):
        yield f"{number}. {markdown(each['when'].capitalize())}: {markdown(each['text'])} ({markdown(each['because'])})"
    yield ""


def _checklist(data: Data) -> Iterator[str]:
    yield "## Checklist"
    yield ""
    if not data["checklist"]:
        yield "Nothing was promised, so nothing was proven."
    for each in data["checklist"]:
        box = "x" if each["state"] == "pass" else " "
        state = "" if each["state"] == "pass" else f"{state_word(each['state'])}: "
        yield f"- [{box}] {markdown(each['host'])}: {markdown(each['title'])} ({markdown(state + each['evidence'])})"
    yield ""


def _previous(data: Data) -> Iterator[str]:
    before = data["previous"]
    yield "## Previous state"
    yield ""
    if before is None:
        yield "This is the first report."
        return
    yield f"{markdown(before['generated'])}: {markdown(before['headline'])}"
    yield ""
    shown, rest = changes(data)
    rows = [
        (
            markdown(each["host"]),
            markdown(each["title"]),
            markdown(state_word(each["before"]) if each["before"] else "not promised"),
            markdown(state_word(each["now"]) if each["now"] else "no longer promised"),
        )
        for each in shown
    ]
    yield from _table(("Host", "Promise", "Then", "Now"), rows) if rows else ()
    yield from [rest, ""] if rest else ()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    found = list(rows)
    if not found:
        yield "None."
    else:
        yield f"| {' | '.join(head)} |"
        yield f"|{'---|' * len(head)}"
        for row in found:
            yield f"| {' | '.join(row)} |"
    yield ""
