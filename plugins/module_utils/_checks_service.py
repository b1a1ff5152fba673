# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service promises beyond being active: that it stays up, and that its journal tells of no error.

Pure: what was seen arrives as values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.lab.llm_stack.plugins.module_utils._boot_failures import classify
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import (
    FAIL,
    PASS,
    WARN,
    Check,
    Unit,
    Verdict,
    duration,
)

MIN_UPTIME = 3600
"""Seconds that a process has to have been up, unless it is up since the last deployment or since the host started."""

SLACK = 120.0
"""Seconds after the host's start, or before the end of a deployment, within which a process started because of it."""

_ERROR = re.compile(r"\b(ERROR|CRITICAL|FATAL|Traceback|panic|core dumped|terminate called|Segmentation fault)\b")
_QUOTED = 200


@dataclass(frozen=True)
class Times:
    """For how many seconds the host has been up, and how long ago the last deployment of the service ended."""

    host: float
    deployed: float | None


def judge_uptime(check: Check, unit: Unit, times: Times) -> Verdict:
    """The process has been up for long enough, or for as long as it can have been.

    With ``by_itself``, nothing is said of one that somebody has started anew: it may serve just what was declared.
    """
    wanted, up = float(check.get("min_uptime", MIN_UPTIME)), unit.uptime
    again = f", started again {unit.restarts} {'time' if unit.restarts == 1 else 'times'} by systemd" * bool(
        unit.restarts
    )
    evidence = f"up for {duration(up)}{again}"
    journal = f"journalctl --user -u {unit.name}"
    if up >= wanted:
        if not unit.restarts:
            return Verdict(PASS, evidence)
        return Verdict(WARN, evidence, "it ended by itself before that", journal)
    if unit.restarts:
        return Verdict(FAIL, evidence, "it ended by itself and was started again", journal)
    if check.get("by_itself"):
        return Verdict(PASS, evidence)
    if times.host - up <= SLACK:
        return Verdict(PASS, f"{evidence}, since the host started")
    if times.deployed is not None and up >= times.deployed - SLACK:
        return Verdict(PASS, f"{evidence}, since it was deployed")
    cause = f"it was started anew, although it was deployed {duration(times.deployed)} ago" if times.deployed else ""
    return Verdict(FAIL, evidence, cause or "it was started, but not by a deployment", journal)


def judge_journal(check: Check, lines: Sequence[str]) -> Verdict:
    """Since the process started, its journal has no line that tells of an error, but for those that are allowed."""
    allowed = [re.compile(each["match"]) for each in check.get("allow", ())]
    told = [line for line in lines if not any(each.search(line) for each in allowed)]
    skipped = len(lines) - len(told)
    beside = f"; {skipped} allowed" if skipped else ""
    journal = f"journalctl --user -u {check['unit']}"
    cause = classify(told)
    if cause:
        return Verdict(FAIL, f"{cause.line[:_QUOTED]}{beside}", cause.means, cause.remedy)
    errors = [line for line in told if _ERROR.search(line)] if check.get("strict", True) else []
    if errors:
        count = "1 line tells" if len(errors) == 1 else f"{len(errors)} lines tell"
        words = f"{count} of an error, first: {errors[0].strip()[:_QUOTED]}{beside}"
        return Verdict(
            WARN, words, "nobody has classified it", f"{journal}; allow it in llm_stack_checks.journal_allow"
        )
    return Verdict(PASS, f"{len(lines)} lines since its start{beside}")


def explain_end(verdict: Verdict, lines: Sequence[str]) -> Verdict:
    """Give the verdict of a service that ended the cause that its journal tells, where that is a known one."""
    cause = classify(lines)
    if cause is None:
        return verdict
    return replace(
        verdict, evidence=f"{verdict.evidence}: {cause.line[:_QUOTED]}", cause=cause.means, remedy=cause.remedy
    )


def serving(units: Iterable[Unit]) -> Unit | None:
    """Of a gateway's two services, the one that runs."""
    return next((unit for unit in units if unit.active == "active" and unit.uptime), None)


def deployed_ago(manifests: Mapping[str, tuple[float, Sequence[str]]], unit: str, now: float) -> float | None:
    """For how many seconds a unit has been deployed, by manifests with their time and their units; None by no one."""
    times = [written for written, units in manifests.values() if unit in units]
    return max(now - max(times), 0.0) if times else None
