# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the drivers' own programs print, as it was recorded, cut off, and not printed at all."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._devices import (
    Cards,
    Device,
    Holding,
    parse_devices,
    parse_holdings,
    parse_rocm_devices,
    parse_rocm_holdings,
    read_cards,
    visible,
)
from hypothesis import given
from hypothesis import strategies as st

MIB = 1 << 20
UUID = "GPU-8f1d6a2e-0001"
RTX_4090 = f"0, {UUID}, 24564, 21004, 3106, 550.54.14, 8.9, [N/A], NVIDIA GeForce RTX 4090\n"
SPARK = "0, GPU-77, [N/A], [N/A], [N/A], 580.95.05, 12.1, [N/A], NVIDIA GB10\n"
DIVIDED = "0, GPU-9, 81559, 87, 80994, 535.129.03, 9.0, Enabled, NVIDIA H100 80GB HBM3\n"
T4 = "1, GPU-5, 15360, 2, 14926, 535.104.05, 7.5, [N/A], Tesla T4\n"

ROCM = {
    "card0": {
        "VRAM Total Memory (B)": "17163091968",
        "VRAM Total Used Memory (B)": "11026432",
        "Card Series": "AMD Radeon RX 7800 XT",
        "GFX Version": "gfx1101",
    },
    "system": {"Driver version": "6.8.5"},
}
ROCM_PIDS = {"system": {"PID4711": "python3, 1, 8213000192, 0, 0"}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="no card, no line"),
        pytest.param(
            RTX_4090,
            [Device(0, UUID, "NVIDIA GeForce RTX 4090", 24110 * MIB, 21004 * MIB, "550.54.14", (8, 9))],
            id="what the driver keeps for itself is not offered",
        ),
        pytest.param(
            SPARK,
            [Device(0, "GPU-77", "NVIDIA GB10", None, None, "580.95.05", (12, 1))],
            id="a card without memory of its own tells no size",
        ),
        pytest.param(
            DIVIDED,
            [Device(0, "GPU-9", "NVIDIA H100 80GB HBM3", 81081 * MIB, 87 * MIB, "535.129.03", (9, 0), True)],
            id="a card in parts says so",
        ),
        pytest.param(
            T4 + RTX_4090,
            [
                Device(0, UUID, "NVIDIA GeForce RTX 4090", 24110 * MIB, 21004 * MIB, "550.54.14", (8, 9)),
                Device(1, "GPU-5", "Tesla T4", 14928 * MIB, 2 * MIB, "535.104.05", (7, 5)),
            ],
            id="two cards in the driver's order",
        ),
        pytest.param(RTX_4090[:40], [], id="a line that is cut off is no card"),
        pytest.param("No devices were found\n", [], id="no devices"),
        pytest.param("Failed to initialize NVML: Driver/library version mismatch\n", [], id="no driver"),
        pytest.param(
            "x" + RTX_4090 + T4,
            [Device(1, "GPU-5", "Tesla T4", 14928 * MIB, 2 * MIB, "535.104.05", (7, 5))],
            id="one bad",
        ),
    ],
)
def test_the_cards_of_nvidia_smi(text: str, expected: list[Device]) -> None:
    assert list(parse_devices(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="nobody computes"),
        pytest.param(f"{UUID}, 4711, 20764\n", [Holding(4711, UUID, 20764 * MIB)], id="a process"),
        pytest.param(f"{UUID}, 4711, [N/A]\n", [Holding(4711, UUID, None)], id="WSL does not tell the size"),
        pytest.param(f"{UUID}, 47", [], id="cut off"),
        pytest.param(f"{UUID}, [Insufficient Permissions], 12\n", [], id="not ours to see"),
    ],
)
def test_the_processes_of_nvidia_smi(text: str, expected: list[Holding]) -> None:
    assert list(parse_holdings(text)) == expected


def test_the_cards_of_rocm_smi() -> None:
    text = "WARNING: AMD GPU device(s) is/are in a low-power state.\n" + json.dumps(ROCM)
    expected = Device(0, "card0", "AMD Radeon RX 7800 XT", 17163091968, 11026432, "6.8.5")
    assert parse_rocm_devices(text) == (expected,)


