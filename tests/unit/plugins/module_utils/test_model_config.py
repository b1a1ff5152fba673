# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What config.json says of a model, by the published configurations of families that differ."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._model_config import Quantisation, read_config
from ansible_collections.lab.llm_stack.plugins.module_utils._model_file import ModelFileError
from ansible_collections.lab.llm_stack.plugins.module_utils._model_shape import Attention
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import render
from hypothesis import given, settings
from hypothesis import strategies as st

LAYER_KINDS = ["sliding_attention", "full_attention"]


def config(
    family: str, layers: int, hidden: int, heads: int, kept: int, vocabulary: int, **more: Any
) -> dict[str, Any]:
    return {
        "model_type": family,
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kept,
        "vocab_size": vocabulary,
        "tie_word_embeddings": False,
        **more,
    }


QWEN = config("qwen2", 28, 3584, 28, 4, 152064, intermediate_size=18944, max_position_embeddings=32768)
SMALL = config("llama", 2, 64, 4, 2, 100)
LATENT = {"kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128}


@pytest.mark.parametrize(
    ("written", "billions"),
    [
        pytest.param(QWEN, 7.61, id="Qwen2.5-7B"),
        pytest.param(config("llama", 32, 4096, 32, 8, 128256, intermediate_size=14336), 8.03, id="Llama-3.1-8B"),
        pytest.param(config("mistral", 32, 4096, 32, 8, 32000, intermediate_size=14336), 7.24, id="Mistral-7B"),
        pytest.param(
            config("gemma2", 42, 3584, 16, 8, 256000, intermediate_size=14336, head_dim=256, tie_word_embeddings=True),
            9.24,
            id="Gemma-2-9B, whose embeddings serve twice",
        ),
        pytest.param(
            config("mixtral", 32, 4096, 32, 8, 32000, intermediate_size=14336, num_local_experts=8),
            46.7,
            id="Mixtral-8x7B",
        ),
        pytest.param(
            config(
                *("qwen3_moe", 48, 2048, 32, 4, 151936),
                intermediate_size=6144,
                head_dim=128,
                num_experts=128,
                moe_intermediate_size=768,
                decoder_sparse_step=1,
                mlp_only_layers=[],
            ),
            30.5,
            id="Qwen3-30B-A3B",
        ),
        pytest.param(
            config(
                *("deepseek_v2", 27, 2048, 16, 16, 102400),
                intermediate_size=10944,
                moe_intermediate_size=1408,
                n_routed_experts=64,
                **{"n_shared_experts": 2, "first_k_dense_replace": 1, "q_lora_rank": None, **LATENT},
            ),
            15.7,
            id="DeepSeek-V2-Lite",
        ),
        pytest.param(
            config(
                *("deepseek_v3", 61, 7168, 128, 128, 129280),
                intermediate_size=18432,
                moe_intermediate_size=2048,
                n_routed_experts=256,
                **{"n_shared_experts": 1, "first_k_dense_replace": 3, "q_lora_rank": 1536, **LATENT},
            ),
            671.0,
            id="DeepSeek-V3",
        ),
        pytest.param({**QWEN, "model_type": "falcon"}, None, id="a family that is not known here"),
        pytest.param({k: v for k, v in QWEN.items() if k != "intermediate_size"}, None, id="a measure is missing"),
    ],
)
def test_the_number_of_parameters_is_the_published_one(written: Mapping[str, Any], billions: float | None) -> None:
    found = read_config("config.json", written).shape.parameters
    assert (found / 1e9 if found else None) == (pytest.approx(billions, rel=0.004) if billions else None)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        pytest.param(SMALL, (Attention(2, 2, 16, 16),), id="grouped heads"),
        pytest.param({**SMALL, "num_key_value_heads": None}, (Attention(2, 4, 16, 16),), id="every head"),
        pytest.param(
            {**SMALL, "num_key_value_heads": None, "multi_query": True}, (Attention(2, 1, 16, 16),), id="one head"
        ),
        pytest.param({**SMALL, "head_dim": 128}, (Attention(2, 2, 128, 128),), id="heads of a size of their own"),
        pytest.param({**SMALL, **LATENT}, (Attention(2, 1, 576, 0, shared=True),), id="latent attention"),
        pytest.param(
            {**SMALL, "model_type": "mistral", "sliding_window": 32}, (Attention(2, 2, 16, 16, 32),), id="a window"
        ),
        pytest.param(
            {**SMALL, "model_type": "mistral", "sliding_window": None}, (Attention(2, 2, 16, 16),), id="no window"
        ),
        pytest.param(
            {**SMALL, "model_type": "qwen2", "sliding_window": 32, "use_sliding_window": False},
            (Attention(2, 2, 16, 16),),
            id="a window that is switched off",
        ),
        pytest.param(
            {**SMALL, "model_type": "qwen2", "sliding_window": 32, "use_sliding_window": True, "max_window_layers": 1},
            (Attention(1, 2, 16, 16), Attention(1, 2, 16, 16, 32)),
            id="a window from the second layer on",
        ),
        pytest.param(
            {**SMALL, "sliding_window": 32, "layer_types": LAYER_KINDS},
            (Attention(1, 2, 16, 16), Attention(1, 2, 16, 16, 32)),
            id="a kind for each layer",
        ),
        pytest.param(
            {**SMALL, "model_type": "gemma3_text", "num_hidden_layers": 7, "sliding_window": 32},
            (Attention(1, 2, 16, 16), Attention(6, 2, 16, 16, 32)),
            id="a pattern that the family decides",
        ),
        pytest.param(
            {**SMALL, "model_type": "novel", "sliding_window": 32},
            (Attention(2, 2, 16, 16, 32, at_most=True),),
            id="a window in a family that is not known",
        ),
        pytest.param({"text_config": SMALL, "vision_config": {"depth": 1}}, (Attention(2, 2, 16, 16),), id="in a part"),
    ],
)
def test_what_each_layer_keeps(written: Mapping[str, Any], kept: tuple[Attention, ...]) -> None:
    assert read_config("config.json", written).shape.attention == kept


