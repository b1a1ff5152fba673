# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reasons to refuse something, as values; and the one place that turns them into text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_INDENT = "    "
_READABLE = 24


class _Nothing:
    """The value of a problem that is about something absent, such as a missing key."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING = _Nothing()


@dataclass(frozen=True)
class Problem:
    """One reason to refuse: where, what was found, what is wrong with it, what to write instead.

    ``remedy`` may have several lines. ``found`` is NOTHING where there is no value to quote.
    """

    path: str
    found: object
    wrong: str
    remedy: str = ""


class StackError(Exception):
    """One or more problems; str() is the full text for people."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__(render_all(self.problems))


def render(problem: Problem) -> str:
    """Lay out one problem: the path, the value and the reason on a line, the remedy indented below."""
    words = [problem.wrong] if problem.found is NOTHING else [quote(problem.found), problem.wrong]
    lines = [f"{problem.path}: {' '.join(words)}"]
    lines += [(_INDENT + line).rstrip() for line in problem.remedy.splitlines()]
    return "\n".join(lines)


def render_all(problems: Sequence[Problem]) -> str:
    """Lay out all problems under a headline that counts them and says that nothing was changed."""
    variables = {re.split(r"[.\[:]", problem.path, maxsplit=1)[0] for problem in problems}
    headline = f"{count(len(problems), 'problem')} in {count(len(variables), 'variable')}."
    return "\n".join([f"{headline} Nothing was changed on any host.", "", *map(render, problems)])


def count(number: int, noun: str) -> str:
    """Say how many: '1 problem', '3 problems'."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def quote(value: object) -> str:
    """Show a value the way people write it: text in quotes, numbers bare, booleans as YAML has them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"'{_shorten(_printable(value))}'"
    return _shorten(repr(value))


def nearest(name: str, names: Iterable[str]) -> str:
    """Ask "Did you mean 'x'?" when exactly one name is near; otherwise list the known names, sorted.

    A list too long to read is cut to the four names that are closest.
    """
    known = sorted(set(names))
    slips = {each: _distance(name.lower(), each.lower()) for each in known}
    closest = min(slips.values(), default=0)
    near = [each for each in known if slips[each] == closest <= _tolerance(name)]
    if len(near) == 1:
        return f"Did you mean '{near[0]}'?"
    if len(known) > _READABLE:
        return f"The nearest of {len(known)} known names: {', '.join(sorted(known, key=lambda each: slips[each])[:4])}."
    return f"Known: {', '.join(known)}." if known else "None is declared."


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def _shorten(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _tolerance(name: str) -> int:
    """How many slips a name of this length may have; short names would otherwise be near to everything."""
    return 1 if len(name) <= 4 else 2 if len(name) <= 8 else 3


def _distance(left: str, right: str) -> int:
    """Count the edits between two words; two swapped neighbours are one edit (optimal string alignment)."""
    rows = [list(range(len(right) + 1))]
    for i, a in enumerate(left, start=1):
        row = [i]
        for j, b in enumerate(right, start=1):
            best = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                best = min(best, rows[i - 2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]
