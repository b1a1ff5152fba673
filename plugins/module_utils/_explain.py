# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say of every value at the gateway which layer set it, where that is written, and what it overrode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._layer_paths import label, leaves, within
from ansible_collections.lab.llm_stack.plugins.module_utils._layers import Definition, Merged, shown
from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_keys import (
    GENERAL_SETTINGS,
    LITELLM_SETTINGS,
    ROUTER_SETTINGS,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem, StackError, count, nearest

_KNOWN: Mapping[str, Mapping[str, str]] = {
    "router_settings": ROUTER_SETTINGS,
    "litellm_settings": LITELLM_SETTINGS,
    "general_settings": GENERAL_SETTINGS,
}


@dataclass(frozen=True)
class Told:
    """One value: who says it, who says the same, who was overridden; or who removed it."""

    key: str
    definition: Definition
    agreed: tuple[Definition, ...] = ()
    overrode: tuple[Definition, ...] = ()
    removed_by: str = ""


def tell(merged: Merged, key: str = "") -> list[Told]:
    """Give every value at a key and below it, in the order of the configuration; all of them without a key."""
    found = []
    for path in [leaf.path for leaf in leaves(merged.config)]:
        if within(path, key):
            each = merged.settings[path]
            found.append(Told(label(path, merged.settings), each.definition, each.agreed, each.overrode))
    for gone in merged.removed:
        each, path = gone.setting, gone.setting.definition.path
        if within(path, key):
            by = f"{gone.layer.name}, {gone.place}"
            found.append(Told(label(path, merged.settings), each.definition, each.agreed, each.overrode, by))
    if not found and not _is_unset(key):
        known = {label(path[:length]) for path in merged.settings for length in range(1, len(path) + 1)}
        raise StackError(Problem("KEY", key, "is set by no layer.", nearest(key, known)))
    return found


def _is_unset(key: str) -> bool:
    """Tell whether LiteLLM knows a setting, which then has its default."""
    section, _dot, name = key.partition(".")
    return name in _KNOWN.get(section, {})


def as_data(merged: Merged, key: str, origins: Mapping[str, str]) -> list[dict[str, Any]]:
    """Give what is told as plain data."""
    return [
        {
            "key": each.key,
            "value": None if each.removed_by else each.definition.value,
            **_address(each.definition, origins),
            "agreed": [_address(other, origins) for other in each.agreed],
            "overrode": [{"value": other.value, **_address(other, origins)} for other in each.overrode],
            "removed_by": each.removed_by,
        }
        for each in tell(merged, key)
    ]


def as_text(merged: Merged, key: str, origins: Mapping[str, str]) -> str:
    """Lay out what is told: key, value, layer, and where it is written; below it, who else has said something."""
    told = tell(merged, key)
    layers = f"Layers, from the bottom: {', '.join(merged.layers)}."
    if not told:
        return f"{key}: no layer sets it, so LiteLLM's own default holds.\n{layers}"
    rows = [row for each in told for row in _rows(each, origins)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[3]]) for row in rows]
    return "\n".join([*(line.rstrip() for line in lines), f"{count(len(told), 'value')}. {layers}"])


def _rows(told: Told, origins: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    if told.removed_by:
        layer, _comma, place = told.removed_by.partition(", ")
        yield told.key, "(removed)", layer, place
        yield _row("    was", told.definition, origins)
    else:
        yield _row(told.key, told.definition, origins)
    for each in told.agreed:
        yield _row("    agreed", each, origins)
    for each in reversed(told.overrode):
        yield _row("    overrode", each, origins)


def _row(name: str, said: Definition, origins: Mapping[str, str]) -> tuple[str, str, str, str]:
    address = _address(said, origins)
    file = f" ({address['file']})" if address["file"] and address["file"] != address["place"] else ""
    return name, shown(said.value), said.source.layer, f"{said.source.place}{file}"


def _address(said: Definition, origins: Mapping[str, str]) -> dict[str, str]:
    """The layer of a value, where it is written, and the file of the inventory that holds the variable, if known."""
    place = said.source.place
    while place and place not in origins:
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return {"layer": said.source.layer, "place": said.source.place, "file": origins.get(place, "")}
