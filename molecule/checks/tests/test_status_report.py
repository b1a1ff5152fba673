# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The report of a stack that runs, and of the same one when its gateway is down: with cause, and without a key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from observed import Stack
from played import Played, play

# Tests before this one may have restarted what has to have been up for an hour.
YOUNG = {"unit_uptime", "journal_clean"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


def status(folder: Path, **variables: object) -> tuple[Played, dict[str, Any]]:
    played = play("status", variables={"report_directory": str(folder), **variables})
    assert played.code == 0, played.output
    data: dict[str, Any] = json.loads((folder / "status.json").read_text(encoding="utf-8"))
    return played, data


def unkept(data: dict[str, Any]) -> list[str]:
    return [row["title"] for row in data["checklist"] if row["state"] == "fail" and row["check"] not in YOUNG]


def imprint(stack: Stack) -> list[str]:
    """What a write or a restart would alter, but for the certificates: what was seen of tool calling is kept."""
    return [line for line in stack.imprint().splitlines() if "/certified" not in line]


def test_a_stack_that_serves_is_told_with_evidence_and_left_as_it_is(stack: Stack, folder: Path) -> None:
    before = imprint(stack)
    _played, data = status(folder)
    assert unkept(data) == [], data["issues"]
    models = {each["name"]: each for each in data["models"]}
    assert models["tiny"]["tools"] == "certified"
    assert models["tiny"]["seconds"] > 0
    assert (models["resting"]["standby"], models["resting"]["answered_by"]) == (True, "spare")
    assert (data["previous"], len(data["history"])) == (None, 1)
    assert imprint(stack) == before
    assert {path.name for path in folder.iterdir()} >= {"status.md", "status.html", "junit.xml", "llm_stack.prom"}


def test_a_gateway_that_is_down_is_the_first_issue_and_a_change(stack: Stack, folder: Path) -> None:
    stack.output("systemctl --user stop litellm.socket 'litellm@*.service'")
    _played, data = status(folder)
    assert data["verdict"] == "broken"
    assert data["issues"][0]["severity"] == "critical"
    assert data["issues"][0]["impact"] == "No app reaches a model."
    assert "litellm" in data["issues"][0]["title"]
    assert [each for each in data["changes"] if (each["before"], each["now"]) == ("pass", "fail")]
    assert [run["verdict"] for run in data["history"]][-1] == "broken"
    assert data["issues"][0]["title"] in (folder / "status.html").read_text(encoding="utf-8")


def test_a_host_that_does_not_answer_is_told_and_not_called_well(folder: Path) -> None:
    _played, data = status(folder, ansible_user="nobody-there")
    assert data["verdict"] == "unknown"
    assert data["counts"]["pass"] == 0
    assert data["issues"][0]["title"].startswith("Not checked: ")


def test_no_key_of_the_host_stands_in_a_report(stack: Stack, folder: Path) -> None:
    written = stack.output("cat .config/llm-stack/litellm/secrets.env .config/llm-stack/*/*.env").splitlines()
    keys = {line.partition("=")[2].strip("'\"") for line in written if "KEY" in line.partition("=")[0]}
    assert any(len(key) > 15 for key in keys)
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}
    assert [(name, key[:4]) for key in keys if len(key) > 15 for name, text in texts.items() if key in text] == []
