# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""An evening on which much is broken at once, as one was found by hand before there was a tool: all of it is found.

The gateway is dead, the engine that runs knows no tools, a model does not start, and what was declared last is neither
committed nor deployed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from cases import FAR, FAR_WHOLE, WHOLE, engine, restart
from kept_in_git import commit
from observed import UNITS, Stack
from played import play

FAR_DROP_IN = f"{UNITS}/{FAR}.d"
NOWHERE = r"[Service]\nEnvironment=LLAMA_ARG_MODEL=/nowhere.gguf\nExecStartPost=\nRestartSec=60\n"
DOLPHIN = {"provider": "openai_compatible", "api_base": "http://127.0.0.1:9000/v1", "source": "ok@dolphin"}
LIMITED = {**DOLPHIN, "fallbacks": ["spare"], "limits": {"rpm": 100, "tpm": 50000}}


@pytest.fixture
def evening(hosts: Mapping[str, Stack], inventory: Path) -> Iterator[None]:
    """The stack as it was that evening."""
    stack, far = hosts["ck"], hosts["ck-far"]
    commit(inventory)
    declared = inventory / "group_vars/all"
    written = yaml.safe_load(declared.read_text(encoding="utf-8"))
    written["llm_stack_models"]["dolphin"] = LIMITED
    declared.write_text(yaml.safe_dump(written, sort_keys=False), encoding="utf-8")
    unit = stack.slot()
    stack.output(engine("parser"))
    far.output(f"mkdir -p {FAR_DROP_IN} && printf '{NOWHERE}' >{FAR_DROP_IN}/x.conf; {restart(FAR)}; sleep 1")
    stack.output(f"systemctl --user stop litellm.socket {unit}")
    yield
    stack.output(f"systemctl --user start litellm.socket {unit}; {WHOLE}")
    far.output(f"rm -r {FAR_DROP_IN}; {FAR_WHOLE}")


@pytest.mark.usefixtures("evening")
def test_all_that_is_broken_is_found_and_told_with_its_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_STACK_REPORTS", str(tmp_path))
    young = {"llm_stack_checks": {"min_uptime": 0}}
    assert play("drift", variables=young).code == 10
    assert play("status", variables=young).code == 0
    data = json.loads((tmp_path / "status.json").read_text(encoding="utf-8"))
    issues = {each["title"]: each for each in data["issues"]}
    found = {title: (each["severity"], each["problem"]) for title, each in issues.items()}
    assert data["verdict"] == "broken"

    worst = [each for each in data["issues"] if each["severity"] == "critical"]
    assert [each["title"] for each in worst] == [
        "Not kept: litellm.socket is active and enabled",
        "Not kept: exactly one of litellm@a.service and litellm@b.service is active and enabled",
    ], found
    assert {each["impact"] for each in worst} == {"No app reaches a model."}
    assert any("other checks could not be made" in each["problem"] for each in worst)

    tools = issues["Not kept: tiny is certified for tools"]
    assert '400: "auto" tool choice requires --enable-auto-tool-choice' in tools["problem"]
    assert "the engine was started without a tool parser" in tools["problem"]
    assert tools["impact"].endswith("App concerned: charm.")

    started = issues[f"Not kept: {FAR} is active and enabled"]
    assert "failed to open GGUF file '/nowhere.gguf'" in started["problem"]
    assert started["fix"] == "Correct the model's source, or the file's owner and mode."

    assert "group_vars/all" in issues["Changes that are not committed"]["problem"]
    drifted = [title for title in issues if title.startswith("Drift: ")]
    assert any(title.endswith("config.yaml") for title in drifted), drifted
    assert {each["name"]: each["state"] for each in data["services"]} == {
        "litellm": "fail",
        "ollama.service": "pass",
        "llamacpp-tiny.service": "pass",
        "llamacpp-resting.service": "standby",
        FAR: "fail",
    }
