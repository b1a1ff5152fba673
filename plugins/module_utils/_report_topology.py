# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who talks to whom: apps, gateways, instances and hosts as a drawing, and as a list for screens too narrow for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._report_rows import STANDBY, UNCHECKED, worst
from ansible_collections.lab.llm_stack.plugins.module_utils._report_stack import GATEWAY
from ansible_collections.lab.llm_stack.plugins.module_utils._report_tags import Markup, mark, tag
from ansible_collections.lab.llm_stack.plugins.module_utils._report_words import engine_of, state_word

_WIDTH, _HEIGHT, _GAP, _TOP = 1000, 48, 14, 30
# Left edge and width of each column.
_COLUMNS = ((0, 180), (262, 190), (534, 236), (852, 148))
_HEADS = ("Apps", "Gateway", "Instances", "Hosts")
_LETTER = 7.6


@dataclass(frozen=True)
class Node:
    """One box: what it is called, what stands below, how it is, and what it leads to."""

    column: int
    key: str
    name: str
    note: str
    state: str
    to: tuple[str, ...] = ()


def nodes(data: Mapping[str, Any]) -> list[Node]:
    """Give every box; an app leads to the gateway that is its own, if it has one."""
    gateways = [each for each in data["services"] if each["engine"] == GATEWAY]
    others = [each for each in data["services"] if each["engine"] != GATEWAY]
    return [*_apps(data, gateways), *_gateways(gateways, others, data), *_instances(others, data), *_hosts(data)]


def _apps(data: Mapping[str, Any], gateways: Sequence[Mapping[str, Any]]) -> Iterator[Node]:
    shared = tuple(_key(each) for each in gateways if each["name"] == "litellm")
    for app in data["apps"]:
        own = tuple(_key(each) for each in gateways if each["name"] == f"litellm of {app['name']}")
        yield Node(0, f"app {app['name']}", app["name"], ", ".join(app["models"]), app["state"], own or shared)
    if not data["apps"] and gateways:
        state = worst(each["state"] for each in gateways) or UNCHECKED
        yield Node(0, "app", "any client", "with the gateway's key", state, shared)


def _gateways(
    gateways: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]], data: Mapping[str, Any]
) -> Iterator[Node]:
    reached = (*(_key(each) for each in others), *(each.key for each in _providers(data)))
    for each in gateways:
        yield Node(1, _key(each), each["name"], f"{each['bind']}:{each['port']}", each["state"], reached)


def _instances(others: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> Iterator[Node]:
    for each in others:
        name = each["models"][0] if len(each["models"]) == 1 else each["name"].removesuffix(".service")
        note = f"{engine_of(each)} :{each['port']}" + (f", {len(each['models'])} models" if each["models"][1:] else "")
        yield Node(2, _key(each), name, note, each["state"], (f"host {each['host']}",))
    yield from _providers(data)


def _providers(data: Mapping[str, Any]) -> Iterator[Node]:
    """Models of others, which run on no host of ours."""
    for each in data["models"]:
        if each["engines"] and not each["hosts"]:
            yield Node(2, f"provider {each['name']}", each["name"], ", ".join(each["engines"]), each["state"])


def _hosts(data: Mapping[str, Any]) -> Iterator[Node]:
    for host in data["hosts"]:
        mine = [each["state"] for each in data["services"] if each["host"] == host]
        count = f"{len(mine)} service{'' if len(mine) == 1 else 's'}"
        yield Node(3, f"host {host}", host, count, worst(mine) or (STANDBY if mine else UNCHECKED))


def _key(service: Mapping[str, Any]) -> str:
    return f"{service['host']} {service['name']}"


def drawing(data: Mapping[str, Any]) -> Markup:
    """Draw it, for screens that are wide enough."""
    found = nodes(data)
    tallest = max((sum(each.column == column for each in found) for column in range(4)), default=0)
    height = _TOP + max(tallest, 1) * (_HEIGHT + _GAP)
    places = _places(found, height)
    edges = [_edge(each, target, found, places) for each in found for target in each.to if target in places]
    heads = [tag("text", head, x=x, y=14, class_="head") for head, (x, _width) in zip(_HEADS, _COLUMNS) if found]
    boxes = [_box(each, *places[each.key]) for each in found]
    title = tag("title", "Topology: apps, gateway, instances and hosts", id="topology-title")
    told = tag("desc", ". ".join(_sentence(each, found) for each in found), id="topology-text")
    return tag(
        "svg",
        title,
        told,
        edges,
        heads,
        boxes,
        class_="topology",
        viewBox=f"0 0 {_WIDTH} {height}",
        role="img",
        aria_labelledby="topology-title topology-text",
    )


def _places(found: Sequence[Node], height: int) -> dict[str, tuple[float, float]]:
    """Give the corner of each box; a column with few is spread over the height."""
    places: dict[str, tuple[float, float]] = {}
    for column in range(4):
        mine = [each for each in found if each.column == column]
        step = (height - _TOP) / max(len(mine), 1)
        for index, each in enumerate(mine):
            places[each.key] = (_COLUMNS[column][0], _TOP + step * (index + 0.5) - _HEIGHT / 2)
    return places


def _edge(start: Node, target: str, found: Sequence[Node], places: Mapping[str, tuple[float, float]]) -> Markup:
    end = next(each for each in found if each.key == target)
    left, top = places[start.key]
    x1, y1 = left + _COLUMNS[start.column][1], top + _HEIGHT / 2
    x2, y2 = places[target][0], places[target][1] + _HEIGHT / 2
    bend = (x2 - x1) * 0.5
    # What a line says is how its end is; towards a host it only shows where something runs.
    state = start.state if end.column == 3 else worst((start.state, end.state)) or end.state
    if STANDBY in (start.state, end.state):
        state = STANDBY
    line = f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
    return tag("path", d=line, class_=f"edge {state}")


def _box(node: Node, left: float, top: float) -> Markup:
    width = _COLUMNS[node.column][1]
    letters = int((width - 44) / _LETTER)
    return tag(
        "g",
        tag("title", f"{node.name}: {state_word(node.state)}"),
        tag(
            "rect", x=f"{left + 0.5:g}", y=f"{top:g}", width=width - 1, height=_HEIGHT, rx=9, class_=f"box {node.state}"
        ),
        tag(
            "use",
            href=f"#mark-{node.state}",
            x=f"{left + 12:g}",
            y=f"{top + 16:g}",
            width=16,
            height=16,
            class_=node.state,
        ),
        tag("text", _short(node.name, letters), x=f"{left + 38:g}", y=f"{top + 21:g}", class_="name"),
        tag("text", _short(node.note, int(letters * 1.18)), x=f"{left + 38:g}", y=f"{top + 37:g}", class_="note"),
    )


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: max(letters - 1, 1)]}…"


def _sentence(node: Node, found: Sequence[Node]) -> str:
    names = [each.name for each in found if each.key in node.to]
    leads = f", leads to {', '.join(names)}" if names else ""
    return f"{_HEADS[node.column]}: {node.name}, {state_word(node.state)}{leads}"


def listing(data: Mapping[str, Any]) -> Markup:
    """Say the same as a list, for a phone."""
    found = nodes(data)
    parts = []
    for column, head in enumerate(_HEADS):
        mine = [each for each in found if each.column == column]
        items = [tag("li", mark(each.state), tag("span", each.name), tag("small", _told(each))) for each in mine]
        parts += [tag("h3", head), tag("ul", items)] if items else []
    return tag("div", parts, class_="topology-list")


def _told(node: Node) -> str:
    return f"{state_word(node.state)}{', ' if node.note else ''}{node.note}"
