# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the timer runs, in a checkout whose path has a space, with playbooks that only write reports."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PLAYBOOK = """#!/bin/sh
mkdir -p "$LLM_STACK_REPORTS"
echo "$3" >> "$LLM_STACK_REPORTS/ran"
case "$3" in
*drift.yml) [ -z "$WRITES" ] || echo new > "$LLM_STACK_REPORTS/drift.json"; exit "${DRIFT:-0}" ;;
*status.yml)
    [ -z "$VERDICT" ] || echo "{\\"verdict\\": \\"$VERDICT\\"}" > "$LLM_STACK_REPORTS/status.json"
    exit "${STATUS:-0}" ;;
esac
"""


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    made = tmp_path / "my stack"
    (made / "tools").mkdir(parents=True)
    (made / ".venv/bin").mkdir(parents=True)
    shutil.copy(root / "tools/watch", made / "tools/watch")
    (made / ".venv/bin/ansible-playbook").write_text(PLAYBOOK)
    (made / ".venv/bin/ansible-playbook").chmod(0o755)
    return made


def watch(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    told = {"WRITES": "yes", "VERDICT": "healthy", **environment}
    return subprocess.run(
        [str(checkout / "tools/watch"), "an inventory"],
        env={"PATH": os.environ["PATH"], "HOME": str(checkout), **told},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def kept(checkout: Path) -> set[str]:
    """The reports that the history holds of the last run."""
    return {each.name for each in sorted((checkout / "reports/history").iterdir())[-1].iterdir()}


def test_only_old_reports_are_removed(checkout: Path) -> None:
    history = checkout / "reports/history"
    for day in range(10, 15):
        (history / f"202601{day}T000000Z").mkdir(parents=True)
    # What the path of the checkout would name if it were taken apart at its space.
    precious = checkout.parent / "my/precious"
    precious.mkdir(parents=True)
    done = watch(checkout, LLM_STACK_KEEP="3")
    assert (done.returncode, done.stderr) == (0, "")
    assert precious.is_dir()
    left = sorted(each.name for each in history.iterdir())
    assert (len(left), left[:2]) == (3, ["20260113T000000Z", "20260114T000000Z"])
    assert (checkout / "reports/ran").read_text().split() == ["playbooks/drift.yml", "playbooks/status.yml"]


@pytest.mark.parametrize(
    ("environment", "status"),
    [
        pytest.param({"VERDICT": "warnings"}, 0, id="every promise is kept"),
        pytest.param({"VERDICT": "degraded"}, 10, id="a promise is not kept"),
        pytest.param({"VERDICT": "broken"}, 10, id="nobody is served"),
        pytest.param({"VERDICT": "unknown"}, 11, id="not everything could be looked at"),
        pytest.param({"VERDICT": "unknown", "LLM_STACK_STRICT": "0"}, 0, id="and that is no matter"),
        pytest.param({"VERDICT": ""}, 11, id="no report was made"),
        pytest.param({"VERDICT": "broken", "DRIFT": "11"}, 10, id="that counts more than what is not known"),
        pytest.param({"VERDICT": "broken", "DRIFT": "4"}, 4, id="a host that is not there"),
        pytest.param({"WRITES": ""}, 11, id="nobody looked for drift"),
        pytest.param({"STATUS": "2"}, 2, id="a report that failed"),
        pytest.param({"DRIFT": "11", "STATUS": "2"}, 2, id="a report that failed, and what is not known"),
    ],
)
def test_its_status_tells_of_promises_as_of_drift(checkout: Path, environment: dict[str, str], status: int) -> None:
    assert watch(checkout, **environment).returncode == status


def test_a_report_of_an_earlier_run_is_not_taken_for_one_of_this(checkout: Path) -> None:
    assert watch(checkout).returncode == 0
    assert kept(checkout) == {"drift.json", "status.json", "ran"}
    for each in (checkout / "reports/history").iterdir():
        each.rename(each.with_name("20260101T000000Z"))
    done = watch(checkout, WRITES="", DRIFT="2", VERDICT="")
    assert done.returncode == 2
    assert kept(checkout) == {"ran"}
    assert done.stderr == "playbooks/drift.yml wrote no report. A drift.json in the folder is of an earlier run.\n"


def test_the_verdict_of_an_earlier_run_is_not_the_one_of_this(checkout: Path) -> None:
    assert watch(checkout).returncode == 0
    assert watch(checkout, VERDICT="").returncode == 11
