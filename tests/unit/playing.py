# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A playbook as somebody plays it from a directory, with an environment of which only what is said here is known."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COLLECTIONS = Path(__file__).resolve().parents[2] / "playbooks/collections"


def play(home: Path, playbook: Path | str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Play it from ``home``, which is the home directory too; variables of the environment are added or replaced."""
    known = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    return subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), *options, str(playbook)],
        cwd=home, env={**known, **environment}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
