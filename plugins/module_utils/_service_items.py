# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Word every difference between a declaration and a host as an item."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ansible_collections.lab.llm_stack.plugins.module_utils._service_decide import reload_needed, unit_text
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    Decision,
    FileFound,
    Found,
    Item,
    Wanted,
    Write,
)


def file_items(wanted: Wanted, found: Found, writes: tuple[Write, ...]) -> Iterator[Item]:
    for write in writes:
        actual = differs(write, found.file(write.path))
        if actual:
            kind = "unit-file" if write.path.startswith(wanted.unit_dir + "/") else "file"
            expected = f"mode {write.mode:04o}" if actual.startswith("mode") else "as declared"
            yield Item(kind, write.path, expected, actual)


def unit_items(wanted: Wanted, decision: Decision, found: Found) -> Iterator[Item]:
    spec, unit = decision.spec, found.unit(decision.serving)
    current = [name for name in spec.instances() if found.unit(name).alive] or [decision.serving]
    if decision.action in ("start", "wait"):
        actual = f"{unit.active} ({unit.result})" if unit.active == "failed" else f"{unit.active}, {unit.sub}"
        yield Item("not-active", decision.serving, "active", actual)
    # Of a gateway that was cut off while it changed, both colours may run.
    for name in current if decision.action in ("restart", "switch") else ():
        yield Item("stale-process", name, "runs what is declared", "; ".join(decision.reasons))
    if decision.action == "stop":
        yield Item("active", current[0], "stopped", found.unit(current[0]).active)
    yield from _enablement_items(decision, found)
    if (
        decision.action == "keep"
        and spec.started
        and reload_needed(unit, decision.digest, found)
        and not differs_on_disk(wanted, decision, found)
    ):
        yield Item("daemon-reload", decision.serving, "the unit as on disk", "the manager holds another version")


def differs_on_disk(wanted: Wanted, decision: Decision, found: Found) -> bool:
    """Whether the serving unit's file is not the declared one."""
    file = found.file(wanted.unit_path(decision.serving))
    return file.content != unit_text(decision.spec, decision.digest)


def _enablement_items(decision: Decision, found: Found) -> Iterator[Item]:
    spec = decision.spec
    state = found.unit(decision.serving).file_state
    if spec.enabled and state != "enabled" and decision.action != "switch":
        yield Item("not-enabled", decision.serving, "enabled", state or "unknown to the manager")
    if not spec.enabled and state == "enabled":
        yield Item("enabled", decision.serving, "disabled", state)
    if decision.action == "switch":
        return
    for name in decision.retire:
        unit = found.unit(name)
        if unit.alive:
            yield Item("active", name, f"idle while {decision.serving} serves", unit.active)
        if unit.file_state == "enabled":
            yield Item("enabled", name, f"disabled while {decision.serving} serves", unit.file_state)


def account_items(found: Found) -> Iterator[Item]:
    if not found.linger:
        yield Item("linger", found.account, "lingers, so that services start at boot", "does not linger")
    if found.interrupted:
        yield Item(
            "interrupted-run", "transaction", "ended", f"a run of {found.interrupted} was killed before it ended"
        )
    if found.manifest.exists and not found.manifest.ok:
        yield Item("manifest", "manifest", "as the last run wrote it", "edited")
    elif not found.manifest.exists and any(file.content is not None for file in found.files.values()):
        yield Item("manifest", "manifest", "as the last run wrote it", "absent")
    for path, mode in found.open_directories.items():
        yield Item("open-directory", path, "writable by its owner alone", f"mode {mode:04o}")
    for path in found.leftovers:
        yield Item("leftover", path, "absent", "a temporary file of a killed run")


def drop_in_items(found: Found) -> Iterator[Item]:
    for path in found.drop_ins:
        yield Item("extra-dropin", path, "absent", "changes a unit of ours")


def foreign_drop_in_items(found: Found) -> Iterator[Item]:
    for path in found.foreign_drop_ins:
        remedy = "as an administrator, remove it, or move it to service.d if it is meant for every service"
        yield Item("foreign-dropin", path, "absent", "changes a unit of ours", remedy)


def port_items(wanted: Wanted, found: Found, orphans: Collection[str], *, started: bool) -> Iterator[Item]:
    """Ports that a stranger holds: those of units that are to run, or those of units that are to be stopped.

    The latter are in nobody's way before such a unit is to serve. Units that this run removes will set theirs free.
    """
    ours = {*wanted.unit_names, *orphans}
    owners = {port: spec.name for spec in wanted.units if spec.started == started for port in spec.listens}
    for port in found.ports:
        if port.holder and port.unit not in ours and port.port in owners:
            name = owners[port.port]
            expected = f"held by {name}" if started else f"free until {name} is to serve"
            remedy = "stop it, or declare another port"
            yield Item("foreign-port-owner", str(port.port), expected, port.holder, remedy)


def differs(write: Write, file: FileFound) -> str:
    """What is wrong with a file, in words; empty where nothing is."""
    if file.strange:
        return file.strange
    if file.content is None:
        return "absent"
    if file.content != write.content:
        return "other content"
    return f"mode {file.mode:04o}" if file.mode != write.mode else ""
