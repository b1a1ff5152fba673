# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Decide what happens to a unit, from its declaration and the process that runs."""

from __future__ import annotations

import hashlib
import hmac
import re
import shlex
from collections.abc import Iterator

from ansible_collections.lab.llm_stack.plugins.module_utils._env import read_environment
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    DIGEST_MARK,
    Decision,
    Found,
    UnitFound,
    UnitSpec,
    Wanted,
)

ORDER = (b"After=", b"Before=", b"Conflicts=")
"""Lines of a unit that say with whom it runs: the manager minds them, and the process never learns of them."""
OTHER_PROGRAM = "its program, its command line or what it was made to load is not as it was deployed"
CLOCK_SLACK = 1.0
"""Seconds by which file times and process times are not told apart: the kernel counts process starts in ticks."""


def unit_digest(wanted: Wanted, spec: UnitSpec, found: Found) -> str:
    """A keyed digest of everything a unit's process reads at start: body, inputs, and what is installed.

    It is the same for both colours. The key never leaves the host, so that a digest tells nothing about a secret. A
    unit that carries none, a timer, has no process that could be stale.
    """
    if DIGEST_MARK not in spec.body:
        return ""
    digest = hmac.new(found.salt, _without_order(spec.body.encode()), hashlib.sha256)
    files = {file.path: file for file in wanted.files}
    for path in sorted(spec.inputs):
        content = files[path].content if path in files else found.file(path).content
        digest.update(b"\0" + path.encode() + b"\0" + (content or b""))
    body = _unescaped(spec.body, wanted.home)
    for requirement in wanted.requires:
        if requirement.path in body:
            digest.update(b"\0" + requirement.digest.encode() + found.requires.get(requirement.path, "").encode())
    return digest.hexdigest()[:16]


def _unescaped(body: str, home: str) -> str:
    """A unit's text with paths as they are, where systemd has specifiers and escaped characters."""
    specifiers = {"h": home, "%": "%"}
    expanded = re.sub(r"%(.)", lambda found: specifiers.get(found[1], found[0]), body)
    return re.sub(r"\\(.)", r"\1", expanded)


def decide(wanted: Wanted, spec: UnitSpec, found: Found) -> Decision:
    """Decide what happens to one unit."""
    digest = unit_digest(wanted, spec, found)
    if not spec.started:
        live = any(found.unit(name).alive for name in spec.instances())
        return Decision(spec, "stop" if live else "keep", spec.instance("a"), digest)
    return (
        _decide_blue_green(wanted, spec, found, digest) if spec.blue_green else _decide_one(wanted, spec, found, digest)
    )


def _decide_one(wanted: Wanted, spec: UnitSpec, found: Found, digest: str) -> Decision:
    unit = found.unit(spec.name)
    if not unit.alive:
        return Decision(spec, "start", spec.name, digest, (unit.active,))
    reasons = (*_stale(wanted, spec, unit, digest, found), *_deaf(spec, unit, found))
    return Decision(spec, "restart" if reasons else "keep" if unit.running else "wait", spec.name, digest, reasons)


def _decide_blue_green(wanted: Wanted, spec: UnitSpec, found: Found, digest: str) -> Decision:
    units = {name: found.unit(name) for name in spec.instances()}
    alive = sorted(
        (name for name, unit in units.items() if unit.alive),
        key=lambda name: (not units[name].running, units[name].file_state != "enabled", name),
    )
    stale = {name: tuple(_stale(wanted, spec, units[name], digest, found)) for name in alive}
    fresh = [name for name in alive if not stale[name]]
    enabled = [name for name, unit in units.items() if unit.file_state == "enabled"]
    reasons: tuple[str, ...] = ()
    if fresh:
        serving, action = fresh[0], "keep" if units[fresh[0]].running else "wait"
    elif alive:
        serving = next((name for name in units if name not in alive), alive[-1])
        action, reasons = "switch", stale[alive[0]]
    else:
        serving = (enabled or [spec.instance("a")])[0]
        action, reasons = "start", (units[serving].active,)
    retire = tuple(name for name in units if name != serving and (units[name].alive or name in enabled))
    return Decision(spec, action, serving, digest, reasons, retire)


def _stale(wanted: Wanted, spec: UnitSpec, unit: UnitFound, digest: str, found: Found) -> Iterator[str]:
    """Why the running process is not the declared one.

    Four witnesses: the digest in its environment, the variables themselves, files that were edited before it started
    (the digest in the unit cannot know of those), and the command line that the last run left it with.
    """
    yield from (f"it may run with {_base(path)}" for path in unit.drop_ins if path in found.drop_ins)
    if unit.sub == "auto-restart":
        yield "it waits to be restarted"
        return
    if not unit.pid and not unit.name.endswith(".service"):
        if unit.digest != digest:
            yield "what it runs from changed"
        return
    if unit.process_digest != digest:
        yield "what it runs from changed" if unit.process_digest else "it was not started from its unit"
        return
    reasons = [*_edited(wanted, spec, unit, digest, found), *_strange_variables(wanted, spec, unit)]
    known = found.manifest.trusted.deployed.get(unit.name, {}).get("program")
    if not reasons and known and unit.program and unit.program != known:
        reasons = [OTHER_PROGRAM]
    yield from reasons


def _edited(wanted: Wanted, spec: UnitSpec, unit: UnitFound, digest: str, found: Found) -> Iterator[str]:
    """Yield a reason for each file that was edited before the process started and read it."""
    for path, expected in _read_at_start(wanted, spec, unit.name, digest):
        file = found.file(path)
        same = file.content is None or _without_order(file.content) == _without_order(expected)
        if not same and file.changed_at <= unit.started_at + CLOCK_SLACK:
            yield f"it has read {_base(path)} as edited on the host"


def reload_needed(unit: UnitFound, digest: str, found: Found) -> bool:
    """Whether the manager holds another version of a unit than the one that was deployed with this digest."""
    known = found.manifest.trusted.deployed.get(unit.name, {}).get("memory")
    return unit.digest != digest or bool(known and unit.load == "loaded" and unit.memory != known)


def _deaf(spec: UnitSpec, unit: UnitFound, found: Found) -> Iterator[str]:
    """A reason for each declared port on which a running unit does not listen."""
    for port in found.ports:
        if port.port in spec.listens and unit.running and not port.unit and not port.holder:
            yield f"nobody listens on {port.port}"


def _read_at_start(wanted: Wanted, spec: UnitSpec, unit: str, digest: str) -> Iterator[tuple[str, bytes]]:
    """Yield path and declared content of each file that a unit's process reads when it starts."""
    yield wanted.unit_path(unit), unit_text(spec, digest)
    colour = unit.rsplit("@", 1)[-1].split(".", maxsplit=1)[0]
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


def _without_order(text: bytes) -> bytes:
    """A unit without its relations to others: when a neighbour comes or goes, a process that runs can stay."""
    return b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(ORDER))


def unit_text(spec: UnitSpec, digest: str) -> bytes:
    """The text of a unit's file."""
    return spec.body.replace(DIGEST_MARK, digest).encode()


def _base(path: str) -> str:
    return path.rsplit("/", 1)[-1]
