# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as one page of HTML: nothing is fetched, nothing runs, and it is read the same by eye, ear and on paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import count
from ansible_collections.lab.llm_stack.plugins.module_utils._report_charts import history, latency
from ansible_collections.lab.llm_stack.plugins.module_utils._report_page import checklist, configuration, section, table
from ansible_collections.lab.llm_stack.plugins.module_utils._report_style import STYLE
from ansible_collections.lab.llm_stack.plugins.module_utils._report_tags import (
    Markup,
    code,
    join,
    state,
    symbols,
    tag,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._report_topology import drawing, listing
from ansible_collections.lab.llm_stack.plugins.module_utils._report_words import (
    VERDICTS,
    changes,
    context,
    day,
    engine_of,
    longest,
    places,
    seconds,
    source_words,
    state_word,
    tools_word,
)

Data = Mapping[str, Any]
# No source of anything: what a model, an error or a name smuggles in is not loaded, and no script runs.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def page(data: Data) -> str:
    """Lay out a report."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="robots", content="noindex"),
        tag("link", rel="icon", href="data:,"),
        tag("title", f"{VERDICTS.get(data['verdict'], data['verdict'])}: status of the stack"),
        tag("style", Markup(STYLE)),
    )
    main = tag("main", *_sections(data))
    foot = tag(
        "footer", tag("p", f"Made by lab.llm_stack from {count(len(data['checklist']), 'check')}. No key stands here.")
    )
    body = tag("body", symbols(), _header(data), main, foot)
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _sections(data: Data) -> Iterator[Markup]:
    if data["issues"]:
        yield section("Issues", "issues", [_issue(each) for each in data["issues"]])
        yield section(
            "What to do", "steps", tag("ol", [_step(each) for each in data["recommendations"]], class_="steps")
        )
    yield section("Topology", "topology", drawing(data), listing(data))
    yield section("Models", "models", _models(data))
    yield section("Services", "services", _services(data))
    if data["apps"]:
        yield section("Apps", "apps", _apps(data))
    yield section("Configuration", "configuration", configuration(data["configuration"]))
    yield section("What changed", "changes", _changes(data))
    yield section("Checklist", "checklist", checklist(data["checklist"]))


def _header(data: Data) -> Markup:
    source = data["source"]
    said = source_words(source)
    declared = ("declaration ", code(source["commit"][:12]), f"; {said}" * bool(said))
    meta = [
        tag("span", VERDICTS.get(data["verdict"], data["verdict"]), class_=f"pill {data['verdict']}"),
        tag("time", day(data["generated"]), datetime=data["generated"]),
        tag("span", *declared) if source["commit"] else None,
    ]
    return tag(
        "header",
        tag("p", "Status of the stack", class_="over"),
        tag("h1", data["headline"]),
        tag("div", meta, class_="meta"),
        _figures(data),
    )


def _figures(data: Data) -> Markup:
    counts, models = data["counts"], data["models"]
    promised = [each for each in models if each["tools"] != "not promised"]
    times = [each["seconds"] for each in models if each["seconds"] is not None]
    figures = [
        ("Promises kept", counts["pass"] + counts["warn"], f" of {len(data['checklist'])}"),
        ("Models answering", sum(each["state"] in ("pass", "warn") for each in models), f" of {len(models)}"),
        ("Certified for tools", sum(each["tools"] == "certified" for each in promised), f" of {len(promised)}"),
        ("Slowest short answer", seconds(max(times)) if times else "none", ""),
    ]
    shown = [
        tag("div", tag("dt", name), tag("dd", number, tag("small", rest) if rest else None))
        for name, number, rest in figures
    ]
    runs = tag("div", tag("dt", count(len(data["history"]), "run")), tag("dd", history(data["history"])), class_="runs")
    return tag("dl", shown, runs, class_="figures")


def _issue(issue: Data) -> Markup:
    lines = [(word, issue[word.lower()]) for word in ("Problem", "Impact", "Fix", "Host") if issue[word.lower()]]
    told = [join(tag("dt", word), tag("dd", text)) for word, text in lines]
    return tag(
        "article",
        tag("p", issue["severity"].capitalize(), class_=f"severity {issue['severity']}"),
        tag("div", tag("h3", issue["title"]), tag("dl", told)),
        class_="issue",
    )


def _step(step: Data) -> Markup:
    return tag("li", step["text"], " ", tag("small", f"{step['when']}: {step['because']}"))


def _models(data: Data) -> Markup:
    rows = []
    for each in data["models"]:
        others = ", ".join(each["aliases"])
        rows.append(
            (
                state(each["state"]),
                join(tag("span", each["name"], class_="name"), tag("small", f"also {others}") if others else None),
                places(each),
                tag("span", tools_word(each), class_="word"),
                tag("span", context(each), class_="number"),
                tag(
                    "span",
                    tag("span", seconds(each["seconds"]), class_="number"),
                    latency(each["name"], data["history"]),
                    class_="measure",
                ),
                ", ".join(each["fallbacks"]) or "none",
            )
        )
    return table(("State", "Model", "Served by", "Tools", "Context", "Short answer", "Fallbacks"), rows)


def _services(data: Data) -> Markup:
    rows = [
        (
            state(each["state"]),
            tag("span", each["name"], class_="name"),
            each["host"],
            engine_of(each),
            code(f"{each['bind']}:{each['port']}"),
            each["evidence"],
        )
        for each in data["services"]
    ]
    return table(("State", "Service", "Host", "Software", "Address", "Evidence"), rows)


def _apps(data: Data) -> Markup:
    rows = [
        (state(each["state"]), tag("span", each["name"], class_="name"), ", ".join(each["models"]), longest(each))
        for each in data["apps"]
    ]
    return table(("State", "App", "Models", "Longest request"), rows)


def _changes(data: Data) -> Sequence[Markup | None]:
    before = data["previous"]
    if before is None:
        return [tag("p", "This is the first report.", class_="quiet")]
    told = tag("p", f"{day(before['generated'])}: {before['headline']}", class_="quiet")
    shown, rest = changes(data)
    rows = [
        (
            each["host"],
            each["title"],
            state_word(each["before"]) if each["before"] else "not promised",
            state(each["now"]) if each["now"] else "no longer promised",
        )
        for each in shown
    ]
    listed = table(("Host", "Promise", "Then", "Now"), rows) if rows else None
    return [told, listed, tag("p", rest, class_="quiet") if rest else None]
