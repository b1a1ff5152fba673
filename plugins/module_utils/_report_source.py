# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What git says of the declaration: which commit it is, and what is not committed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Words before the path, by the kind of line of ``git status --porcelain=v2``.
_WORDS = {"1": 8, "2": 9, "u": 10, "?": 1}


def source_of(status: str) -> dict[str, Any]:
    """Read what ``git status --porcelain=v2 --branch`` prints; nothing where it is something else."""
    told = dict(line[2:].partition(" ")[::2] for line in status.splitlines() if line.startswith("# branch."))
    commit = told.get("branch.oid", "")
    return {
        "commit": "" if commit == "(initial)" else commit,
        "branch": told.get("branch.head", ""),
        "changed": sorted(_changed(status)),
    }


def _changed(status: str) -> Iterator[str]:
    for line in status.splitlines():
        words = _WORDS.get(line[:1]) if line[1:2] == " " else None
        if words is not None and len(parts := line.split(" ", words)) == words + 1:
            yield parts[-1].partition("\t")[0]
