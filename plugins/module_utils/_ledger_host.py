# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The ledger on a host: what units said of themselves when they started, and what they hold once they are ready.

The service module has them observed when it has waited for a start and kept it, so what is written belongs to what was
declared. The preflight's record of the unit tells whose start it was.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _ledger
from ansible_collections.lab.llm_stack.plugins.module_utils._devices import read_cards
from ansible_collections.lab.llm_stack.plugins.module_utils._files import make_dirs, read, write_atomic
from ansible_collections.lab.llm_stack.plugins.module_utils._host_facts import pids_of, resident, run
from ansible_collections.lab.llm_stack.plugins.module_utils._ledger import Entry
from ansible_collections.lab.llm_stack.plugins.module_utils._lock import now
from ansible_collections.lab.llm_stack.plugins.module_utils._systemd import Manager, ManagerError

_PROPERTIES = "Id,ActiveState,InvocationID,ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic"
# Among millions of requests the journal finds these lines by itself.
_TELLING = "Model loading took|KV cache|Graph capturing|buffer size"
_LINES = 400


def record_path(root: str, unit: str) -> str:
    """Where the record of a unit is."""
    return os.path.join(root, "preflight", f"{unit}.json")


def recorded(path: str) -> dict[str, Any]:
    """Read a record; empty where there is none that can be read."""
    with contextlib.suppress(ValueError, OSError, RecursionError):
        found = json.loads(read(path) or b"")
        if isinstance(found, dict):
            return found
    return {}


def ledger_path(root: str) -> str:
    """Where the ledger is."""
    return os.path.join(root, "ledger.json")


def read_ledger(root: str) -> list[Entry]:
    """Read the ledger; empty where there is none yet."""
    with contextlib.suppress(OSError):
        return _ledger.load(read(ledger_path(root)) or b"")
    return []


def learn(manager: Manager, root: str, units: Iterable[str]) -> None:
    """Write into the ledger what units said that have just become ready; those without a preflight are none of ours.

    What cannot be learnt is left out: a service that serves has not failed because its journal cannot be read.
    """
    records = {unit: found for unit in units if (found := recorded(record_path(root, unit)))}
    with contextlib.suppress(OSError, ManagerError):
        fresh = list(_observe(manager, records)) if records else []
        if fresh:
            with _alone(root):
                entries = read_ledger(root)
                for entry in fresh:
                    entries = _ledger.added(entries, entry)
                write_atomic(ledger_path(root), _ledger.dump(entries), 0o600)
                for unit, body in records.items():
                    _allow_more(record_path(root, unit), body, entries)


def _allow_more(path: str, body: Mapping[str, Any], entries: Sequence[Entry]) -> None:
    """Give the next start of a unit, which nobody may watch, as much time as the measured one calls for."""
    identity, allowed = _ledger.identity_from(body.get("identity")), body.get("start_timeout")
    if identity is None or not isinstance(allowed, int):
        return
    wanted = _ledger.start_timeout(entries, identity, allowed)
    if wanted > allowed:
        write_atomic(path, json.dumps({**body, "start_timeout": wanted}, indent=1).encode() + b"\n", 0o600)


@contextlib.contextmanager
def _alone(root: str) -> Iterator[None]:
    """Two runs that learn at the same time must not lose what the other has learnt."""
    make_dirs(root)
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _observe(manager: Manager, records: Mapping[str, Mapping[str, Any]]) -> Iterator[Entry]:
    text = manager.systemctl("show", "--property", _PROPERTIES, "--", *sorted(records))
    for block in text.strip("\n").split("\n\n"):
        facts = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        body = records.get(facts.get("Id", ""), {})
        identity = _ledger.identity_from(body.get("identity"))
        if identity and facts.get("ActiveState") == "active":
            seen = _ledger.observed(_log(facts["Id"], facts.get("InvocationID", ""), manager))
            used = used_by(facts["Id"], str(body.get("backend", "")))
            yield _ledger.entry_of(identity, seen, used, load_seconds(facts), now())


def _log(unit: str, invocation: str, manager: Manager) -> str:
    command = ["journalctl", "--user", "--quiet", "--no-pager", "--output=cat", f"--grep={_TELLING}"]
    found = run([*command, f"_SYSTEMD_INVOCATION_ID={invocation}"]) if invocation else ""
    # A journalctl that was built without regular expressions.
    return found or "\n".join(manager.journal(unit, invocation, _LINES))


def load_seconds(facts: Mapping[str, str]) -> float | None:
    """How long a unit took from its start until it was ready, by the manager's own clock."""
    names = ("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    begun, ready = (facts.get(name, "") for name in names)
    if not (begun.isdigit() and ready.isdigit()) or not 0 < int(begun) <= int(ready):
        return None
    return round((int(ready) - int(begun)) / 1e6, 1)


def used_by(unit: str, backend: str) -> int | None:
    """What the processes of a unit hold: of one card, or of main memory where the engine runs on the CPU."""
    pids = pids_of([unit])[unit]
    if backend == "cpu":
        return sum(map(resident, pids)) or None
    held = [each for each in read_cards(backend, run).holdings if each.pid in pids]
    if not held or any(each.size is None for each in held):
        return None
    return max(sum(each.size or 0 for each in held if each.card == card) for card in {each.card for each in held})
