# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Read everything about one transaction from the host, and change nothing."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import re
import stat
from collections.abc import Container, Iterable, Iterator, Mapping

from ansible_collections.lab.llm_stack.plugins.module_utils import _proc
from ansible_collections.lab.llm_stack.plugins.module_utils._files import (
    TEMPORARY_PREFIX,
    TEMPORARY_SUFFIX,
    is_ours,
    read,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._manifest import Manifest
from ansible_collections.lab.llm_stack.plugins.module_utils._service_plan import concrete_paths
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    DIGEST_VARIABLE,
    Decision,
    FileFound,
    Found,
    Port,
    PortFound,
    UnitFound,
    Wanted,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._state import State
from ansible_collections.lab.llm_stack.plugins.module_utils._systemd import REMEMBERED, Manager, lingers

ADMINISTRATORS = "/etc/systemd/user"
"""Where an administrator puts drop-ins for the units of every account."""
ENDED_BY_SIGNAL = ("2", "3")
"""What the kernel calls CLD_KILLED and CLD_DUMPED."""


def read_found(wanted: Wanted, manager: Manager, state: State, account: str, requires: Mapping[str, str]) -> Found:
    """Read files, units, processes, ports and records of one transaction; ``requires`` maps paths to identities."""
    manifest = state.manifest()
    names = sorted({name for spec in wanted.units for name in spec.instances()} | set(manifest.units))
    paths = sorted(_all_paths(wanted, names) | set(manifest.files))
    present = manager.present()
    units = read_units(manager, names) if present else {}
    drop_ins, foreign = _drop_ins(wanted, units)
    directories = {os.path.dirname(path) for path in paths} | {state.root, state.directory}
    return Found(
        files={path: read_file(path) for path in paths},
        units=units,
        ports=tuple(_ports(wanted, units)),
        old_ports=tuple(_old_ports(wanted, manifest, units)),
        drop_ins=tuple(drop_ins),
        foreign_drop_ins=tuple(foreign),
        open_directories=dict(_open_directories(directories)),
        leftovers=tuple(_leftovers(directories)),
        account=account,
        manager=present,
        linger=lingers(account),
        manifest=manifest,
        interrupted=state.interrupted(),
        requires=requires,
        salt=state.salt(),
    )


def read_file(path: str) -> FileFound:
    """Read one file; one that is no plain file of this account is described too, and replaced by a deploy."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return FileFound()
    link = os.readlink(path) if stat.S_ISLNK(status.st_mode) else ""
    strange = f"a link to {link}" if link else _strange(status)
    try:
        plain = not strange or stat.S_ISREG(os.stat(path).st_mode)
        content = read(path) if plain else None
    except OSError:
        content, strange = None, strange or "not readable"
    return FileFound(content, stat.S_IMODE(status.st_mode), status.st_ctime, strange, link)


def _strange(status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return "not a plain file"
    return f"owned by uid {status.st_uid}" if status.st_uid != os.getuid() else ""


def read_units(manager: Manager, names: Iterable[str]) -> dict[str, UnitFound]:
    """Read units from the manager's memory and their main processes from the kernel."""
    return {unit.name: unit for unit in map(_unit, manager.show(list(names)))}


def deployed(
    manager: Manager, names: Iterable[str], known: Mapping[str, Mapping[str, str]], started: Container[str]
) -> dict[str, dict[str, str]]:
    """What each unit is left with; the program of a process that was not ``started`` just now is known already."""
    return {
        name: {
            "memory": unit.memory,
            "program": unit.program if name in started else known.get(name, {}).get("program") or unit.program,
        }
        for name, unit in read_units(manager, sorted(names)).items()
        if unit.load == "loaded"
    }


def remaining(units: Iterable[str]) -> list[str]:
    """Name the processes that are left of units, in words."""
    return [f"{_proc.describe(pid, os.getuid())} of {unit}" for unit in units for pid in _proc.of_unit(unit)]


def _unit(properties: Mapping[str, str]) -> UnitFound:
    pid = int(properties.get("MainPID") or 0)
    variables = _proc.environment(pid) if pid else {}
    assignments = dict(word.partition("=")[::2] for word in properties.get("Environment", "").split(" "))
    return UnitFound(
        name=properties.get("Id", ""),
        load=properties.get("LoadState", ""),
        active=properties.get("ActiveState", ""),
        sub=properties.get("SubState", ""),
        file_state=properties.get("UnitFileState", ""),
        result=properties.get("Result", ""),
        fragment=properties.get("FragmentPath", ""),
        drop_ins=tuple(properties.get("DropInPaths", "").split()),
        digest=assignments.get(DIGEST_VARIABLE, ""),
        pid=pid,
        restarts=int(properties.get("NRestarts") or 0),
        exit_code=int(properties.get("ExecMainStatus") or 0),
        by_signal=properties.get("ExecMainCode") in ENDED_BY_SIGNAL,
        invocation=properties.get("InvocationID", ""),
        started_at=_proc.started_at(pid) if pid else 0.0,
        process=variables,
        memory=_memory(properties),
        program=_proc.program(pid, variables) if pid else "",
        stopped_at=float(properties.get("InactiveEnterTimestamp", "").lstrip("@") or 0),
    )


def _memory(properties: Mapping[str, str]) -> str:
    """A digest of the unit as the manager holds it; of a command only what it is, not how it last ended."""
    told = (line for name in REMEMBERED for line in properties.get(name, "").split("\n"))
    lines = [re.split(r" ; (?:start_time|next_elapse)=", line, maxsplit=1)[0] for line in told]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _all_paths(wanted: Wanted, names: Iterable[str]) -> set[str]:
    files = {path for spec in wanted.files for path, _colour in concrete_paths(spec.path)}
    inputs = {path for spec in wanted.units for path in spec.inputs if "%i" not in path}
    return files | inputs | {wanted.unit_path(name) for name in names}


def _drop_ins(wanted: Wanted, units: Mapping[str, UnitFound]) -> tuple[list[str], list[str]]:
    """Files that change this unit alone or hide it, known to the manager or not yet: ours, and others'.

    Drop-ins for every service of the account (``service.d``) are the user's own policy and no business of ours. What
    is not below the account's own directories only an administrator can remove.
    """
    home, runtime = wanted.unit_dir[: -len("/.config/systemd/user")], f"/run/user/{os.getuid()}/systemd"
    below, found = (f"{home}/", f"{runtime}/"), set[str]()
    folders = {name: set(_folders(name)) for name in wanted.unit_names}
    for name, mine in folders.items():
        unit = units.get(name, UnitFound(name))
        found.update(path for path in unit.drop_ins if os.path.basename(os.path.dirname(path)) in mine)
        if unit.fragment != wanted.unit_path(name) and unit.fragment.startswith(below):
            found.add(unit.fragment)
    every = {folder for mine in folders.values() for folder in mine}
    before_ours = (f"{wanted.unit_dir}.control", f"{runtime}/user.control")
    for directory in before_ours:
        found.update(f"{directory}/{name}" for name in folders.keys() & set(_names(directory)))
    own = (wanted.unit_dir, *before_ours, f"{runtime}/user")
    for directory in (*own, f"{home}/.local/share/systemd/user", ADMINISTRATORS):
        for folder in every & set(_names(directory)):
            found.update(glob.glob(f"{directory}/{folder}/*.conf"))
    ours = {path for path in found if path.startswith(below)}
    return sorted(ours), sorted(found - ours)


def _folders(name: str) -> Iterator[str]:
    """The directories of drop-ins that count for a unit and for no unit of another family."""
    stem, suffix = name.rsplit(".", 1)
    front, instance, _name = stem.partition("@")
    words = front.split("-")
    yield f"{name}.d"
    yield from [f"{front}@.{suffix}.d"] if instance else []
    yield from (f"{'-'.join(words[:count])}-.{suffix}.d" for count in range(1, len(words)))


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _open_directories(directories: Iterable[str]) -> Iterator[tuple[str, int]]:
    """The directories of ours that others may write in, so that they may put files in the place of ours."""
    for path in sorted({each for directory in directories for each in _ours(directory)}):
        with contextlib.suppress(OSError):
            mode = stat.S_IMODE(os.lstat(path).st_mode)
            if mode & 0o022:
                yield path, mode


def _ours(directory: str) -> Iterator[str]:
    """A directory and those above it that we made."""
    while is_ours(directory):
        yield directory
        directory = os.path.dirname(directory)


def _leftovers(directories: Iterable[str]) -> Iterator[str]:
    for directory in sorted(directories):
        yield from sorted(glob.glob(f"{glob.escape(directory)}/{TEMPORARY_PREFIX}*{TEMPORARY_SUFFIX}"))


def _ports(wanted: Wanted, units: Mapping[str, UnitFound]) -> Iterator[PortFound]:
    """Who listens where a unit of ours should. Only when it is not that unit are all processes searched."""
    declared = [(spec, port) for spec in wanted.units for port in spec.listens]
    listening = _proc.listeners(port.number for _spec, port in declared)
    for spec, port in declared:
        sockets = [each for each in listening if each.port == port.number and _proc.covers(each.address, port.address)]
        ours = {inode for name in spec.instances() for inode in _inodes(units.get(name, UnitFound(name)))}
        strangers = [each for each in sockets if each.inode not in ours]
        if not strangers:
            yield PortFound(port, spec.name if sockets else "")
            continue
        holder = _proc.holder_of(strangers[0].inode)
        unit = _proc.unit_of(holder) if holder else ""
        if unit == "init.scope" and spec.name.endswith(".socket") and units.get(spec.name, UnitFound("")).running:
            yield PortFound(port, spec.name)
        else:
            yield PortFound(port, unit, _proc.describe(holder, strangers[0].uid))


def _old_ports(wanted: Wanted, manifest: Manifest, units: Mapping[str, UnitFound]) -> Iterator[PortFound]:
    """The ports of units that are no longer declared, as far as these hold them still."""
    declared = {str(port) for spec in wanted.units for port in spec.listens}
    for text, name in manifest.trusted.ports.items():
        unit = units.get(name, UnitFound(name))
        if text in declared or name in wanted.unit_names or not unit.alive:
            continue
        address, _colon, number = text.rpartition(":")
        inodes = set(_inodes(unit))
        sockets = [each for each in _proc.listeners([int(number)]) if _proc.covers(each.address, address)]
        if any(each.inode in inodes for each in sockets) or (sockets and name.endswith(".socket")):
            yield PortFound(Port(address, int(number)), name)


def unreachable(decisions: Iterable[Decision]) -> list[str]:
    """Name the addresses, of units that are to be started, that this host has not."""
    starting = (d.spec for d in decisions if d.action in ("start", "restart", "switch"))
    return [
        f"{port.address} is no address of this host, and {spec.name} is to listen on {port}."
        for spec in starting
        for port in spec.listens
        if not _proc.is_here(port.address)
    ]


def _inodes(unit: UnitFound) -> Iterator[str]:
    for pid in _proc.descendants(unit.pid) if unit.pid else ():
        yield from _proc.socket_inodes(pid)
