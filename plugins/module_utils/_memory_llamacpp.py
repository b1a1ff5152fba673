# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What llama.cpp needs to hold a model wholly on one card.

It needs the weights, a cache for all its slots together, and a buffer to compute in. It leaves some memory of the card
alone (--fit-target). What does not fit it keeps in main memory, where it is slow: "no" means that, not that it stops.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import (
    FITS,
    GIB,
    TIGHT,
    UNKNOWN,
    Amount,
    Card,
    Change,
    Fit,
    Left,
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

CELLS = 256
# Bytes of a number in the cache: a block of 32 with its scale.
CACHE_WIDTHS = {
    "f32": Fraction(4),
    "f16": Fraction(2),
    "bf16": Fraction(2),
    "q8_0": Fraction(34, 32),
    "q5_0": Fraction(22, 32),
    "q5_1": Fraction(24, 32),
    "q4_0": Fraction(18, 32),
    "q4_1": Fraction(20, 32),
    "iq4_nl": Fraction(18, 32),
}


@dataclass(frozen=True)
class LlamacppSettings:
    """The settings of llama.cpp that decide its memory. ``context`` is that of one slot."""

    context: int | None = None
    parallel: int = 1
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    ubatch: int = 512
    flash_attn: bool = True
    fit_target: int = GIB


def fit_llamacpp(model: Model, card: Card, settings: LlamacppSettings | None = None) -> Fit:
    """Judge whether llama.cpp could hold a model wholly on a card."""
    chosen = settings or LlamacppSettings()
    fit = _judged(model, card, chosen)
    if fit.verdict == FITS:
        return fit
    return replace(fit, changes=tuple(_changes(model, card, chosen, fit)))


def _judged(model: Model, card: Card, settings: LlamacppSettings) -> Fit:
    own = model.shape.context
    context = settings.context or own
    budget, needs = _budget(card, settings), _needs(model, settings, context)
    left, need = left_of(budget, needs), total(needs).most
    verdict = judge(left, card.total)
    return Fit(
        engine="llamacpp",
        model=model.name,
        verdict=UNKNOWN if context is None and verdict in (FITS, TIGHT) else verdict,
        budget=budget,
        needs=needs,
        left=left,
        context=context,
        own_context=own,
        largest=largest_context(lambda tokens: _left(model, card, settings, tokens).worst, own, CELLS),
        smallest_card=need + settings.fit_target if need is not None else None,
        reasons=tuple(_reasons(model, context)),
        estimate=model.weights.estimate,
    )


def _left(model: Model, card: Card, settings: LlamacppSettings, context: int) -> Left:
    return left_of(_budget(card, settings), _needs(model, settings, context))


def _budget(card: Card, settings: LlamacppSettings) -> tuple[Term, ...]:
    free = Term("free", exactly(card.free), f"of {gib(card.total)}")
    return free, Term("left alone", exactly(-settings.fit_target), "--fit-target, for the driver and others")


def _needs(model: Model, settings: LlamacppSettings, context: int | None) -> tuple[Term, ...]:
    measured = model.measured
    weights = Term("weights", model.weights.served(2), model.weights.why)
    if measured and measured.weights is not None:
        weights = Term("weights", exactly(measured.weights), measured.when)
    if context is None:
        return (weights,)
    size = cache_bytes(model.shape, context, settings)
    many = f"{settings.parallel} x " if settings.parallel > 1 else ""
    cache = Term(f"KV cache of {many}{context} tokens", size, _cache_why(model.shape, settings))
    compute = exactly(compute_bytes(model.shape, context, settings))
    if measured and measured.overhead is not None:
        return weights, cache, Term("compute buffer", exactly(measured.overhead), measured.when)
    return weights, cache, Term("compute buffer", compute, f"an estimate, for {settings.ubatch} tokens at a time")


def cache_bytes(shape: Shape, context: int, settings: LlamacppSettings) -> Amount:
    """What all slots keep. The number of cells is rounded up for each slot, as llama.cpp does."""
    sizes = [_group_bytes(group, context, settings) for group in shape.attention]
    least = sum(0 if group.at_most else size for group, size in zip(shape.attention, sizes))
    return Amount(least, None if shape.state_layers else sum(sizes))


def _group_bytes(group: Attention, context: int, settings: LlamacppSettings) -> int:
    cells = _padded(context)
    if group.window is not None and not group.at_most:
        cells = min(cells, _padded(group.window + settings.ubatch))
    width_k, width_v = CACHE_WIDTHS[settings.cache_type_k], CACHE_WIDTHS[settings.cache_type_v]
    row = group.heads * (group.key * width_k + group.value * width_v)
    return int(cells * settings.parallel * group.layers * row)


def _padded(tokens: int) -> int:
    return -(-tokens // CELLS) * CELLS


def compute_bytes(shape: Shape, context: int, settings: LlamacppSettings) -> int:
    """Estimate the buffer of a batch: a row of logits and of hidden values for each token, and the mask."""
    vocabulary = shape.vocabulary if shape.vocabulary is not None else 1 << 18
    rows = 4 * (vocabulary + shape.hidden) + 2 * _padded(context)
    if not settings.flash_attn:
        rows += 4 * shape.heads * _padded(context)
    return settings.ubatch * rows


def _cache_why(shape: Shape, settings: LlamacppSettings) -> str:
    parts = [
        f"{group.layers} layers x {group.heads} x ({group.key} {settings.cache_type_k} + "
        f"{group.value} {settings.cache_type_v})" + (f" with a window of {group.window}" if group.window else "")
        for group in shape.attention
    ]
    return " and ".join(parts) or "no layer keeps tokens"


def _reasons(model: Model, context: int | None) -> Iterator[str]:
    shape = model.shape
    if shape.state_layers:
        yield "Some layers keep a state for each request, whose size the header does not tell."
    if any(group.at_most for group in shape.attention):
        yield "llama.cpp may keep less than the whole context in some layers: the KV cache is an upper bound."
    if context is None:
        yield "The header does not tell the model's own context: set one."
    elif shape.context and context > shape.context:
        yield f"The model was made for {shape.context} tokens; llama.cpp gives each request no more."


def _changes(model: Model, card: Card, settings: LlamacppSettings, before: Fit) -> Iterator[Change]:
    """Try settings one by one and name those with which the model would be wholly on the card."""
    tried = list(_single_changes(settings, before))
    small = replace(settings, cache_type_k="q8_0", cache_type_v="q8_0", parallel=1)
    fit = _judged(model, card, small)
    if fit.largest and fit.context and fit.largest < fit.context:
        small = replace(small, context=fit.largest)
    if small not in tried:
        tried.append(small)
    for each in tried:
        after = _judged(model, card, each)
        if helps(after.left, after.verdict, before.verdict) and after.left.worst is not None:
            yield Change(", ".join(_difference(each, settings)), after.verdict, after.left.worst)


def _single_changes(settings: LlamacppSettings, before: Fit) -> Iterator[LlamacppSettings]:
    if before.largest and before.context and before.largest < before.context:
        yield replace(settings, context=before.largest)
    if settings.parallel > 1:
        yield replace(settings, parallel=1)
    if CACHE_WIDTHS[settings.cache_type_k] > CACHE_WIDTHS["q8_0"]:
        yield replace(settings, cache_type_k="q8_0", cache_type_v="q8_0")


def _difference(settings: LlamacppSettings, before: LlamacppSettings) -> Iterator[str]:
    if settings.context != before.context:
        yield f"context: {settings.context}"
    if settings.parallel != before.parallel:
        yield f"parallel: {settings.parallel}"
    if settings.cache_type_k != before.cache_type_k or settings.cache_type_v != before.cache_type_v:
        yield f"cache_type_k: {settings.cache_type_k}, cache_type_v: {settings.cache_type_v}"
