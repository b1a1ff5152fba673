# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""One run tells whether what serves is what was declared: its exit status, its report, and a timer that repeats it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from kept import kept_inventory
from observed import CONFIG, Stack, eventually
from played import Played, deploy, play

pytestmark = pytest.mark.only_in("default")

ENGINE = "llamacpp-tiny.service"
# Whoever runs the tests may have changed the project.
SOURCE = [{"kind": "source-*", "reason": "the tests run on work in progress", "until": "9999-12-31"}]


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLM_STACK_REPORTS", str(tmp_path))
    return tmp_path


def drift(reports: Path, **variables: object) -> tuple[Played, dict[str, Any]]:
    played = play("drift", variables={"llm_stack_drift_ignore": SOURCE, **variables})
    data: dict[str, Any] = json.loads((reports / "drift.json").read_text(encoding="utf-8"))
    return played, data


def test_a_stack_as_declared_is_clean_and_stays_as_it_is(faulty: Stack, reports: Path) -> None:
    before = faulty.imprint()
    for _turn in range(5):
        played, data = drift(reports)
        assert (played.code, data["verdict"], data["items"], data["unchecked"]) == (0, "clean", [], []), played.output
    assert data["checked"] >= 30
    assert f"drift: checked {data['checked']} things on 1 host: no difference" in played.output
    assert faulty.imprint() == before


def test_what_was_changed_by_hand_is_told_with_who_is_to_blame(faulty: Stack, reports: Path) -> None:
    path = faulty.home(f"{CONFIG}/llamacpp/tiny.env")
    faulty.output(f"echo LLAMA_ARG_BATCH=512 >> {path} && systemctl --user disable --quiet {ENGINE}")
    before = faulty.imprint()
    played, data = drift(reports)
    assert (played.code, data["exit"]) == (10, 10), played.output
    found = {(each["kind"], each["subject"], each["blame"]) for each in data["items"]}
    assert found == {("file", path, "corrective"), ("not-enabled", ENGINE, "corrective")}
    assert all(each["since"].startswith("20") for each in data["items"] if each["kind"] == "file")
    suite = ET.parse(reports / "drift.xml").getroot()  # noqa: S314 - written by us
    assert (suite.get("failures"), suite.get("errors")) == ("2", "0")
    assert 'kind="not-enabled"} 1' in (reports / "drift.prom").read_text(encoding="utf-8")
    assert path in (reports / "drift.md").read_text(encoding="utf-8")
    assert faulty.imprint() == before
    # A difference that is known and accepted is shown, and counts for nothing.
    rules = [*SOURCE, {"kind": "not-*", "subject": ENGINE, "reason": "on purpose", "until": "9999-12-31"}]
    deploy_file_only = play("deploy", "--tags=llamacpp")
    assert deploy_file_only.code == 0, deploy_file_only.output
    faulty.output(f"systemctl --user disable --quiet {ENGINE}")
    played, data = drift(reports, llm_stack_drift_ignore=rules)
    assert (played.code, [each["reason"] for each in data["ignored"]]) == (0, ["on purpose"]), played.output


def test_what_was_declared_anew_is_told_apart_from_what_was_edited(faulty: Stack, reports: Path) -> None:
    deploy()
    models = faulty.host.ansible.get_variables()["llm_stack_models"]
    models = {**models, "tiny": {**models["tiny"], "context": 2048}}
    played, data = drift(reports, llm_stack_models=models)
    assert played.code == 10, played.output
    assert "conflict" not in {each["blame"] for each in data["items"]}
    engine = [each for each in data["items"] if "llamacpp" in each["subject"] and "missing-" not in each["kind"]]
    of_engine = {each["kind"]: each["blame"] for each in engine}
    assert of_engine == {"file": "intentional", "unit-file": "intentional", "stale-process": "intentional"}
    # The gateway still tells of the old context to whoever asks it.
    assert drift(reports)[0].code == 0


def test_what_runs_otherwise_is_told_by_its_answers_too(faulty: Stack, reports: Path) -> None:
    gateway = faulty.slot()
    side = gateway.partition("@")[2][0]
    engine, config = f"{CONFIG}/llamacpp/tiny.env", f"{CONFIG}/litellm/{side}/config.yaml"
    faulty.output(f"sed -i 's/=4096/=2048/' {engine} && sed -i 's/4096/8192/' {config}")
    faulty.output(f"systemctl --user restart {ENGINE} {gateway}")
    assert eventually(faulty.answers, seconds=60)
    played, data = drift(reports)
    assert (played.code, data["unchecked"]) == (10, []), played.output
    found = {(each["kind"], each["subject"]) for each in data["items"] if not each["kind"].startswith("answer-")}
    files = {("file", faulty.home(engine)), ("file", faulty.home(config))}
    assert found == files | {("stale-process", ENGINE), ("stale-process", gateway)}
    answers = sorted(each["kind"] for each in data["items"] if each["kind"].startswith("answer-"))
    assert answers == ["answer-engine_context", "answer-gateway_deployments"], data["items"]
    deploy()
    assert drift(reports)[0].code == 0


@pytest.mark.usefixtures("faulty")
def test_what_git_knows_of_the_declaration(reports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLECULE_INVENTORY_FILE", os.environ["MOLECULE_INVENTORY_FILE"])
    inventory = kept_inventory()
    author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")

    def git(*words: str) -> None:
        subprocess.run(["git", "-C", inventory, *author, *words], check=True, capture_output=True)

    def told() -> set[tuple[str, str]]:
        _played, data = drift(reports, llm_stack_drift_ignore=[])
        return {(each["kind"], each["subject"]) for each in data["items"]}

    git("init", "--quiet", "--initial-branch=main")
    git("add", ".")
    git("commit", "--quiet", "--message=first")
    deploy()
    assert told() == set()
    declared = inventory / "group_vars/all/main.yml"
    declared.write_text(declared.read_text(encoding="utf-8") + "# later\n", encoding="utf-8")
    (inventory / "group_vars/all/more.yml").write_text("--- {}\n", encoding="utf-8")
    assert told() == {
        ("source-uncommitted", "group_vars/all/main.yml"),
        ("source-untracked", "group_vars/all/more.yml"),
    }
    git("add", ".")
    git("commit", "--quiet", "--message=second")
    git("remote", "add", "origin", "https://git.example.org/stack.git")
    assert told() == {("source-commit", "the declaration"), ("source-unpushed", "main")}
    deploy()
    assert told() == {("source-unpushed", "main")}


def test_a_host_that_does_not_answer_is_never_called_clean(reports: Path) -> None:
    played, data = drift(reports, ansible_user="nobody-there")
    assert (played.code, data["verdict"], data["exit"]) == (4, "failed", None), played.output
    assert data["unchecked"]


def test_a_timer_repeats_it_and_is_kept_like_any_unit(faulty: Stack) -> None:
    timer = {
        "watch_host": faulty.name,
        "watch_every": "*-*-* *:*:00/2",
        "watch_argv": ["/bin/sh", "-c", "date > watched"],
    }
    played = play("watch", variables=timer)
    assert (played.code, played.changed) == (0, 1), played.output
    assert play("watch", variables=timer).changed == 0
    assert eventually(lambda: faulty.run("test -e watched").rc == 0, seconds=150)
    faulty.output("systemctl --user stop llm-stack-watch.timer")
    dead = play("watch", "--check", variables=timer)
    assert dead.items == {("not-active", "llm-stack-watch.timer")}, dead.output
    gone = play("watch", variables={**timer, "watch_state": "absent"})
    assert gone.code == 0, gone.output
    assert faulty.run("ls .config/systemd/user/ | grep watch").stdout == ""
