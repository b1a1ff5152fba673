# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From what tasks said to one report: every difference once, what was not looked at, and the exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._drift import Event, findings, headline, report
from ansible_collections.lab.llm_stack.plugins.module_utils._drift_text import (
    as_junit,
    as_markdown,
    as_metrics,
    table,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NOW = "2026-11-23T05:00:00Z"
SCHEMA = Path(__file__).parents[4] / "docs/schemas/drift-1.json"
SERVICE, PROBE = "lab.llm_stack.service", "lab.llm_stack.probe"
FILE = {
    "kind": "file",
    "subject": "/home/llm/.config/llm-stack/litellm/config.yaml",
    "expected": "as declared",
    "actual": "other content",
    "remedy": "deploy",
    "blame": "corrective",
    "since": "2026-11-22T19:04:12Z",
}
LINGER = {"kind": "linger", "subject": "account", "expected": "lingers", "actual": "does not", "remedy": "deploy"}
CHECK = {
    "id": "gateway_models:gw:http://127.0.0.1:4000",
    "check": "gateway_models",
    "title": "the gateway lists what is declared",
    "state": "fail",
    "evidence": "tiny is missing",
    "cause": "it was started with another configuration",
    "remedy": "make deploy",
}


def said(*items: dict[str, str], host: str = "gw", state: str = "ok", **result: object) -> Event:
    return Event(host, "Converge", SERVICE, state, {"items": list(items), "checked": 14, **result})


def plan(*rules: dict[str, str]) -> Event:
    return Event(
        "gw", "Plan", "ansible.builtin.set_fact", "ok", {"ansible_facts": {"llm_stack_plan": {"drift_ignore": rules}}}
    )


def told(*events: Event, strict: bool = True) -> dict[str, Any]:
    data = report(findings(events), NOW, strict)
    validate(data)
    return data


def validate(data: dict[str, Any]) -> None:
    jsonschema.validate(data, json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_a_clean_run_says_how_much_it_looked_at() -> None:
    data = told(said(), said(host="gpu"), Event("gw", "Say", "ansible.builtin.debug", "ok", {"msg": "x"}))
    assert (data["verdict"], data["exit"], data["checked"], data["hosts"]) == ("clean", 0, 28, ["gpu", "gw"])
    assert table(data) == "drift: checked 28 things on 2 hosts: no difference"


def test_a_difference_is_drift_and_stands_once_with_everything_known_of_it() -> None:
    data = told(said(FILE, LINGER), said(LINGER))
    assert (data["verdict"], data["exit"]) == ("drift", 10)
    assert data["items"] == [{"host": "gw", **FILE}, {"host": "gw", "blame": "", "since": "", **LINGER}]
    assert table(data).splitlines()[:5] == [
        "gw  file  /home/llm/.config/llm-stack/litellm/config.yaml",
        "    expected  as declared",
        "    actual    other content",
        "    because   the host was changed, since 2026-11-22T19:04:12Z",
        "    remedy    deploy",
    ]


def test_what_is_missing_is_told_once_although_its_installation_is_predicted_too() -> None:
    missing = [{"kind": "environment", "path": "/envs/litellm", "reasons": ["is absent"]}]
    installed = {"kind": "environment", "subject": "/envs/litellm", "expected": "x", "actual": "absent"}
    assert [each["kind"] for each in told(said(missing=missing))["items"]] == ["missing-environment"]
    both = told(said(missing=missing), said(installed))
    assert [each["kind"] for each in both["items"]] == ["environment"]


def test_a_change_that_no_item_explains_is_an_item() -> None:
    packages = Event("gw", "Install the package", "ansible.builtin.apt", "ok", {"changed": True})
    assert [(each["kind"], each["subject"]) for each in told(packages)["items"]] == [("task", "Install the package")]
    assert told(Event("gw", "Preflight", "lab.llm_stack.preflight", "ok", {"changed": True}))["items"] == []


def test_an_answer_that_is_not_the_declared_one_is_drift() -> None:
    skipped = {**CHECK, "state": "skipped", "cause": "the port is closed"}
    data = told(Event("gw", "Ask", PROBE, "ok", {"results": [CHECK, skipped, {**CHECK, "state": "pass"}]}))
    assert (data["checked"], data["exit"]) == (3, 10)
    (item,) = data["items"]
    assert (item["kind"], item["actual"]) == (
        "answer-gateway_models",
        "tiny is missing: it was started with another configuration",
    )
    assert data["unchecked"] == [{"host": "gw", "what": CHECK["title"], "why": "the port is closed"}]


def test_what_belongs_to_the_account_is_told_once_by_whichever_role() -> None:
    other = {**LINGER, "expected": "starts services at boot", "actual": "the opposite"}
    assert [each["actual"] for each in told(said(LINGER), said(other))["items"]] == ["does not"]
    assert len(told(said(LINGER), said(LINGER, host="gpu"))["items"]) == 2


def test_a_service_that_is_down_is_told_once() -> None:
    down = {**CHECK, "check": "unit_active", "id": "unit_active:gw:litellm.socket"}
    probed = Event("gw", "Ask", PROBE, "ok", {"results": [down]})
    assert [each["kind"] for each in told(probed)["items"]] == ["answer-unit_active"]
    compared = said({**FILE, "kind": "not-active", "subject": "litellm.socket"})
    assert [each["kind"] for each in told(compared, probed)["items"]] == ["not-active"]


@pytest.mark.parametrize(
    ("event", "verdict", "status"),
    [
        (Event("gpu", "Converge", SERVICE, "unreachable", {"msg": "no route"}), "failed", None),
        (said(state="failed", msg="it did not start"), "failed", None),
        (
            Event("gw", "Run", "x", "skipped", {"msg": "remote module (x) does not support check mode"}),
            "incomplete",
            11,
        ),
        (Event("gw", "Run", "x", "skipped", {"skip_reason": "Conditional result was False"}), "clean", 0),
    ],
    ids=["unreachable", "failed", "no check mode", "not wanted"],
)
def test_what_could_not_be_looked_at_is_never_called_clean(event: Event, verdict: str, status: int | None) -> None:
    data = told(said(), event)
    assert (data["verdict"], data["exit"], bool(data["unchecked"])) == (verdict, status, verdict != "clean")
    if verdict == "incomplete":
        assert told(said(), event, strict=False)["exit"] == 0


def test_where_another_run_is_at_work_nothing_is_drift_and_nothing_is_clean() -> None:
    """Its services start again just now, so what does not answer is no difference either."""
    row = {"what": "the services of litellm, and what they answer", "why": "a run changes them: ada"}
    asked = Event("gw", "Ask", PROBE, "ok", {"results": [{**CHECK, "check": "unit_active"}, CHECK]})
    elsewhere = Event("gpu", "Ask", PROBE, "ok", {"results": [CHECK]})
    data = told(said(unchecked=[row]), asked)
    assert (data["verdict"], data["exit"], data["items"]) == ("incomplete", 11, [])
    assert data["unchecked"] == [{"host": "gw", **row}]
    assert [each["host"] for each in told(said(unchecked=[row]), asked, elsewhere)["items"]] == ["gpu"]


def test_a_rule_ignores_what_it_names_until_its_day() -> None:
    rule = {"kind": "file", "subject": "*/config.yaml", "reason": "being tried", "until": "2026-11-23"}
    data = told(plan(rule), said(FILE, LINGER))
    assert ([each["kind"] for each in data["items"]], data["exit"]) == (["linger"], 10)
    assert [(each["kind"], each["reason"], each["until"]) for each in data["ignored"]] == [
        ("file", "being tried", "2026-11-23")
    ]
    assert "ignored until 2026-11-23  gw  file" in table(data)
    assert told(plan(rule), said(FILE))["exit"] == 0


def test_a_rule_that_expired_or_is_not_needed_is_shown() -> None:
    old = {"reason": "long ago", "until": "2026-11-22"}
    unused = {"kind": "linger", "reason": "just in case", "until": "2027-01-01"}
    data = told(plan(old, unused), said(FILE))
    assert (len(data["items"]), data["ignored"]) == (1, [])
    assert [each["reason"] for each in (*data["expired"], *data["unused"])] == ["long ago", "just in case"]


def test_every_form_tells_the_same() -> None:
    data = told(said(FILE), said(host="gpu"), Event("gpu", "Run", "x", "skipped", {"msg": "no check mode"}))
    assert headline(data) == "checked 28 things on 2 hosts: 1 difference, 1 not checked"
    assert headline(data) in as_markdown(data)
    suite = ET.fromstring(as_junit(data))  # noqa: S314 - written by us
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "1", "1")
    assert 'llm_stack_drift_items{host="gw",kind="file"} 1' in as_metrics(data)
    assert 'llm_stack_drift_items{host="gpu",kind=""} 0' in as_metrics(data)
    assert "llm_stack_drift_last_check_timestamp_seconds 1795410000" in as_metrics(data)


def test_the_commit_that_was_deployed_last_is_compared_with_the_one_that_is_here() -> None:
    here = Event("gw", "Source", "lab.llm_stack.source_info", "ok", {"commit": "b" * 40, "items": [], "checked": 3})
    assert told(here, said(source="b" * 40))["items"] == []
    assert told(here, said())["items"] == []
    items = told(here, said(source="a" * 40), said(source="a" * 40), said(source="b" * 40, host="gpu"))["items"]
    assert [(each["host"], each["kind"], each["expected"], each["actual"]) for each in items] == [
        ("gw", "source-commit", "b" * 12, "a" * 12)
    ]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(), st.text(), st.text())
def test_no_text_of_a_host_breaks_out_of_a_report(subject: str, actual: str, host: str) -> None:
    data = told(said({**FILE, "subject": subject, "actual": actual}, host=host))
    suite = ET.fromstring(as_junit(data))  # noqa: S314 - written by us
    assert len(suite.findall("testcase/failure")) == 1
    rows = [line for line in as_markdown(data).splitlines() if line.startswith("| ")]
    assert len(rows) == 2
    assert all(line.startswith(("#", "llm_stack_")) for line in as_metrics(data).splitlines())
