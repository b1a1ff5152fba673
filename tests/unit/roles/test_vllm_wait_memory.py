# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""wait_memory.py: for how long a server is not started, because what it takes is not free."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

# Index, uuid, used and free MiB; of 24564 MiB the driver keeps some for itself.
CARDS = "0, GPU-aaaabbbb-1, 1179, 23000\n1, GPU-ccccdddd-1, 22179, 2000\n"
ROCM = """WARNING: AMD GPU device(s) is/are in a low-power state
{"card0": {"VRAM Total Memory (B)": "17163091968", "VRAM Total Used Memory (B)": "163091968"}, "system": {}}"""


@pytest.fixture
def program(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("vllm/files/wait_memory.py")


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A directory for programs that stand in for those of a driver."""
    (tmp_path / "answer").write_text(CARDS)
    return tmp_path


def tool(host: Path, name: str, body: str) -> None:
    (host / name).write_text(f"#!/bin/sh\n{body}\n")
    (host / name).chmod(0o755)


def wait(root: Path, host: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(root / "roles/vllm/files/wait_memory.py"), *arguments],
        env={"PATH": f"{host}:/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def nvidia(host: Path) -> None:
    tool(
        host,
        "nvidia-smi",
        f'case $1 in --query-gpu*) cat {host}/answer ;; *) echo "GPU-ccccdddd-1, {os.getpid()}, 22000" ;; esac',
    )


def test_a_card_that_is_free_is_not_waited_for(root: Path, host: Path) -> None:
    nvidia(host)
    assert wait(root, host, "cuda", "0.92", "1", "5") == (0, "wait_memory.py: the memory is free, after 0 s.")


def test_a_card_that_others_hold_is_named_with_its_holder(root: Path, host: Path) -> None:
    nvidia(host)
    status, said = wait(root, host, "cuda", "0.92", "2", "0")
    wanted = "card 1 has 2.0 GiB of 23.6 GiB free, and 21.7 GiB are wanted"
    assert status == 1
    assert said.startswith(f"wait_memory.py: after 0 s {wanted}; held by pid {os.getpid()} (")
    assert said.endswith(", 22000 MiB).")


def test_the_share_is_of_what_programs_can_have(root: Path, host: Path) -> None:
    """memory.total has what the driver keeps for itself, which CUDA's own total, the one vLLM asks for, has not."""
    tool(
        host,
        "nvidia-smi",
        """case $1 in
        *compute-apps*) ;;
        *memory.total*) echo '0, GPU-aaaabbbb-1, 24564, 23679' ;;
        *) echo '0, GPU-aaaabbbb-1, 500, 23679' ;;
    esac""",
    )
    assert wait(root, host, "cuda", "0.97", "1", "0") == (0, "wait_memory.py: the memory is free, after 0 s.")
    assert wait(root, host, "cuda", "0.98", "1", "0")[0] == 1


def test_it_goes_on_as_soon_as_the_memory_is_back(root: Path, host: Path) -> None:
    nvidia(host)
    (host / "answer").write_text("0, GPU-aaaabbbb-1, 24079, 100\n")
    body = f"import time; time.sleep(1.5); open({str(host / 'answer')!r}, 'w').write({CARDS!r})"
    release = subprocess.Popen([sys.executable, "-c", body])
    begin = time.monotonic()
    status, said = wait(root, host, "cuda", "0.9", "1", "25")
    release.wait()
    assert (status, "the memory is free" in said) == (0, True)
    assert 1.0 < time.monotonic() - begin < 15


def test_main_memory_is_asked_of_the_kernel(root: Path, host: Path) -> None:
    assert wait(root, host, "cpu", "0.001", "1", "0")[0] == 0
    status, said = wait(root, host, "cpu", "1000000", "1", "0")
    assert (status, "main memory has" in said, "1000000.0 GiB are wanted" in said) == (1, True, True)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("exit 9", id="a driver that fails"),
        pytest.param("echo '0, GPU-aaaabbbb-1, [N/A], [N/A]'", id="a card in parts"),
        pytest.param("echo", id="no card"),
    ],
)
def test_a_driver_that_tells_nothing_stops_nobody(root: Path, host: Path, body: str) -> None:
    tool(host, "nvidia-smi", body)
    status, said = wait(root, host, "cuda", "0.9", "1", "0")
    assert (status, said) == (
        0,
        "wait_memory.py: nothing here tells of cuda memory, so nothing was waited for.",
    )


def test_cards_of_amd(root: Path, host: Path) -> None:
    tool(host, "rocm-smi", f"cat <<'END'\n{ROCM}\nEND")
    assert wait(root, host, "rocm", "0.9", "1", "0")[0] == 0
    status, said = wait(root, host, "rocm", "0.999", "1", "0")
    assert (status, "card 0 has 15.8 GiB of 16.0 GiB free" in said) == (1, True)


@pytest.mark.parametrize(
    ("variable", "status"),
    [
        ("0", 0),
        ("1", 1),
        ("GPU-ccccdddd-1", 1),
        ("GPU-ccccdd", 1),
        ("GPU-aaaabb", 0),
        ("1,0", 1),
        ("", 0),
        ("MIG-1", 0),
        ("GPU-", 0),
    ],
)
def test_only_the_cards_it_will_see_count(root: Path, host: Path, variable: str, status: int) -> None:
    nvidia(host)
    assert wait(root, host, "cuda", "0.9", "1", "0", CUDA_VISIBLE_DEVICES=variable)[0] == status


@pytest.mark.parametrize("arguments", [[], ["cuda", "0.9", "1"], ["cuda", "much", "1", "5"]])
def test_wrong_use(root: Path, host: Path, arguments: list[str]) -> None:
    status, said = wait(root, host, *arguments)
    assert (status, "four arguments are needed" in said) == (2, True)


@pytest.mark.parametrize("text", ["", "nonsense", "{", "{}", '{"card0": {}}', '{"card0": 1}', "0, GPU"])
def test_what_cannot_be_read_is_no_card(program: ModuleType, text: str) -> None:
    assert program.nvidia(text) == []
    assert program.amd(text) == []
    assert program.main_memory(text) == []
