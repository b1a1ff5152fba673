# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What a report decides: verdict, issues, what to do first, what changed; and what it keeps to itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import reported
from ansible_collections.lab.llm_stack.plugins.module_utils._check_kinds import PARAMETERS
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan
from ansible_collections.lab.llm_stack.plugins.module_utils._report import Facts, report
from ansible_collections.lab.llm_stack.plugins.module_utils._report_files import files
from ansible_collections.lab.llm_stack.plugins.module_utils._report_impacts import KINDS
from ansible_collections.lab.llm_stack.plugins.module_utils._report_source import source_of
from ansible_collections.lab.llm_stack.plugins.module_utils._report_words import source_words
from jsonschema import Draft202012Validator

Row = dict[str, Any]


def made(results: list[Row], **more: Any) -> dict[str, Any]:
    return report(reported.stack(), Facts("2026-11-23T04:00:00Z", results, **more))


def but(name: str, **told: Any) -> list[Row]:
    """All is well but one promise."""
    found = reported.all_well()
    assert any(each["id"] == name for each in found)
    return [{**each, **told} if each["id"] == name else each for each in found]


def named(rows: list[Row], name: str) -> Row:
    return next(each for each in rows if each["name"] == name)


# The schema


@pytest.mark.parametrize("make", [reported.healthy, reported.broken, reported.hostile])
def test_a_report_is_what_its_schema_says(make: Any, root: Path) -> None:
    schema = json.loads((root / "docs/schemas/report-1.json").read_text())
    Draft202012Validator.check_schema(schema)
    assert [error.message for error in Draft202012Validator(schema).iter_errors(make())] == []


def test_a_report_of_nothing_is_what_its_schema_says(root: Path) -> None:
    schema = json.loads((root / "docs/schemas/report-1.json").read_text())
    empty = {"hosts": {}, "checklist": [], "summary": {}}
    data = report(empty, Facts("", []))
    assert [error.message for error in Draft202012Validator(schema).iter_errors(data)] == []
    assert (data["verdict"], data["headline"]) == ("unknown", "0 of 0 promises could not be checked.")
    assert set(files(empty, Facts("", []))["files"]) == set(files(reported.stack(), Facts("", []))["files"])


def test_a_plan_of_today_has_a_report(root: Path) -> None:
    schema = json.loads((root / "docs/schemas/report-1.json").read_text())
    today = plan(reported.WRITTEN["declaration"])
    data = report(today, Facts("2026-11-23T04:00:00Z", [reported.well(check) for check in today["checklist"]]))
    assert [error.message for error in Draft202012Validator(schema).iter_errors(data)] == []
    assert data["verdict"] == "healthy"
    assert {each["name"] for each in data["models"]} == set(reported.WRITTEN["declaration"]["models"])


# The verdict


@pytest.mark.parametrize(
    ("results", "more", "verdict", "headline"),
    [
        pytest.param(reported.all_well(), {}, "healthy", "All 26 promises are kept.", id="all is kept"),
        pytest.param(
            but("unit_active:gpu-01:ollama.service", state="warn", cause="it ended", remedy="look"),
            {},
            *("warnings", "All 26 promises are kept; 1 thing to look at."),
            id="kept, with a warning",
        ),
        pytest.param(
            reported.all_well(),
            {"drift": reported.WRITTEN["drift"]},
            *("warnings", "All 26 promises are kept; 1 thing to look at."),
            id="kept, by a process that is not the declared one",
        ),
        pytest.param(
            but("tool_call:gw-01:llama3.1:whole", state="fail"),
            {},
            *("degraded", "The stack serves, but 1 of 26 promises is not kept."),
            id="one model misses a promise",
        ),
        pytest.param(
            but("gateway_key:gw-01:http://192.0.2.1:4000", state="fail"),
            {},
            *("broken", "The stack does not serve: 1 of 26 promises is not kept."),
            id="the gateway takes any key",
        ),
        pytest.param(
            [each for each in reported.all_well() if each["host"] != "gpu-02"],
            {},
            *("unknown", "2 of 26 promises could not be checked."),
            id="a host said nothing",
        ),
        pytest.param([], {}, "unknown", "26 of 26 promises could not be checked.", id="nobody said anything"),
    ],
)
def test_the_verdict(results: list[Row], more: Mapping[str, Any], verdict: str, headline: str) -> None:
    found = made(results, **more)
    assert (found["verdict"], found["headline"]) == (verdict, headline)


# What is shown of the stack


