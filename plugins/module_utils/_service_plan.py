# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Compare what is wanted with what was found, and decide what happens to each unit.

Pure: everything about the host arrives as values, so the same comparison serves check mode, apply and the tests.
What check mode reports is this comparison; what apply does follows from it.
"""

from __future__ import annotations

import hashlib
import hmac
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ansible_collections.lab.llm_stack.plugins.module_utils._env import generated_content, read_environment
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    COLOURS,
    DIGEST_MARK,
    FileFound,
    Found,
    Item,
    UnitFound,
    UnitSpec,
    Wanted,
)

ABSENT = FileFound()
CLOCK_SLACK = 1.0
"""Seconds by which file times and process times are not told apart: the kernel counts process starts in ticks."""


@dataclass(frozen=True)
class Write:
    """One concrete file as it must end up. ``late`` files belong to the idle colour and wait for the switch."""

    path: str
    content: bytes
    mode: int
    secret: bool
    declared: str
    """The path as declared: ``%i`` or ``@.`` stands for the colour."""
    late: bool = False


@dataclass(frozen=True)
class Decision:
    """What happens to one unit, and why. ``serving`` is the unit that serves afterwards."""

    spec: UnitSpec
    action: str
    serving: str
    digest: str
    reasons: tuple[str, ...] = ()
    retire: tuple[str, ...] = ()
    """Units that stop and are disabled once ``serving`` is ready."""


@dataclass(frozen=True)
class Comparison:
    """All differences, and what follows from them."""

    items: tuple[Item, ...]
    writes: tuple[Write, ...]
    decisions: tuple[Decision, ...]
    orphan_units: tuple[str, ...]
    orphan_files: tuple[str, ...]


def compare(wanted: Wanted, found: Found, prune: bool = True) -> Comparison:
    """Compare the declaration with the host."""
    decisions = tuple(decide(wanted, spec, found) for spec in wanted.units)
    writes = tuple(_writes(wanted, decisions))
    orphan_units = tuple(name for name in found.manifest.units if name not in _unit_names(wanted)) if prune else ()
    wanted_paths = {write.path for write in writes}
    orphan_files = tuple(p for p in found.manifest.files if p not in wanted_paths and exists(found, p)) if prune else ()
    items = [
        *_account_items(found),
        *_file_items(wanted, found, writes),
        *(item for decision in decisions for item in _unit_items(wanted, decision, found)),
        *_drop_in_items(found),
        *_port_items(wanted, found),
        *(Item("orphan-unit", name, "not declared", "left by an earlier run") for name in orphan_units),
        *(
            Item("orphan-file", path, "not declared", "left by an earlier run")
            for path in orphan_files
            if not path.startswith(wanted.unit_dir + "/")
        ),
    ]
    return Comparison(tuple(items), writes, decisions, orphan_units, orphan_files)


def exists(found: Found, path: str) -> bool:
    """Whether anything is at this path."""
    file = found.files.get(path, ABSENT)
    return file.content is not None or bool(file.strange)


def unit_path(wanted: Wanted, name: str) -> str:
    """Where a unit's file lives."""
    return f"{wanted.unit_dir}/{name}"


def with_generated(wanted: Wanted, found: Found) -> Wanted:
    """Give each generated value its content, once: the one on the host, else a new one."""
    files = tuple(
        replace(
            spec,
            generate=(),
            content=generated_content(spec.content, content_of(found, spec.path), dict(spec.generate)),
        )
        if spec.generate
        else spec
        for spec in wanted.files
    )
    return replace(wanted, files=files)


def content_of(found: Found, path: str) -> bytes | None:
    """What a file on the host holds; None where there is none."""
    return found.files.get(path, ABSENT).content


def unit_digest(wanted: Wanted, spec: UnitSpec, found: Found) -> str:
    """A keyed digest of everything a unit's process reads at start: body, inputs, and what is installed.

    It is the same for both colours. The key never leaves the host, so that a digest tells nothing about a secret.
    """
    digest = hmac.new(found.salt, spec.body.encode(), hashlib.sha256)
    files = {file.path: file for file in wanted.files}
    for path in sorted(spec.inputs):
        content = files[path].content if path in files else content_of(found, path)
        digest.update(b"\0" + path.encode() + b"\0" + (content or b""))
    for requirement in wanted.requires:
        if requirement.path in spec.body:
            digest.update(b"\0" + requirement.digest.encode() + found.requires.get(requirement.path, "").encode())
    return digest.hexdigest()[:16]


def decide(wanted: Wanted, spec: UnitSpec, found: Found) -> Decision:
    """Decide what happens to one unit."""
    digest = unit_digest(wanted, spec, found)
    if not spec.started:
        live = any(_unit(found, name).alive for name in spec.instances())
        return Decision(spec, "stop" if live else "keep", spec.instance("a"), digest)
    return (
        _decide_blue_green(wanted, spec, found, digest) if spec.blue_green else _decide_one(wanted, spec, found, digest)
    )


