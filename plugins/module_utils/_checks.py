# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check promises, what it needs before it can run, and what came of it; as values, without looking."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._check_kinds import PARAMETERS, TITLES

PASS, WARN, FAIL, SKIPPED = "pass", "warn", "fail", "skipped"
Check = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What a check found: a state, the evidence for it, and for anything but a pass the cause and the remedy."""

    state: str
    evidence: str
    cause: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Result:
    """One line of the checklist."""

    id: str
    host: str
    check: str
    title: str
    state: str
    evidence: str
    cause: str
    remedy: str
    seconds: float
    model: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give the form that a module returns."""
        return asdict(self)


def result(check: Check, verdict: Verdict, seconds: float = 0.0) -> Result:
    """Join a check and its verdict."""
    return Result(
        id=str(check["id"]),
        host=str(check["host"]),
        check=str(check["check"]),
        title=title(check),
        seconds=round(seconds, 3),
        model=str(check.get("model", "")),
        **asdict(verdict),
    )


def title(check: Check) -> str:
    """Say what the check promises, in words."""
    kind = check["check"]
    if kind == "unit_active":
        units = check["units"]
        return f"{units[0] if len(units) == 1 else f'exactly one of {join(units)}'} is active and enabled"
    if kind in ("unit_uptime", "journal_clean"):
        which = check["units"][0] if len(check["units"]) == 1 else f"one of {join(check['units'])}"
        return f"{which} stays up" if kind == "unit_uptime" else f"the journal of {which} tells of no error"
    if kind == "port_owner":
        return f"{check['bind']}:{check['port']} belongs to {check['units'][0]}"
    if kind == "route" and check.get("answered_by"):
        return f"{check['model']}, which stands by, is answered by {check['answered_by']}"
    if kind == "route" and check.get("provider"):
        return f"{check['model']} is answered by the provider {check['provider']}"
    if kind == "tool_call":
        words = [f"{check['model']} calls a tool"]
        words += ["streamed"] if check.get("stream") else []
        return ", ".join([*words, "asked directly"] if check.get("direct") else words)
    gateway = f"the gateway of {check['of']}" if check.get("of") else "the gateway"
    return TITLES.get(kind, "{check}").format_map({**check, "gateway": gateway})


def faults(checks: Sequence[Check]) -> list[str]:
    """Say what is wrong with the checks themselves; nothing when they can run."""
    found = []
    for number, check in enumerate(checks):
        kind = check.get("check")
        known = kind in PARAMETERS
        wanted = ("id", "host", "check", *PARAMETERS.get(str(kind), ()))
        missing = [name for name in wanted if check.get(name) in (None, "", [])]
        if missing:
            found.append(f"checks[{number}]: {join(missing)} {'is' if len(missing) == 1 else 'are'} missing.")
        elif not known:
            found.append(
                f"checks[{number}].check: '{kind}' is no kind of check. Known: {', '.join(sorted(PARAMETERS))}."
            )
    names = [check.get("id") for check in checks]
    found += [
        f"checks: the id '{name}' is given twice." for name in sorted({str(n) for n in names if names.count(n) > 1})
    ]
    return found


def join(words: Iterable[str]) -> str:
    """Join words for people: 'a', 'a and b', 'a, b and c'."""
    *front, last = words
    return f"{', '.join(front)} and {last}" if front else last


def of_kind(checks: Iterable[Check], kind: str) -> list[Check]:
    """Pick the checks of one kind."""
    return [check for check in checks if check["check"] == kind]


