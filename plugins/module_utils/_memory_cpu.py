# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What vLLM does with main memory, as its build for the CPU does it in version 0.32.

A share of all memory must be free when it starts. The cache then takes what it is told to (VLLM_CPU_KVCACHE_SPACE), or
what is left of that share, and must hold one request of the full context.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import (
    FITS,
    GIB,
    NO,
    UNKNOWN,
    Amount,
    Card,
    Change,
    Fit,
    Model,
    Term,
    exactly,
    gib,
    judge,
    largest_context,
    left_of,
    total,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_vllm import (
    BLOCK,
    VllmSettings,
    cache_bytes,
    cache_width,
)

# Measured with 0.32 on two CPUs: a server of 633 MB, an engine of 606 MB, a worker of 750 MB before it loads anything.
_WORKER = 750 << 20
_OTHERS = 1240 << 20


def fit_cpu(model: Model, memory: Card, settings: VllmSettings, space: int | None = None) -> Fit:
    """Judge whether vLLM could serve a model from main memory; ``space`` is what its cache is told to take."""
    fit = _judged(model, memory, settings, space)
    return fit if fit.verdict == FITS else replace(fit, changes=tuple(_changes(model, memory, settings, space, fit)))


def _judged(model: Model, memory: Card, settings: VllmSettings, space: int | None) -> Fit:
    own = model.shape.context
    context = settings.context or own
    budget, needs = _budget(memory, settings, space), _needs(model, settings, context, space)
    left, need = left_of([budget], needs), total(needs).most
    refusals = tuple(_refusals(model, memory, settings, context, space))
    verdict = NO if refusals else judge(left, memory.total)
    return Fit(
        engine="vllm",
        model=model.name,
        verdict=UNKNOWN if context is None and verdict != NO else verdict,
        budget=(budget,),
        needs=needs,
        left=left,
        context=context,
        own_context=own,
        largest=_largest(model, memory, settings, space),
        smallest_card=math.ceil(need / (settings.utilisation if space is None else 1)) if need is not None else None,
        reasons=(*refusals, *_unknowns(model)),
        estimate=model.weights.estimate,
    )


def _budget(memory: Card, settings: VllmSettings, space: int | None) -> Term:
    if space is not None:
        return Term("free main memory", exactly(memory.free), f"of {gib(memory.total)}")
    size = math.ceil(memory.total * settings.utilisation)
    name = f"gpu_memory_utilization {settings.utilisation:g}"
    return Term(name, exactly(size), f"of {gib(memory.total)} main memory")


def _needs(model: Model, settings: VllmSettings, context: int | None, space: int | None) -> tuple[Term, ...]:
    width = {"float32": 4, "float": 4}.get(settings.dtype, 2)
    terms = [
        Term("weights", model.weights.served(width), model.weights.why),
        Term("worker", exactly(_WORKER), "as measured with vLLM 0.32"),
    ]
    if space is not None:
        terms += [Term("server and engine", exactly(_OTHERS), "as measured with vLLM 0.32")]
        terms += [Term("KV cache", exactly(space), "VLLM_CPU_KVCACHE_SPACE")]
    elif context is not None:
        terms.append(Term(f"KV cache of {context} tokens", _cache(model, settings, context), "what one request needs"))
    return tuple(terms)


def _cache(model: Model, settings: VllmSettings, context: int) -> Amount:
    return cache_bytes(model.shape, context, cache_width(model, settings), settings, 0)


def _largest(model: Model, memory: Card, settings: VllmSettings, space: int | None) -> int | None:
    def room(context: int) -> int | None:
        if space is not None:
            most = _cache(model, settings, context).most
            return None if most is None else space - most
        return left_of([_budget(memory, settings, space)], _needs(model, settings, context, space)).worst

    return largest_context(room, model.shape.context, BLOCK)


def _refusals(
    model: Model, memory: Card, settings: VllmSettings, context: int | None, space: int | None
) -> Iterator[str]:
    """Name what makes vLLM stop whatever the sum says."""
    share = _budget(memory, settings, None).amount.least
    if space is None and memory.free < share:
        yield f"vLLM wants {gib(share)} free when it starts, and {gib(memory.free)} are."
    if space is not None and context is not None:
        need = _cache(model, settings, context)
        if need.least > space:
            yield f"One request of {context} tokens needs {gib(need.least)} of KV cache, which has {gib(space)}."


def _unknowns(model: Model) -> Iterator[str]:
    if model.weights.size is None:
        yield f"The size of the weights is not known: {model.weights.why}."
    if model.shape.state_layers:
        yield f"{model.shape.state_layers} layers keep a state for each request, whose size no file tells."


def _changes(model: Model, memory: Card, settings: VllmSettings, space: int | None, before: Fit) -> Iterator[Change]:
    """Try a shorter context, a cache just large enough, and a share that is free."""
    tried: list[tuple[str, VllmSettings, int | None]] = []
    if before.largest and before.context and before.largest < before.context:
        tried.append((f"max_model_len: {before.largest}", replace(settings, context=before.largest), space))
    need = _cache(model, settings, before.context).most if before.context else None
    if need is not None:
        enough = max(1, math.ceil(need / GIB))
        if enough * GIB != space:
            tried.append((f"env: {{VLLM_CPU_KVCACHE_SPACE: {enough}}}", settings, enough * GIB))
    share = math.floor(memory.free / memory.total * 100) / 100 if memory.total else 0.0
    if space is None and 0 < share < settings.utilisation:
        tried.append((f"gpu_memory_utilization: {share:g}", replace(settings, utilisation=share), None))
    for words, changed, room in tried:
        after = _judged(model, memory, changed, room)
        if after.verdict == FITS and after.left.worst is not None:
            yield Change(words, after.verdict, after.left.worst)
