# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The filter report: what it takes from a playbook, and what it makes of something else."""

from __future__ import annotations

import json
from typing import Any

import pytest
import reported
from ansible.errors import AnsibleFilterError
from ansible_collections.lab.llm_stack.plugins.filter.report import report

NOW = "2026-11-23T04:00:00Z"


def made(**more: Any) -> dict[str, Any]:
    data: dict[str, Any] = report(reported.stack(), reported.all_well(), NOW, **more)["data"]
    return data


def test_the_last_report_may_be_text_as_a_file_holds_it() -> None:
    last = json.dumps(reported.healthy())
    assert made(previous=last)["previous"]["generated"] == reported.LAST
    assert made(previous=reported.healthy())["previous"]["generated"] == reported.LAST


@pytest.mark.parametrize("other", [None, "", '{"cut": ', "[1, 2]", "<html>"])
def test_what_is_no_report_counts_as_none(other: str | None) -> None:
    assert made(previous=other)["previous"] is None


def test_the_source_is_what_git_told_and_what_each_host_got() -> None:
    found = made(source=reported.WRITTEN["source"], deployed={"gw-01": "abc", "gpu-02": ""})["source"]
    assert (found["branch"], found["deployed"]) == ("main", {"gw-01": "abc"})
    assert made()["source"] == {"commit": "", "branch": "", "changed": [], "deployed": {}}


LAST_WEEK = "2026-11-20T20:00:00Z"
DRIFTED = {
    "schema": "lab.llm_stack.drift/1",
    "generated": "2026-11-22T20:00:00Z",
    "items": [
        {"host": "gpu-01", "kind": "file", "subject": "x.yaml", "expected": "as declared", "actual": "other content"},
        {"host": "localhost", "kind": "source-uncommitted", "subject": "y.yml", "expected": "", "actual": ""},
    ],
}


@pytest.mark.parametrize(
    ("written", "titles"),
    [
        pytest.param(json.dumps(DRIFTED), ["Drift: x.yaml"], id="of this night, without what git is asked itself"),
        pytest.param(
            json.dumps({**DRIFTED, "generated": LAST_WEEK}), [f"No look for drift since {LAST_WEEK}"], id="of last week"
        ),
        pytest.param(json.dumps({**DRIFTED, "schema": "other/1"}), [], id="of another form"),
        pytest.param('{"cut', [], id="cut off"),
        pytest.param("[]", [], id="something else"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_the_last_look_for_drift_counts_for_a_day(written: str, titles: list[str]) -> None:
    data = made(drift=written)
    assert [f"Drift: {each['subject']}" for each in data["drift"]] == [each for each in titles if "x.yaml" in each]
    assert [each["title"] for each in data["issues"]] == titles


def test_why_a_host_is_silent_is_said_in_its_rows() -> None:
    data = report(reported.stack(), [], NOW, silent={"gw-01": "No route to host"})["data"]
    causes = {row["host"]: row["cause"] for row in data["checklist"]}
    assert causes == {
        "gw-01": "No route to host",
        "gpu-01": "gpu-01 was not asked, or did not answer",
        "gpu-02": "gpu-02 was not asked, or did not answer",
    }


@pytest.mark.parametrize(
    ("plan", "results"),
    [({}, []), ({"hosts": {}}, []), (reported.stack(), [1]), (reported.stack(), ["text"])],
)
def test_what_is_no_plan_or_no_results_is_refused_by_name(plan: Any, results: Any) -> None:
    with pytest.raises(AnsibleFilterError, match=r"lab\.llm_stack\.report takes a plan of lab\.llm_stack\.plan"):
        report(plan, results, NOW)
