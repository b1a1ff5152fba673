# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the timer runs, in a checkout whose path has a space, with playbooks that only write a report."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PLAYBOOK = """#!/bin/sh
mkdir -p "$LLM_STACK_REPORTS"
echo "$3" >> "$LLM_STACK_REPORTS/ran"
exit 0
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


def test_only_old_reports_are_removed(checkout: Path) -> None:
    history = checkout / "reports/history"
    for day in range(10, 15):
        (history / f"202601{day}T000000Z").mkdir(parents=True)
    # What the path of the checkout would name if it were taken apart at its space.
    precious = checkout.parent / "my/precious"
    precious.mkdir(parents=True)
    done = subprocess.run(
        [str(checkout / "tools/watch"), "an inventory"],
        env={"PATH": os.environ["PATH"], "HOME": str(checkout), "LLM_STACK_KEEP": "3"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert precious.is_dir()
    left = sorted(each.name for each in history.iterdir())
    assert (len(left), left[:2]) == (3, ["20260113T000000Z", "20260114T000000Z"])
    assert (checkout / "reports/ran").read_text().split() == ["playbooks/drift.yml", "playbooks/status.yml"]
