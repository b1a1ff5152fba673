# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From an engine's own settings to those that decide its memory, and to what the sum does not count."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import GIB
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_llamacpp import CACHE_WIDTHS, LlamacppSettings
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_vllm import DEFAULT_UTILISATION, VllmSettings
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import Instance, whole

LESS, MORE = "less", "more"

# Settings that the sum does not count: whether they make it need less than the sum says, or more.
_UNCOUNTED: Mapping[str, tuple[str, str]] = {
    "cpu_offload_gb": (LESS, "a part of the weights stays in main memory"),
    "data_parallel_size": (MORE, "several engines share the host"),
    "enable_lora": (MORE, "adapters take memory too"),
    "lora_modules": (MORE, "adapters take memory too"),
    "pipeline_parallel_size": (LESS, "the layers are divided among cards"),
    "speculative_config": (MORE, "a second model takes memory too"),
}
_SUFFIXES = {"k": 10**3, "m": 10**6, "g": 10**9, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def named(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Write the names of settings alike, whether they are flags or variables, and leave out what is not set."""
    names = {name: str(name).removeprefix("LLAMA_ARG_").lower().replace("-", "_") for name in settings}
    return {names[name]: value for name, value in settings.items() if value is not None}


def tokens(value: object) -> int | None:
    """Read a number of tokens as vLLM does, such as 16k; None for "auto", -1, and what is no number."""
    found = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,6})?)([kmgKMG]?)\s*", str(value), re.ASCII)
    if found is None or isinstance(value, bool):
        return None
    return int(float(found[1]) * _SUFFIXES.get(found[2], 1)) or None


def chooses_context(instance: Instance) -> bool:
    """Whether vLLM is to take the largest context that fits."""
    return str(instance.settings.get("max_model_len", "")) in ("-1", "auto")


def vllm_settings(instance: Instance) -> VllmSettings:
    """Read the settings of vLLM; of a wrong one it says so itself before it loads anything."""
    given = instance.settings
    share = given.get("gpu_memory_utilization")
    return VllmSettings(
        context=tokens(given.get("max_model_len")) or instance.context or None,
        utilisation=share_of(share) or DEFAULT_UTILISATION,
        cards=whole(given.get("tensor_parallel_size"), 1),
        cache_type=str(given.get("kv_cache_dtype", "auto")),
        dtype=str(given.get("dtype", "auto")),
        eager=given.get("enforce_eager") is True,
        batched_tokens=whole(given.get("max_num_batched_tokens"), 0) or None,
    )


def share_of(value: object) -> float | None:
    """Read a share between 0 and 1."""
    try:
        share = float(str(value))
    except ValueError:
        return None
    return share if 0 < share <= 1 else None


def cache_space(instance: Instance) -> int | None:
    """The bytes that vLLM on the CPU is told to take for its cache, which may be none; None where it decides itself."""
    text = str(instance.env.get("VLLM_CPU_KVCACHE_SPACE", ""))
    if text:
        return 0 if text == "0" else whole(text, 0) * GIB or None
    return whole(instance.settings.get("kv_cache_memory_bytes"), 0) or None


def uncounted(instance: Instance, quantised: bool) -> Iterator[tuple[str, str, str]]:
    """Yield what the sum leaves out: the setting, whether it needs less or more memory then, and why."""
    for name, (way, why) in _UNCOUNTED.items():
        value = instance.settings.get(name)
        if value and value not in (1, "1"):
            yield name, way, why
    if instance.settings.get("quantization") and not quantised:
        yield "quantization", LESS, "the weights are quantised while they are loaded"


def llamacpp_settings(instance: Instance) -> LlamacppSettings:
    """Read the settings of llama.cpp, whose context is that of all slots together."""
    given = instance.settings
    parallel = whole(given.get("n_parallel"), 1)
    kinds = {name: str(given.get(name, "f16")) for name in ("cache_type_k", "cache_type_v")}
    context = whole(given.get("ctx_size"), 0) // parallel
    return LlamacppSettings(
        context=instance.context or context or None,
        parallel=parallel,
        ubatch=whole(given.get("ubatch"), 512),
        flash_attn=given.get("flash_attn") not in (False, "off"),
        fit_target=whole(given.get("fit_target"), GIB >> 20) << 20,
        **{name: kind if kind in CACHE_WIDTHS else "f16" for name, kind in kinds.items()},
    )
