# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others have found out: what git says of the declaration, and what the last look for drift told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
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


_DRIFT = "lab.llm_stack.drift/1"
_FRESH = timedelta(days=1)


def drift_of(written: str, now: str) -> list[dict[str, str]]:
    """Give the differences that drift.json tells; none where it is older than a day, or no such file.

    What it says of the source is left out: git is asked anew for each report.
    """
    try:
        found = json.loads(written or "null")
        fresh = _when(now) - _when(found["generated"]) <= _FRESH
    except (ValueError, TypeError, KeyError):
        return []
    if not fresh or found.get("schema") != _DRIFT:
        return []
    items = [each for each in found.get("items", ()) if isinstance(each, Mapping)]
    return [
        {key: str(value) for key, value in each.items()}
        for each in items
        if not str(each.get("kind", "")).startswith("source-")
    ]


def _when(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00"))
