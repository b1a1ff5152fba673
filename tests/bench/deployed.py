# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The embedded stack as the measurements find it: how to run a playbook, and what a deploy left on this host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
WORK = Path(os.environ["BENCH_WORK"])
INVENTORY = "inventories/local/hosts.yml"
DEPLOY = "playbooks/deploy.yml"
TALLY = WORK / "tally.jsonl"
STATE = Path("~/.local/state/llm-stack").expanduser()
CONFIG = Path("~/.config").expanduser()
DATA = Path("~/.local/share/llm-stack").expanduser()

ENVIRONMENT: Mapping[str, str] = {
    **os.environ,
    "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
    "ANSIBLE_CALLBACK_PLUGINS": str(PROJECT / "tests/bench/callback_plugins"),
    "BENCH_TALLY": str(TALLY),
    "BENCH_JOB": str(WORK / "job.json"),
}


def playbook(path: str, *options: str, inventory: str = INVENTORY) -> list[str]:
    """Return the command that runs a playbook against an inventory."""
    return [f"{os.environ['BENCH_ANSIBLE']}/ansible-playbook", "--inventory", inventory, path, *options]


def run(command: list[str]) -> str:
    """Run a command to its end and return what it said; a failure ends the measurement with exactly that."""
    result = subprocess.run(
        command, cwd=PROJECT, env=ENVIRONMENT, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if result.returncode:
        sys.exit(f"{result.stdout}\nbench: {' '.join(command)} ended with {result.returncode}. Nothing was measured.")
    return result.stdout


def systemctl(*words: str) -> str:
    return subprocess.run(
        ["systemctl", "--user", *words], check=False, text=True, stdout=subprocess.PIPE
    ).stdout.strip()


def manifests() -> list[dict[str, Any]]:
    """Return what each role recorded about its last run."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(STATE.glob("*/manifest.json"))]


def files() -> list[Path]:
    """Return every file that the roles keep on this host."""
    return [Path(path) for manifest in manifests() for path in manifest["files"]]


def units() -> list[str]:
    """Return the units that run; of the gateway's two instances that is one."""
    names = [name for manifest in manifests() for name in manifest["units"]]
    return [name for name in names if systemctl("is-active", name) == "active"]
