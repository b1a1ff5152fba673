# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a model fit on a card: what is there, what is needed, what is left, and the verdict.

Nothing is guessed. An amount that no file tells has no upper bound, and the verdict is then "unknown" unless even the
rest does not fit. What is estimated says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._model_shape import Shape

GIB = 1 << 30
FITS, TIGHT, NO, UNKNOWN = "fits", "tight", "no", "unknown"

# What is left must exceed this share of the card: the estimate of the overhead is not more exact.
_MARGIN = 0.05
# Driver and firmware keep a part: cards of 16 to 80 GiB were seen to offer 0.6 to 2.8 % less than they are sold with.
_KEPT = 0.02
# Contexts beyond this are not searched.
_LONGEST = 1 << 24


@dataclass(frozen=True)
class Amount:
    """Bytes: at least so many, and at most so many, or no upper bound known."""

    least: int
    most: int | None

    def __add__(self, other: Amount) -> Amount:
        most = None if self.most is None or other.most is None else self.most + other.most
        return Amount(self.least + other.least, most)


@dataclass(frozen=True)
class Left:
    """Bytes that are left when everything takes the least it may, and the most; None where that has no bound."""

    best: int
    worst: int | None


def exactly(size: int) -> Amount:
    """Give an amount that is known."""
    return Amount(size, size)


@dataclass(frozen=True)
class Card:
    """The memory of one card: all that its driver offers, what of it is in use, and what of that will be given back."""

    total: int
    used: int = 0
    released: int = 0

    @property
    def free(self) -> int:
        """What will be free when the instance that makes room is gone."""
        return max(self.total - max(self.used - self.released, 0), 0)


def offered(sold: int) -> int:
    """Estimate what the driver of a card offers that is sold with so much memory."""
    return int(sold * (1 - _KEPT))


@dataclass(frozen=True)
class Stored:
    """The weights as they are stored, and the part of them that an engine may convert to another type.

    ``size`` is None where no file tells it. ``estimate`` is true where it was computed instead of read.
    """

    size: int | None
    why: str
    elements: int = 0
    element_bytes: int = 0
    estimate: bool = False

    def served(self, width: int) -> Amount:
        """Give the size when all that can be converted takes so many bytes a number."""
        if self.size is None:
            return Amount(0, None)
        return exactly(self.size - self.element_bytes + self.elements * width)


@dataclass(frozen=True)
class Measured:
    """What an engine really took of a card at an earlier start, in bytes; None where its log did not tell.

    It holds for this division among cards alone. ``when`` says in words which start that was.
    """

    weights: int | None
    overhead: int | None
    cards: int
    when: str


@dataclass(frozen=True)
class Model:
    """A model as its files describe it, and as an earlier start has measured it."""

    name: str
    form: str
    shape: Shape
    weights: Stored
    dtype: str = "float16"
    cache_bits: int | None = None
    measured: Measured | None = None


@dataclass(frozen=True)
class Term:
    """One line of the sum."""

    name: str
    amount: Amount
    why: str


@dataclass(frozen=True)
class Change:
    """Settings that would make the model fit, and what would be left."""

    settings: str
    verdict: str
    left: int


@dataclass(frozen=True)
class Fit:
    """The whole answer: verdict, every number, the largest context, and what would help."""

    engine: str
    model: str
    verdict: str
    budget: tuple[Term, ...]
    needs: tuple[Term, ...]
    left: Left
    context: int | None
    own_context: int | None
    largest: int | None
    smallest_card: int | None
    changes: tuple[Change, ...] = ()
    reasons: tuple[str, ...] = ()
    estimate: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Give the answer as plain data."""
        return asdict(self)


def total(terms: Iterable[Term]) -> Amount:
    """Add up lines."""
    amount = exactly(0)
    for each in terms:
        amount += each.amount
    return amount


def left_of(budget: Iterable[Term], needs: Iterable[Term]) -> Left:
    """What is left of the budget."""
    there, need = total(budget).least, total(needs)
    return Left(there - need.least, None if need.most is None else there - need.most)


def judge(left: Left, card: int) -> str:
    """Grade what is left in the better and in the worse case; where only the worse one is "no", nothing is known."""
    best = _grade(left.best, card)
    if left.worst is None:
        return NO if best == NO else UNKNOWN
    worst = _grade(left.worst, card)
    return UNKNOWN if worst == NO and best != NO else worst


def _grade(left: int, card: int) -> str:
    if left > card * _MARGIN:
        return FITS
    return TIGHT if left >= -card * _MARGIN else NO


def helps(after: Left, verdict: str, before: str) -> bool:
    """Tell whether a change is worth a line: it makes room for certain, and where there was little, enough."""
    return after.worst is not None and after.worst >= 0 and verdict in ((FITS,) if before == TIGHT else (FITS, TIGHT))


def largest_context(room: Callable[[int], int | None], own: int | None, step: int) -> int | None:
    """Find the largest context, in steps, for which there is still room; 0 where there is none for any.

    ``room`` tells what is left with a context, in the worse case. None where that is not known.
    """

    def fits(context: int) -> bool:
        left = room(context)
        return left is not None and left >= 0

    limit = own or _LONGEST
    if room(step) is None:
        return None
    if not fits(step):
        return 0
    if fits(limit):
        return limit
    low, high = 1, -(-limit // step)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle * step) else (low, middle)
    return low * step


def gib(size: int) -> str:
    """Write bytes in GiB, small ones in MiB."""
    if abs(size) < GIB // 16:
        return f"{size / (1 << 20):.2f} MiB"
    return f"{size / GIB:.2f} GiB"
