# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a value of a gateway configuration stands: its path, with the entries of some lists known by what they are."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Union

# The order of a written configuration. What is not named here follows by the alphabet.
_SECTIONS = ("model_list", "router_settings", "litellm_settings", "general_settings")
_PARAMS = ("model", "api_base", "api_key")
_ENTRY = ("model_name", "litellm_params", "model_info")
_FIRST = {key: index for keys in (_SECTIONS, _ENTRY, _PARAMS) for index, key in enumerate(keys)}

# Stands for every deployment of a name, in an entry that names no engine model.
EVERY = "every deployment"


@dataclass(frozen=True)
class Item:
    """An entry of a list: its name, and what tells it from others of that name."""

    name: str
    detail: str = ""


Part = Union[str, Item]  # Python 3.9 has no other way to name a union
Path = tuple[Part, ...]


@dataclass(frozen=True)
class Leaf:
    """One value: its path, and its place in what was written, where entries of lists are known by number."""

    path: Path
    value: object
    place: str


def leaves(config: Mapping[str, Any]) -> Iterator[Leaf]:
    """Yield every value below a configuration: mappings are entered, and the lists that have an identity."""
    if config:
        yield from _below(config, (), "")


def _below(value: object, path: Path, place: str) -> Iterator[Leaf]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _below(inner, (*path, key), f"{place}.{key}" if place else str(key))
    elif isinstance(value, list) and value and path in _IDENTITIES:
        for index, entry in enumerate(value):
            item, inner = _IDENTITIES[path](entry)
            yield from _below(inner, (*path, item), f"{place}[{index}]")
    else:
        yield Leaf(path, value, place)


def build(values: Iterable[tuple[Path, object]]) -> dict[str, Any]:
    """Make a configuration of values by their paths, the reverse of leaves; sections and keys get their fixed order."""
    tree: dict[Part, Any] = {}
    for path, value in values:
        node = tree
        for part in path[:-1]:
            node = node.setdefault(part, {})
        node[path[-1]] = copy.deepcopy(value)
    return {str(key): _plain(tree[key], (key,)) for key in sorted(tree, key=_order)}


def _plain(node: object, path: Path) -> object:
    if not isinstance(node, dict):
        return node
    if path == ("model_list",) and all(isinstance(part, Item) for part in node):
        return [_plain(inner, (*path, item)) for item, inner in node.items()]
    if node and all(isinstance(part, Item) for part in node):
        return [{item.name: inner} for item, inner in sorted(node.items(), key=lambda pair: str(pair[0].name))]
    return {key: _plain(node[key], (*path, key)) for key in sorted(node, key=_order)}


def _order(key: Part) -> tuple[int, str]:
    return (_FIRST.get(str(key), len(_FIRST)), str(key))


def deployment(entry: Mapping[str, Any]) -> Item:
    """A deployment is its name and its engine model at its address, or the id that LiteLLM is told to give it."""
    params, info = entry.get("litellm_params") or {}, entry.get("model_info") or {}
    name = str(entry.get("model_name"))
    if "id" in info:
        return Item(name, f"id {info['id']}")
    if "model" not in params:
        return Item(name, EVERY)
    base = params.get("api_base")
    return Item(name, f"{params['model']} at {_address(base)}" if base else str(params["model"]))


def _address(base: object) -> str:
    """Two ways to write one address are one address."""
    return re.sub(r"^(https?://)localhost(?=[:/]|$)", r"\g<1>127.0.0.1", str(base).rstrip("/"))


def _fallback(entry: Mapping[str, Any]) -> tuple[Item, object]:
    """The fallbacks of one name: a mapping of the name to the list."""
    ((name, targets),) = entry.items()
    return Item(str(name)), targets


FALLBACKS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")

# The lists whose entries are known by what they are. Every other list is one value.
_IDENTITIES: Mapping[Path, Callable[[Any], tuple[Item, object]]] = {
    ("model_list",): lambda entry: (deployment(entry), entry),
    **{(section, key): _fallback for section in ("router_settings", "litellm_settings") for key in FALLBACKS},
}


def label(path: Path, others: Iterable[Path] = ()) -> str:
    """Write a path: router_settings.timeout, model_list[tiny].litellm_params.timeout.

    Where ``others`` have two deployments of the name, what tells this one apart is added.
    """
    rivals = {other[:2] for other in others if other[:1] == path[:1]}
    text = ""
    for index, part in enumerate(path):
        if isinstance(part, Item):
            twice = index == 1 and sum(isinstance(r[1], Item) and r[1].name == part.name for r in rivals if r[1:]) > 1
            text += f"[{part.name}, {part.detail}]" if twice and part.detail else f"[{part.name}]"
        else:
            text += f".{part}" if text else str(part)
    return text


def within(path: Path, text: str) -> bool:
    """Tell whether a path is what a text names, or stands below it. Names may hold dots, so the path leads."""
    return _consume(text, path, "")


def _consume(text: str, parts: Path, dot: str) -> bool:
    if not text:
        return True
    for form in _forms(parts[0], dot) if parts else ():
        if text.startswith(form) and _consume(text[len(form) :], parts[1:], "."):
            return True
    return False


def _forms(part: Part, dot: str) -> tuple[str, ...]:
    """The ways to write one part of a path."""
    if isinstance(part, Item):
        return (f"[{part.name}]", f"[{part.name}, {part.detail}]", f"{dot}{part.name}")
    return (f"{dot}{part}",)
