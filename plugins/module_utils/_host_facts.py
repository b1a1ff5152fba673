# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the preflight asks a host: its cards, its main memory, who holds them, its ports and its disk. Read only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.lab.llm_stack.plugins.module_utils import _proc
from ansible_collections.lab.llm_stack.plugins.module_utils._devices import Cards, Holding, read_cards
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import Measured

_TIMEOUT = 30.0
"""Seconds that a driver's program may take; one that hangs has a driver that hangs."""
_CGROUP = "/sys/fs/cgroup"
# Distributions and WSL put the programs where a service's PATH may not lead.
_PLACES = ("/usr/bin", "/usr/local/bin", "/opt/rocm/bin", "/usr/lib/wsl/lib")
# Where a user service looks for programs.
_SERVICES = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Memory:
    """Main memory in bytes."""

    total: int
    available: int


@dataclass(frozen=True)
class Host:
    """What the preflight knows of a host. ``units`` names the unit of each process that holds something."""

    backend: str
    cards: Cards = field(default_factory=Cards)
    memory: Memory | None = None
    units: Mapping[int, str] = field(default_factory=dict)
    resident: Mapping[str, int] = field(default_factory=dict)
    """Main memory that the processes of a unit hold for themselves."""
    taken: Mapping[int, str] = field(default_factory=dict)
    """Ports that something else holds, and what it is."""
    asked: Mapping[str, Measured] = field(default_factory=dict)
    """What an engine's own program says that the model of a unit takes."""
    disk: int | None = None
    """Bytes that are free where caches are written."""
    compiler: bool | None = None
    """Whether services find a compiler; None where nobody looked."""

    def holder(self, holding: Holding) -> str:
        """Name what holds memory: its unit, or else the process itself."""
        return self.units.get(holding.pid) or describe(holding.pid)


def read_host(backend: str, ours: Collection[str], ports: Mapping[int, str], home: str) -> Host:
    """Look at a host. ``ours`` are the units that may give back what they hold; ``ports`` are wanted, by address."""
    cards = read_cards(backend, run)
    return Host(
        backend,
        cards,
        main_memory(),
        {each.pid: _proc.unit_of(each.pid) for each in cards.holdings if _is_ours(each.pid)},
        {unit: sum(map(resident, pids)) for unit, pids in pids_of(ours).items()},
        dict(_taken(ports, ours)),
        disk=_free(home),
        compiler=any(shutil.which(name, path=_SERVICES) for name in ("cc", "gcc", "clang")),
    )


def run(command: Sequence[str], variables: Mapping[str, str] | None = None) -> str:
    """Run a program of the driver and return what it printed, empty where it is absent or fails."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *_PLACES])
    try:
        done = subprocess.run(
            list(command),
            env={**os.environ, **(variables or {}), "PATH": path, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def describe(pid: int) -> str:
    """Name a process that is in no unit of this account."""
    try:
        uid = os.stat(f"{_proc.PROC}/{pid}").st_uid
    except OSError:
        return f"pid {pid}, which this account cannot see"
    return _proc.describe(pid, uid)


def main_memory() -> Memory | None:
    """Main memory, or what a container's limit leaves of it, as vLLM counts it."""
    found = parse_meminfo(_text(f"{_proc.PROC}/meminfo"))
    limit, used = _number(_text(f"{_CGROUP}/memory.max")), _number(_text(f"{_CGROUP}/memory.current"))
    if found is None or limit is None or limit >= found.total:
        return found
    return Memory(limit, min(found.available, max(limit - (used or 0), 0)))


def parse_meminfo(text: str) -> Memory | None:
    """Read the kernel's table; None where it does not tell."""
    sizes = dict(re.findall(r"^(\w+):\s+(\d{1,15}) kB$", text, re.MULTILINE | re.ASCII))
    if not {"MemTotal", "MemAvailable"} <= sizes.keys():
        return None
    return Memory(int(sizes["MemTotal"]) << 10, int(sizes["MemAvailable"]) << 10)


def pids_of(units: Collection[str]) -> dict[str, list[int]]:
    """The processes of units of this account's manager; those of other accounts may have units of the same name."""
    found: dict[str, list[int]] = {unit: [] for unit in units}
    for name in os.listdir(_proc.PROC) if units else ():
        unit = _proc.unit_of(int(name)) if name.isdigit() else ""
        if unit in found and _is_ours(int(name)):
            found[unit].append(int(name))
    return found


def _is_ours(pid: int) -> bool:
    try:
        return os.stat(f"{_proc.PROC}/{pid}").st_uid == os.getuid()
    except OSError:
        return False


def resident(pid: int) -> int:
    """What a process holds of main memory for itself, in bytes; 0 where there is no such process."""
    found = re.search(r"^RssAnon:\s+(\d{1,15}) kB$", _text(f"{_proc.PROC}/{pid}/status"), re.MULTILINE | re.ASCII)
    return int(found[1]) << 10 if found else 0


def _taken(ports: Mapping[int, str], ours: Collection[str]) -> Iterator[tuple[int, str]]:
    for each in _proc.listeners(ports):
        if _proc.covers(each.address, ports[each.port]):
            pid = _proc.holder_of(each.inode)
            unit = _proc.unit_of(pid) if pid else ""
            if unit not in ours:
                yield each.port, unit or _proc.describe(pid, each.uid)


def _free(path: str) -> int | None:
    try:
        state = os.statvfs(path)
    except OSError:
        return None
    return state.f_bavail * state.f_frsize


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as source:
            return source.read()
    except OSError:
        return ""


def _number(text: str) -> int | None:
    return int(text) if text.strip().isascii() and text.strip().isdigit() else None
