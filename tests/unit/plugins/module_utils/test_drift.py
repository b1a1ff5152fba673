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
RUNGS = ("engine_key", "model_identity", "engine_context")
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


def plan(*rules: dict[str, str], checks: tuple[dict[str, Any], ...] = ()) -> Event:
    made = {"drift_ignore": rules, "checklist": checks}
    return Event("gw", "Plan", "ansible.builtin.set_fact", "ok", {"ansible_facts": {"llm_stack_plan": made}})


def of_unit(unit: str, port: int) -> tuple[dict[str, Any], ...]:
    """The checks of one instance, as the plan has them, each after what it needs first."""
    url, where = f"http://127.0.0.1:{port}", {"host": "gw"}
    owner = {"bind": "127.0.0.1", "port": port, "units": [unit]}
    rungs = [{**where, "id": f"{kind}:{unit}", "check": kind, "url": url, "direct": True} for kind in RUNGS]
    return (
        {**where, "id": f"unit_active:{unit}", "check": "unit_active", "units": [unit]},
        {**where, "id": f"port_owner:{unit}", "check": "port_owner", **owner},
        *rungs,
    )


def probed(checks: tuple[dict[str, Any], ...], *states: str) -> Event:
    results = [
        {**CHECK, "id": check["id"], "check": check["check"], "title": check["id"], "state": state}
        for check, state in zip(checks, states, strict=True)
    ]
    return Event("gw", "Ask", PROBE, "ok", {"results": results})


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
    (aside,) = data["unchecked"]
    assert aside == {"host": "gw", "what": CHECK["title"], "why": "the port is closed", "state": "skipped"}


def test_what_belongs_to_the_account_is_told_once_by_whichever_role() -> None:
    other = {**LINGER, "expected": "starts services at boot", "actual": "the opposite"}
    assert [each["actual"] for each in told(said(LINGER), said(other))["items"]] == ["does not"]
    assert len(told(said(LINGER), said(LINGER, host="gpu"))["items"]) == 2


A, B = of_unit("a.service", 8001), of_unit("b.service", 8002)
DOWN = {**FILE, "kind": "not-active", "subject": "a.service"}


def test_a_service_that_is_down_is_told_once() -> None:
    asked = probed(A, "fail", "skipped", "skipped", "skipped", "skipped")
    assert [each["kind"] for each in told(plan(checks=A), said(), asked)["items"]] == ["answer-unit_active"]
    assert [each["kind"] for each in told(plan(checks=A), said(DOWN), asked)["items"]] == ["not-active"]
    manager = {**DOWN, "kind": "user-manager", "subject": "llm"}
    assert [each["kind"] for each in told(plan(checks=A), said(manager), asked)["items"]] == ["user-manager"]


def test_a_service_that_would_not_start_at_boot_is_told_once() -> None:
    asked = probed(A, "fail", "pass", "pass", "pass", "pass")
    disabled = {**DOWN, "kind": "not-enabled"}
    assert [each["kind"] for each in told(plan(checks=A), said(disabled), asked)["items"]] == ["not-enabled"]


def test_a_stranger_on_a_port_is_told_once() -> None:
    asked = probed(A, "pass", "fail", "skipped", "skipped", "skipped")
    stranger = {**DOWN, "kind": "foreign-port-owner", "subject": "127.0.0.1:8001"}
    assert [each["kind"] for each in told(plan(checks=A), said(stranger), asked)["items"]] == ["foreign-port-owner"]


@pytest.mark.parametrize(
    "item",
    [
        DOWN,
        {**DOWN, "kind": "foreign-port-owner", "subject": "127.0.0.1:8001"},
        {**DOWN, "kind": "enabled", "subject": "b.service"},
    ],
    ids=["another service is down", "another port is held", "its unit is only enabled"],
)
def test_what_befell_one_service_hides_nothing_of_another(item: dict[str, str]) -> None:
    asked = probed((*A, *B), *["pass"] * 5, "fail", "fail", "skipped", "skipped", "skipped")
    kinds = {each["kind"] for each in told(plan(checks=(*A, *B)), said(item), asked)["items"]}
    assert kinds == {item["kind"], "answer-unit_active", "answer-port_owner"}


def test_what_cannot_be_looked_at_for_an_accepted_difference_is_accepted_too() -> None:
    rule = {"kind": "not-active", "subject": "a.service", "reason": "being mended", "until": "2026-12-01"}
    asked = probed((*A, *B), "fail", "skipped", "skipped", "skipped", "skipped", *["pass"] * 5)
    data = told(plan(rule, checks=(*A, *B)), said(DOWN), asked)
    assert (data["verdict"], data["exit"], data["items"], data["unchecked"]) == ("clean", 0, [], [])
    assert [each["kind"] for each in data["ignored"]] == ["not-active"]


def test_what_cannot_be_looked_at_for_another_reason_is_still_told() -> None:
    rule = {"kind": "not-active", "subject": "a.service", "reason": "being mended", "until": "2026-12-01"}
    asked = probed((*A, *B), "fail", *["skipped"] * 4, "pass", "pass", "pass", "skipped", "skipped")
    data = told(plan(rule, checks=(*A, *B)), said(DOWN), asked)
    assert (data["exit"], [each["what"] for each in data["unchecked"]]) == (
        11,
        ["model_identity:b.service", "engine_context:b.service"],
    )


