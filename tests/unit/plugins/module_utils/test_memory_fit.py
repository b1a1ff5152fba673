# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a model fits: sums that were done by hand, and what vLLM and llama.cpp themselves said in their logs."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._gguf import read_gguf
from ansible_collections.lab.llm_stack.plugins.module_utils._gguf_shape import shape_of
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import (
    FITS,
    GIB,
    NO,
    TIGHT,
    UNKNOWN,
    Amount,
    Card,
    Fit,
    Left,
    Model,
    Stored,
    judge,
    largest_context,
    offered,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_llamacpp import (
    LlamacppSettings,
    compute_bytes,
    fit_llamacpp,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_llamacpp import cache_bytes as llamacpp_cache
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_text import parse_size, render_fit
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_vllm import VllmSettings, cache_bytes, fit_vllm
from ansible_collections.lab.llm_stack.plugins.module_utils._model_shape import Attention, Shape
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
from hypothesis import given
from hypothesis import strategies as st

MIB = 1 << 20
QWEN_7B = Attention(28, 4, 128, 128)
LLAMA_8B = Attention(32, 8, 128, 128)


def shape(*attention: Attention, context: int | None = 131072, **more: Any) -> Shape:
    measures = {"layers": 28, "hidden": 3584, "heads": 28, "vocabulary": 152064, "parameters": 7_620_000_000, **more}
    return Shape(architecture="Test", context=context, attention=attention, **measures)


def model(weights: float | None, *attention: Attention, context: int | None = 131072, **more: Any) -> Model:
    size = None if weights is None else int(weights * GIB)
    return Model("test", "safetensors", shape(*attention, context=context, **more), Stored(size, "by hand"))


R1 = model(14.19, QWEN_7B)
CODER_AWQ = model(5.19, QWEN_7B, context=32768)
DOLPHIN_AWQ = model(3.86, LLAMA_8B, context=32768, heads=32)
LLAMA = model(14.96, LLAMA_8B, heads=32)


# The KV cache of vLLM


@pytest.mark.parametrize(
    ("kept", "context", "settings", "gib"),
    [
        # 2 x 1 x 64 x 2 = 256 bytes a token; 256 x 8388608 = 2 GiB.
        pytest.param(Attention(2, 1, 32, 32), 8388608, {}, 2.0, id="measured: 2.0 GiB KV cache is needed"),
        # 28 x 4 x 256 x 2 = 57344 bytes a token.
        pytest.param(QWEN_7B, 131072, {}, 7.0, id="56 KiB a token, Qwen2.5-7B"),
        pytest.param(QWEN_7B, 131072, {"width": 1}, 3.5, id="and half of it in eight bits"),
        pytest.param(LLAMA_8B, 32768, {}, 4.0, id="128 KiB a token, dolphin 2.8"),
        # 48 x 4 x 256 x 2 = 98304 bytes a token. vllm-project/vllm#34076.
        pytest.param(Attention(48, 4, 128, 128), 262144, {}, 24.0, id="logged: 24.0 GiB, Qwen3-Coder-30B-A3B"),
        # 64 x 8 x 256 x 2 = 262144 bytes a token.
        pytest.param(Attention(64, 8, 128, 128), 40960, {}, 10.0, id="logged: 10.00 GiB, Qwen3-32B"),
        pytest.param(Attention(64, 8, 128, 128), 4096, {}, 1.0, id="logged: 1.0 GiB, Qwen2.5-32B"),
        # 36 x 320 x 2 = 23040 bytes a token. kaito-project/kaito#2132.
        pytest.param(Attention(36, 1, 320, 0, shared=True), 1048576, {}, 22.5, id="logged: 22.5 GiB, latent attention"),
        pytest.param(
            Attention(36, 1, 320, 0, shared=True), 1048576, {"cards": 2}, 22.5, id="which every card keeps whole"
        ),
        pytest.param(QWEN_7B, 131072, {"cards": 2}, 3.5, id="heads are divided among cards"),
        pytest.param(QWEN_7B, 131072, {"cards": 8}, 1.75, id="but none keeps less than one"),
        # min(4096 - 1 + 2048, 32768) = 6143 tokens, 384 blocks and one more: 6160 tokens of 128 KiB.
        pytest.param(Attention(32, 8, 128, 128, 4096), 32768, {}, 6160 / 8192, id="a window keeps what it can see"),
        pytest.param(Attention(32, 8, 128, 128, 4096), 1024, {}, 0.125, id="and never more than the context"),
        # One block is 16 tokens.
        pytest.param(Attention(32, 8, 128, 128), 17, {}, 32 / 8192, id="contexts are rounded up to blocks"),
    ],
)
def test_what_one_request_keeps(kept: Attention, context: int, settings: dict[str, int], gib: float) -> None:
    chosen = VllmSettings(cards=settings.get("cards", 1))
    found = cache_bytes(shape(kept), context, settings.get("width", 2), chosen, 24 * GIB)
    assert found == Amount(int(gib * GIB), int(gib * GIB))


def test_windows_beside_full_layers_cost_padding() -> None:
    """vllm-project/vllm#27508: gpt-oss-120b wants 4.54 GiB for 131072 tokens, with 18 layers of each kind."""
    kept = (Attention(18, 8, 64, 64), Attention(18, 8, 64, 64, 128))
    found = cache_bytes(shape(*kept), 131072, 2, VllmSettings(batched_tokens=1024), 80 * GIB)
    assert found.most is not None
    assert found.least / GIB == pytest.approx(4.54, abs=0.01)
    assert found.most / GIB == pytest.approx(4.54 * 1.1, abs=0.01)


def test_a_state_of_unknown_size_has_no_upper_bound() -> None:
    found = cache_bytes(shape(QWEN_7B, state_layers=20), 4096, 2, VllmSettings(), 24 * GIB)
    assert found == Amount(4096 * 57344, None)


def test_layers_that_may_keep_less_count_nothing_at_least() -> None:
    kept = Attention(28, 4, 128, 128, 4096, at_most=True)
    assert cache_bytes(shape(kept), 131072, 2, VllmSettings(), 24 * GIB) == Amount(0, 7 * GIB)


# Verdicts of vLLM


@pytest.mark.parametrize(
    ("what", "card", "verdict", "largest"),
    [
        # 8 x 0.92 - 5.19 - 1.8 = 0.37 GiB of 56 KiB each: 6928 tokens.
        pytest.param(CODER_AWQ, 8, NO, 6928, id="Qwen2.5-Coder-7B-AWQ on 8 GiB"),
        pytest.param(CODER_AWQ, 12, FITS, 32768, id="on 12 GiB"),
        pytest.param(CODER_AWQ, 15.7, FITS, 32768, id="on 16 GB"),
        pytest.param(R1, 8, NO, 0, id="R1-Distill-Qwen-7B on 8 GiB"),
        # 15.7 x 0.92 - 14.19 - 1.8 = -1.55 GiB.
        pytest.param(R1, 15.7, NO, 0, id="on 16 GB not with any context"),
        # 23.6 x 0.92 - 14.19 - 1.8 = 5.722 GiB: 107136 tokens.
        pytest.param(R1, 23.6, NO, 107136, id="on 24 GB not with its own context"),
        pytest.param(R1, 47.5, FITS, 131072, id="on 48 GB"),
        # 7.36 - 3.86 - 1.8 = 1.7 GiB of 128 KiB each.
        pytest.param(DOLPHIN_AWQ, 8, NO, 13920, id="dolphin 2.8 AWQ on 8 GiB"),
        pytest.param(DOLPHIN_AWQ, 12, FITS, 32768, id="on 12 GiB"),
        pytest.param(LLAMA, 15.7, NO, 0, id="Llama-3.1-8B on 16 GB"),
        # 23.6 x 0.92 - 14.96 - 1.8 = 4.952 GiB.
        pytest.param(LLAMA, 23.6, NO, 40560, id="on 24 GB"),
        pytest.param(LLAMA, 47.5, FITS, 131072, id="on 48 GB"),
    ],
)
def test_the_table_of_the_field(what: Model, card: float, verdict: str, largest: int) -> None:
    fit = fit_vllm(what, Card(int(card * GIB)))
    assert (fit.verdict, fit.largest) == (verdict, largest)


@pytest.mark.parametrize(
    ("what", "card", "settings", "logged"),
    [
        # vllm-project/vllm#10511: 79.22 GiB, of it 53.29 for the cache; 8192 tokens fit.
        pytest.param(model(14.96, LLAMA_8B, context=8192, heads=32), 79.22, {}, FITS, id="Llama-3-8B on an H100"),
        pytest.param(model(14.96, LLAMA_8B, context=8192, heads=32), 79.22, {"cards": 2}, FITS, id="and on two"),
        # A public log: 4.60 GiB for the cache, room for 37696 tokens of 131072.
        pytest.param(LLAMA, 22.07, {}, NO, id="Llama-3.1-8B on an L4, at its own context"),
        pytest.param(LLAMA, 22.07, {"context": 8192}, FITS, id="which serves 8192 tokens"),
        # vllm-project/vllm#13061: 23.55 GiB twice, 13.95 of weights each, room for 81536 tokens of 131072.
        pytest.param(
            model(27.5, Attention(48, 8, 128, 128), heads=40, parameters=14_770_000_000),
            *(23.55, {"cards": 2, "utilisation": 0.98}, NO),
            id="R1-Distill-Qwen-14B on two 4090",
        ),
        # A public log: 62.43 GiB of weights, 6.9 of activations, 0.22 left.
        pytest.param(
            model(62.43, Attention(64, 8, 128, 128), context=32768, heads=40, parameters=32_800_000_000, vision=True),
            *(79.2, {}, NO),
            id="a vision model of 32B on an A100",
        ),
        # A public log: Qwen2.5-32B-AWQ, 18.14 GiB of weights, 4096 tokens want 1.0 GiB and 0.58 are there.
        pytest.param(
            model(18.14, Attention(64, 8, 128, 128), context=32768, heads=40, parameters=32_800_000_000),
            *(23.6, {"context": 4096}, NO),
            id="Qwen2.5-32B-AWQ on 24 GB",
        ),
    ],
)
def test_what_failed_for_others_is_not_said_to_fit(
    what: Model, card: float, settings: dict[str, Any], logged: str
) -> None:
    found = fit_vllm(what, Card(int(card * GIB)), VllmSettings(**{"utilisation": 0.9, **settings})).verdict
    assert found in ((FITS,) if logged == FITS else (NO, TIGHT))


def refusals(fit: Fit) -> tuple[str, tuple[str, ...]]:
    return fit.verdict, fit.reasons


def test_memory_that_others_hold_is_not_there() -> None:
    """vLLM compares what is free when it starts, so the old instance must be gone first."""
    running = Card(24 * GIB, used=int(20.5 * GIB))
    wrong = "vLLM wants 22.08 GiB free when it starts, and 3.50 GiB are: others hold 20.50 GiB."
    assert refusals(fit_vllm(CODER_AWQ, running)) == (NO, (wrong,))
    assert fit_vllm(CODER_AWQ, Card(24 * GIB, used=int(20.5 * GIB), released=20 * GIB)).verdict == FITS


def test_a_smaller_share_makes_room_for_others() -> None:
    fit = fit_vllm(CODER_AWQ, Card(24 * GIB, used=3 * GIB))
    assert fit.verdict == NO
    assert fit.changes[0].settings == "gpu_memory_utilization: 0.87"


def test_heads_that_cannot_be_divided_are_refused() -> None:
    fit = fit_vllm(CODER_AWQ, Card(24 * GIB), VllmSettings(cards=3))
    assert refusals(fit) == (NO, ("28 attention heads cannot be divided among 3 cards.",))


def test_a_context_beyond_the_models_own_is_refused() -> None:
    fit = fit_vllm(CODER_AWQ, Card(24 * GIB), VllmSettings(context=65536))
    assert refusals(fit) == (NO, ("The model was made for 32768 tokens; vLLM refuses a longer context.",))
    assert fit.changes[0].settings == "max_model_len: 32768"


def test_the_settings_that_would_help_are_named() -> None:
    fit = fit_vllm(R1, Card(int(23.6 * GIB)))
    assert [each.settings for each in fit.changes] == [
        "max_model_len: 107136",
        "kv_cache_dtype: fp8",
        "tensor_parallel_size: 2",
        "kv_cache_dtype: fp8, enforce_eager: true, gpu_memory_utilization: 0.97",
    ]
    # 14.19 + 1.8 + 7.0 = 22.99 GiB are 92 % of 24.99.
    assert fit.smallest_card == pytest.approx(22.99 / 0.92 * GIB, abs=MIB)


def test_what_fits_needs_no_change() -> None:
    assert fit_vllm(CODER_AWQ, Card(16 * GIB)).changes == ()


def test_weights_of_32_bits_are_served_with_16() -> None:
    stored = Stored(4000, "by hand", 1000, 4000)
    assert (stored.served(2), stored.served(4)) == (Amount(2000, 2000), Amount(4000, 4000))


@pytest.mark.parametrize(
    ("what", "card", "verdict", "reason"),
    [
        pytest.param(model(None, QWEN_7B), 24, UNKNOWN, "The size of the weights is not known: by hand.", id="weights"),
        pytest.param(
            model(5.0, QWEN_7B, context=4096, state_layers=20),
            *(24, UNKNOWN, "20 layers keep a state for each request, whose size no file tells."),
            id="a state",
        ),
        pytest.param(
            model(25.0, QWEN_7B, context=4096, state_layers=20),
            *(24, NO, "20 layers keep a state for each request, whose size no file tells."),
            id="a state, where even the rest is too much",
        ),
        pytest.param(
            model(5.0, QWEN_7B, context=None),
            *(24, UNKNOWN, "The files do not tell the model's own context: set one."),
            id="no context",
        ),
        pytest.param(
            model(14.19, Attention(28, 4, 128, 128, 4096, at_most=True)),
            *(23.6, UNKNOWN, "The files do not tell which layers keep a window only, so the KV cache may be smaller."),
            id="a window in some layers",
        ),
    ],
)
def test_what_no_file_tells_is_unknown(what: Model, card: float, verdict: str, reason: str) -> None:
    assert refusals(fit_vllm(what, Card(int(card * GIB)))) == (verdict, (reason,))


# llama.cpp


def test_the_cache_is_what_llama_cpp_asked_malloc_for() -> None:
    """Measured: 10240131072 bytes for 10000128 cells of the model in this repository."""
    tiny = shape(Attention(2, 2, 64, 64))
    assert llamacpp_cache(tiny, 10_000_128, LlamacppSettings()).most == 10_240_131_072
    assert llamacpp_cache(tiny, 10_000_000, LlamacppSettings()).most == 10_240_131_072


def test_the_sum_is_what_llama_fit_params_printed(root: Any) -> None:
    """Measured for the model in this repository with 8192 tokens: Host 1 8 10, in MiB."""
    path = str(root / "models/tiny-tools.gguf")
    gguf = read_gguf(path)
    tiny, chosen = shape_of(path, gguf), LlamacppSettings()
    sizes = (gguf.weights, llamacpp_cache(tiny, 8192, chosen).most or 0, compute_bytes(tiny, 8192, chosen))
    assert [round(size / MIB) for size in sizes] == [1, 8, 10]


@pytest.mark.parametrize(
    ("settings", "mib"),
    [
        pytest.param({}, 448, id="f16"),
        pytest.param({"cache_type_k": "q8_0", "cache_type_v": "q8_0"}, 238, id="q8_0 takes 1.0625 bytes"),
        pytest.param({"cache_type_k": "q4_0", "cache_type_v": "q4_0"}, 126, id="q4_0 takes 0.5625 bytes"),
        pytest.param({"cache_type_k": "q8_0"}, 343, id="keys and values of their own types"),
        pytest.param({"parallel": 4}, 1792, id="each slot has the whole context"),
    ],
)
def test_types_and_slots(settings: dict[str, Any], mib: int) -> None:
    assert llamacpp_cache(shape(QWEN_7B), 8192, LlamacppSettings(**settings)).most == mib * MIB


def test_a_window_is_rounded_up_with_its_batch() -> None:
    # 4096 + 512 = 4608 cells of 32 x 8 x 256 x 2 = 128 KiB.
    found = llamacpp_cache(shape(Attention(32, 8, 128, 128, 4096)), 32768, LlamacppSettings())
    assert found.most == 4608 * 131072


@pytest.mark.parametrize(
    ("card", "settings", "verdict", "changes"),
    [
        # 12 - 1 - 4.4 - 1.75 - 0.33 = 4.5 GiB.
        pytest.param(Card(12 * GIB), {}, FITS, [], id="fits"),
        # 8 - 1 - 4.4 - 1.75 - 0.33 = 0.52 GiB, which is more than 5 %.
        pytest.param(Card(8 * GIB), {}, FITS, [], id="fits just"),
        pytest.param(
            Card(6 * GIB),
            {},
            NO,
            ["context: 5376", "context: 10240, cache_type_k: q8_0, cache_type_v: q8_0"],
            id="does not fit",
        ),
        pytest.param(
            Card(8 * GIB, used=6 * GIB, released=6 * GIB), {}, FITS, [], id="the old instance makes room for the new"
        ),
        pytest.param(Card(8 * GIB, used=6 * GIB), {}, NO, [], id="nothing helps where others hold the card"),
    ],
)
def test_verdicts_of_llama_cpp(card: Card, settings: dict[str, Any], verdict: str, changes: list[str]) -> None:
    fit = fit_llamacpp(model(4.4, QWEN_7B, context=32768), card, LlamacppSettings(**settings))
    assert fit.verdict == verdict
    assert sorted(each.settings for each in fit.changes) == sorted(changes)


def test_slots_beyond_the_card_are_named() -> None:
    fit = fit_llamacpp(model(4.4, QWEN_7B, context=32768), Card(10 * GIB), LlamacppSettings(parallel=4))
    assert fit.verdict == NO
    assert "parallel: 1" in [each.settings for each in fit.changes]


# The parts


@pytest.mark.parametrize(
    ("best", "worst", "verdict"),
    [
        (6, 6, FITS),
        (5, 5, TIGHT),
        (0, 0, TIGHT),
        (-5, -5, TIGHT),
        (-6, -6, NO),
        (9, 0, TIGHT),
        (9, -9, UNKNOWN),
        (0, -9, UNKNOWN),
        (9, None, UNKNOWN),
        (-9, None, NO),
    ],
)
def test_the_margin_is_five_percent_of_the_card(best: int, worst: int | None, verdict: str) -> None:
    assert judge(Left(best, worst), 100) == verdict


@given(
    st.integers(0, 1 << 40), st.integers(1, 1 << 20), st.sampled_from([16, 256]), st.integers(1, 1 << 20) | st.none()
)
def test_the_largest_context_has_room_and_the_next_has_not(memory: int, each: int, step: int, own: int | None) -> None:
    def room(context: int) -> int:
        return memory - context * each

    found = largest_context(room, own, step)
    assert found is not None
    assert found == 0 or room(found) >= 0
    assert found == (own or 1 << 24) or room(min(found + step, own or 1 << 24)) < 0 or room(step) < 0


def test_a_card_offers_less_than_it_is_sold_with() -> None:
    assert offered(24 * GIB) / GIB == pytest.approx(23.52)


@pytest.mark.parametrize(
    ("text", "size"),
    [("16GiB", 16 * GIB), ("16 GB", 16 * GIB), ("16", 16 * GIB), ("16376MiB", 16376 * MIB), ("0.5g", GIB // 2)],
)
def test_amounts_of_memory(text: str, size: int) -> None:
    assert parse_size(text, "--gpu") == size


@pytest.mark.parametrize("text", ["", "big", "-1", "16TB", "1e3", "16 GiB of memory"])
def test_what_is_no_amount_of_memory(text: str) -> None:
    with pytest.raises(StackError, match="is not an amount of memory"):
        parse_size(text, "--gpu")


def test_the_answer_for_people() -> None:
    card = Card(int(23.6 * GIB))
    assert (
        render_fit(fit_vllm(R1, card))
        == """\
test with vLLM: no

  gpu_memory_utilization 0.92   21.71 GiB  of 23.60 GiB
  weights                      -14.19 GiB  by hand
  activations                   -1.50 GiB  an estimate for a model of this size
  CUDA graphs                   -0.30 GiB  an estimate for a model of this size
  KV cache of 131072 tokens     -7.00 GiB  28 layers x 4 x 256, 2 bytes each
  left                          -1.28 GiB

The largest context that fits is 107136 tokens of the 131072 the model was made for.
It would fit with:
    max_model_len: 107136  (0.33 MiB left)
    kv_cache_dtype: fp8  (2.22 GiB left)
    tensor_parallel_size: 2  (9.18 GiB left)
    kv_cache_dtype: fp8, enforce_eager: true, gpu_memory_utilization: 0.97  (3.70 GiB left)
As declared it needs a card that offers 24.99 GiB, with nothing else on it."""
    )


def test_the_answer_where_nothing_is_known() -> None:
    assert (
        render_fit(fit_vllm(model(None, QWEN_7B, context=4096, state_layers=20), Card(24 * GIB)))
        == """\
test with vLLM: unknown

  gpu_memory_utilization 0.92          22.08 GiB  of 24.00 GiB
  weights                                unknown  by hand
  activations                          -1.50 GiB  an estimate for a model of this size
  CUDA graphs                          -0.30 GiB  an estimate for a model of this size
  KV cache of 4096 tokens      -0.22 GiB or more  28 layers x 4 x 256 and 20 layers that keep a state of unknown \
size, 2 bytes each
  left                         20.06 GiB at most

The size of the weights is not known: by hand.
20 layers keep a state for each request, whose size no file tells.
The largest context that fits is not known."""
    )


def test_the_answer_when_llama_cpp_fits() -> None:
    what = model(4.4, Attention(28, 4, 128, 128, at_most=True), context=32768)
    assert (
        render_fit(fit_llamacpp(what, Card(12 * GIB)))
        == """\
test with llama.cpp: fits

  free                                 12.00 GiB  of 12.00 GiB
  left alone                           -1.00 GiB  --fit-target, for the driver and others
  weights                              -4.40 GiB  by hand
  KV cache of 32768 tokens       up to -1.75 GiB  28 layers x 4 x (128 f16 + 128 f16)
  compute buffer                       -0.33 GiB  an estimate, for 512 tokens at a time
  left                      4.52 GiB to 6.27 GiB

llama.cpp may keep less than the whole context in some layers: the KV cache is an upper bound.
The largest context that fits is 32768 tokens of the 32768 the model was made for."""
    )
