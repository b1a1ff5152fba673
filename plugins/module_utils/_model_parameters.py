# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many numbers a model has, counted from config.json alone: an estimate for a folder that holds no weights.

It holds for the families named here, all of which have gated feed-forward layers; of any other nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_FAMILIES = re.compile(
    r"llama|mistral|ministral|mixtral|(qwen2|qwen3)(_moe|_vl_text)?|qwen2_5_vl_text|gemma|gemma2|gemma3|gemma3_text|phi3"
    r"|cohere|cohere2|granite|olmo|olmo2|olmo3|internlm2|internlm3|deepseek|deepseek_v2|deepseek_v3|kimi_k2|smollm3"
    r"|exaone|glm|seed_oss|stablelm|baichuan"
)
_LARGEST = 1 << 31


@dataclass(frozen=True)
class Parameters:
    """The numbers that quantisation makes smaller, and those it leaves alone."""

    linear: int
    embedding: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.linear + self.embedding


def count_parameters(config: Mapping[str, Any]) -> Parameters | None:
    """Count the numbers of a model; None where its family is not known or a measure is missing."""
    if not _FAMILIES.fullmatch(str(config.get("model_type", ""))):
        return None
    try:
        return Parameters(_linear(config), _embedding(config))
    except (KeyError, TypeError, ValueError):
        return None


def _get(config: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = config.get(name)
    if value is None:
        value = default
    if (isinstance(value, bool) or not isinstance(value, int)) or not 0 <= value < _LARGEST:
        raise ValueError(name)
    return value


def _embedding(config: Mapping[str, Any]) -> int:
    tied = config.get("tie_word_embeddings", str(config["model_type"]).startswith(("gemma", "cohere")))
    return _get(config, "vocab_size") * _get(config, "hidden_size") * (1 if tied else 2)


def _linear(config: Mapping[str, Any]) -> int:
    layers = _get(config, "num_hidden_layers")
    if layers > 1 << 12:
        raise ValueError("num_hidden_layers")
    sparse = sum(_is_sparse(config, index) for index in range(layers))
    dense = layers - sparse
    total = layers * (_latent(config) if config.get("kv_lora_rank") else _heads(config))
    total += dense * 3 * _get(config, "hidden_size") * _get(config, "intermediate_size") if dense else 0
    return total + (sparse * _experts(config) if sparse else 0)


def _heads(config: Mapping[str, Any]) -> int:
    """The numbers of one layer of ordinary attention."""
    hidden, heads = _get(config, "hidden_size"), max(_get(config, "num_attention_heads"), 1)
    size = _get(config, "head_dim", hidden // heads)
    return hidden * size * (2 * heads + 2 * _get(config, "num_key_value_heads", heads))


def _latent(config: Mapping[str, Any]) -> int:
    """The numbers of one layer of latent attention."""
    hidden, heads = _get(config, "hidden_size"), _get(config, "num_attention_heads")
    rank, rope = _get(config, "kv_lora_rank"), _get(config, "qk_rope_head_dim")
    plain, value = _get(config, "qk_nope_head_dim"), _get(config, "v_head_dim")
    query = _get(config, "q_lora_rank", 0)
    asked = query * (hidden + heads * (plain + rope)) if query else hidden * heads * (plain + rope)
    return asked + hidden * (rank + rope) + rank * heads * (plain + value) + heads * value * hidden


def _is_sparse(config: Mapping[str, Any], index: int) -> bool:
    if not _count_of_experts(config) or index in (config.get("mlp_only_layers") or ()):
        return False
    step = _get(config, "decoder_sparse_step", _get(config, "moe_layer_freq", 1)) or 1
    first = _get(config, "first_k_dense_replace", 0)
    shifted = index + 1 if config.get("decoder_sparse_step") is not None else index
    return index >= first and shifted % step == 0


def _count_of_experts(config: Mapping[str, Any]) -> int:
    for name in ("num_local_experts", "num_experts", "n_routed_experts"):
        if config.get(name):
            return _get(config, name)
    return 0


def _experts(config: Mapping[str, Any]) -> int:
    """The numbers of one layer of experts, its router and its shared experts."""
    hidden, count = _get(config, "hidden_size"), _count_of_experts(config)
    size = _get(config, "moe_intermediate_size", _get(config, "intermediate_size", 0))
    common = _get(config, "shared_expert_intermediate_size", _get(config, "n_shared_experts", 0) * size)
    return 3 * hidden * (count * size + common) + hidden * count