def test_every_service_has_a_state_and_one_that_stands_by_is_not_missed() -> None:
    states = {each["name"]: each["state"] for each in reported.broken()["services"]}
    assert states == {
        "litellm": "fail",
        "ollama.service": "warn",
        "vllm-dolphin.service": "standby",
        "vllm-qwen-coder-7b.service": "pass",
        "llamacpp-tiny.service": "unchecked",
    }


def test_a_model_that_misses_a_call_does_not_make_its_gateway_ill() -> None:
    found = made(but("tool_call:gw-01:llama3.1:whole", state="fail"))
    assert named(found["services"], "litellm")["state"] == "pass"
    assert named(found["models"], "llama3.1")["tools"] == "failed"
    assert named(found["models"], "llama3.1")["state"] == "pass"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("qwen-coder-7b", {"tools": "certified", "fallbacks": ["llama3.1"], "aliases": ["code"], "seconds": 0.25}),
        ("dolphin", {"tools": "not promised", "standby": True, "answered_by": "llama3.1", "aliases": []}),
        ("llama3.1", {"engines": ["ollama"], "hosts": ["gpu-01"], "context": 4096, "aliases": ["chat"]}),
    ],
)
def test_what_is_told_of_a_model(name: str, expected: Mapping[str, Any]) -> None:
    model = named(reported.healthy()["models"], name)
    assert {key: model[key] for key in expected} == expected


def test_an_app_behind_a_gateway_that_failed_has_failed_too() -> None:
    assert {each["name"]: each["state"] for each in reported.broken()["apps"]} == {
        "charm-assistant": "fail",
        "lab": "fail",
    }
    assert named(reported.healthy()["apps"], "charm-assistant")["longest"] == 10.0


# Issues: what the field report found by hand is found by the tool


FIELD = [
    ("critical", "exactly one of litellm@a.service and litellm@b.service is active", "No app reaches a model."),
    ("high", "qwen-coder-7b calls a tool", "Apps concerned: charm-assistant and lab."),
    ("high", "Not checked: gpu-02", "What runs there is not known."),
    ("high", "Drift: vllm-qwen-coder-7b.service", "What runs is not what is declared."),
    ("low", "Changes that are not committed", "What is deployed cannot be found again in the history."),
    ("low", "With a warning: ollama.service", "The promise is kept now; it may not last."),
]


def test_the_evening_of_the_field_report_is_told_the_worst_first() -> None:
    issues = reported.broken()["issues"]
    for issue, (severity, title, impact) in zip(issues, FIELD, strict=True):
        assert issue["severity"] == severity
        assert title in issue["title"]
        assert impact in issue["impact"]
        assert issue["fix"]
        assert issue["problem"].endswith(".")


def test_what_could_not_be_checked_is_counted_at_what_failed() -> None:
    assert reported.broken()["issues"][0]["problem"] == (
        "inactive (dead) for 2 h 49 min; its process exited with code 1. 16 other checks could not be made."
    )


def test_the_ways_of_one_tool_call_are_one_issue() -> None:
    issue = reported.broken()["issues"][1]
    assert issue["checks"] == ["tool_call:gw-01:qwen-coder-7b:whole", "tool_call:gw-01:qwen-coder-7b:streamed"]
    assert "--enable-auto-tool-choice" in issue["problem"]


def test_why_a_host_was_silent_is_told() -> None:
    problem = reported.broken()["issues"][2]["problem"]
    assert problem == (
        "2 promises of gpu-02 could not be looked at: Failed to connect to the host via ssh: No route to host."
    )


@pytest.mark.parametrize(
    ("name", "severity", "impact"),
    [
        (
            "unit_active:gpu-02:llamacpp-tiny.service",
            "high",
            "Requests for tiny fail or are answered by another model.",
        ),
        (
            "unit_active:gpu-01:vllm-qwen-coder-7b.service",
            *("high", "Requests for qwen-coder-7b fall back to llama3.1."),
        ),
        ("port_owner:gw-01:192.0.2.1:4000", "critical", "No app reaches a model."),
        ("gateway_deployments:gw-01:http://192.0.2.1:4000", "high", "What was declared is not in force"),
        ("app_refused:gw-01:lab", "high", "The app can use models that it was not given."),
        ("route:gw-01:tiny", "high", "App concerned: lab."),
    ],
)
def test_who_suffers(name: str, severity: str, impact: str) -> None:
    (issue,) = made(but(name, state="fail", cause="why", remedy="what"))["issues"]
    assert issue["severity"] == severity
    assert impact in issue["impact"]
    assert issue["fix"] == "what"


