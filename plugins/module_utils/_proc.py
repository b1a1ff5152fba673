# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the kernel knows: processes, their environment, and who listens on a port. Linux only, read only."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pwd
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

PROC = "/proc"
LOADING = ("LD_", "PYTHON", "CUDA_", "HIP_", "ROCR_")
"""How the variables begin that decide what a program loads and what it computes on."""


@dataclass(frozen=True)
class Listener:
    """A listening TCP socket."""

    address: str
    port: int
    uid: int
    inode: str


def environment(pid: int) -> dict[str, str]:
    """The variables a process was started with; empty where they cannot be read."""
    try:
        with open(f"{PROC}/{pid}/environ", "rb") as source:
            entries = source.read().split(b"\0")
    except OSError:
        return {}
    pairs = (entry.decode("utf-8", "replace").partition("=") for entry in entries if entry)
    return {name: value for name, _separator, value in pairs}


def program(pid: int, variables: Mapping[str, str]) -> str:
    """A digest of the program and the command line of a process; empty where it is gone or another account's.

    ``variables`` is its environment, of which only what changes the code that it runs counts.
    """
    try:
        path = os.readlink(f"{PROC}/{pid}/exe").encode()
        with open(f"{PROC}/{pid}/cmdline", "rb") as file:
            return hashlib.sha256(path + b"\0" + file.read() + loaded_by(variables)).hexdigest()[:16]
    except OSError:
        return ""


def loaded_by(variables: Mapping[str, str]) -> bytes:
    """The variables that put other code, or other cards, under a program; nothing where there are none."""
    found = sorted(f"{name}={value}\0" for name, value in variables.items() if name.startswith(LOADING))
    return "".join(found).encode()


def started_at(pid: int) -> float:
    """When a process started, in seconds since the epoch; 0 where there is none."""
    try:
        with open(f"{PROC}/{pid}/stat", "rb") as source:
            ticks = int(source.read().rsplit(b")", 1)[1].split()[19])
    except (OSError, IndexError, ValueError):
        return 0.0
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def listeners(ports: Iterable[int]) -> list[Listener]:
    """The sockets that listen on any of these ports, in all address families."""
    wanted = set(ports)
    return [each for name in ("tcp", "tcp6") for each in _listeners(name) if each.port in wanted]


def _listeners(name: str) -> Iterator[Listener]:
    try:
        with open(f"{PROC}/net/{name}", encoding="ascii") as source:
            rows = source.read().splitlines()[1:]
    except OSError:
        return
    for row in rows:
        fields = row.split()
        if fields[3] == "0A":
            address, port = fields[1].split(":")
            yield Listener(_address(address), int(port, 16), int(fields[7]), fields[9])


def _address(text: str) -> str:
    """Turn the kernel's hexadecimal address into the usual form; it is stored in 32-bit host-order words."""
    words = [bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, b"".join(words))


def covers(listener: str, wanted: str) -> bool:
    """Whether a socket bound to one address takes what is meant for another."""
    same_family = (":" in listener) == (":" in wanted)
    wildcard = listener == "::" or wanted == "::" or ("0.0.0.0" in (listener, wanted) and same_family)
    return listener in (wanted, f"::ffff:{wanted}") or wildcard


def is_here(address: str) -> bool:
    """Whether a socket can be bound to an address now; one that no interface has cannot."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


def socket_inodes(pid: int) -> set[str]:
    """The sockets that a process holds, by inode; empty where they cannot be read."""
    inodes = set()
    directory = f"{PROC}/{pid}/fd"
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            with contextlib.suppress(OSError):
                target = os.readlink(f"{directory}/{name}")
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
    return inodes


def descendants(pid: int) -> Iterator[int]:
    """Yield a process and everything it started."""
    yield pid
    with contextlib.suppress(OSError):
        for task in os.listdir(f"{PROC}/{pid}/task"):
            with contextlib.suppress(OSError):
                with open(f"{PROC}/{pid}/task/{task}/children", encoding="ascii") as source:
                    children = source.read().split()
                for child in children:
                    yield from descendants(int(child))


def holder_of(inode: str) -> int:
    """The process that holds a socket; 0 where it belongs to another account or another container."""
    for name in os.listdir(PROC):
        if name.isdigit() and inode in socket_inodes(int(name)):
            return int(name)
    return 0


def unit_of(pid: int) -> str:
    """The unit of the user manager a process runs in; ``init.scope`` for the manager itself, empty where none."""
    try:
        with open(f"{PROC}/{pid}/cgroup", encoding="ascii") as source:
            paths = [line.rstrip("\n").split(":", 2)[2] for line in source]
    except (OSError, IndexError):
        return ""
    for path in paths:
        if "/user@" in path:
            units = [part for part in path.split("/") if part.endswith((".service", ".scope", ".socket"))]
            return units[-1]
    return ""


def of_unit(unit: str) -> list[int]:
    """The processes of this account that are in a unit of its user manager, whoever started them."""
    return [pid for pid in map(int, filter(str.isdigit, os.listdir(PROC))) if _is_mine(pid) and unit_of(pid) == unit]


def _is_mine(pid: int) -> bool:
    try:
        return os.stat(f"{PROC}/{pid}").st_uid == os.getuid()
    except OSError:
        return False


def describe(pid: int, uid: int) -> str:
    """Name the holder of something in words that let a person find it."""
    try:
        account = pwd.getpwuid(uid).pw_name
    except KeyError:
        account = f"uid {uid}"
    if not pid:
        return f"a process of {account} that this account cannot see"
    try:
        with open(f"{PROC}/{pid}/comm", encoding="utf-8", errors="replace") as source:
            command = source.read().strip()
    except OSError:
        command = "a process"
    return f"pid {pid} ({command}) of {account}"