def _decide_one(wanted: Wanted, spec: UnitSpec, found: Found, digest: str) -> Decision:
    unit = _unit(found, spec.name)
    if not unit.alive:
        return Decision(spec, "start", spec.name, digest, (unit.active,))
    reasons = (*_stale(wanted, spec, unit, digest, found), *_deaf(spec, unit, found))
    if not reasons and unit.sub == "auto-restart":
        reasons = ("it is in a restart loop",)
    return Decision(spec, "restart" if reasons else "keep" if unit.running else "wait", spec.name, digest, reasons)


def _decide_blue_green(wanted: Wanted, spec: UnitSpec, found: Found, digest: str) -> Decision:
    units = {name: _unit(found, name) for name in spec.instances()}
    alive = sorted(
        (name for name, unit in units.items() if unit.alive),
        key=lambda name: (not units[name].running, units[name].file_state != "enabled", name),
    )
    stale = {name: tuple(_stale(wanted, spec, units[name], digest, found)) for name in alive}
    fresh = [name for name in alive if not stale[name]]
    enabled = [name for name, unit in units.items() if unit.file_state == "enabled"]
    if fresh:
        serving, action, reasons = fresh[0], "keep" if units[fresh[0]].running else "wait", ()
    elif alive:
        serving = next((name for name in units if name not in alive), spec.instance("b"))
        action, reasons = "switch", stale[alive[0]]
    else:
        serving = (enabled or [spec.instance("a")])[0]
        action, reasons = "start", (units[serving].active,)
    retire = tuple(name for name in units if name != serving and (units[name].alive or name in enabled))
    return Decision(spec, action, serving, digest, reasons, retire)


def _stale(wanted: Wanted, spec: UnitSpec, unit: UnitFound, digest: str, found: Found) -> Iterator[str]:
    """Why the running process is not the declared one.

    Three witnesses: the digest in its environment, the variables themselves, and files that were edited before it
    started (the digest in the unit cannot know of those).
    """
    if not unit.pid and not unit.name.endswith(".service"):
        if unit.digest != digest:
            yield "its declaration changed"
        return
    if unit.process_digest != digest:
        yield "its declaration changed" if unit.process_digest else "it was not started from its unit"
        return
    for path, expected in _read_at_start(wanted, spec, unit.name, digest):
        file = found.files.get(path, ABSENT)
        if file.content not in (None, expected) and file.changed_at <= unit.started_at + CLOCK_SLACK:
            yield f"it has read {_base(path)} as edited on the host"
    yield from _strange_variables(wanted, spec, unit)


def _deaf(spec: UnitSpec, unit: UnitFound, found: Found) -> Iterator[str]:
    """A reason for each declared port on which a running unit does not listen."""
    for port in found.ports:
        if port.port in spec.listens and unit.running and not port.unit and not port.holder:
            yield f"nobody listens on {port.port}"


def _read_at_start(wanted: Wanted, spec: UnitSpec, unit: str, digest: str) -> Iterator[tuple[str, bytes]]:
    """Yield path and declared content of each file that a unit's process reads when it starts."""
    yield unit_path(wanted, unit), unit_text(spec, digest)
    colour = unit.rsplit("@", 1)[-1].split(".")[0]
    for file in wanted.files:
        if file.path in spec.inputs:
            yield file.path.replace("%i", colour), file.content


def _strange_variables(wanted: Wanted, spec: UnitSpec, unit: UnitFound) -> Iterator[str]:
    """Yield a reason for each watched variable whose value in the process is not the declared one."""
    if not spec.watch:
        return
    declared: dict[str, str] = {}
    for file in wanted.files:
        if file.path in spec.environment_files:
            declared.update(read_environment(file.content))
    own = _assigned(spec.body)
    for name in sorted({*declared, *unit.process} - own):
        if name.startswith(spec.watch) and declared.get(name) != unit.process.get(name):
            yield f"its environment has another {name}"


def _assigned(body: str) -> set[str]:
    """The variables that a unit's own text sets; its digest covers their values."""
    lines = (line[len("Environment=") :] for line in body.splitlines() if line.startswith("Environment="))
    return {word.partition("=")[0] for line in lines for word in shlex.split(line)}


def unit_text(spec: UnitSpec, digest: str) -> bytes:
    """The text of a unit's file."""
    return spec.body.replace(DIGEST_MARK, digest).encode()


def _writes(wanted: Wanted, decisions: tuple[Decision, ...]) -> Iterator[Write]:
    idle = {name for d in decisions if d.spec.blue_green for name in d.spec.instances() if name != d.serving}
    idle_colours = {name.split("@")[-1].split(".")[0] for name in idle}
    for spec in wanted.files:
        for path, colour in concrete_paths(spec.path):
            yield Write(path, spec.content, spec.mode, spec.secret, spec.path, late=colour in idle_colours)
    for decision in decisions:
        for name in decision.spec.instances():
            text = unit_text(decision.spec, decision.digest)
            declared = unit_path(wanted, decision.spec.name)
            yield Write(unit_path(wanted, name), text, 0o644, False, declared, late=name in idle)