@pytest.mark.parametrize(
    ("written", "states", "full"),
    [
        pytest.param({"model_type": "mamba2"}, 2, 0, id="nothing but states"),
        pytest.param({"layer_types": ["linear_attention", "full_attention"]}, 1, 1, id="a kind for each layer"),
        pytest.param({"full_attention_interval": 2}, 1, 1, id="every second layer keeps tokens"),
        pytest.param({"attn_layer_period": 2, "attn_layer_offset": 0}, 1, 1, id="the first and every second"),
        pytest.param({"hybrid_override_pattern": "M-"}, 1, 0, id="a state and a feed-forward layer"),
    ],
)
def test_layers_that_keep_a_state_are_counted(written: Mapping[str, Any], states: int, full: int) -> None:
    shape = read_config("config.json", {**SMALL, **written}).shape
    assert (shape.state_layers, sum(group.layers for group in shape.attention)) == (states, full)


YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}


@pytest.mark.parametrize(
    ("written", "tokenizer", "context"),
    [
        pytest.param({"max_position_embeddings": 4096}, {}, 4096, id="as it is written"),
        pytest.param({}, {}, None, id="nowhere"),
        pytest.param({"max_position_embeddings": 4096}, {"model_max_length": 2048}, 2048, id="less by the tokenizer"),
        pytest.param(
            {"max_position_embeddings": 4096}, {"model_max_length": 1e30}, 4096, id="no word of the tokenizer"
        ),
        pytest.param({"max_position_embeddings": 32768, "rope_scaling": YARN}, {}, 131072, id="stretched by YaRN"),
        pytest.param(
            {
                "max_position_embeddings": 163840,
                "rope_scaling": {**YARN, "factor": 40, "original_max_position_embeddings": 4096},
            },
            {},
            163840,
            id="stretched by YaRN and written so, as DeepSeek does",
        ),
        pytest.param(
            {"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 2.0}}, {}, 8192, id="linear"
        ),
        pytest.param(
            {"max_position_embeddings": 131072, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
            {},
            131072,
            id="Llama 3.1 counts it already",
        ),
        pytest.param(
            {
                "max_position_embeddings": 131072,
                "original_max_position_embeddings": 4096,
                "rope_scaling": {"type": "longrope"},
            },
            {},
            4096,
            id="longrope is served with the first context",
        ),
        pytest.param(
            {"max_position_embeddings": 4096, "rope_scaling": {"type": "video_rope", "factor": None}},
            {},
            4096,
            id="a factor that is null",
        ),
    ],
)
def test_the_context_is_that_of_vllm(
    written: Mapping[str, Any], tokenizer: Mapping[str, Any], context: int | None
) -> None:
    assert read_config("config.json", {**SMALL, **written}, tokenizer).shape.context == context


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(None, None, id="not quantised"),
        pytest.param({"quant_method": "awq", "bits": 4}, Quantisation("awq", 4), id="AWQ"),
        pytest.param({"quant_method": "gptq", "bits": 8}, Quantisation("gptq", 8), id="GPTQ"),
        pytest.param({"quant_method": "fp8"}, Quantisation("fp8", 8), id="FP8"),
        pytest.param({"quant_method": "mxfp4"}, Quantisation("mxfp4", 4), id="MXFP4"),
        pytest.param({"quant_method": "bitsandbytes", "load_in_4bit": True}, Quantisation("bitsandbytes", 4), id="bnb"),
        pytest.param(
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 4}}},
                "kv_cache_scheme": {"num_bits": 8},
            },
            Quantisation("compressed-tensors", 4, 8),
            id="compressed tensors, and a cache of eight bits",
        ),
        pytest.param({"quant_method": "novel"}, Quantisation("novel", None), id="bits that nobody names"),
    ],
)
def test_how_the_checkpoint_is_quantised(written: object, expected: Quantisation | None) -> None:
    assert read_config("config.json", {**SMALL, "quantization_config": written}).quantisation == expected


