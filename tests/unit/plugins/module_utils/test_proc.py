# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the kernel tells, from tables as it writes them, from a /proc made for the test, and from the real one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _proc
from ansible_collections.lab.llm_stack.plugins.module_utils._proc import Listener, covers

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31001 1 0 100 0 0 10 0
   1: 00000000:0FA0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31002 1 0 100 0 0 10 0
   2: 0100007F:1F90 0100007F:C3A2 01 00000000:00000000 00:00000000 00000000  1000        0 31003 1 0 20 4 30 10 -1
   3: 0B0200C0:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31004 1 0 100 0 0 10 0
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0  1000        0 41001 1
   1: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0  1000        0 41002 1
   2: 0000000000000000FFFF00000100007F:0FA0 00000000000000000000000000000000:0000 0A 0:0 00:0 0  1000        0 41003 1
   3: B80D0120000000000000000001000000:0FA0 00000000000000000000000000000000:0000 0A 0:0 00:0 0  1000        0 41004 1
"""


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty /proc."""
    monkeypatch.setattr(_proc, "PROC", str(tmp_path))
    (tmp_path / "net").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        pytest.param([], [], id="no port, no listener"),
        pytest.param([1], [], id="a free port"),
        pytest.param(
            [8080],
            [
                Listener("127.0.0.1", 8080, 1000, "31001"),
                Listener("::", 8080, 1000, "41001"),
                Listener("::1", 8080, 1000, "41002"),
            ],
            id="IPv4, IPv6 and its wildcard; a connection is no listener",
        ),
        pytest.param(
            [4000, 8081],
            [
                Listener("0.0.0.0", 4000, 0, "31002"),
                Listener("192.0.2.11", 8081, 1000, "31004"),
                Listener("::ffff:127.0.0.1", 4000, 1000, "41003"),
                Listener("2001:db8::1", 4000, 1000, "41004"),
            ],
            id="wildcard, one address, an IPv4 address in IPv6",
        ),
    ],
)
def test_listeners(proc: Path, ports: list[int], expected: list[Listener]) -> None:
    (proc / "net/tcp").write_text(TCP)
    (proc / "net/tcp6").write_text(TCP6)
    assert _proc.listeners(ports) == expected


def test_a_kernel_without_ipv6_has_no_such_table(proc: Path) -> None:
    (proc / "net/tcp").write_text(TCP)
    assert [each.inode for each in _proc.listeners([8080])] == ["31001"]


@pytest.mark.parametrize(
    ("listener", "wanted", "expected"),
    [
        pytest.param("127.0.0.1", "127.0.0.1", True, id="the same address"),
        pytest.param("127.0.0.1", "127.0.0.2", False, id="another address"),
        pytest.param("0.0.0.0", "127.0.0.1", True, id="all addresses take what is meant for one"),
        pytest.param("::", "127.0.0.1", True, id="so do all of IPv6, which take IPv4 as well"),
        pytest.param("192.0.2.1", "0.0.0.0", True, id="one address stands in the way of all"),
        pytest.param("::1", "::", True, id="also in IPv6"),
        pytest.param("::ffff:127.0.0.1", "127.0.0.1", True, id="an IPv4 address in IPv6"),
        pytest.param("::1", "127.0.0.1", False, id="the loopback of IPv6 is not that of IPv4"),
    ],
)
def test_covers(listener: str, wanted: str, expected: bool) -> None:
    assert covers(listener, wanted) == expected


def test_a_process_is_described_by_what_the_kernel_says(proc: Path) -> None:
    home = proc / "7"
    (home / "fd").mkdir(parents=True)
    (home / "environ").write_bytes(b"A=1\0B=x=y\0\0C=\xff\0")
    (home / "comm").write_text("llama-server\n")
    (home / "cgroup").write_text(
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-litellm.slice/litellm@a.service\n"
    )
    (home / "fd/0").symlink_to("/dev/null")
    (home / "fd/3").symlink_to("socket:[31001]")
    assert _proc.environment(7) == {"A": "1", "B": "x=y", "C": "�"}
    assert _proc.socket_inodes(7) == {"31001"}
    assert (_proc.holder_of("31001"), _proc.holder_of("1")) == (7, 0)
    assert _proc.unit_of(7) == "litellm@a.service"
    assert _proc.describe(7, 0) == "pid 7 (llama-server) of root"
    assert _proc.describe(7, 4294967) == "pid 7 (llama-server) of uid 4294967"
    assert _proc.describe(0, 0) == "a process of root that this account cannot see"


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        pytest.param("0::/user.slice/user-0.slice/user@0.service/init.scope\n", "init.scope", id="the manager itself"),
        pytest.param("0::/system.slice/ollama.service\n", "", id="a service of the system"),
        pytest.param("0::/user.slice/user-0.slice/session-1.scope\n", "", id="a login"),
        pytest.param(
            "12:pids:/user.slice\n0::/user.slice/user@0.service/app.slice/a.service\n",
            "a.service",
            id="old cgroups too",
        ),
        pytest.param("", "", id="nothing readable"),
    ],
)
def test_unit_of(proc: Path, cgroup: str, unit: str) -> None:
    (proc / "7").mkdir()
    (proc / "7/cgroup").write_text(cgroup)
    assert _proc.unit_of(7) == unit


def test_a_process_that_is_gone_is_nothing(proc: Path) -> None:
    assert (_proc.environment(7), _proc.started_at(7), _proc.socket_inodes(7), _proc.unit_of(7)) == ({}, 0.0, set(), "")
    assert list(_proc.descendants(7)) == [7]
    assert _proc.describe(7, 0) == "pid 7 (a process) of root"


def test_a_name_with_a_parenthesis_does_not_confuse_the_start_time(proc: Path) -> None:
    (proc / "7").mkdir()
    ticks = os.sysconf("SC_CLK_TCK")
    fields = " ".join(["S"] + ["0"] * 18 + [str(100 * ticks)])
    (proc / "7/stat").write_text(f"7 (a) b) {fields}\n")
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    assert _proc.started_at(7) == pytest.approx(booted + 100, abs=0.5)


@pytest.mark.parametrize(
    ("address", "here"), [("127.0.0.1", True), ("0.0.0.0", True), ("192.0.2.7", False), ("2001:db8::7", False)]
)
def test_an_address_is_here_where_a_socket_can_be_bound_to_it(address: str, here: bool) -> None:
    assert _proc.is_here(address) is here


def test_a_real_process_with_a_child_that_listens() -> None:
    code = (
        "import os, socket, sys, time\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "print(listener.getsockname()[1], flush=True)\n"
        "sys.stdin.read()\n"
    )
    shell = ["/bin/sh", "-c", f'"{sys.executable}" -c "$CODE"; exit 0']
    begin = time.time()
    process = subprocess.Popen(
        shell, env={"CODE": code, "MARK": "1"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        [found] = _proc.listeners([port])
        assert (found.address, found.port, found.uid) == ("127.0.0.1", port, os.getuid())
        family = list(_proc.descendants(process.pid))
        assert len(family) == 2
        assert found.inode in _proc.socket_inodes(family[1])
        assert _proc.holder_of(found.inode) == family[1]
        assert _proc.environment(process.pid)["MARK"] == "1"
        assert _proc.started_at(process.pid) == pytest.approx(begin, abs=2)
    finally:
        process.communicate()


def test_a_bound_socket_that_does_not_listen_is_no_listener() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert _proc.listeners([bound.getsockname()[1]]) == []