def test_an_answer_is_blamed_on_nobody_where_the_declaration_was_changed_as_well() -> None:
    asked = probed(A, "pass", "pass", "pass", "pass", "fail")
    (item,) = told(plan(checks=A), said(), asked)["items"]
    assert (item["kind"], item["blame"]) == ("answer-engine_context", "corrective")
    changed = said({**FILE, "blame": "intentional"})
    blames = {each["kind"]: each["blame"] for each in told(plan(checks=A), changed, asked)["items"]}
    assert blames == {"file": "intentional", "answer-engine_context": ""}
    source = Event("gw", "Source", "lab.llm_stack.source_info", "ok", {"commit": "b" * 40, "items": [], "checked": 3})
    blames = {each["kind"]: each["blame"] for each in told(source, said(source="a" * 40), asked)["items"]}
    assert blames == {"source-commit": "intentional", "answer-engine_context": "corrective"}


def test_a_run_that_looked_at_no_host_is_never_called_clean() -> None:
    source = Event("gw", "Source", "lab.llm_stack.source_info", "ok", {"commit": "b" * 40, "items": [], "checked": 3})
    for events in [(), (source,)]:
        data = told(*events, strict=False)
        assert (data["verdict"], data["exit"]) == ("incomplete", 11)
        assert "not checked  all  the hosts of the stack: none was compared" in table(data)
        assert ET.fromstring(as_junit(data)).get("errors") == "1"  # noqa: S314 - written by us


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
    assert data["unchecked"] == [{"host": "gw", **row, "state": "skipped"}]
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
    assert 'llm_stack_drift_items{host="gpu"' not in as_metrics(data)
    assert "llm_stack_drift_last_check_timestamp_seconds 1795410000" in as_metrics(data)


def test_the_metrics_tell_a_clean_host_from_one_that_was_not_reached() -> None:
    rule = {"kind": "linger", "reason": "known", "until": "2027-01-01"}
    data = told(plan(rule), said(LINGER), Event("dead", "Converge", SERVICE, "unreachable", {"msg": "no route"}))
    metrics = as_metrics(data).splitlines()
    for line in (
        'llm_stack_drift_items{host="gw",kind=""} 0',
        'llm_stack_drift_ignored{host="gw"} 1',
        'llm_stack_drift_unchecked{host="dead"} 1',
        'llm_stack_drift_unchecked{host="gw"} 0',
        'llm_stack_drift_verdict{verdict="failed"} 1',
        'llm_stack_drift_verdict{verdict="clean"} 0',
    ):
        assert line in metrics
    assert not [line for line in metrics if line.startswith('llm_stack_drift_items{host="dead"')]


def test_a_build_server_sees_what_went_wrong_and_what_is_accepted() -> None:
    rule = {"kind": "linger", "reason": "known", "until": "2027-01-01"}
    old = {"kind": "file", "reason": "long ago", "until": "2026-01-01"}
    wrong = Event("dead", "Converge", SERVICE, "unreachable", {"msg": "no route"})
    suite = ET.fromstring(as_junit(told(plan(rule, old), said(LINGER), wrong)))  # noqa: S314 - written by us
    counts = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "3", "failures": "0", "errors": "1", "skipped": "2"}
    error = suite.find("testcase[@classname='dead']/error")
    assert error is not None
    assert error.get("message") == "no route"
    aside = [each.get("message") for each in suite.iter("skipped")]
    assert aside == ["ignored until 2027-01-01: known", "rule expired on 2026-01-01: long ago"]


def test_the_commit_that_was_deployed_last_is_compared_with_the_one_that_is_here() -> None:
    here = Event("gw", "Source", "lab.llm_stack.source_info", "ok", {"commit": "b" * 40, "items": [], "checked": 3})
    assert told(here, said(source="b" * 40))["items"] == []
    assert told(here, said())["items"] == []
    items = told(here, said(source="a" * 40), said(source="a" * 40), said(source="b" * 40, host="gpu"))["items"]
    assert [(each["host"], each["kind"], each["expected"], each["actual"]) for each in items] == [
        ("gw", "source-commit", "b" * 12, "a" * 12)
    ]


def test_one_role_that_got_another_commit_is_enough_for_a_host_to_differ() -> None:
    here = Event("gw", "Source", "lab.llm_stack.source_info", "ok", {"commit": "b" * 40, "items": [], "checked": 3})
    items = told(here, said(source="a" * 40), said(source="b" * 40))["items"]
    assert [(each["kind"], each["actual"]) for each in items] == [("source-commit", "a" * 12)]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(), st.text(), st.text())
def test_no_text_of_a_host_breaks_out_of_a_report(subject: str, actual: str, host: str) -> None:
    data = told(said({**FILE, "subject": subject, "actual": actual}, host=host))
    suite = ET.fromstring(as_junit(data))  # noqa: S314 - written by us
    assert len(suite.findall("testcase/failure")) == 1
    rows = [line for line in as_markdown(data).splitlines() if line.startswith("| ")]
    assert len(rows) == 2
    assert all(line.startswith(("#", "llm_stack_")) for line in as_metrics(data).splitlines())