@pytest.mark.parametrize(
    ("written", "message"),
    [
        pytest.param({}, "does not say what num_hidden_layers is.", id="nothing"),
        pytest.param({**SMALL, "hidden_size": None}, "does not say what hidden_size is.", id="no size"),
        pytest.param({**SMALL, "num_hidden_layers": "two"}, "says that num_hidden_layers is 'two', which", id="a word"),
        pytest.param({**SMALL, "num_hidden_layers": 10**9}, "speaks of 1000000000 layers;", id="layers without end"),
        pytest.param({**SMALL, "num_attention_heads": 0}, "says that num_attention_heads is 0, which", id="no heads"),
        pytest.param({**SMALL, "num_key_value_heads": 0}, "says that num_key_value_heads is 0, which", id="no cache"),
    ],
)
def test_what_cannot_be_read_is_refused(written: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        read_config("config.json", written)
    assert render(caught.value.problems[0]).startswith(f"config.json: {message}")


VALUES = st.none() | st.booleans() | st.integers(-1, 70000) | st.floats() | st.text(max_size=4) | st.just(10**30)
NAMES = """
model_type num_hidden_layers hidden_size num_attention_heads num_key_value_heads head_dim kv_lora_rank sliding_window
layer_types text_config rope_scaling quantization_config max_position_embeddings architectures torch_dtype vocab_size
attn_layer_period attn_layer_offset full_attention_interval mlp_only_layers num_experts intermediate_size factor type
original_max_position_embeddings config_groups kv_cache_scheme bits quant_method max_window_layers decoder_sparse_step
"""


@settings(max_examples=500, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(NAMES.split()),
        st.recursive(
            VALUES,
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES.split()), inner, max_size=3)
            ),
        ),
    )
)
def test_any_configuration_is_read_or_refused(changes: dict[str, Any]) -> None:
    with contextlib.suppress(ModelFileError):
        assert read_config("config.json", {**QWEN, **changes}).shape.layers >= 0
