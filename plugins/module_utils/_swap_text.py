# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A swap in words: what is about to happen, what came of it, and how to take it back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._checks import join, title

Swap = Mapping[str, Any]
Fault = Mapping[str, Any]

STEPS: Mapping[str, str] = {
    "preflight": "before anything was touched",
    "gateway_out": "while the gateway let go of the slot",
    "engine": "while the one made way for the other",
    "test": "in the test of the model, past the gateway",
    "gateway_in": "while the gateway took up the model",
    "routes": "in the test of the model, through the gateway",
    "record": "while it was written down",
    "lost": "at some time",
    "unreached": "before anything was touched",
}
"""The steps of a swap, in order, as the end of 'it failed ...'."""

_UNTOUCHED = ("preflight", "unreached")
_SILENCE = {"lost": {"msg": "it does not answer any more"}, "unreached": {"msg": "it does not answer"}}


def announcement(swap: Swap) -> str:
    """Say what is about to happen, and who answers meanwhile."""
    place = f"the slot {swap['slot']} of {join(swap['hosts'])}"
    if not swap["changes"]:
        return f"{swap['enters']} is declared to hold {place}. What runs is made to fit; nobody else takes over."
    if not swap["leaves"]:
        return f"{swap['enters']} takes {place}, which nobody holds."
    head = f"{swap['enters']} takes {place} over from {swap['leaves']}."
    if not swap["unanswered"]:
        return f"{head} Meanwhile their fallbacks answer for both."
    lines = [f"{head} Meanwhile requests for them fail, because nobody else answers:"]
    return "\n".join([*lines, *(f"    {line}" for line in swap["unanswered"])])


def report(
    swap: Swap,
    faults: Sequence[Fault] = (),
    back: Sequence[Fault] = (),
    lost: Sequence[str] = (),
    outage: float = 0.0,
    away: float = 0.0,
    predicted: bool = False,
    touched: bool = True,
) -> str:
    """Say what came of a swap, and how to take it back.

    ``outage`` is for how many seconds the slot served nothing, ``away`` for how many the gateway asked others.
    Where it is only ``predicted``, nothing has been touched or tested. Where it was not ``touched``, the preflight did
    not end well on every host, and nothing followed it.
    ``faults`` are what failed on the way there, ``back`` on the way back; each has ``step``, ``host`` and ``answer``,
    which is the result of the task that failed.
    """
    silent = "lost" if touched else "unreached"
    faults = [*faults, *({"step": silent, "host": host, "answer": _SILENCE[silent]} for host in lost)]
    back = [*back, *(fault for fault in faults if fault["step"] == "lost" and fault["host"] in swap["hosts"])]
    if not faults:
        return "\n".join(_predicted(swap) if predicted else _done(swap, outage, away))
    return "\n".join(
        [
            _headline(swap, faults, back),
            *_causes(faults),
            *_causes(_only_back(faults, back)),
            *_end(swap, faults, outage, away),
        ]
    )


def _done(swap: Swap, outage: float, away: float) -> Iterator[str]:
    place = f"the slot {swap['slot']} of {join(swap['hosts'])}"
    if not swap["changes"]:
        yield f"{swap['enters']} holds {place}, as declared."
        return
    yield f"{swap['enters']} holds {place} now, has shown that it works, and is written down."
    yield f"    {_seconds(swap, outage, away)}"
    if swap["leaves"]:
        yield f"    Back again: ansible-playbook playbooks/swap.yml -e to={swap['leaves']}"


def _predicted(swap: Swap) -> Iterator[str]:
    yield f"{swap['enters']} would hold the slot {swap['slot']} of {join(swap['hosts'])} once it has shown:"
    yield from (f"    {check['host']}: {title(check)}" for check in swap["tests"]["entering"])
    yield "Nothing was changed on any host."


def _headline(swap: Swap, faults: Sequence[Fault], back: Sequence[Fault]) -> str:
    enters, leaves, slot = swap["enters"], swap["leaves"], swap["slot"]
    if faults[0]["step"] == "preflight":
        return f"{enters} cannot take the slot {slot}, and was refused before anything was touched."
    if faults[0]["step"] == "unreached":
        return f"{enters} cannot take the slot {slot}, because a host does not answer. Nothing was touched."
    if not swap["changes"]:
        return f"{enters} does not serve as declared."
    if back:
        return f"{enters} did not take the slot {slot}, and not everything is back as it was."
    if not leaves:
        return f"{enters} did not take the slot {slot}. It is empty, as before."
    return f"{enters} did not take the slot {slot}. {leaves} serves again, and has shown it."


def _causes(faults: Sequence[Fault]) -> Iterator[str]:
    for fault in faults:
        first, *more = _words(fault["answer"]).splitlines() or ["no reason was given"]
        yield f"{fault['host']}, {STEPS.get(fault['step'], fault['step'])}: {first}"
        yield from more


def _words(answer: Mapping[str, Any]) -> str:
    """What a task says that failed; a loop itself only says that some of its turns did."""
    turns = [turn for turn in answer.get("results") or () if isinstance(turn, Mapping) and turn.get("failed")]
    return "\n".join(str(each.get("msg") or "").strip() for each in turns or [answer])


def _only_back(faults: Sequence[Fault], back: Sequence[Fault]) -> list[Fault]:
    return [fault for fault in back if fault not in faults]


def _end(swap: Swap, faults: Sequence[Fault], outage: float, away: float) -> Iterator[str]:
    if faults[0]["step"] in _UNTOUCHED:
        yield "Nothing that runs was changed on any host."
        return
    yield _seconds(swap, outage, away)
    yield f"Nothing was written down: {swap['leaves'] or 'nobody'} is still declared to hold the slot {swap['slot']}."


def _seconds(swap: Swap, outage: float, away: float) -> str:
    """For how long who did not answer."""
    served = f"The slot served nothing for {outage:.1f} s"
    if swap["unanswered"]:
        return f"{served}; nobody else answered meanwhile."
    return f"{served}; fallbacks answered for {away:.1f} s."
