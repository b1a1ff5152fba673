# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Compare what is wanted with what was found, and decide what happens to each unit.

Pure: everything about the host arrives as values, so the same comparison serves check mode, apply and the tests.
What check mode reports is this comparison; what apply does follows from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.lab.llm_stack.plugins.module_utils._env import generated_content, read_environment, resolved
from ansible_collections.lab.llm_stack.plugins.module_utils._service_decide import decide, unit_text
from ansible_collections.lab.llm_stack.plugins.module_utils._service_items import (
    account_items,
    drop_in_items,
    file_items,
    foreign_drop_in_items,
    port_items,
    unit_items,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    COLOURS,
    ChangeError,
    Comparison,
    Decision,
    Found,
    Item,
    Wanted,
    Write,
)


def compare(wanted: Wanted, found: Found, prune: bool = True) -> Comparison:
    """Compare the declaration with the host."""
    decisions = with_sockets(tuple(decide(wanted, spec, found) for spec in wanted.units))
    writes = tuple(_writes(wanted, decisions))
    # A manifest that somebody edited may claim what is not ours to remove.
    prune = prune and found.manifest.ok
    ours = found.manifest.trusted
    orphan_units = tuple(name for name in ours.units if name not in wanted.unit_names) if prune else ()
    wanted_paths = {write.path for write in writes}
    orphan_files = tuple(p for p in ours.files if p not in wanted_paths and found.exists(p)) if prune else ()
    items = [
        *account_items(found),
        *file_items(wanted, found, writes),
        *(item for decision in decisions for item in unit_items(wanted, decision, found)),
        *drop_in_items(found),
        *port_items(wanted, found, orphan_units, started=True),
        *(Item("orphan-unit", name, "not declared", "left by an earlier run") for name in orphan_units),
        *(
            Item("orphan-port", str(port.port), "free", f"held by {port.unit}")
            for port in found.old_ports
            if port.unit in orphan_units
        ),
        *(
            Item("orphan-file", path, "not declared", "left by an earlier run")
            for path in orphan_files
            if not path.startswith(wanted.unit_dir + "/")
        ),
    ]
    told = (*foreign_drop_in_items(found), *port_items(wanted, found, orphan_units, started=False))
    return Comparison(tuple(items), writes, decisions, orphan_units, orphan_files, told)


def with_sockets(decisions: tuple[Decision, ...]) -> tuple[Decision, ...]:
    """Let a service that inherits its socket follow it: a socket cannot be bound anew while its service runs."""
    anew = [d.serving for d in decisions if d.serving.endswith(".socket") and d.action == "restart"]
    reasons = tuple(f"{socket} is bound anew" for socket in anew)
    return tuple(
        replace(d, action="restart", reasons=reasons)
        if anew and d.action in ("keep", "wait") and any(f"Sockets={name}" in d.spec.body for name in anew)
        else d
        for d in decisions
    )


def with_generated(wanted: Wanted, found: Found) -> Wanted:
    """Give each generated value its content, once: the one on the host, else a new one. Put it where it is named.

    Raises ChangeError where there is a value on the host that cannot be read.
    """
    _refuse_to_lose(wanted, found)
    generated = {
        spec.path: generated_content(spec.content, found.file(spec.path).content, dict(spec.generate))
        for spec in wanted.files
        if spec.generate
    }
    values = {
        name: read_environment(generated[spec.path])[name] for spec in wanted.files for name, _prefix in spec.generate
    }
    files = tuple(
        replace(spec, generate=(), content=resolved(generated.get(spec.path, spec.content), values))
        if spec.secret
        else spec
        for spec in wanted.files
    )
    return replace(wanted, files=files)


def _refuse_to_lose(wanted: Wanted, found: Found) -> None:
    """Clients have the values that were made here, so a new one must never take the place of one that is there."""
    lines = [
        f"{spec.path} cannot be read ({found.file(spec.path).strange}), and holds what was made on this host once: "
        f"{', '.join(name for name, _prefix in spec.generate)}.\n    Make it readable for the account; or remove it, "
        "and whoever has the old value needs the new one. Nothing was changed."
        for spec in wanted.files
        if spec.generate and found.exists(spec.path) and found.file(spec.path).content is None
    ]
    if lines:
        raise ChangeError("\n".join(lines))


def _writes(wanted: Wanted, decisions: tuple[Decision, ...]) -> Iterator[Write]:
    coloured = [decision for decision in decisions if decision.spec.blue_green]
    for spec in wanted.files:
        readers = [decision for decision in coloured if spec.path in decision.spec.inputs] or coloured
        idle = {name.split("@")[-1].split(".")[0] for decision in readers for name in _idle(decision)}
        for path, colour in concrete_paths(spec.path):
            yield Write(path, spec.content, spec.mode, spec.secret, spec.path, late=colour in idle)
    for decision in decisions:
        for name in decision.spec.instances():
            text = unit_text(decision.spec, decision.digest)
            declared = wanted.unit_path(decision.spec.name)
            yield Write(wanted.unit_path(name), text, 0o644, False, declared, late=name in _idle(decision))


def _idle(decision: Decision) -> set[str]:
    """The instances of a unit that will not serve."""
    return (
        {name for name in decision.spec.instances() if name != decision.serving} if decision.spec.blue_green else set()
    )


def concrete_paths(path: str) -> list[tuple[str, str]]:
    """The paths that a declared path stands for, each with its colour (empty where it has none)."""
    return [(path.replace("%i", colour), colour) for colour in COLOURS] if "%i" in path else [(path, "")]
