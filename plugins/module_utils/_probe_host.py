# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at services and their host for the checks of _checks_service and _checks_host. Looks, never changes."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import time
from calendar import timegm
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _host_facts, _proc
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import (
    FAIL,
    SKIPPED,
    Check,
    Unit,
    Verdict,
    last_active,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._checks_host import (
    Card,
    judge_cards,
    judge_disk,
    judge_linger,
    judge_memory,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._checks_service import (
    Times,
    deployed_ago,
    explain_end,
    judge_journal,
    judge_uptime,
    serving,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._devices import read_cards
from ansible_collections.lab.llm_stack.plugins.module_utils._files import read
from ansible_collections.lab.llm_stack.plugins.module_utils._systemd import Manager, lingers

LINES = 5000
"""Of a journal, at most so many lines are read."""

STATE = "~/.local/state/llm-stack"


def ended(found: Mapping[str, str]) -> str:
    """Say how the last process of a unit ended, by its properties; empty where it ended well or runs."""
    result, status = found.get("Result", ""), found.get("ExecMainStatus", "")
    if result in ("signal", "core-dump"):
        return f"its process was ended by signal {status}"
    return {
        "exit-code": f"its process exited with code {status}",
        "oom-kill": "the kernel ended its process for want of memory",
        "timeout": "it was not ready in time",
        "start-limit-hit": "it failed too often in a short time",
    }.get(result, "")


def explained(verdict: Verdict, units: Sequence[Unit]) -> Verdict:
    """Let the journal of a unit that is not active tell the cause, where it is a known one."""
    known = [unit for unit in units if unit.invocation]
    if verdict.state != FAIL or not known or any(unit.active == "active" for unit in units):
        return verdict
    unit = last_active(known)
    return explain_end(verdict, Manager(os.getuid()).journal(unit.name, unit.invocation, LINES))


def _uptime(check: Check, units: Mapping[str, Unit]) -> Verdict:
    unit = serving(units[name] for name in check["units"])
    if unit is None:
        return Verdict(SKIPPED, "no process runs")
    ago = deployed_ago(dict(_manifests()), unit.name, time.time())
    return judge_uptime(check, unit, Times(_booted(), ago))


def _journal(check: Check, units: Mapping[str, Unit]) -> Verdict:
    unit = serving(units[name] for name in check["units"])
    if unit is None:
        return Verdict(SKIPPED, "no process runs")
    lines = Manager(os.getuid()).journal(unit.name, unit.invocation, LINES)
    if not lines:
        return Verdict(SKIPPED, "its journal is empty or cannot be read")
    return judge_journal({**check, "unit": unit.name}, lines)


def _linger(_check: Check, _units: Mapping[str, Unit]) -> Verdict:
    account = pwd.getpwuid(os.getuid()).pw_name
    return judge_linger(account, lingers(account))


def _disk(check: Check, _units: Mapping[str, Unit]) -> Verdict:
    path = os.path.expanduser("~")
    usage = shutil.disk_usage(path)
    return judge_disk(check, path, usage.free, usage.total)


def _memory(check: Check, _units: Mapping[str, Unit]) -> Verdict:
    found = _host_facts.main_memory()
    return judge_memory(check, found.available if found else None, found.total if found else 0)


def _cards(check: Check, _units: Mapping[str, Unit]) -> Verdict:
    records = {unit: _record(f"{STATE}/preflight/{unit}.json") for unit in check["units"]}
    backends = sorted({str(each["backend"]) for each in records.values() if each.get("backend", "cpu") != "cpu"})
    return judge_cards(check, [card for backend in backends for card in _seen(backend)], records)


def _seen(backend: str) -> Iterator[Card]:
    found = read_cards(backend, _host_facts.run)
    for device in found.devices:
        held: dict[str, int] = {}
        for each in found.holdings:
            if each.card in ("", device.uuid):
                unit = _proc.unit_of(each.pid)
                held[unit] = held.get(unit, 0) + max(each.size or 0, 1)
        yield Card(device.name, device.total or 0, device.used or 0, held)


LOOKS: Mapping[str, Callable[[Check, Mapping[str, Unit]], Verdict]] = {
    "unit_uptime": _uptime,
    "journal_clean": _journal,
    "linger": _linger,
    "disk": _disk,
    "memory": _memory,
    "cards": _cards,
}


def _manifests() -> Iterator[tuple[str, tuple[float, Sequence[str]]]]:
    """Yield, for each transaction of this account, when it was deployed last, and its units."""
    root = os.path.expanduser(STATE)
    for name in os.listdir(root) if os.path.isdir(root) else ():
        found = _record(os.path.join(root, name, "manifest.json"))
        if "written" in found and isinstance(found.get("units"), list):
            yield name, (float(timegm(time.strptime(found["written"], "%Y-%m-%dT%H:%M:%SZ"))), found["units"])


def deployed_commit(declared: str = "") -> str:
    """The commit that was deployed last on this host, or the first of several that is not the declared one.

    Each transaction notes its own; earlier versions noted one for the whole account. Empty where none was noted.
    """
    root = os.path.expanduser(STATE)
    noted = {_commit(f"{root}/{name}/source") or _commit(f"{root}/source") for name, _deployed in _manifests()}
    noted.discard("")
    return min(noted - {declared}, default=declared if noted else "")


def _commit(path: str) -> str:
    return (read(path) or b"").decode("ascii", "replace").strip()


def _record(path: str) -> dict[str, Any]:
    try:
        found = json.loads(read(os.path.expanduser(path)) or b"{}")
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _booted() -> float:
    """For how many seconds the host has been up, which for a container is since its own first process."""
    return time.time() - _proc.started_at(1)
