# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the preflight asks a host: a /proc made for the test, and drivers' programs that print what was recorded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _host_facts, _proc
from ansible_collections.lab.llm_stack.plugins.module_utils._devices import Holding
from ansible_collections.lab.llm_stack.plugins.module_utils._host_facts import Host, Memory, parse_meminfo, read_host
from hypothesis import given
from hypothesis import strategies as st

MEMINFO = "MemTotal:       32651234 kB\nMemFree:         1234 kB\nMemAvailable:   20123456 kB\nHugePages_Total: 0\n"
CGROUP = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/{unit}\n"
STATUS = "Name:\tpython3\nVmRSS:\t 9000 kB\nRssAnon:\t    {size} kB\nRssFile:\t 100 kB\n"
LISTENS = "  sl  local_address\n   0: 0100007F:{port:04X} 0:0 0A 0:0 00:0 0 {uid} 0 31001 1\n"
GPUS = "0, GPU-a, 24564, 21004, 3106, 550.54.14, 8.9, [N/A], NVIDIA GeForce RTX 4090"


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc of a host with memory and no processes, without limits of a container."""
    place = tmp_path / "proc"
    (place / "net").mkdir(parents=True)
    (place / "meminfo").write_text(MEMINFO)
    monkeypatch.setattr(_proc, "PROC", str(place))
    monkeypatch.setattr(_host_facts, "_CGROUP", str(tmp_path / "cgroup"))
    return place


def process(proc: Path, pid: int, unit: str, size: int = 0, socket: str = "") -> None:
    (proc / str(pid) / "fd").mkdir(parents=True)
    (proc / str(pid) / "cgroup").write_text(CGROUP.format(unit=unit))
    (proc / str(pid) / "status").write_text(STATUS.format(size=size))
    (proc / str(pid) / "comm").write_text("python3\n")
    if socket:
        (proc / str(pid) / "fd/3").symlink_to(f"socket:[{socket}]")


@pytest.fixture
def drivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for programs that are found before any other."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")
    return place


def program(place: Path, name: str, body: str) -> None:
    (place / name).write_text(f"#!/bin/sh\n{body}\n")
    (place / name).chmod(0o755)


def test_a_host_with_a_card_that_a_unit_and_a_stranger_hold(proc: Path, drivers: Path, tmp_path: Path) -> None:
    process(proc, 4711, "vllm-old.service")
    process(proc, 4712, "session-2.scope")
    apps = "printf 'GPU-a, 4711, 18000\\nGPU-a, 4712, 2700\\nGPU-a, 9999, 64\\n'"
    program(drivers, "nvidia-smi", f'case "$1" in *compute-apps*) {apps};; *) echo "{GPUS}";; esac')
    host = read_host("cuda", ["vllm-old.service"], {}, str(tmp_path))
    assert [each.name for each in host.cards.devices] == ["NVIDIA GeForce RTX 4090"]
    assert [host.holder(each) for each in host.cards.holdings] == [
        "vllm-old.service",
        "session-2.scope",
        "pid 9999, which this account cannot see",
    ]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("exit 9", id="no driver"),
        pytest.param("echo 'No devices were found'; exit 6", id="no card"),
        pytest.param("echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18", id="updated driver"),
        pytest.param("printf '0, GPU-a, 245'", id="killed while it wrote"),
        pytest.param("printf '\\377\\376\\0'", id="not text"),
    ],
)
def test_a_driver_that_fails_shows_no_card(proc: Path, drivers: Path, tmp_path: Path, body: str) -> None:
    program(drivers, "nvidia-smi", body)
    assert read_host("cuda", [], {}, str(tmp_path)).cards.devices == ()


def test_a_driver_that_hangs_is_not_waited_for(drivers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_host_facts, "_TIMEOUT", 0.1)
    program(drivers, "nvidia-smi", "exec sleep 30")
    assert _host_facts.run(["nvidia-smi"]) == ""


def test_rocm(proc: Path, drivers: Path, tmp_path: Path) -> None:
    process(proc, 4711, "vllm-old.service")
    card = '{"card0": {"VRAM Total Memory (B)": "17163091968", "VRAM Total Used Memory (B)": "9000000000"}}'
    pids = '{"system": {"PID4711": "python3, 1, 8213000192, 0, 0"}}'
    program(drivers, "rocm-smi", f"case \"$*\" in *showpids*) echo '{pids}';; *) echo '{card}';; esac")
    host = read_host("rocm", [], {}, str(tmp_path))
    assert (host.cards.devices[0].total, host.cards.holdings[0].size) == (17163091968, 8213000192)
    assert host.holder(host.cards.holdings[0]) == "vllm-old.service"


def test_main_memory_and_what_units_hold_of_it(proc: Path, tmp_path: Path) -> None:
    process(proc, 11, "vllm-old.service", 600)
    process(proc, 12, "vllm-old.service", 1400)
    process(proc, 13, "other.service", 9000)
    host = read_host("cpu", ["vllm-old.service", "vllm-new.service"], {}, str(tmp_path))
    assert host.memory == Memory(32651234 << 10, 20123456 << 10)
    assert host.resident == {"vllm-old.service": 2000 << 10, "vllm-new.service": 0}


@pytest.mark.parametrize(
    ("limit", "used", "expected"),
    [
        pytest.param("max", "5", Memory(32651234 << 10, 20123456 << 10), id="no limit"),
        pytest.param("8589934592", "1073741824", Memory(8 << 30, 7 << 30), id="a container of 8 GiB"),
        pytest.param("99999999999999", "0", Memory(32651234 << 10, 20123456 << 10), id="a limit above all there is"),
    ],
)
def test_the_limit_of_a_container(proc: Path, tmp_path: Path, limit: str, used: str, expected: Memory) -> None:
    (tmp_path / "cgroup").mkdir()
    (tmp_path / "cgroup/memory.max").write_text(f"{limit}\n")
    (tmp_path / "cgroup/memory.current").write_text(f"{used}\n")
    assert _host_facts.main_memory() == expected


@pytest.mark.parametrize(
    ("unit", "ours", "expected"),
    [
        pytest.param("vllm-mine.service", ["vllm-mine.service"], {}, id="ours"),
        pytest.param("vllm-other.service", ["vllm-mine.service"], {8001: "vllm-other.service"}, id="another unit"),
    ],
)
def test_who_holds_a_port(proc: Path, tmp_path: Path, unit: str, ours: list[str], expected: dict[int, str]) -> None:
    (proc / "net/tcp").write_text(LISTENS.format(port=8001, uid=os.getuid()))
    process(proc, 4711, unit, socket="31001")
    assert read_host("cpu", ours, {8001: "127.0.0.1"}, str(tmp_path)).taken == expected
    assert read_host("cpu", ours, {8001: "192.0.2.1"}, str(tmp_path)).taken == {}


def test_a_port_of_a_process_that_cannot_be_seen(proc: Path, tmp_path: Path) -> None:
    (proc / "net/tcp").write_text(LISTENS.format(port=8001, uid=0))
    taken = read_host("cpu", [], {8001: "127.0.0.1"}, str(tmp_path)).taken
    assert taken == {8001: "a process of root that this account cannot see"}


def test_the_disk(proc: Path, tmp_path: Path) -> None:
    assert (read_host("cpu", [], {}, str(tmp_path)).disk or 0) > 0
    assert read_host("cpu", [], {}, str(tmp_path / "none")).disk is None


def test_a_holder_outside_of_all_units(proc: Path) -> None:
    process(proc, 4711, "x.service")
    text = Host("cuda").holder(Holding(4711, "GPU-a", 1))
    assert text.startswith("pid 4711 (python3) of ")


@given(st.integers(0, len(MEMINFO)))
def test_a_table_of_memory_that_is_cut_off(length: int) -> None:
    assert parse_meminfo(MEMINFO[:length]) in (None, parse_meminfo(MEMINFO))
