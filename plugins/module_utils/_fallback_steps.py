# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far LiteLLM follows fallbacks: it counts every name that it tries, also one beside another in a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def steps(start: str, fallbacks: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many names were counted when it looks for the fallbacks of each name, where all that it tries fail.

    From the name asked for, in the order they are met. No name is tried twice for one request; a name without any
    fallback that is still untried needs no further step and is left out.
    """
    found: dict[str, int] = {}
    tried = {start}
    # Each entry: the targets of a name that are left, and the count so far in that list.
    open_lists: list[tuple[list[str], int]] = []

    def enter(name: str, count: int) -> None:
        if any(target not in tried for target in fallbacks.get(name, ())):
            found[name] = count
            open_lists.append((list(fallbacks[name]), count))

    enter(start, 0)
    while open_lists:
        targets, count = open_lists.pop()
        while targets:
            target = targets.pop(0)
            if target not in tried:
                tried.add(target)
                open_lists.append((targets, count + 1))
                enter(target, count + 1)
                break
    return found


def needed(fallbacks: Mapping[str, Sequence[str]]) -> int:
    """The max_fallbacks with which no fallback of any name is left out."""
    return max((1 + count for start in fallbacks for count in steps(start, fallbacks).values()), default=0)