def test_what_a_failure_means_is_said_of_kinds_that_there_are() -> None:
    """A kind that is missing here is told from the stack: which services, models and apps it concerns."""
    assert set(KINDS) <= set(PARAMETERS)
    assert {name for _severity, text in KINDS.values() for name in re.findall(r"{(\w+)}", text)} <= {"model", "host"}


def test_a_model_is_as_well_as_what_is_known_of_it() -> None:
    extra = {**reported.all_well()[0], "id": "m", "check": "model_identity", "model": "tiny", "state": "fail"}
    found = made([*reported.all_well(), extra])
    assert named(found["models"], "tiny")["state"] == "fail"
    assert found["issues"][0]["impact"].startswith("Apps are answered by another model")


def test_a_probe_may_say_severity_and_impact_itself() -> None:
    told = but("route:gw-01:tiny", state="fail", severity="low", impact="Nobody uses it.")
    (issue,) = made(told)["issues"]
    assert (issue["severity"], issue["impact"]) == ("low", "Nobody uses it.")


def test_a_kind_of_check_that_is_not_known_here_is_told_all_the_same() -> None:
    extra = {**reported.all_well()[0], "id": "moon:gpu-01", "check": "moon", "title": "it is full", "state": "fail"}
    found = made([*reported.all_well(), extra])
    assert found["issues"][0]["impact"] == "A promise of the declaration does not hold on gpu-01."
    assert found["counts"]["fail"] == 1


def test_recommendations_stand_in_the_order_that_helps_and_end_with_the_proof() -> None:
    found = reported.broken()["recommendations"]
    assert [each["when"] for each in found] == ["now", "now", "now", "soon", "soon", "then"]
    # make deploy mends the gateway and the stale process, and stands once.
    assert [each["text"] for each in found].count("make deploy") == 1
    assert found[-1]["text"] == "make validate"
    assert reported.healthy()["recommendations"] == []


# Configuration


def test_the_layers_and_what_one_overrides() -> None:
    found = reported.broken()["configuration"]
    assert [(each["name"], each["values"], each["places"]) for each in found["layers"]] == [
        ("unified", 1, ["group_vars/all.yml"]),
        ("app charm-assistant", 1, ["group_vars/all.yml"]),
        ("defaults", 1, []),
    ]
    (contested,) = found["contested"]
    assert (contested["key"], contested["value"]) == ("router_settings.timeout", "600")
    assert contested["overrode"] == [{"layer": "charm-assistant", "value": "5", "place": "litellm_config.yaml:9"}]


# What was before


def test_the_first_report_compares_with_nothing() -> None:
    found = made(reported.all_well())
    assert (found["previous"], found["changes"], len(found["history"])) == (None, [], 1)


def test_what_changed_since() -> None:
    found = reported.broken()
    assert found["previous"]["headline"] == "All 26 promises are kept."
    assert {
        "host": "gpu-01",
        "title": "ollama.service is active and enabled",
        "before": "pass",
        "now": "warn",
    } in found["changes"]
    assert [run["verdict"] for run in found["history"]] == ["healthy", "healthy", "broken"]
    assert reported.healthy()["changes"] == []


def test_promises_that_are_new_and_gone_are_changes() -> None:
    before = made([*reported.all_well(), {**reported.all_well()[0], "id": "old", "title": "gone"}])
    smaller = {**reported.stack(), "checklist": reported.stack()["checklist"][1:]}
    found = report(smaller, Facts("2026-11-24T04:00:00Z", reported.all_well()[1:], previous=before))
    assert [(each["title"], each["before"], each["now"]) for each in found["changes"]] == [
        ("ollama.service is active and enabled", "pass", ""),
        ("gone", "pass", ""),
    ]


def test_the_history_is_as_long_as_was_asked_and_a_run_stands_once() -> None:
    last = None
    for day in range(1, 8):
        facts = Facts(f"2026-11-{day:02d}T04:00:00Z", reported.all_well(), previous=last, keep=3)
        last = report(reported.stack(), facts)
    assert last is not None
    assert [run["generated"][8:10] for run in last["history"]] == ["05", "06", "07"]
    again = report(reported.stack(), Facts("2026-11-07T04:00:00Z", reported.all_well(), previous=last, keep=3))
    assert [run["generated"][8:10] for run in again["history"]] == ["05", "06", "07"]


@pytest.mark.parametrize("other", [{}, {"schema": "something else"}, {"schema": "lab.llm_stack.report/2"}])
def test_a_previous_report_of_another_form_is_none(other: Mapping[str, Any]) -> None:
    assert made(reported.all_well(), previous=other)["previous"] is None


