# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer whether a model fits, for people: the sum line by line, then what follows from it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import (
    FITS,
    NO,
    TIGHT,
    UNKNOWN,
    Amount,
    Fit,
    Left,
    gib,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem, StackError

_ENGINES = {"vllm": "vLLM", "llamacpp": "llama.cpp"}
_VERDICTS = {
    FITS: "fits",
    TIGHT: "tight: it may fit, or fail by a little",
    NO: "no",
    UNKNOWN: "unknown",
}
_UNITS = {"": 30, "g": 30, "gb": 30, "gib": 30, "m": 20, "mb": 20, "mib": 20}


def parse_size(text: str, name: str) -> int:
    """Read an amount of memory. Cards are sold in GB and have GiB, so the two are one here; a bare number is GiB."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,4})?)\s*([a-z]*)", text.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise StackError(Problem(name, text, "is not an amount of memory.", "Write 16GiB, or 16376MiB."))
    return int(float(found[1]) * (1 << _UNITS[found[2]]))


def render_fit(fit: Fit) -> str:
    """Lay out the whole answer."""
    head = f"{fit.model} with {_ENGINES[fit.engine]}: {_VERDICTS[fit.verdict]}"
    return "\n".join([head, "", *_table(fit), "", *_sentences(fit)])


def _table(fit: Fit) -> Iterator[str]:
    rows = [(each.name, _amount(each.amount, 1), each.why) for each in fit.budget]
    rows += [(each.name, _amount(each.amount, -1), each.why) for each in fit.needs]
    rows.append(("left", _left(fit.left), ""))
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    for name, amount, why in rows:
        yield f"  {name:<{first}}  {amount:>{second}}  {why}".rstrip()


def _amount(amount: Amount, sign: int) -> str:
    if amount.most is None:
        return f"{gib(sign * amount.least)} or more" if amount.least else "unknown"
    if not amount.least and amount.most:
        return f"up to {gib(sign * amount.most)}"
    if amount.least != amount.most:
        return f"{gib(sign * amount.least)} to {gib(sign * amount.most)}"
    return gib(sign * amount.least)


def _left(left: Left) -> str:
    if left.worst is None:
        return f"{gib(left.best)} at most"
    return gib(left.best) if left.best == left.worst else f"{gib(left.worst)} to {gib(left.best)}"


def _sentences(fit: Fit) -> Iterator[str]:
    if fit.estimate:
        yield "An estimate: the weights are not there, so their size was not read."
    yield from fit.reasons
    yield _largest(fit)
    if fit.changes:
        yield "Enough would be left with:" if fit.verdict == TIGHT else "It would fit with:"
        yield from (f"    {each.settings}  ({gib(each.left)} left)" for each in fit.changes)
    elif fit.verdict == NO:
        yield "No setting tried here makes it fit. Take a smaller model, or one that is quantised to fewer bits."
    if fit.verdict != FITS and fit.smallest_card is not None:
        yield f"As declared it needs a card that offers {gib(fit.smallest_card)}, with nothing else on it."


def _largest(fit: Fit) -> str:
    if fit.largest is None:
        return "The largest context that fits is not known."
    if fit.largest == 0:
        return "By this sum no context fits, however short."
    own = f" of the {fit.own_context} the model was made for" if fit.own_context else ""
    return f"The largest context that fits is {fit.largest} tokens{own}."
