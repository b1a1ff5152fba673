# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run checks on this host, as many at a time as allowed and each after what it needs. Looks, never changes."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from ansible_collections.lab.llm_stack.plugins.module_utils import (
    _acceptance,
    _answers,
    _certificate,
    _certified,
    _checks_source,
    _gateway_limits,
    _gateway_rungs,
    _ladder,
    _ollama_checks,
    _probe_host,
    _proc,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._answer import Answer
from ansible_collections.lab.llm_stack.plugins.module_utils._answers import Question
from ansible_collections.lab.llm_stack.plugins.module_utils._check_order import gateway_silent, unmet, waits
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import (
    FAIL,
    PASS,
    SKIPPED,
    Check,
    Holder,
    Result,
    Unit,
    Verdict,
    judge_port,
    judge_units,
    of_kind,
    redact,
    result,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._systemd import Manager, ManagerError

LONGEST_ANSWER = 1 << 20
OF_UNITS = ("unit_active", "unit_uptime", "journal_clean")
# A proxy of the environment has no part in reaching the stack's own ports.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Probe:
    """How to look: the keys of the gateway and the engines, the patience for one answer, and how many at a time.

    ``budget`` is in seconds, after which no further check begins; 0 for none. A ``deep`` look may load models.
    ``source`` is what git told of the declaration.
    """

    keys: Mapping[str, str]
    timeout: float
    concurrency: int
    budget: float = 0
    deep: bool = False
    certified: _certified.Certified | None = None
    source: Mapping[str, Any] = field(default_factory=dict)

    def run(self, checks: Sequence[Check]) -> list[Result]:
        """Run all checks, each as soon as what comes before it is done; return the results in the order given."""
        step = partial(self._one, checks=checks, host=observe(checks), begun=time.monotonic())
        first = {check["id"]: {each["id"] for each in waits(check, checks)} for check in checks}
        waiting, done = {check["id"]: check for check in checks}, dict[str, Result]()
        running: set[Future[Result]] = set()
        with ThreadPoolExecutor(self.concurrency) as pool:
            while waiting or running:
                states = {name: each.state for name, each in done.items()}
                ready = [name for name in waiting if first[name] <= done.keys()]
                running |= {pool.submit(step, waiting.pop(name), states=states) for name in ready}
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                done.update({each.id: each for each in (future.result() for future in ended)})
        return [self._clean(done[check["id"]]) for check in checks]

    def _one(
        self, check: Check, checks: Sequence[Check], states: Mapping[str, str], host: Observed, begun: float
    ) -> Result:
        start = time.monotonic()
        try:
            blocked = unmet(check, checks, states)
            late = self.budget and start - begun > self.budget
            if late:
                blocked = Verdict(SKIPPED, f"the {self.budget:g} s that all checks may take were over")
            # Who holds a port can be told in any case, and is worth knowing above all when its own unit does not.
            told = check["check"] == "port_owner" and host.holders(check["bind"], check["port"])
            if blocked and not late and check["check"] == _certificate.KIND and gateway_silent(check, checks, states):
                verdict = self._spoken({**check, "past_gateway": True})
            else:
                verdict = self._look(check, host) if told or not blocked else blocked
        except Exception as error:  # noqa: BLE001 - a check that crashes is a failed check, not the end of the others
            cause = "the check itself went wrong, which is a fault of this collection"
            verdict = Verdict(FAIL, f"{type(error).__name__}: {error}", cause, "report it with this line")
        return result(check, verdict, time.monotonic() - start)

    def _look(self, check: Check, host: Observed) -> Verdict:
        if check["check"] == "unit_active":
            units = [host.units[name] for name in check["units"]] if not host.fault else []
            return host.fault or _probe_host.explained(judge_units(units), units)
        if check["check"] == "port_owner":
            return judge_port(check, host.holders(check["bind"], check["port"]))
        if check["check"] in _checks_source.KINDS:
            deployed = _probe_host.deployed_commit(str(self.source.get("commit") or ""))
            return _checks_source.judge(check["check"], self.source, deployed)
        if check["check"] in _probe_host.LOOKS:
            return host.fault or _probe_host.LOOKS[check["check"]](check, host.units)
        return self._spoken({**check, "deep": True} if self.deep else check)

    def _spoken(self, check: Check) -> Verdict:
        """Look by asking a server."""
        ask_ = partial(ask, keys=self._keys_for(check), timeout=self.timeout)
        if check.get("sleeps") and not self.deep:
            awake = converse(_ladder.asleep(check), ask_)
            if awake.state != PASS:
                return awake
        if check["check"] == _certificate.KIND:
            return (self.certified or _certified.Certified()).look(
                check, lambda talk: converse(talk, ask_), self._hidden
            )
        if check["check"] in _ladder.KINDS:
            return converse(_ladder.talk(check), ask_)
        if check["check"] in _gateway_limits.KINDS:
            return converse(_gateway_limits.talk(check), ask_)
        if check["check"] in _gateway_rungs.KINDS:
            return converse(_gateway_rungs.talk(check), ask_)
        if check["check"] in _acceptance.KINDS:
            return _acceptance.judge(check, [*map(ask_, _acceptance.questions(check))])
        if check["check"] in _ollama_checks.KINDS:
            card = any(os.path.exists(path) for path in _ollama_checks.CARDS)
            return _ollama_checks.judge(check, [*map(ask_, _ollama_checks.questions(check))], card)
        return _answers.judge_answer(check, ask_(_answers.question(check)))

    def _keys_for(self, check: Check) -> Mapping[str, str]:
        """The keys, of which that of an engine is that of the check's."""
        own = self.keys.get(f"engine {check.get('engine')}", "")
        return {**self.keys, "engine": own or self.keys.get("engine", "")}

    @property
    def _hidden(self) -> list[str]:
        return [*self.keys.values()]

    def _clean(self, found: Result) -> Result:
        hidden = self._hidden
        return replace(found, evidence=redact(found.evidence, hidden), cause=redact(found.cause, hidden))


T = TypeVar("T")


def converse(talk: Generator[Question, Answer, T], ask_: Callable[[Question], Answer]) -> T:
    """Have a talk: send what it asks, give it what came back, and return what it ends with."""
    try:
        question = next(talk)
        while True:
            question = talk.send(ask_(question))
    except StopIteration as end:
        found: T = end.value
        return found


@dataclass(frozen=True)
class Observed:
    """What was seen of units and ports, in one look before the first check."""

    units: Mapping[str, Unit]
    listeners: Sequence[_proc.Listener]
    held: Mapping[str, Sequence[int]]
    fault: Verdict | None = None

    def holders(self, bind: str, port: int) -> list[Holder]:
        """Return who holds a port, on an address that takes what is meant for this one."""
        sockets = [each for each in self.listeners if each.port == port and _proc.covers(each.address, bind)]
        return [holder for each in sockets for holder in self._of(each)]

    def _of(self, each: _proc.Listener) -> Iterator[Holder]:
        pids = self.held.get(each.inode) or [0]
        for pid in pids:
            yield Holder(_proc.unit_of(pid) if pid else "", _proc.describe(pid, each.uid))


def observe(checks: Sequence[Check]) -> Observed:
    """Look at all units in one call of the manager, and at all ports in one walk over the processes."""
    names = sorted({unit for kind in OF_UNITS for check in of_kind(checks, kind) for unit in check["units"]})
    listeners = _proc.listeners(check["port"] for check in of_kind(checks, "port_owner"))
    held = _held({each.inode for each in listeners})
    try:
        shown = Manager(os.getuid()).show(names)
    except ManagerError as error:
        remedy = "run as the account of the stack, with linger enabled"
        return Observed({}, listeners, held, Verdict(FAIL, str(error), "the user manager does not answer", remedy))
    return Observed({name: _unit(name, found) for name, found in zip(names, shown)}, listeners, held)


def _unit(name: str, found: Mapping[str, str]) -> Unit:
    pid = int(found.get("MainPID") or 0)
    return Unit(
        name=name,
        found=found.get("LoadState") != "not-found",
        active=found.get("ActiveState", ""),
        sub=found.get("SubState", ""),
        enabled=found.get("UnitFileState") or "not enabled",
        restarts=int(found.get("NRestarts") or 0),
        uptime=time.time() - _proc.started_at(pid) if pid else 0.0,
        invocation=found.get("InvocationID", ""),
        ended=_probe_host.ended(found),
        gone=_since(found.get("InactiveEnterTimestamp", "")) if not pid else 0.0,
    )


def _since(stamp: str) -> float:
    """For how many seconds a moment of the manager's is past; 0 where it never was."""
    return max(time.time() - float(stamp.lstrip("@")), 0.0) if stamp.startswith("@") else 0.0


def _held(inodes: set[str]) -> dict[str, list[int]]:
    """Map each of these sockets to the processes that hold it."""
    held: dict[str, list[int]] = {inode: [] for inode in inodes}
    for name in os.listdir(_proc.PROC) if inodes else ():
        if name.isdigit():
            for inode in _proc.socket_inodes(int(name)) & inodes:
                held[inode].append(int(name))
    return held


def ask(question: Question, keys: Mapping[str, str], timeout: float) -> Answer:
    """Send one request and return whatever came back; it never raises for what a server does."""
    time.sleep(question.pause)
    start = time.monotonic()
    try:
        with _OPENER.open(_request(question, keys), timeout=timeout) as reply:
            return _answer(reply, start, timeout)
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error, start, timeout)
    except socket.timeout:
        return Answer(error=f"no answer within {timeout:g} s")
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        late = isinstance(reason, socket.timeout)
        return Answer(error=f"no answer within {timeout:g} s" if late else f"no answer: {reason}")


def _request(question: Question, keys: Mapping[str, str]) -> urllib.request.Request:
    key = {**keys, "wrong": _answers.WRONG_KEY}.get(question.key, "")
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    body = None if question.body is None else json.dumps(question.body).encode()
    if not question.url.startswith(("http://", "https://")):
        raise ValueError(f"{question.url} is not an http address")
    return urllib.request.Request(question.url, body, headers)  # noqa: S310 - checked above


def _answer(reply: http.client.HTTPResponse | urllib.error.HTTPError, start: float, timeout: float) -> Answer:
    """Read an answer to its end, within the patience and the size allowed."""
    parts: list[bytes] = []
    size, late = 0, False
    while size < LONGEST_ANSWER and not late:
        part = reply.read1(65536)
        if not part:
            break
        parts.append(part)
        size += len(part)
        late = time.monotonic() - start > timeout
    if late:
        return Answer(error=f"the answer was not complete within {timeout:g} s")
    headers = {name.lower(): value for name, value in reply.headers.items()}
    text = b"".join(parts).decode("utf-8", "replace")
    return Answer(int(reply.status or 0), headers, text, seconds=time.monotonic() - start)
