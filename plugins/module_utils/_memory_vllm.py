# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What vLLM does with the memory of a card, as vLLM 0.33 does it.

It takes a share of the card's total memory, which must be free when it starts. Of that it takes the weights, what a
trial run needs, and the CUDA graphs; what is left is the KV cache, which must hold one request of the full context.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import (
    FITS,
    GIB,
    NO,
    UNKNOWN,
    Amount,
    Card,
    Change,
    Fit,
    Left,
    Measured,
    Model,
    Term,
    exactly,
    gib,
    helps,
    judge,
    largest_context,
    left_of,
    total,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._model_shape import Attention, Shape

BLOCK = 16
DEFAULT_UTILISATION = 0.92
# Above this vLLM leaves nothing for what the driver itself needs.
_HIGHEST_UTILISATION = 0.97
_LARGE_CARD = 70 * GIB
_WIDTHS = {"float32": 4, "float": 4, "float16": 2, "half": 2, "bfloat16": 2}
# With several cards each keeps small parts whole.
_REPLICATED = 0.02
_ESTIMATE = "an estimate for a model of this size"
# Pages of layers of different kinds are made equally large.
_PADDING = 0.10


@dataclass(frozen=True)
class VllmSettings:
    """The settings of vLLM that decide its memory. ``parallel`` is how many full requests the cache is to hold."""

    context: int | None = None
    utilisation: float = DEFAULT_UTILISATION
    parallel: int = 1
    cards: int = 1
    cache_type: str = "auto"
    dtype: str = "auto"
    eager: bool = False
    batched_tokens: int | None = None


def fit_vllm(model: Model, card: Card, settings: VllmSettings | None = None) -> Fit:
    """Judge whether vLLM could serve a model on a card, or on several of its kind."""
    chosen = settings or VllmSettings()
    fit = _judged(model, card, chosen)
    if fit.verdict == FITS:
        return fit
    return replace(fit, changes=tuple(_changes(model, card, chosen, fit)))


def _judged(model: Model, card: Card, settings: VllmSettings) -> Fit:
    own = model.shape.context
    context = settings.context or own
    budget = _budget(card, settings)
    needs = _needs(model, card, settings, context)
    left, need = left_of([budget], needs), total(needs).most
    refusals = tuple(_refusals(model, card, settings, budget.amount.least))
    verdict = NO if refusals else judge(left, card.total)
    return Fit(
        engine="vllm",
        model=model.name,
        verdict=UNKNOWN if context is None and verdict != NO else verdict,
        budget=(budget,),
        needs=needs,
        left=left,
        context=context,
        own_context=own,
        largest=largest_context(lambda tokens: _left(model, card, settings, tokens).worst, own, BLOCK),
        smallest_card=math.ceil(need / settings.utilisation) if need is not None else None,
        reasons=refusals + tuple(_unknowns(model, context)),
        estimate=model.weights.estimate,
    )


def _left(model: Model, card: Card, settings: VllmSettings, context: int) -> Left:
    return left_of([_budget(card, settings)], _needs(model, card, settings, context))


def _budget(card: Card, settings: VllmSettings) -> Term:
    size = math.ceil(card.total * settings.utilisation)
    return Term(f"gpu_memory_utilization {settings.utilisation:g}", exactly(size), f"of {gib(card.total)}")


def _needs(model: Model, card: Card, settings: VllmSettings, context: int | None) -> tuple[Term, ...]:
    terms = [_weights(model, settings), *_overhead(model, settings)]
    if context is not None:
        terms.append(_cache(model, card, settings, context))
    return tuple(terms)


def _measured(model: Model, settings: VllmSettings) -> Measured | None:
    return model.measured if model.measured and model.measured.cards == settings.cards else None


def _overhead(model: Model, settings: VllmSettings) -> Iterator[Term]:
    measured = _measured(model, settings)
    if measured and measured.overhead is not None:
        yield Term("activations and CUDA graphs", exactly(measured.overhead), measured.when)
        return
    activations, graphs = overhead(model.shape)
    yield Term("activations", exactly(activations), _ESTIMATE)
    graphs, why = (0, "enforce_eager") if settings.eager else (graphs, _ESTIMATE)
    yield Term("CUDA graphs", exactly(graphs), why)


def _weights(model: Model, settings: VllmSettings) -> Term:
    measured = _measured(model, settings)
    if measured and measured.weights is not None:
        return Term("weights", exactly(measured.weights), measured.when)
    size = model.weights.served(_width(model, settings.dtype))
    if settings.cards == 1 or size.most is None:
        return Term("weights", size, model.weights.why)
    part = math.ceil(size.most / settings.cards * (1 + _REPLICATED))
    return Term("weights", exactly(part), f"{model.weights.why}; 1/{settings.cards} and 2 % on each card")


def _width(model: Model, dtype: str) -> int:
    """Bytes of a number: "auto" serves a checkpoint of 32 bits with 16."""
    return _WIDTHS.get(dtype, 2 if dtype == "auto" else _WIDTHS.get(model.dtype, 2))


def overhead(shape: Shape) -> tuple[int, int]:
    """Estimate what the trial run and the CUDA graphs take, from published logs of models of this size."""
    large = shape.parameters is None or shape.parameters > 14.5e9
    activations, graphs = (2.5, 0.8) if large else (1.5, 0.3)
    return int(activations * (2 if shape.vision else 1) * GIB), int(graphs * GIB)


def cache_width(model: Model, settings: VllmSettings) -> int:
    """Bytes of a number in the KV cache."""
    if settings.cache_type.startswith("fp8") or (settings.cache_type == "auto" and model.cache_bits == 8):
        return 1
    return _width(model, settings.cache_type if settings.cache_type in _WIDTHS else settings.dtype)


def _cache(model: Model, card: Card, settings: VllmSettings, context: int) -> Term:
    size = cache_bytes(model.shape, context, cache_width(model, settings), settings, card.total)
    many = f"{settings.parallel} x " if settings.parallel > 1 else ""
    name = f"KV cache of {many}{context} tokens"
    least, most = size.least * settings.parallel, size.most and size.most * settings.parallel
    return Term(name, Amount(least, most), _cache_why(model, settings))


def cache_bytes(shape: Shape, context: int, width: int, settings: VllmSettings, card: int) -> Amount:
    """What one request of this context keeps on each card."""
    batched = settings.batched_tokens or (8192 if card >= _LARGE_CARD else 2048)
    sizes = [_group_bytes(group, context, width, settings.cards, batched) for group in shape.attention]
    mixed = len({group.window for group in shape.attention}) > 1 or (shape.state_layers and sizes)
    least = sum(0 if group.at_most else size for group, size in zip(shape.attention, sizes))
    most = math.ceil(sum(sizes) * (1 + (_PADDING if mixed else 0)))
    return Amount(least, None if shape.state_layers else most)


def _group_bytes(group: Attention, context: int, width: int, cards: int, batched: int) -> int:
    heads = group.heads if group.shared else max(1, group.heads // cards)
    blocks = -(-context // BLOCK)
    if group.window is not None and not group.at_most:
        blocks = min(blocks, -(-min(group.window - 1 + batched, context) // BLOCK) + 1)
    return group.layers * heads * (group.key + group.value) * width * blocks * BLOCK


def _cache_why(model: Model, settings: VllmSettings) -> str:
    width = cache_width(model, settings)
    parts = [_group_why(group, settings.cards) for group in model.shape.attention]
    if model.shape.state_layers:
        parts.append(f"{model.shape.state_layers} layers that keep a state of unknown size")
    return f"{' and '.join(parts) or 'no layer keeps tokens'}, {width} bytes each".replace("1 bytes", "1 byte")


def _group_why(group: Attention, cards: int) -> str:
    heads = group.heads if group.shared else max(1, group.heads // cards)
    what = f"{group.layers} layers x {heads} x {group.key + group.value}"
    if group.window is None:
        return what
    return f"{what} {'with a window, or not,' if group.at_most else 'with a window'} of {group.window}"


def _refusals(model: Model, card: Card, settings: VllmSettings, budget: int) -> Iterator[str]:
    """Name what makes vLLM stop whatever the sum says."""
    heads, own = model.shape.heads, model.shape.context
    if heads % settings.cards:
        yield f"{heads} attention heads cannot be divided among {settings.cards} cards."
    if settings.context and own and settings.context > own:
        yield f"The model was made for {own} tokens; vLLM refuses a longer context."
    if card.free < budget:
        yield (
            f"vLLM wants {gib(budget)} free when it starts, and {gib(card.free)} are: "
            f"others hold {gib(card.total - card.free)}."
        )


def _unknowns(model: Model, context: int | None) -> Iterator[str]:
    """Name what no file tells."""
    shape = model.shape
    if model.weights.size is None:
        yield f"The size of the weights is not known: {model.weights.why}."
    if shape.state_layers:
        yield f"{shape.state_layers} layers keep a state for each request, whose size no file tells."
    if any(group.at_most for group in shape.attention):
        yield "The files do not tell which layers keep a window only, so the KV cache may be smaller."
    if context is None:
        yield "The files do not tell the model's own context: set one."


def _changes(model: Model, card: Card, settings: VllmSettings, before: Fit) -> Iterator[Change]:
    """Try settings one by one, then together, and name those that would make the model fit."""
    together = replace(settings, eager=True, cache_type="fp8", utilisation=max(_highest(card), settings.utilisation))
    fit = _judged(model, card, together)
    if fit.largest and fit.context and fit.largest < fit.context:
        together = replace(together, context=fit.largest)
    for each in (*_single_changes(model, card, settings, before), together):
        after = _judged(model, card, each)
        if helps(after.left, after.verdict, before.verdict) and after.left.worst is not None:
            yield Change(", ".join(_difference(each, settings)), after.verdict, after.left.worst)


def _single_changes(model: Model, card: Card, settings: VllmSettings, before: Fit) -> Iterator[VllmSettings]:
    if before.largest and before.context and before.largest < before.context:
        yield replace(settings, context=before.largest)
    if cache_width(model, settings) > 1:
        yield replace(settings, cache_type="fp8")
    if not settings.eager:
        yield replace(settings, eager=True)
    if _highest(card) != settings.utilisation:
        yield replace(settings, utilisation=_highest(card))
    for cards in (2, 4, 8):
        if cards > settings.cards and model.shape.heads % cards == 0:
            yield replace(settings, cards=cards)
            break


def _highest(card: Card) -> float:
    """The largest share that is free, in hundredths."""
    return min(_HIGHEST_UTILISATION, math.floor(card.free / card.total * 100) / 100)


def _difference(settings: VllmSettings, before: VllmSettings) -> Iterator[str]:
    if settings.context != before.context:
        yield f"max_model_len: {settings.context}"
    if settings.cache_type != before.cache_type:
        yield f"kv_cache_dtype: {settings.cache_type}"
    if settings.eager != before.eager:
        yield "enforce_eager: true"
    if settings.utilisation != before.utilisation:
        yield f"gpu_memory_utilization: {settings.utilisation:g}"
    if settings.cards != before.cards:
        yield f"tensor_parallel_size: {settings.cards}"
