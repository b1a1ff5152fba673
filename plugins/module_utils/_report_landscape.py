# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the configuration comes from: its layers, how much each says, and what was said otherwise before."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._schema import is_secret


def landscape(settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give the layers from the bottom, and every value that more than one of them spoke about."""
    values = [_value(each) for each in settings]
    return {
        "layers": _layers(settings),
        "values": values,
        "contested": [each for each in values if each["overrode"] or each["removed_by"]],
    }


def _layers(settings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for each in settings:
        layer = found.setdefault(str(each["layer"]), {"name": str(each["layer"]), "values": 0, "places": []})
        layer["values"] += 1
        place = str(each.get("file") or "").rpartition(":")[0] or str(each.get("file") or "")
        if place and place not in layer["places"]:
            layer["places"].append(place)
    return list(found.values())


def _value(told: Mapping[str, Any]) -> dict[str, Any]:
    key = str(told["key"])
    return {
        "key": key,
        "value": _shown(key, told.get("value")),
        "layer": str(told["layer"]),
        "place": str(told.get("place") or ""),
        "file": str(told.get("file") or ""),
        "removed_by": str(told.get("removed_by") or ""),
        "overrode": [
            {
                "layer": str(each["layer"]),
                "value": _shown(key, each.get("value")),
                "place": str(each.get("place") or ""),
            }
            for each in told.get("overrode", ())
        ],
    }


def _shown(key: str, value: object) -> str:
    """Write a value as text, without the secrets in it; the name of where a secret is kept is none."""
    found = _masked(key.rpartition(".")[2], value)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, sort_keys=True)


def _masked(key: str, value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _masked(str(name), each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(key, each) for each in value]
    return "(secret)" if value != "none" and is_secret(key, value) else value