def redact(text: str, secrets: Iterable[str]) -> str:
    """Replace every secret in a text: what a server answers may quote what it was sent."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "(secret)")
    # LiteLLM quotes a refused key by its end: sk-...Ab1C.
    return re.sub(r"\bsk-[\w.*-]+", "(secret)", text)


# Units and ports


@dataclass(frozen=True)
class Unit:
    """What the user manager says of a unit, for how many seconds its process has been running, and how it ended.

    ``gone`` are the seconds since it was active last.
    """

    name: str
    found: bool
    active: str
    sub: str
    enabled: str
    restarts: int
    uptime: float
    invocation: str = ""
    ended: str = ""
    gone: float = 0.0


ENABLED = "enabled"


def judge_units(units: Sequence[Unit]) -> Verdict:
    """One unit is active and comes back after a reboot; of several, exactly one."""
    active = [unit for unit in units if unit.active == "active"]
    if not active:
        return _inactive(units)
    if len(active) > 1:
        both = f"{join(unit.name for unit in active)} are active"
        return Verdict(FAIL, both, "a change of the gateway was cut off", "run deploy")
    unit, who = active[0], f"{active[0].name} " if len(units) > 1 else ""
    if unit.enabled != ENABLED:
        return Verdict(FAIL, f"{who}active, but {unit.enabled}", "it would not start after a reboot", "run deploy")
    also = [other.name for other in units if other is not unit and other.enabled == ENABLED]
    if also:
        cause = f"after a reboot {join(also)} would start as well"
        return Verdict(FAIL, f"{who}active, {join(also)} enabled", cause, "run deploy")
    return _running(unit, who)


def _running(unit: Unit, who: str) -> Verdict:
    since = who + (f"for {duration(unit.uptime)}" if unit.uptime else unit.sub)
    if not unit.restarts:
        return Verdict(PASS, since)
    # Whether that is well is for the check of its uptime to say.
    return Verdict(PASS, f"{since}, restarted {unit.restarts} {'time' if unit.restarts == 1 else 'times'} by systemd")


def _inactive(units: Sequence[Unit]) -> Verdict:
    found = [unit for unit in units if unit.found]
    if not found:
        return Verdict(FAIL, "no such unit", "it was never deployed, or was removed", "run deploy")
    evidence = ", ".join(f"{unit.name} " * (len(units) > 1) + _gone(unit) for unit in found)
    last = last_active(found)
    cause = "its process keeps ending" if last.sub == "auto-restart" else "its process ended, or somebody stopped it"
    if last.ended:
        cause = f"its process keeps ending: {last.ended}" if last.sub == "auto-restart" else last.ended
    return Verdict(FAIL, evidence, cause, f"run deploy; {_journal(last.name)} says more")


def last_active(units: Sequence[Unit]) -> Unit:
    """Of units none of which is active, the one that was it last."""
    return min(units, key=lambda unit: unit.gone or float("inf"))


def _gone(unit: Unit) -> str:
    return f"{unit.active} ({unit.sub})" + (f" for {duration(unit.gone)}" if unit.gone else "")


def _journal(unit: str) -> str:
    return f"journalctl --user -u {unit}"


@dataclass(frozen=True)
class Holder:
    """A process that holds a listening socket: the unit of the user manager it runs in, and words that name it."""

    unit: str
    words: str


MANAGER_SCOPE = "init.scope"


def judge_port(check: Check, holders: Sequence[Holder]) -> Verdict:
    """The port is held by its unit; a socket unit's port by the user manager itself."""
    port, units = f"{check['bind']}:{check['port']}", check["units"]
    if not holders:
        return Verdict(FAIL, f"nothing listens on {port}", f"{units[0]} did not bind it", _journal(units[0]))
    sockets = [unit for unit in units if unit.endswith(".socket")]
    for holder in holders:
        if holder.unit in units:
            return Verdict(PASS, f"held by {holder.unit}")
    if sockets and any(holder.unit == MANAGER_SCOPE for holder in holders):
        return Verdict(PASS, f"held by the user manager for {sockets[0]}")
    return Verdict(
        FAIL, f"held by {holders[0].words}", f"something else than {units[0]} took the port", "stop it, then run deploy"
    )


def duration(seconds: float) -> str:
    """Say a duration the way people do, with the two largest units."""
    days, rest = divmod(int(seconds), 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{value} {unit}" for value, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")) if value]
    return " ".join(parts[:2]) or "0 s"
