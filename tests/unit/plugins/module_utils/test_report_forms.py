# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The forms of a report: as they read, and that nothing others wrote becomes markup in any of them.

``UPDATE_GOLDEN=1`` writes tests/fixtures/reports anew.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import reported
import yaml
from ansible_collections.lab.llm_stack.plugins.module_utils._drift import Findings
from ansible_collections.lab.llm_stack.plugins.module_utils._drift import report as drift
from ansible_collections.lab.llm_stack.plugins.module_utils._drift_text import as_metrics
from ansible_collections.lab.llm_stack.plugins.module_utils._report import Facts
from ansible_collections.lab.llm_stack.plugins.module_utils._report_escape import (
    code,
    html,
    label,
    line,
    markdown,
    plain,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._report_files import files
from ansible_collections.lab.llm_stack.plugins.module_utils._report_grafana import dashboard
from ansible_collections.lab.llm_stack.plugins.module_utils._report_html import page
from ansible_collections.lab.llm_stack.plugins.module_utils._report_junit import junit
from ansible_collections.lab.llm_stack.plugins.module_utils._report_markdown import status_markdown
from ansible_collections.lab.llm_stack.plugins.module_utils._report_metrics import textfile
from ansible_collections.lab.llm_stack.plugins.module_utils._report_prometheus import alerts, scrape
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

CASES = {"healthy": reported.healthy, "broken": reported.broken}
FORMS = {"status.md": status_markdown, "junit.xml": junit, "llm_stack.prom": textfile, "status.html": page}
LOOKED = "2026-11-23T12:00:00Z"
FROM_PLAN = {"scrape.txt": scrape, "alerts.txt": alerts, "grafana.json": dashboard}
# What somebody may have put into a name or an error.
TEXTS = st.one_of(
    st.text(
        st.sampled_from("ab <>&\"'`|*_[]()#!\\~$-+=.1\n\r\t\x00\x1b\u202e{}/:;@htpsw\ud7ff\U0001f600"), max_size=60
    ),
    st.text(max_size=30),
)
MARKDOWN = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["table", "strikethrough"])


def golden(name: str, text: str) -> None:
    path = reported.FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


# As they read


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("form", FORMS)
def test_a_form_reads_as_it_should(case: str, form: str) -> None:
    golden(f"{case}/{form}", FORMS[form](CASES[case]()))


@pytest.mark.parametrize("form", FROM_PLAN)
def test_what_follows_from_the_plan_alone(form: str) -> None:
    golden(f"plan/{form}", FROM_PLAN[form](reported.stack()))


def test_every_file_has_its_name() -> None:
    found = files(reported.stack(), Facts(reported.EVENING, reported.all_well()))["files"]
    assert sorted(found) == [
        "grafana/llm-stack.json",
        "history.json",
        "junit.xml",
        "llm_stack.prom",
        "prometheus/alerts.yml",
        "prometheus/scrape.yml",
        "status.html",
        "status.json",
        "status.md",
    ]
    assert all(text.endswith("\n") for text in found.values())


# Markdown


