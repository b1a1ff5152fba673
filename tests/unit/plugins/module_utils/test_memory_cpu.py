# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""vLLM in main memory: the numbers of starts of vLLM 0.32, and what would have helped those that failed."""

from __future__ import annotations

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_cpu import fit_cpu
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import GIB, Card, Model, Stored
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_vllm import VllmSettings
from ansible_collections.lab.llm_stack.plugins.module_utils._model_shape import Attention, Shape

# Two layers, one head of 32, as the random model of the recorded starts had: 256 bytes a token.
SHAPE = Shape("Qwen2ForCausalLM", 2, 64, 2, 320, 8388608, (Attention(2, 1, 32, 32),), parameters=120_000)
TINY = Model("tiny", "safetensors", SHAPE, Stored(470_000, "header of 1 file", 117_500, 470_000))
MEMORY = Card(int(14.09 * GIB), int((14.09 - 9.44) * GIB))


@pytest.mark.parametrize(
    ("settings", "space", "verdict", "largest", "helps"),
    [
        pytest.param(VllmSettings(4096, 0.5), None, "fits", 8388608, [], id="half of the memory, a short context"),
        pytest.param(
            VllmSettings(8388608, 0.5),
            GIB,
            "no",
            4194304,
            ["max_model_len: 4194304", "env: {VLLM_CPU_KVCACHE_SPACE: 2}"],
            id="2.0 GiB needed, 1.0 GiB available: 4194304 tokens, as it said itself",
        ),
        pytest.param(
            VllmSettings(4096, 0.99),
            None,
            "no",
            8388608,
            ["env: {VLLM_CPU_KVCACHE_SPACE: 1}", "gpu_memory_utilization: 0.66"],
            id="a share of 0.99 is not free",
        ),
        pytest.param(
            VllmSettings(4096, 0.5),
            500 * GIB,
            "no",
            8388608,
            ["env: {VLLM_CPU_KVCACHE_SPACE: 1}"],
            id="a cache of 500 GiB",
        ),
        pytest.param(
            VllmSettings(4096, 0.99),
            0,
            "no",
            0,
            ["env: {VLLM_CPU_KVCACHE_SPACE: 1}"],
            id="a cache of 0 GiB is no cache",
        ),
        pytest.param(VllmSettings(4096, 0.99), GIB, "fits", 4194304, [], id="a share does not count beside a size"),
    ],
)
def test_a_start_in_main_memory(
    settings: VllmSettings, space: int | None, verdict: str, largest: int, helps: list[str]
) -> None:
    fit = fit_cpu(TINY, MEMORY, settings, space)
    assert (fit.verdict, fit.largest, [each.settings for each in fit.changes]) == (verdict, largest, helps)


def test_what_the_replaced_instance_holds_is_added_back() -> None:
    full = Card(14 * GIB, 13 * GIB)
    assert fit_cpu(TINY, full, VllmSettings(4096), 2 * GIB).verdict == "no"
    assert fit_cpu(TINY, Card(14 * GIB, 13 * GIB, 5 * GIB), VllmSettings(4096), 2 * GIB).verdict == "fits"


def test_weights_of_unknown_size_are_unknown() -> None:
    unknown = Model("m", "safetensors", SHAPE, Stored(None, "no weights are there"))
    assert fit_cpu(unknown, MEMORY, VllmSettings(4096, 0.5)).verdict == "unknown"