def concrete_paths(path: str) -> list[tuple[str, str]]:
    """The paths that a declared path stands for, each with its colour (empty where it has none)."""
    return [(path.replace("%i", colour), colour) for colour in COLOURS] if "%i" in path else [(path, "")]


def differs(write: Write, file: FileFound) -> str:
    """What is wrong with a file, in words; empty where nothing is."""
    if file.strange:
        return file.strange
    if file.content is None:
        return "absent"
    if file.content != write.content:
        return "other content"
    return f"mode {file.mode:04o}" if file.mode != write.mode else ""


def _file_items(wanted: Wanted, found: Found, writes: tuple[Write, ...]) -> Iterator[Item]:
    for write in writes:
        actual = differs(write, found.files.get(write.path, ABSENT))
        if actual:
            kind = "unit-file" if write.path.startswith(wanted.unit_dir + "/") else "file"
            expected = f"mode {write.mode:04o}" if actual.startswith("mode") else "as declared"
            yield Item(kind, write.path, expected, actual)


def _unit_items(wanted: Wanted, decision: Decision, found: Found) -> Iterator[Item]:
    spec, unit = decision.spec, _unit(found, decision.serving)
    current = [name for name in spec.instances() if _unit(found, name).alive] or [decision.serving]
    if decision.action in ("start", "wait"):
        actual = f"{unit.active} ({unit.result})" if unit.active == "failed" else f"{unit.active}, {unit.sub}"
        yield Item("not-active", decision.serving, "active", actual)
    if decision.action in ("restart", "switch"):
        yield Item("stale-process", current[0], "runs what is declared", "; ".join(decision.reasons))
    if decision.action == "stop":
        yield Item("active", current[0], "stopped", _unit(found, current[0]).active)
    yield from _enablement_items(decision, found)
    if (
        decision.action == "keep"
        and spec.started
        and unit.digest != decision.digest
        and not differs_on_disk(wanted, decision, found)
    ):
        yield Item("daemon-reload", decision.serving, "the unit as on disk", "the manager holds another version")


def differs_on_disk(wanted: Wanted, decision: Decision, found: Found) -> bool:
    """Whether the serving unit's file is not the declared one."""
    file = found.files.get(unit_path(wanted, decision.serving), ABSENT)
    return file.content != unit_text(decision.spec, decision.digest)


def _enablement_items(decision: Decision, found: Found) -> Iterator[Item]:
    spec = decision.spec
    state = _unit(found, decision.serving).file_state
    if spec.enabled and state != "enabled" and decision.action != "switch":
        yield Item("not-enabled", decision.serving, "enabled", state or "unknown to the manager")
    if not spec.enabled and state == "enabled":
        yield Item("enabled", decision.serving, "disabled", state)
    if decision.action == "switch":
        return
    for name in decision.retire:
        unit = _unit(found, name)
        if unit.alive:
            yield Item("active", name, f"idle while {decision.serving} serves", unit.active)
        if unit.file_state == "enabled":
            yield Item("enabled", name, f"disabled while {decision.serving} serves", unit.file_state)


def _account_items(found: Found) -> Iterator[Item]:
    if not found.linger:
        yield Item("linger", "account", "lingers, so that services start at boot", "does not linger")
    if found.interrupted:
        yield Item(
            "interrupted-run", "transaction", "ended", f"a run of {found.interrupted} was killed before it ended"
        )
    if found.manifest.exists and not found.manifest.ok:
        yield Item("manifest", "manifest", "as the last run wrote it", "edited")
    elif not found.manifest.exists and any(file.content is not None for file in found.files.values()):
        yield Item("manifest", "manifest", "as the last run wrote it", "absent")
    for path in found.leftovers:
        yield Item("leftover", path, "absent", "a temporary file of a killed run")


def _drop_in_items(found: Found) -> Iterator[Item]:
    for path in found.drop_ins:
        yield Item("extra-dropin", path, "absent", "changes a unit of ours")


def _port_items(wanted: Wanted, found: Found) -> Iterator[Item]:
    ours = _unit_names(wanted) | set(found.manifest.units)
    for port in found.ports:
        spec = next(spec for spec in wanted.units if port.port in spec.listens)
        if port.holder and port.unit not in ours:
            yield Item(
                "foreign-port-owner",
                str(port.port),
                f"held by {spec.name}",
                port.holder,
                "stop it, or declare another port",
            )


def _unit_names(wanted: Wanted) -> set[str]:
    return {name for spec in wanted.units for name in spec.instances()}


def _unit(found: Found, name: str) -> UnitFound:
    return found.units.get(name, UnitFound(name))


def _base(path: str) -> str:
    return path.rsplit("/", 1)[-1]
