# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Does an instance fit into the memory of its host, as the driver tells it and with what others hold of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ansible_collections.lab.llm_stack.plugins.module_utils._devices import Device, Holding
from ansible_collections.lab.llm_stack.plugins.module_utils._host_facts import Host
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_cpu import fit_cpu
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import (
    FITS,
    NO,
    TIGHT,
    UNKNOWN,
    Card,
    Fit,
    Model,
    gib,
    judge,
    total,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_llamacpp import fit_llamacpp
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_text import render_fit
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_vllm import VllmSettings, fit_vllm
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_card import chosen
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_settings import (
    LESS,
    MORE,
    cache_space,
    chooses_context,
    llamacpp_settings,
    uncounted,
    vllm_settings,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import Finding, Instance
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem

MAIN_MEMORY = "main memory"


@dataclass(frozen=True)
class Place:
    """Where an instance is to run: a card or main memory, and who else holds how much of it.

    ``untold`` are bytes in use of which the driver does not tell whether they will be given back.
    """

    name: str
    card: Card
    others: tuple[str, ...] = ()
    untold: int = 0


def place_of(instance: Instance, host: Host, beside: Sequence[Instance]) -> Place | None:
    """The card with the least room of those it takes, or main memory; None where nothing tells its size."""
    cards = chosen(instance, host) or ()
    places = [_on_card(instance, each, host, beside) for each in cards]
    if host.backend == "cpu" or (instance.engine == "llamacpp" and not cards):
        places = [_in_memory(instance, host)]
    known = [each for each in places if each]
    return min(known, key=lambda each: each.card.free) if known and len(known) == len(places) else None


def _on_card(instance: Instance, device: Device, host: Host, beside: Sequence[Instance]) -> Place | None:
    if device.total is None or device.used is None or device.divided:
        return None
    held = [each for each in host.cards.holdings if each.card in (device.uuid, "")]
    ours = {instance.unit, *instance.replaces}
    released = [each for each in held if host.units.get(each.pid) in ours]
    others = [each for each in held if each not in released]
    later = sum(_still_to_take(each, device, held, host) for each in beside)
    used = min(device.used + later, device.total)
    given_back = min(sum(each.size or 0 for each in released), device.used)
    untold = device.used - given_back if any(each.size is None for each in released) else 0
    told = [*_told(others, host)]
    if later:
        told.append(f"instances of this declaration that start beside it: {gib(later)}")
    return Place(device.name, Card(device.total, used, given_back), tuple(told), untold)


def _still_to_take(other: Instance, device: Device, held: Sequence[Holding], host: Host) -> int:
    """What an instance of the same declaration will take of a card and does not hold yet."""
    taken = chosen(other, host)
    if other.engine != "vllm" or taken is None or device not in taken:
        return 0
    share = int((device.total or 0) * vllm_settings(other).utilisation)
    return max(share - sum(each.size or 0 for each in held if host.units.get(each.pid) == other.unit), 0)


def _told(others: Sequence[Holding], host: Host) -> Iterator[str]:
    for each in others:
        yield f"{host.holder(each)}: {'not told how much' if each.size is None else gib(each.size)}"


def _in_memory(instance: Instance, host: Host) -> Place | None:
    if host.memory is None:
        return None
    released = sum(host.resident.get(unit, 0) for unit in {instance.unit, *instance.replaces})
    used = host.memory.total - host.memory.available
    return Place(MAIN_MEMORY, Card(host.memory.total, used, min(released, used)))


# -- the sum ----------------------------------------------------------------------------------------------------------


def fit_of(instance: Instance, model: Model, place: Place, backend: str) -> Fit:
    """Judge an instance; what nothing tells makes the verdict unknown, never a guess."""
    fit = _fit(instance, model, place.card, backend)
    if place.untold and fit.verdict == NO:
        generous = replace(place.card, released=place.card.released + place.untold)
        if _fit(instance, model, generous, backend).verdict != NO:
            reason = f"The driver does not tell how much of {gib(place.untold)} the replaced instance gives back."
            fit = replace(fit, verdict=UNKNOWN, reasons=(*fit.reasons, reason))
    quantised = "," in model.weights.why
    for name, way, why in uncounted(instance, quantised) if instance.engine == "vllm" else ():
        if (way == LESS and fit.verdict == NO) or (way == MORE and fit.verdict in (FITS, TIGHT)):
            fit = replace(fit, verdict=UNKNOWN)
        fit = replace(fit, reasons=(*fit.reasons, f"The sum does not count {name}: {why}."))
    return fit


def _fit(instance: Instance, model: Model, card: Card, backend: str) -> Fit:
    if instance.engine == "llamacpp":
        return fit_llamacpp(model, card, llamacpp_settings(instance))
    settings = vllm_settings(instance)
    fit = _vllm(instance, model, card, settings, backend)
    if chooses_context(instance) and fit.largest and fit.context and fit.largest < fit.context:
        return _vllm(instance, model, card, replace(settings, context=fit.largest), backend)
    return fit


def _vllm(instance: Instance, model: Model, card: Card, settings: VllmSettings, backend: str) -> Fit:
    if backend == "cpu":
        return fit_cpu(model, card, settings, cache_space(instance))
    return fit_vllm(model, card, settings)


# -- what follows from it ---------------------------------------------------------------------------------------------


def memory_findings(instance: Instance, fit: Fit | None, place: Place | None, host: Host) -> Iterator[Finding]:
    """Word the verdict: "no" refuses, "tight" and "unknown" warn."""
    if fit is None or place is None:
        wrong = "may or may not fit: nothing tells how much memory its card has, or its files how much it needs."
        yield Finding(UNKNOWN, Problem(instance.path, NOTHING, wrong), refuses=False)
        return
    lines = [*render_fit(fit).splitlines(), *(["It is shared with:"] if place.others else [])]
    text = "\n".join([*lines, *(f"    {each}" for each in place.others)])
    if fit.verdict == NO:
        code = _code(instance, fit, place, host)
        if code:
            refuses = code != "out-of-memory-kv" or not _spills(fit, place, host)
            yield Finding(code, Problem(instance.path, NOTHING, _wrong(place, refuses), text), refuses)
    elif fit.verdict == TIGHT:
        wrong = f"may not fit into {place.name}: what is left is within the error of the estimate."
        yield Finding(TIGHT, Problem(instance.path, NOTHING, wrong, text), refuses=False)
    elif fit.verdict == UNKNOWN:
        wrong = f"may or may not fit into {place.name}."
        yield Finding(UNKNOWN, Problem(instance.path, NOTHING, wrong, text), refuses=False)


def _wrong(place: Place, refuses: bool) -> str:
    if refuses:
        return f"does not fit into {place.name}."
    if place.name == MAIN_MEMORY:
        return "does not fit into main memory: its weights will be read from the disk over and over, which is slow."
    return f"does not fit into {place.name} alone: a part will be kept in main memory, where it is slow."


def _code(instance: Instance, fit: Fit, place: Place, host: Host) -> str:
    """What the start that is refused would fail with; empty where the sum is right and something else is wrong."""
    if instance.engine == "llamacpp":
        return "out-of-memory-kv"
    there = total(fit.budget).least
    if place.card.free < there:
        return "memory-held"
    fixed = total(each for each in fit.needs if not each.name.startswith("KV cache of"))
    space = cache_space(instance) if host.backend == "cpu" else None
    if space == 0:
        return "weights-over-memory"
    if space is not None:
        return "cpu-cache" if judge(fit.left, place.card.total) == NO else "context-over-memory"
    if judge(fit.left, place.card.total) != NO:
        return ""
    return "weights-over-memory" if fixed.least >= there else "context-over-memory"


def _spills(fit: Fit, place: Place, host: Host) -> bool:
    """Whether what llama.cpp cannot put on the card finds room in main memory, where it only maps the weights."""
    if host.memory is None or fit.left.worst is None:
        return False
    if place.name == MAIN_MEMORY:
        own = total(each for each in fit.needs if each.name != "weights").most
        return own is not None and own < place.card.free
    return host.memory.available > -fit.left.worst