# Secrets

CANARIES = {
    "a key that is known": "canary-4711-instance-key",
    "a key of LiteLLM": "sk-canary4711AbCdEf",
    "a token of a hub": "hf_canary4711canary4711",
    "a header": "Bearer canary4711.canary4711",
    "a password in an address": "http://user:canary4711@192.0.2.9/v1",
}


@pytest.mark.parametrize("secret", CANARIES.values(), ids=CANARIES.keys())
def test_no_secret_comes_through_wherever_it_is_written(secret: str) -> None:
    told = [{**each, "evidence": secret, "cause": f"x {secret}.", "remedy": secret} for each in reported.evening()]
    settings = [{**each, "value": {"deep": [secret]}, "place": secret} for each in reported.WRITTEN["settings"]]
    facts = Facts(
        "2026-11-23T04:00:00Z",
        told,
        silent={"gpu-02": secret},
        settings=settings,
        drift=[{"host": "gpu-01", "kind": "k", "subject": secret, "expected": secret, "actual": secret}],
        source={"commit": "1", "changed": [secret]},
        secrets=["canary-4711-instance-key"],
    )
    made_of_it = files(reported.stack(), facts)
    for name, text in {**made_of_it["files"], "data": json.dumps(made_of_it["data"])}.items():
        assert "canary" not in text.replace("charm-assistant", ""), name


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("general_settings.master_key", "os.environ/LITELLM_MASTER_KEY", "os.environ/LITELLM_MASTER_KEY"),
        ("general_settings.master_key", "hunter2", "(secret)"),
        ("model_list[a].litellm_params.api_key", "none", "none"),
        ("litellm_settings.redis", {"host": "r", "password": "hunter2"}, '{"host": "r", "password": "(secret)"}'),
        ("router_settings.timeout", 600, "600"),
    ],
)
def test_values_whose_keys_say_that_they_are_secret_are_masked(key: str, value: object, shown: str) -> None:
    told = {"key": key, "value": value, "layer": "unified", "place": "p", "file": ""}
    assert made([], settings=[told])["configuration"]["values"][0]["value"] == shown


# Git


@pytest.mark.parametrize(
    ("told", "deployed", "expected"),
    [
        pytest.param({}, {}, {"commit": "", "branch": "", "changed": [], "deployed": {}}, id="nothing"),
        pytest.param(
            {"failed": True, "msg": "git is not installed"},
            {"gw": ""},
            {"commit": "", "branch": "", "changed": [], "deployed": {}},
            id="git cannot tell",
        ),
        pytest.param(
            {
                "commit": "abc",
                "branch": "main",
                "items": [
                    {"kind": "source-uncommitted", "subject": "x.yml"},
                    {"kind": "source-untracked", "subject": "a new one"},
                    {"kind": "source-unpushed", "subject": "main"},
                ],
            },
            {"gw": "abc", "gpu": "def", "new": ""},
            {
                "commit": "abc",
                "branch": "main",
                "changed": ["x.yml", "a new one"],
                "deployed": {"gpu": "def", "gw": "abc"},
            },
            id="changed and unknown files, and what each host got",
        ),
    ],
)
def test_what_git_says(told: Mapping[str, Any], deployed: Mapping[str, str], expected: Mapping[str, Any]) -> None:
    assert source_of(told, deployed) == expected


@pytest.mark.parametrize(
    ("changed", "deployed", "words"),
    [
        ([], {}, ""),
        ([], {"gw": "a" * 40, "gpu": "a" * 40}, "deployed on gw and gpu"),
        (["x"], {"gw": "b" * 40, "gpu": "a" * 40}, "1 file not committed; bbbbbbbbbbbb deployed on gw"),
    ],
)
def test_which_commit_runs_where(changed: list[str], deployed: Mapping[str, str], words: str) -> None:
    assert source_words({"commit": "a" * 40, "changed": changed, "deployed": deployed}) == words


def test_what_is_not_committed_is_one_issue_and_not_two() -> None:
    row = {"id": "source_committed:gw-01:gw-01", "host": "gw-01", "check": "source_committed", "title": "x"}
    found = made([*reported.all_well(), {**row, "state": "warn", "evidence": "1 file", "cause": "", "remedy": "git"}])
    assert (found["verdict"], found["issues"]) == ("warnings", [])
    assert len(made(reported.all_well(), source={"commit": "1", "changed": ["x.yml"]})["issues"]) == 1
