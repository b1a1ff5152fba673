# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read YAML as LiteLLM does, and tell besides which keys are written twice and on which line everything stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import Duplicate
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, StackError

_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True)
class Document:
    """What a file says, the keys it says twice, and the line of each path."""

    data: object
    duplicates: tuple[Duplicate, ...]
    lines: Mapping[str, int]

    def line(self, path: str) -> int:
        """The line on which a path stands, or the nearest part of it that stands in the file; 1 where none does."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, 1)


def load(text: str) -> Document:
    """Parse one document, or raise a StackError that says where it stops being YAML."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as broken:
        raise StackError(_problem(broken)) from broken
    entries = list(_walk(node, "", frozenset()) if node else ())
    return Document(data, tuple(_duplicates(entries)), dict(reversed(entries)))


def _problem(broken: Exception) -> Problem:
    mark = getattr(broken, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "the file"
    told = getattr(broken, "problem", None) or str(broken).splitlines()[0]
    return Problem(where, NOTHING, f"is not YAML: {told}.", "Nothing below it was read.")


def _walk(node: yaml.Node, path: str, above: frozenset[int]) -> Iterator[tuple[str, int]]:
    """Every key and entry with its line, in the order of the file; an anchor that holds itself is not followed."""
    if id(node) in above:
        return
    above |= {id(node)}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.tag != _MERGE:
                here = f"{path}.{key.value}" if path else str(key.value)
                yield here, key.start_mark.line + 1
                yield from _walk(value, here, above)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield f"{path}[{index}]", value.start_mark.line + 1
            yield from _walk(value, f"{path}[{index}]", above)


def _duplicates(entries: list[tuple[str, int]]) -> Iterator[Duplicate]:
    """A path that comes again. What stands below a repeated key is not told for itself."""
    lines: dict[str, list[int]] = {}
    for path, line in entries:
        lines.setdefault(path, []).append(line)
    repeated = {path: tuple(found) for path, found in lines.items() if len(found) > 1}
    for path, found in repeated.items():
        if not any(path.startswith((f"{each}.", f"{each}[")) for each in repeated):
            yield Duplicate(path, found)
