# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commit that a directory is at, read from git's own files: a program for that would cost each task a process."""

from __future__ import annotations

import re
from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def head(directory: str) -> str:
    """Give the commit of the working tree that a directory belongs to; empty where there is none."""
    try:
        git = _git_directory(Path(directory or ".").resolve())
        return _commit(git) if git else ""
    except (OSError, ValueError):
        return ""


def _git_directory(directory: Path) -> Path | None:
    for each in (directory, *directory.parents):
        found = each / ".git"
        if found.is_dir():
            return found
        # A linked working tree and a submodule name theirs in a file.
        if found.is_file():
            return (each / found.read_text(encoding="utf-8").partition("gitdir:")[2].strip()).resolve()
    return None


def _commit(git: Path) -> str:
    text = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not text.startswith("ref:"):
        return text if _COMMIT.fullmatch(text) else ""
    reference = text.partition(":")[2].strip()
    common = git / "commondir"
    home = (git / common.read_text(encoding="utf-8").strip()).resolve() if common.is_file() else git
    for file in (git / reference, home / reference):
        if file.is_file():
            return file.read_text(encoding="utf-8").strip()
    packed = home / "packed-refs"
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {reference}")), "")
