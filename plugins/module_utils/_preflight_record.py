# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the preflight leaves on a host: a record for each unit that passed, and the ledger of what starts really took.

A start is observed twice at most: when the service module has waited for it, and by the next preflight. Both read the
same journal and write the same entry.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _ledger
from ansible_collections.lab.llm_stack.plugins.module_utils._devices import read_cards
from ansible_collections.lab.llm_stack.plugins.module_utils._files import make_dirs, read, write_atomic
from ansible_collections.lab.llm_stack.plugins.module_utils._host_facts import pids_of, resident, run
from ansible_collections.lab.llm_stack.plugins.module_utils._ledger import Entry, Identity
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import Finding, Outcome
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import render
from ansible_collections.lab.llm_stack.plugins.module_utils._state import now
from ansible_collections.lab.llm_stack.plugins.module_utils._systemd import Manager, ManagerError

_PROPERTIES = "Id,ActiveState,InvocationID,ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic"
# A log of vLLM that starts has a few hundred lines; what follows is one line for each request.
_LINES = 4000


def record_path(root: str, unit: str) -> str:
    """Where the record of a unit is."""
    return os.path.join(root, "preflight", f"{unit}.json")


def recorded(path: str) -> dict[str, Any]:
    """Read a record; empty where there is none that can be read."""
    with contextlib.suppress(ValueError, OSError):
        found = json.loads(read(path) or b"")
        if isinstance(found, dict):
            return found
    return {}


def record(outcome: Outcome, identity: Identity, backend: str) -> bytes:
    """Write down that an instance passed, with the numbers it passed with."""
    body = {
        "format": 1,
        "digest": outcome.instance.digest,
        "unit": outcome.instance.unit,
        "written": now(),
        **told(outcome),
        "backend": backend,
        "identity": asdict(identity),
    }
    return json.dumps(body, indent=1).encode() + b"\n"


def told(outcome: Outcome) -> dict[str, Any]:
    """Give what people and programs are told of an outcome; it holds no secret, since the preflight is given none."""
    fit = outcome.fit
    return {
        "name": outcome.instance.name,
        "verdict": outcome.verdict,
        "card": outcome.card,
        "largest_context": fit.largest if fit else None,
        "start_timeout": outcome.start_timeout,
        "measured": outcome.measured,
        "fit": fit.as_dict() if fit else None,
        "refused": [_told(each) for each in outcome.refusals],
        "warnings": [_told(each) for each in outcome.warnings],
    }


def _told(finding: Finding) -> dict[str, str]:
    return {"code": finding.code, "text": render(finding.problem)}


# -- the ledger -------------------------------------------------------------------------------------------------------


def ledger_path(root: str) -> str:
    """Where the ledger is."""
    return os.path.join(root, "ledger.json")


def read_ledger(root: str) -> list[Entry]:
    """Read the ledger; empty where there is none yet."""
    with contextlib.suppress(OSError):
        return _ledger.load(read(ledger_path(root)) or b"")
    return []


def learn(manager: Manager, root: str, write: bool = True) -> list[Entry]:
    """Observe the units that run and passed a preflight, and return the ledger with them.

    A start that is in the ledger is not looked at again. Without ``write`` nothing is changed on the host.
    """
    entries = read_ledger(root)
    fresh = list(_observe(manager, root, entries))
    if fresh and write:
        with _alone(root):
            entries = read_ledger(root)
            for entry in fresh:
                entries = _ledger.added(entries, entry)
            write_atomic(ledger_path(root), _ledger.dump(entries), 0o600)
        return entries
    for entry in fresh:
        entries = _ledger.added(entries, entry)
    return entries


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


def _observe(manager: Manager, root: str, entries: Sequence[Entry]) -> Iterator[Entry]:
    known = dict(_recorded_units(root))
    if not known or not manager.present():
        return
    try:
        text = manager.systemctl("show", "--property", _PROPERTIES, "--", *known)
    except ManagerError:
        return
    for block in text.strip("\n").split("\n\n"):
        facts = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        body = known.get(facts.get("Id", ""))
        identity = _ledger.identity_from(body.get("identity")) if body else None
        if body is None or identity is None or facts.get("ActiveState") != "active":
            continue
        if _stale(_ledger.matching(entries, identity), facts):
            seen = _ledger.observed("\n".join(manager.journal(facts["Id"], facts.get("InvocationID", ""), _LINES)))
            used = used_by(facts["Id"], str(body.get("backend", "")))
            yield _ledger.entry_of(identity, seen, used, load_seconds(facts), now())


def _recorded_units(root: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(os.path.join(root, "preflight"))):
            if name.endswith(".service.json"):
                yield name[: -len(".json")], recorded(record_path(root, name[: -len(".json")]))


def _stale(entry: Entry | None, facts: Mapping[str, str]) -> bool:
    """Whether there is something to learn: no entry, or none with the time of a start."""
    return entry is None or entry.weights is None or (entry.load_seconds is None and load_seconds(facts) is not None)


def load_seconds(facts: Mapping[str, str]) -> float | None:
    """How long a unit took from its start until it was ready, by the manager's own clock."""
    begun, ready = (
        facts.get(name, "") for name in ("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    )
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
    by_card = {card: sum(each.size or 0 for each in held if each.card == card) for card in {each.card for each in held}}
    return max(by_card.values())