def test_what_processes_hold_of_the_only_card_of_rocm_smi() -> None:
    one = parse_rocm_devices(json.dumps(ROCM))
    assert parse_rocm_holdings(json.dumps(ROCM_PIDS), one) == (Holding(4711, "card0", 8213000192),)


def test_of_which_of_several_cards_is_not_told_so_neither_is_how_much() -> None:
    two = parse_rocm_devices(json.dumps({**ROCM, "card1": ROCM["card0"]}))
    assert parse_rocm_holdings(json.dumps(ROCM_PIDS), two) == (Holding(4711, "", None),)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"card0": 1}', '{"system": []}', "null", '{"card0": {}}'])
def test_a_broken_answer_of_rocm_smi_has_no_memory(text: str) -> None:
    assert [(each.total, each.used) for each in parse_rocm_devices(text)] in ([], [(None, None)])
    assert parse_rocm_holdings(text, ()) == ()


def test_an_old_driver_does_not_know_the_generation_and_is_asked_again() -> None:
    old = f"0, {UUID}, 11264, 10, 11000, 450.80.02, NVIDIA GeForce GTX 1080 Ti\n"

    def run(command: Sequence[str]) -> str:
        if "compute_cap" in command[1]:
            return 'Field "compute_cap" is not a valid field to query.\n'
        return old if "query-gpu" in command[1] else ""

    assert read_cards("cuda", run).devices == (
        Device(0, UUID, "NVIDIA GeForce GTX 1080 Ti", 11010 * MIB, 10 * MIB, "450.80.02"),
    )


def test_without_a_program_there_are_no_cards() -> None:
    assert read_cards("cuda", lambda _command: "") == Cards()
    assert read_cards("rocm", lambda _command: "") == Cards()
    assert read_cards("cpu", lambda _command: pytest.fail("nothing to ask")) == Cards()


BOTH = Cards(parse_devices(RTX_4090 + T4))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({}, [0, 1], id="all of them"),
        pytest.param({"CUDA_VISIBLE_DEVICES": "1"}, [1], id="by number"),
        pytest.param({"CUDA_VISIBLE_DEVICES": "1,0"}, [1, 0], id="in the order named"),
        pytest.param({"CUDA_VISIBLE_DEVICES": UUID}, [0], id="by name"),
        pytest.param({"CUDA_VISIBLE_DEVICES": "GPU-8f1d"}, [0], id="by the beginning of a name"),
        pytest.param({"CUDA_VISIBLE_DEVICES": ""}, [], id="none"),
        pytest.param({"CUDA_VISIBLE_DEVICES": "MIG-77"}, None, id="a part of a card"),
        pytest.param({"CUDA_VISIBLE_DEVICES": "7"}, None, id="one that is not there"),
        pytest.param({"HIP_VISIBLE_DEVICES": "1"}, [0, 1], id="the other maker's variable"),
    ],
)
def test_the_cards_that_a_process_sees(environment: dict[str, str], expected: list[int] | None) -> None:
    found = visible(BOTH, "cuda", environment)
    assert (None if found is None else [each.index for each in found]) == expected


@given(st.text(alphabet=st.sampled_from('0123456789, .\n[]N/AGPU-{}":cardPIDxé²'), max_size=200))
def test_no_answer_of_a_driver_breaks_the_reading(text: str) -> None:
    for device in (*parse_devices(text), *parse_rocm_devices(text)):
        assert device.total is None or device.total >= 0
    for holding in (*parse_holdings(text), *parse_rocm_holdings(text, ())):
        assert holding.pid >= 0


@given(st.integers(0, len(RTX_4090 + T4)))
def test_an_answer_that_is_cut_off_tells_nothing_wrong(length: int) -> None:
    whole = parse_devices(RTX_4090 + T4)
    for device in parse_devices((RTX_4090 + T4)[:length]):
        assert [each.total for each in whole if each.index == device.index] == [device.total]
