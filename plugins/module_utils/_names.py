# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names at the gateway: aliases, fallbacks, the names of apps, and who answers for a model that stands by."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping

from ansible_collections.lab.llm_stack.plugins.module_utils._app import App
from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Declaration, Model
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._variables import PREFIX


def check_names(declared: Declaration) -> list[Problem]:
    """Collect what is wrong with the names that refer to models."""
    return [
        *check_aliases(declared.aliases, declared.names),
        *(problem for model in declared.models.values() for problem in _check_fallbacks(model, declared)),
        *check_cycles(declared.models),
        *(problem for app in declared.apps.values() for problem in _check_app(app, declared)),
        *_check_layers(declared),
    ]


def check_aliases(aliases: Mapping[str, str], names: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for each alias that names no model or hides one.

    An alias that hides a model would make that model unreachable by its own name.
    """
    for alias, target in sorted(aliases.items()):
        path = f"{PREFIX}aliases.{alias}"
        if alias in names:
            yield Problem(
                path, NOTHING, "is already the name of a model, which it would hide.", "Choose another alias."
            )
        if target in aliases and target not in names:
            yield Problem(path, target, "is itself an alias.", f"Write the model: {aliases[target]}.")
        elif target not in names:
            yield Problem(path, target, "is not a declared model.", nearest(target, names))


def check_cycles(models: Mapping[str, Model]) -> Iterator[Problem]:
    """Yield a problem for each circle of fallbacks, told from the first of its names."""
    seen: set[frozenset[str]] = set()
    for start in sorted(models):
        circle = _circle(start, models)
        if circle and frozenset(circle) not in seen:
            seen.add(frozenset(circle))
            way = " -> ".join([*circle, start])
            remedy = "A request that all of them fail would be handed round. Remove one of these fallbacks."
            yield Problem(f"{models[start].path}.fallbacks", NOTHING, f"lead back to {start}: {way}.", remedy)


def _circle(start: str, models: Mapping[str, Model]) -> list[str]:
    """The shortest way along fallbacks from a model back to it, by breadth; a fallback to itself is told elsewhere."""
    ways = deque([[start]])
    visited = {start}
    while ways:
        way = ways.popleft()
        model = models.get(way[-1])
        for name in model.fallbacks if model else ():
            if name == start and len(way) > 1 and not _share_a_slot(way, models):
                return way
            if name not in visited:
                visited.add(name)
                ways.append([*way, name])
    return []


def _share_a_slot(names: Collection[str], models: Mapping[str, Model]) -> bool:
    """Whether only one of these models runs at a time: they can answer for each other, and none hands a request on."""
    slots = {models[name].slot for name in names}
    return len(slots) == 1 and None not in slots


def _check_fallbacks(model: Model, declared: Declaration) -> Iterator[Problem]:
    for index, name in enumerate(model.fallbacks):
        path = f"{model.path}.fallbacks[{index}]"
        if name == model.name:
            yield Problem(path, name, "is the model itself.", "Name another model, or remove it.")
        elif name in model.fallbacks[:index]:
            yield Problem(path, name, "is named twice.", "Remove one.")
        else:
            yield from _check_model(name, path, declared)


def _check_app(app: App, declared: Declaration) -> Iterator[Problem]:
    if not app.models and app.name not in [entry.app for entry in declared.layers]:
        yield Problem(
            f"{app.path}.models", NOTHING, "names no model.", "Write the models the app uses: [first, second]."
        )
    for index, name in enumerate(app.models):
        path = f"{app.path}.models[{index}]"
        if name in app.models[:index]:
            yield Problem(path, name, "is named twice.", "Remove one.")
        else:
            yield from _check_model(name, path, declared)


def _check_layers(declared: Declaration) -> Iterator[Problem]:
    for entry in declared.layers:
        if entry.app and entry.app not in declared.apps:
            yield Problem(f"{entry.path}.app", entry.app, "is not a declared app.", nearest(entry.app, declared.apps))


def _check_model(name: str, path: str, declared: Declaration) -> Iterator[Problem]:
    if name in declared.names:
        return
    if name in declared.aliases:
        yield Problem(path, name, "is an alias, not a model.", f"Write the model: {declared.aliases[name]}.")
    else:
        yield Problem(path, name, "is not a declared model.", nearest(name, declared.names))


def check_standby(models: Mapping[str, Model]) -> Iterator[Problem]:
    """Yield a problem for each standby that nothing answers for; every name has to be known, and no circle left."""
    for name, model in sorted(models.items()):
        if model.standby and not answering(name, models):
            wrong = f"leaves nothing to answer for {name}."
            remedy = f"Name in {model.path}.fallbacks a model that answers while this one stands by."
            yield Problem(f"{model.path}.standby", True, wrong, remedy)


def answering(name: str, models: Mapping[str, Model]) -> list[str]:
    """The running models that answer for a name, in the order they are tried."""
    return [name] if not models[name].standby else chain(name, models)


def chain(name: str, models: Mapping[str, Model]) -> list[str]:
    """The running models that a model falls back to; one that stands by is replaced by those that answer for it."""
    return list(_followed(name, models, {name}))


def _followed(name: str, models: Mapping[str, Model], seen: set[str]) -> Iterator[str]:
    """Follow fallbacks, each name once: models of a slot may all name each other, in more ways than can be walked."""
    for fallback in models[name].fallbacks:
        if fallback not in seen:
            seen.add(fallback)
            yield from _followed(fallback, models, seen) if models[fallback].standby else (fallback,)


def reached(names: Collection[str], models: Mapping[str, Model]) -> list[str]:
    """These models and all they may fall back to, sorted."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += models[name].fallbacks
    return sorted(found)