def inline_types(text: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for token in MARKDOWN.parse(text):
        found[token.type] += 1
        found.update(child.type for child in token.children or ())
    return found


@settings(deadline=None)
@given(TEXTS)
def test_escaped_text_is_text_in_markdown(text: str) -> None:
    assert set(inline_types(markdown(text))) <= {"paragraph_open", "paragraph_close", "inline", "text", "text_special"}
    shown = "".join(child.content for token in MARKDOWN.parse(markdown(text)) for child in token.children or ())
    assert shown.replace("\u00a0", " ").strip() == line(text)


@settings(deadline=None)
@given(TEXTS)
def test_a_span_of_code_holds_what_it_should(text: str) -> None:
    row = f"| a | b |\n|---|---|\n| {code(text)} | {markdown(text)} |"
    spans = [child for token in MARKDOWN.parse(row) for child in token.children or () if child.type == "code_inline"]
    assert [each.content.strip() for each in spans] == [line(text)]
    assert inline_types(row)["td_open"] == 2


def test_a_hostile_report_has_the_parts_of_a_plain_one_in_markdown() -> None:
    kinds = inline_types(status_markdown(reported.hostile()))
    plain = inline_types(status_markdown(reported.hostile("plain text")))
    for kind in (
        "html_inline",
        "html_block",
        "link_open",
        "image",
        "strong_open",
        "em_open",
        "heading_open",
        "td_open",
    ):
        assert kinds[kind] == plain[kind], kind


# HTML


class Tags(HTMLParser):
    """Every tag with its attributes, and the text outside of the style sheet."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.text: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.tags[tag] += 1
        self.attributes.update(f"{tag} {name}" for name, _value in attrs)

    def handle_data(self, data: str) -> None:
        if self.inside != "style":
            self.text.append(data)


def tags(text: str) -> Tags:
    parser = Tags()
    parser.feed(text)
    return parser


def test_a_hostile_report_has_the_parts_of_a_plain_one_in_html() -> None:
    found, plain = tags(page(reported.hostile())), tags(page(reported.hostile("plain text")))
    assert found.tags == plain.tags
    assert found.attributes == plain.attributes
    assert not {"script", "img", "iframe", "object", "form", "a"} & set(found.tags)
    assert not [name for name in found.attributes if " on" in name]
    assert "<img src=x onerror=alert(1)>" in "".join(found.text)


@settings(max_examples=25, deadline=None)
@given(TEXTS)
def test_whatever_is_written_the_page_keeps_its_parts(text: str) -> None:
    assert tags(page(reported.hostile(f"x{text}"))).tags == tags(page(reported.hostile("x"))).tags


def test_the_page_fetches_nothing_and_runs_nothing() -> None:
    text = page(reported.broken())
    assert "default-src 'none'" in text.replace("&#39;", "'")
    assert re.findall(r"(?:src|href|action)=\"(?!#|data:,)[^\"]*\"", text) == []
    assert "url(" not in text
    assert "@import" not in text
    assert "<script" not in text
    assert len(text) < 100_000


# JUnit and XML


@settings(deadline=None)
@given(TEXTS)
def test_escaped_text_is_text_in_xml(text: str) -> None:
    found = ElementTree.fromstring(f'<a b="{html(text)}">{html(text)}</a>')  # noqa: S314 - our own text
    assert (found.text or "") == plain(text)
    assert len(found) == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Łódź, 東京 😀", "Łódź, 東京 😀"),
        ("a\tb\nc", "a\tb\nc"),
        ("\x00\x1b[31m\x7f\x9b\r", "��[31m���"),
        ("\ud800 half", "� half"),
        ("file\u202egpj.exe", "filegpj.exe"),
    ],
)
def test_what_no_report_can_show_is_replaced(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_junit_counts_what_is_in_it() -> None:
    found = ElementTree.fromstring(junit(reported.broken()))  # noqa: S314
    cases = list(found.iter("testcase"))
    assert found.get("tests") == str(len(cases)) == "26"
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert found.get(name) == str(len(list(found.iter(tag))))
        assert sum(int(suite.get(name, 0)) for suite in found) == int(found.get(name, -1))


def test_hostile_junit_is_xml_all_the_same() -> None:
    ElementTree.fromstring(junit(reported.hostile()))  # noqa: S314


# Prometheus and Grafana

SAMPLE = re.compile(r'^[a-z_]+(\{([a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? -?[0-9.e+-]+$')


@pytest.mark.parametrize("make", [reported.healthy, reported.broken, reported.hostile])
def test_every_sample_is_one_line_as_prometheus_reads_it(make: Any) -> None:
    text = textfile(make())
    samples = [each for each in text.split("\n") if each and not each.startswith("#")]
    assert [each for each in samples if not SAMPLE.match(each)] == []
    assert len(set(samples)) == len(samples)
    names = re.findall(r"^# TYPE (\S+) gauge$", text, re.MULTILINE)
    assert len(names) == len(set(names))


@settings(deadline=None)
@given(TEXTS)
def test_a_label_holds_any_text_on_one_line(text: str) -> None:
    assert SAMPLE.match(f'a{{b="{label(text)}"}} 1')


def test_what_could_not_be_checked_has_no_value() -> None:
    text = textfile(reported.broken())
    assert 'host="gpu-02"' not in "".join(each for each in text.splitlines() if "check_ok" in each)
    assert 'llm_stack_checks{state="unchecked"} 2' in text


def test_alerts_and_panels_ask_for_metrics_that_are_there() -> None:
    written = (
        textfile(reported.broken()) + textfile(reported.healthy()) + as_metrics(drift(Findings(), LOOKED, strict=True))
    )
    ours = set(re.findall(r"^# TYPE (\S+)", written, re.MULTILINE))
    rules = yaml.safe_load(alerts(reported.stack()))["groups"][0]["rules"]
    board = json.loads(dashboard(reported.stack()))
    asked = [rule["expr"] for rule in rules] + [each["expr"] for panel in board["panels"] for each in panel["targets"]]
    assert {name for text in asked for name in re.findall(r"\bllm_stack_\w+", text)} <= ours
    assert len({rule["alert"] for rule in rules}) == len(rules)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_what_differs_and_a_look_for_drift_that_is_old_are_told() -> None:
    rules = {rule["alert"]: rule for rule in yaml.safe_load(alerts(reported.stack()))["groups"][0]["rules"]}
    assert rules["LlmStackDrift"]["expr"] == "llm_stack_drift_items > 0"
    assert rules["LlmStackDriftOld"]["expr"] == "time() - llm_stack_drift_last_check_timestamp_seconds > 93600"


def test_no_two_panels_lie_on_each_other() -> None:
    places: set[tuple[int, int]] = set()
    for panel in json.loads(dashboard(reported.stack()))["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not places & cells
        places |= cells
        assert at["x"] + at["w"] <= 24


def test_only_what_runs_and_has_metrics_is_scraped() -> None:
    jobs = yaml.safe_load(scrape(reported.stack()))["scrape_configs"]
    found = {target for job in jobs for each in job["static_configs"] for target in each["targets"]}
    assert found == {"192.0.2.11:8001", "192.0.2.12:8080"}
    assert [job["job_name"] for job in jobs if "authorization" in job] == ["llm-stack-llamacpp-gpu-02"]


def test_an_empty_plan_makes_files_that_are_read(tmp_path: Path) -> None:
    empty: dict[str, Any] = {"hosts": {}, "checklist": [], "summary": {}}
    assert yaml.safe_load(scrape(empty)) == {"scrape_configs": []}
    assert len(yaml.safe_load(alerts(empty))["groups"][0]["rules"]) == 7
