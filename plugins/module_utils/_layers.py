# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merge layers of gateway settings into one configuration, and keep of every value who said it and who was overridden.

Mappings are merged key by key, lists by the identity of their entries where they have one (see _layer_paths), and every
other list is one value. Two layers that disagree are a conflict, unless the later one says that it overrides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._layer_paths import (
    EVERY,
    Item,
    Path,
    build,
    label,
    within,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest

_EMPTY: tuple[object, ...] = ({}, [])


@dataclass(frozen=True)
class Source:
    """Who says a value: the layer, and the variable or the file and line where it is written.

    What is ``fixed`` follows from a declaration, and is changed there only.
    """

    layer: str
    place: str
    fixed: bool = False


@dataclass(frozen=True)
class Definition:
    """One layer's word on one value."""

    path: Path
    value: object
    source: Source


@dataclass(frozen=True)
class Layer:
    """One source of settings.

    ``path`` is where the user declared it. A layer that ``yields`` gives way to all others, one that ``overrides``
    wins over those before it, and one with an ``app`` has a say on the names of that app only: what its ``shared``
    definitions say of the whole gateway has to be said by others too. ``removes`` are paths that are gone after it.
    """

    name: str
    definitions: tuple[Definition, ...] = ()
    path: str = ""
    yields: bool = False
    overrides: bool = False
    removes: tuple[str, ...] = ()
    app: str = ""
    shared: tuple[Definition, ...] = ()


@dataclass(frozen=True)
class Setting:
    """One value of the merged configuration: who set it, who says the same, who was overridden, who objects."""

    definition: Definition
    yields: bool = False
    agreed: tuple[Definition, ...] = ()
    overrode: tuple[Definition, ...] = ()
    opposed: tuple[tuple[Definition, Layer], ...] = ()

    @property
    def said(self) -> tuple[Definition, ...]:
        """Everything that was ever said here, in order."""
        return (*self.overrode, self.definition, *self.agreed, *(each for each, _layer in self.opposed))


@dataclass(frozen=True)
class Removed:
    """A value that a layer took out."""

    setting: Setting
    layer: Layer
    place: str


@dataclass(frozen=True)
class Merged:
    """What all layers come to."""

    layers: tuple[str, ...]
    settings: Mapping[Path, Setting]
    removed: tuple[Removed, ...]
    problems: tuple[Problem, ...]

    @property
    def config(self) -> dict[str, Any]:
        """The configuration, in an order that does not depend on that of its keys."""
        return build((path, setting.definition.value) for path, setting in self.settings.items())


def merge(layers: Iterable[Layer]) -> Merged:
    """Merge layers, the first at the bottom."""
    state = _State()
    order = tuple(layers)
    for layer in order:
        for definition in layer.definitions:
            for each in state.expanded(definition, layer):
                state.put(each, layer)
        for definition in layer.shared:
            state.compare(definition, layer)
        for index, text in enumerate(layer.removes):
            state.remove(text, layer, f"{layer.path}.remove[{index}]")
    problems = (*state.problems, *_conflicts(state.settings))
    names = tuple(layer.name for layer in order)
    return Merged(names, dict(state.settings), tuple(state.removed), problems)


@dataclass
class _State:
    """The merge so far; lives for one merge only."""

    settings: dict[Path, Setting] = field(default_factory=dict)
    removed: list[Removed] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    # For each path that is no value itself, the values below it.
    below: dict[Path, dict[Path, None]] = field(default_factory=dict)

    def put(self, definition: Definition, layer: Layer) -> None:
        """Take in one definition."""
        old = self.settings.get(definition.path)
        if old and _same(old.definition.value, definition.value):
            self.settings[definition.path] = _agreed(old, definition, layer)
            return
        rivals = [old] if old else self._rivals(definition)
        if definition.value in _EMPTY and any(rival.definition.path != definition.path for rival in rivals):
            return  # what holds nothing adds nothing
        opponents = [each for each in rivals if not _gives_way(each, definition, layer)]
        if opponents:
            first = opponents[0]
            opposed = (*first.opposed, (definition, layer))
            self.settings[first.definition.path] = replace(first, opposed=opposed)
            return
        same = definition.path
        filled = [each for each in rivals if each.definition.path == same or each.definition.value not in _EMPTY]
        overrode = tuple(each for rival in filled for each in rival.said)
        for rival in rivals:
            self._drop(rival.definition.path)
        self._add(Setting(definition, yields=layer.yields, overrode=overrode))

    def compare(self, definition: Definition, layer: Layer) -> None:
        """Take in what an app's layer says of the whole gateway: it may repeat, not decide."""
        old = self.settings.get(definition.path)
        if old and _same(old.definition.value, definition.value):
            self.settings[definition.path] = replace(old, agreed=(*old.agreed, definition))
            return
        where = label(definition.path)
        wrong = f"sets {where} for every app, as a layer of the app {layer.app}."
        held = f"is {shown(old.definition.value)} in {old.definition.source.place}" if old else "is set by nobody else"
        remedy = (
            f"It {held},\nand here {shown(definition.value)} in {definition.source.place}.\n"
            f"Leave it out here, with remove: ['{where}'],\nor set it in llm_stack_gateway, for every app."
        )
        self.problems.append(Problem(layer.path, NOTHING, wrong, remedy))

    def remove(self, text: str, layer: Layer, place: str) -> None:
        """Take out everything that a text names."""
        found = [path for path in self.settings if within(path, text)]
        fixed = [each.source for path in found for each in self.settings[path].said if each.source.fixed]
        if not found:
            known = {label(path[:length]) for path in self.settings for length in range(1, len(path) + 1)}
            self.problems.append(Problem(place, text, "is set by no layer up to this one.", nearest(text, known)))
        elif fixed:
            self.problems.append(Problem(place, text, f"comes from {fixed[0].place}.", "Change it there."))
        else:
            self.removed += [Removed(self.settings[path], layer, place) for path in found]
            for path in found:
                self._drop(path)

    def expanded(self, definition: Definition, layer: Layer) -> Iterator[Definition]:
        """Yield a definition that is meant for every deployment of a name once for each of them."""
        item = definition.path[1] if len(definition.path) > 1 else None
        if not isinstance(item, Item) or item.detail != EVERY:
            yield definition
            return
        items = {path[1]: None for path in self.below.get(("model_list",), {})}
        same = [each for each in items if isinstance(each, Item) and each.name == item.name]
        for each in same:
            yield replace(definition, path=("model_list", each, *definition.path[2:]))
        if not same and definition.path[2:] == ("model_name",):
            wrong = "names no engine model, and no earlier layer has a deployment of it."
            names = [each.name for each in items if isinstance(each, Item)]
            remedy = f"{nearest(item.name, names)}\nA new deployment needs litellm_params.model."
            self.problems.append(Problem(f"{layer.path}.{label(definition.path[:2])}", NOTHING, wrong, remedy))

    def _rivals(self, definition: Definition) -> list[Setting]:
        """The values that cannot stand beside a new one: those above it and those below it."""
        path = definition.path
        above = [path[:length] for length in range(1, len(path)) if path[:length] in self.settings]
        return [self.settings[each] for each in (*above, *self.below.get(path, ()))]

    def _add(self, setting: Setting) -> None:
        path = setting.definition.path
        self.settings[path] = setting
        for length in range(1, len(path)):
            self.below.setdefault(path[:length], {})[path] = None

    def _drop(self, path: Path) -> None:
        del self.settings[path]
        for length in range(1, len(path)):
            del self.below[path[:length]][path]


def _agreed(old: Setting, definition: Definition, layer: Layer) -> Setting:
    """Note that another layer says the same; who yields is no longer the one whose word counts."""
    if old.yields and not layer.yields:
        return replace(old, definition=definition, yields=False, agreed=(old.definition, *old.agreed))
    return replace(old, agreed=(*old.agreed, definition))


def _gives_way(old: Setting, definition: Definition, layer: Layer) -> bool:
    """Tell whether a new definition may take the place of an old one."""
    if definition.path != old.definition.path and old.definition.value in _EMPTY:
        return True  # what holds nothing has room for anything
    return old.yields or (layer.overrides and not any(each.source.fixed for each in (old.definition, *old.agreed)))


def _same(left: object, right: object) -> bool:
    """Tell whether two values are one; true is no number here."""
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        return all(map(_same, left, right))
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _conflicts(settings: Mapping[Path, Setting]) -> Iterator[Problem]:
    for path, setting in settings.items():
        if setting.opposed:
            yield _conflict(path, setting, settings)


def _conflict(path: Path, setting: Setting, settings: Mapping[Path, Setting]) -> Problem:
    """Say what is in conflict by both values and their addresses."""
    sides = [setting.definition, *(each for each, _layer in setting.opposed)]
    layer = setting.opposed[-1][1]
    number = {2: "two", 3: "three"}.get(len(sides), str(len(sides)))
    width = max(len(shown(each.value)) for each in sides)
    lines = [f"{shown(each.value).ljust(width)}  {each.source.place}" for each in sides]
    fixed = next((each.source for each in sides if each.source.fixed), None)
    way = f"write overrides: true at {layer.path} ({layer.name})" if layer.path else ""
    if fixed:
        advice = f"Change {fixed.place}, or remove the other."
    elif path[0] == "model_list" and not layer.app:
        advice = f"Remove it from one of them, {way},\nor write app: NAME there if it is meant for one app only."
    else:
        advice = f"Remove it from one of them, or {way}."
    wrong = f"{number} layers give {label(path, settings)} different values."
    return Problem("llm_stack_layers", NOTHING, wrong, "\n".join([*lines, advice]))


def shown(value: object, limit: int = 60) -> str:
    """Write a value on one line, much as YAML has it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
