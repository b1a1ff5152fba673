# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a model calls tools in every way that clients ask: native, degraded or none, with what decides it.

Each engine is asked directly and then through the gateway; each time whole and streamed, with a tool that has
arguments and one that has none, with a tool's result, and without tools. Pure: a talk yields what to ask and is sent
what came back; what was certified before, and the time, come in as values.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _certificate_identity
from ansible_collections.lab.llm_stack.plugins.module_utils._answer import Answer, Unusable
from ansible_collections.lab.llm_stack.plugins.module_utils._answers import Question, own_instance
from ansible_collections.lab.llm_stack.plugins.module_utils._certificate_legs import (
    CALL,
    LEGS,
    PLAIN,
    Leg,
    Path,
    body,
    judge,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import (
    FAIL,
    PASS,
    SKIPPED,
    WARN,
    Check,
    Verdict,
    duration,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_answer import read
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_shapes import Shape, words

KIND = "tool_certificate"
SCHEMA = "lab.llm_stack.certified/1"
NATIVE, DEGRADED, NONE = "native", "degraded", "none"
VALID = 24 * 3600.0
"""Seconds that a certificate counts, as long as neither the model nor its configuration changes."""
LONGEST = 2000
"""Of an answer, a transcript holds so many characters."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Tried:
    """What came of one way of asking. What is ``counted`` decides; the rest is good to know."""

    path: Path
    leg: Leg
    evidence: str = ""
    cause: str = ""
    remedy: str = ""
    shape: str = ""
    answered: bool = True
    silent: bool = False
    transcript: tuple[Mapping[str, Any], str] = ({}, "")
    seconds: float = 0.0

    @property
    def kept(self) -> bool:
        """Whether the answer was right."""
        return not self.cause and not self.remedy

    @property
    def where(self) -> str:
        """Say which way this was."""
        return f"{self.path.words}, {self.leg.words}"


Steps = Generator[Question, Answer, "tuple[Verdict, Record | None]"]


def talk(check: Check, stored: Mapping[str, Any], now: float, valid: float = VALID) -> Steps:
    """Certify a model, or confirm what is ``stored`` by one call; give the verdict and the record that is new."""
    identity = yield from _certificate_identity.talk(check)
    age = now - float(stored.get("at") or 0)
    same = (stored.get("digest"), stored.get("identity")) == (check["digest"], identity)
    if same and not check.get("past_gateway") and stored.get("verdict") == NATIVE and 0 <= age < valid:
        spot = yield from _ask(_gateway(check), Leg(CALL, stream=True), {})
        if spot.kept:
            return Verdict(PASS, f"native, certified {duration(age)} ago; {spot.evidence} now, streamed"), None
    tried: list[Tried] = []
    past = bool(check.get("past_gateway"))
    for path in [*_direct(check), *([] if past else [_gateway(check)])]:
        known: dict[str, int] = {}
        for leg in LEGS:
            one = yield from _ask(path, leg, known)
            tried.append(one)
            if not one.answered and leg.kind == PLAIN:
                words_ = f"not certified: {one.where}: {one.evidence}"
                return Verdict(SKIPPED if past else FAIL, words_, one.cause, one.remedy), None
            if one.silent:
                # Who waits for one answer in vain need not wait for the others.
                break
    if past:
        return _past_gateway(check, tried), None
    return _judged(check, tried), _record(check, tried, identity, now)


def _past_gateway(check: Check, tried: Sequence[Tried]) -> Verdict:
    """What can be told while the gateway is silent: that the engines call no tools, or that they are not the reason."""
    counted = [each for each in tried if each.leg.counted]
    if all(each.kept for each in counted):
        return Verdict(SKIPPED, f"directly, {len(counted)} of {len(counted)} ways; the gateway does not answer")
    return _judged(check, tried)


def _direct(check: Check) -> Iterator[Path]:
    bases = check.get("bases", ())
    for each in bases:
        place = f"directly at {each['url'].partition('//')[2]}" if len(bases) > 1 else "directly"
        yield Path(place, each["url"], each["name"], each["engine"], each.get("key") or "none", check["model"])


def _gateway(check: Check) -> Path:
    engines = sorted({each["engine"] for each in check.get("bases", ())})
    engine = engines[0] if engines else ""
    bases = tuple(check.get("api_bases", ()))
    return Path("through the gateway", check["url"], check["model"], engine, "right", check["model"], bases)


def _ask(path: Path, leg: Leg, known: dict[str, int]) -> Generator[Question, Answer, Tried]:
    """Ask in one way and say what came of it; ``known`` keeps what the plain question cost."""
    sent = body(path, leg)
    answer = yield Question(f"{path.url.rstrip('/')}/v1/chat/completions", sent, path.key)
    base: dict[str, Any] = {"transcript": (sent, answer.text or answer.error), "seconds": answer.seconds}
    try:
        said = read(answer, leg.stream)
        if path.bases:
            own_instance({"model": path.model, "api_bases": path.bases}, answer)
        if leg.kind == PLAIN and not leg.stream:
            # The same question with a tool has to cost more.
            known["plain"] = said.prompt_tokens
        return Tried(path, leg, judge(leg, said, words(path.engine, path.of), known.get("plain", 0)), **base)
    except Unusable as fault:
        told, cause = fault.verdict, fault.verdict.cause or "the answer cannot be used"
        shape = fault.name if isinstance(fault, Shape) else ""
        if not answer.status and known:
            cause = "the engine answers without tools and not with them"
        base |= {"answered": answer.status in (200, 400), "silent": not answer.status}
        return Tried(path, leg, told.evidence, cause, told.remedy or "look at the unit's journal", shape, **base)


def verdict(tried: Sequence[Tried]) -> str:
    """Native where all is right, none where no call gets through the gateway, else degraded."""
    counted = [each for each in tried if each.leg.counted]
    if all(each.kept for each in counted):
        return NATIVE
    # Past a gateway that does not answer, the engines alone decide.
    through = [each for each in counted if each.path.bases] or counted
    calls = [each for each in through if each.leg.calls]
    return DEGRADED if any(each.kept for each in calls) else NONE


def _judged(check: Check, tried: Sequence[Tried]) -> Verdict:
    found, counted = verdict(tried), [each for each in tried if each.leg.counted]
    kept = sum(each.kept for each in counted)
    notes = sorted({each.evidence.partition("but ")[2] for each in tried if not each.leg.counted and not each.kept})
    beside = f"; {'; '.join(notes)}" if notes else ""
    if found == NATIVE:
        return Verdict(PASS, f"native: {kept} of {len(counted)} ways{beside}")
    first = _decides(tried)
    cause, remedy = first.cause, first.remedy
    if first.shape and first.path.bases and _well_directly(first, tried):
        cause = f"the engine answers well, and the gateway does not: {cause}"
        remedy = "run deploy; if that does not help, report it to LiteLLM with the transcript, or set tools: false"
    evidence = f"{found}, {kept} of {len(counted)} ways: {first.where}: {first.evidence}"
    return Verdict(WARN if check.get("accept") in (found, NONE) else FAIL, evidence, cause, remedy)


def _decides(tried: Sequence[Tried]) -> Tried:
    """What decides: the first that went wrong, else the call that shows that all is well."""
    counted = [each for each in tried if each.leg.counted]
    wrong = [each for each in counted if not each.kept]
    return wrong[0] if wrong else next(each for each in counted if each.path.bases and each.leg.calls)


def _well_directly(one: Tried, tried: Sequence[Tried]) -> bool:
    same = [each for each in tried if not each.path.bases and each.leg == one.leg]
    return bool(same) and all(each.kept for each in same)


def _record(check: Check, tried: Sequence[Tried], identity: Mapping[str, str], now: float) -> Record:
    """What is kept of a certification, on the gateway's host."""
    first = _decides(tried)
    sent, answer = first.transcript
    return {
        "schema": SCHEMA,
        "model": check["model"],
        "verdict": verdict(tried),
        # Never later than now, or the next look would take it for one of the future.
        "at": int(now),
        "digest": check["digest"],
        "identity": dict(identity),
        "ways": [
            {"way": each.where, "kept": each.kept, "counted": each.leg.counted, "shape": each.shape}
            | {"evidence": each.evidence, "seconds": round(each.seconds, 3)}
            for each in tried
        ],
        "decided_by": {"way": first.where, "cause": first.cause, "remedy": first.remedy}
        | {"question": dict(sent), "answer": answer[:LONGEST]},
    }
