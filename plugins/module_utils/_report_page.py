# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the page that are more than a table of one kind of thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import count
from ansible_collections.lab.llm_stack.plugins.module_utils._report_rows import Row
from ansible_collections.lab.llm_stack.plugins.module_utils._report_tags import Markup, code, join, mark, tag
from ansible_collections.lab.llm_stack.plugins.module_utils._report_words import state_word


def section(title: str, name: str, *children: object) -> Markup:
    """A part of the page, which a screen reader finds by its title."""
    return tag("section", tag("h2", title, id=name), *children, aria_labelledby=name)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Markup:
    """A table; on a phone each cell is a line that carries the name of its column."""
    if not rows:
        return tag("p", "None.", class_="quiet")
    heads = tag("thead", tag("tr", [tag("th", each, scope="col") for each in head]))
    body = [tag("tr", [tag("td", tag("div", cell), data_label=name) for name, cell in zip(head, row)]) for row in rows]
    return tag("table", heads, tag("tbody", body))


def configuration(found: Mapping[str, Any]) -> Sequence[Markup]:
    """The layers, and what one of them says in place of another."""
    if not found["layers"]:
        return [tag("p", "Nothing is known of the layers.", class_="quiet")]
    rows = [
        (tag("span", each["name"], class_="name"), str(each["values"]), ", ".join(each["places"]) or "derived")
        for each in found["layers"]
    ]
    layers = table(("Layer, from the bottom", "Values in force", "Written in"), rows)
    if not found["contested"]:
        return [layers, tag("p", "No layer overrides another.", class_="quiet")]
    contested = [
        (
            code(each["key"]),
            "removed" if each["removed_by"] else code(each["value"]),
            each["removed_by"] or f"{each['layer']}, {each['place']}",
            join([join(code(was["value"]), f" from {was['layer']} ") for was in each["overrode"]])
            if each["overrode"]
            else code(each["value"]),
        )
        for each in found["contested"]
    ]
    return [
        layers,
        tag("h3", "Overridden", class_="over"),
        table(("Value", "In force", "From", "Instead of"), contested),
    ]


def checklist(rows: Sequence[Row]) -> Sequence[Markup]:
    """Every promise with its evidence, in a fold for each host; a host where all is well is folded up."""
    hosts: dict[str, list[Row]] = {}
    for row in rows:
        hosts.setdefault(row["host"], []).append(row)
    return [_host(host, mine) for host, mine in hosts.items()] or [
        tag("p", "Nothing was promised, so nothing was proven.", class_="quiet")
    ]


def _host(host: str, rows: Sequence[Row]) -> Markup:
    bad = [row for row in rows if row["state"] != "pass"]
    told = f"{len(rows) - len(bad)} of {count(len(rows), 'promise')} kept"
    # An attribute without a value is written as its own name.
    opened = "open" if bad else None
    return tag(
        "details", tag("summary", host, tag("span", told)), tag("ul", list(_checks(rows)), class_="checks"), open=opened
    )


def _checks(rows: Sequence[Row]) -> Iterator[Markup]:
    for row in rows:
        why = [
            tag("div", tag("strong", f"{word.capitalize()}: "), row[word], class_="why")
            for word in ("cause", "remedy")
            if row[word]
        ]
        title = tag("div", row["title"])
        evidence = tag("div", f"{state_word(row['state'])}: {row['evidence']}", class_="evidence")
        yield tag("li", mark(row["state"]), title, evidence, why)
