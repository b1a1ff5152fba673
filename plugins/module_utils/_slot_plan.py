# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a slot: which models share one, which of them runs, and what stands against it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Declaration, Model
from ansible_collections.lab.llm_stack.plugins.module_utils._engines import ENGINES
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._routing import Routing
from ansible_collections.lab.llm_stack.plugins.module_utils._variables import PREFIX

CARD = "gpu"
"""The slot of vLLM's models where none is named: one of them takes nearly all memory of a card."""


@dataclass(frozen=True)
class Slot:
    """What one model at a time holds, on each of ``hosts``; ``active`` is that model, or nobody."""

    name: str
    engine: str
    hosts: tuple[str, ...]
    models: tuple[str, ...]
    active: str | None

    def as_dict(self) -> dict[str, object]:
        """Give the form the plan carries."""
        return {
            "engine": self.engine,
            "hosts": list(self.hosts),
            "models": list(self.models),
            "active": self.active,
        }


def occupied(
    declared: Declaration, routing: Routing, emptied: Collection[str] = ()
) -> tuple[Declaration, Routing, list[Problem]]:
    """Give each model its slot, and let all but the active one of it stand by; in ``emptied`` slots all of them do."""
    hosts = _hosts(routing)
    found = dict(_slots(declared, hosts))
    models = {name: replace(model, slot=found.get(name)) for name, model in declared.models.items()}
    members = _members(models.values())
    problems = [*_misplaced(declared), *_check_active(declared, members)]
    for slot, inside in members.items():
        problems += _check_members(slot, inside, hosts, declared)
        active = None if slot in emptied else declared.active.get(slot)
        if active is not None or slot in emptied:
            models.update({each.name: replace(each, standby=each.name != active) for each in inside})
    instances = tuple(replace(each, model=models[each.model.name]) for each in routing.instances)
    return replace(declared, models=models), replace(routing, instances=instances), problems


def slots(declared: Declaration, routing: Routing) -> list[Slot]:
    """Give the slots of a declaration whose models have them, by name."""
    hosts = _hosts(routing)
    return [_slot(name, inside, hosts) for name, inside in sorted(_members(declared.models.values()).items())]


def _members(models: Iterable[Model]) -> dict[str, list[Model]]:
    """The models of each slot, in the order of declaration."""
    members: dict[str, list[Model]] = {}
    for model in models:
        if model.slot:
            members.setdefault(model.slot, []).append(model)
    return members


def _slot(name: str, inside: list[Model], hosts: Mapping[str, tuple[str, ...]]) -> Slot:
    active = next((each.name for each in inside if not each.standby), None)
    models = tuple(sorted(each.name for each in inside))
    return Slot(name, str(inside[0].engine), hosts.get(inside[0].name, ()), models, active)


def _hosts(routing: Routing) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for each in routing.instances:
        found.setdefault(each.model.name, []).append(each.host)
    return {name: tuple(sorted(hosts)) for name, hosts in found.items()}


def _slots(declared: Declaration, hosts: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    """The slot of each model that has one: as written, or the card where another model of vLLM waits for it."""
    waiting = [each for each in declared.models.values() if each.engine == "vllm" and each.standby]
    for name, model in declared.models.items():
        rivals = [each for each in waiting if each.slot in (None, CARD) and each.name != name]
        shares = model.standby or any(set(hosts.get(name, ())) & set(hosts.get(each.name, ())) for each in rivals)
        if model.slot and not model.provider:
            yield name, model.slot
        elif model.engine == "vllm" and shares:
            yield name, CARD


def _misplaced(declared: Declaration) -> Iterator[Problem]:
    for model in declared.models.values():
        if model.slot and model.provider:
            remedy = f"Remove it, or remove provider: {model.provider}."
            wrong = f"is for a model of our own, but {model.provider} serves this one."
            yield Problem(f"{model.path}.slot", NOTHING, wrong, remedy)
        for engine, options in model.options.items():
            if "slot" in options:
                remedy = (
                    f"A slot belongs to the host, not to an engine. Write it beside {engine}: slot: {options['slot']}."
                )
                yield Problem(f"{model.path}.{engine}.slot", options["slot"], "stands in the wrong place.", remedy)


def _check_active(declared: Declaration, members: Mapping[str, list[Model]]) -> Iterator[Problem]:
    """Yield a problem for each choice that nobody could follow."""
    for slot, name in declared.active.items():
        path = f"{PREFIX}active.{slot}"
        inside = [each.name for each in members.get(slot, ())]
        if slot not in members:
            known = nearest(slot, members) if members else "No model has a slot. Write slot: at those that share one."
            yield Problem(path, NOTHING, "is the slot of no model.", known)
        elif name not in inside:
            yield Problem(path, name, f"is no model of the slot {slot}.", nearest(name, inside))


def _check_members(
    slot: str, inside: list[Model], hosts: Mapping[str, tuple[str, ...]], declared: Declaration
) -> Iterator[Problem]:
    """Yield a problem for each model that cannot share its slot with the first one declared."""
    first, *others = inside
    if ENGINES[str(first.engine)].shared if first.engine else False:
        wrong = f"cannot be held by a model of {first.engine}, whose one server loads and unloads its models itself."
        yield Problem(f"{first.path}.slot", slot, wrong, "Remove it.")
    for other in others:
        if other.engine and first.engine and other.engine != first.engine:
            wrong = f"is held by {first.name} of {first.engine}; {other.engine} cannot take it over."
            yield Problem(f"{other.path}.slot", slot, wrong, "Let one engine serve both, or name another slot.")
        elif other.name in hosts and first.name in hosts and hosts[other.name] != hosts[first.name]:
            wrong = (
                f"is on {_and(hosts[first.name])} for {first.name}, but on {_and(hosts[other.name])} for this model."
            )
            remedy = "Name the same hosts for all models of a slot, or give it another name where the hosts differ."
            yield Problem(f"{other.path}.slot", slot, wrong, remedy)
    running = [each for each in inside if not each.standby]
    if len(running) > 1 and slot not in declared.active:
        a, b, *_more = running
        wrong = f"has the slot {slot}, which {a.name} holds already."
        remedy = (
            f"Let one of them stand by (standby: true), or give {b.name} a slot of its own if there is room for both."
        )
        yield Problem(b.path, NOTHING, wrong, remedy)


def _and(words: Collection[str]) -> str:
    return " and ".join(words)
