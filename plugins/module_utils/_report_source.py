# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others have found out: what git says of the declaration, and what the last look for drift told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._checks_source import changed


def source_of(told: Mapping[str, Any], deployed: Mapping[str, str]) -> dict[str, Any]:
    """Give what the module source_info told, and which commit each host got last; nothing where that is not known."""
    return {
        "commit": str(told.get("commit") or ""),
        "branch": str(told.get("branch") or ""),
        "changed": changed(told),
        "deployed": {host: commit for host, commit in sorted(deployed.items()) if commit},
    }


_DRIFT = "lab.llm_stack.drift/1"
_FRESH = timedelta(days=1)


@dataclass(frozen=True)
class Drift:
    """The differences that drift.json tells, or, where it is too old to tell any, when it was written."""

    items: tuple[dict[str, str], ...] = ()
    stale: str = ""


def drift_of(written: str, now: str) -> Drift:
    """Read drift.json; where it is older than a day its differences count no more, and no such file tells nothing.

    What it says of the source is left out: that is looked at anew for each report.
    """
    try:
        found = json.loads(written or "null")
        fresh = _when(now) - _when(found["generated"]) <= _FRESH
    except (ValueError, TypeError, KeyError):
        return Drift()
    if found.get("schema") != _DRIFT:
        return Drift()
    if not fresh:
        return Drift(stale=str(found["generated"]))
    items = [each for each in found.get("items", ()) if isinstance(each, Mapping)]
    return Drift(
        tuple(
            {key: str(value) for key, value in each.items()}
            for each in items
            if not str(each.get("kind", "")).startswith("source-")
        )
    )


def _when(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp.replace("Z", "+00:00"))
