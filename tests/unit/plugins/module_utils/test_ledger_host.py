# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The ledger on a host: what is learnt of a unit that has become ready, and that nothing can fail because of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _ledger_host
from ansible_collections.lab.llm_stack.plugins.module_utils._devices import Cards, Holding
from ansible_collections.lab.llm_stack.plugins.module_utils._ledger import Entry, identity_of
from ansible_collections.lab.llm_stack.plugins.module_utils._ledger_host import (
    learn,
    load_seconds,
    read_ledger,
    record_path,
    recorded,
    used_by,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import GIB
from ansible_collections.lab.llm_stack.plugins.module_utils._systemd import ManagerError

UNIT = "vllm-mine.service"
FACTS = (
    f"Id={UNIT}\nActiveState=active\nInvocationID=abc\n"
    "ExecMainStartTimestampMonotonic=5000000\nActiveEnterTimestampMonotonic=66500000\n"
)
LOG = [
    "Model loading took 14.19 GiB memory",
    "Available KV cache memory: 5.60 GiB",
    "GPU KV cache size: 104,857 tokens",
]
IDENTITY = identity_of("q/m", "abc", {"dtype": "auto"}, "0.33.0", "NVIDIA L4", 1, 20 * GIB)


@dataclass
class FakeManager:
    """A user manager that knows one unit."""

    facts: str = FACTS
    log: list[str] = field(default_factory=lambda: list(LOG))

    def systemctl(self, *arguments: str) -> str:
        assert arguments[0] == "show"
        assert arguments[-1] == UNIT
        if not self.facts:
            raise ManagerError("no manager")
        return self.facts

    def journal(self, unit: str, invocation: str, lines: int) -> list[str]:
        assert (unit, invocation, lines > 100) == (UNIT, "abc", True)
        return self.log


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host on which the unit passed its preflight, and whose journal cannot search."""
    monkeypatch.setattr(_ledger_host, "run", lambda _command: "")
    place = Path(record_path(str(tmp_path), UNIT))
    place.parent.mkdir()
    place.write_text(json.dumps({"digest": "77aa", "backend": "cuda", "identity": asdict(IDENTITY)}))
    return tmp_path


def taught(root: Path, manager: Any, units: tuple[str, ...] = (UNIT,)) -> list[Entry]:
    learn(manager, str(root), units)
    return read_ledger(str(root))


def test_what_a_start_took_is_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ledger_host, "used_by", lambda _unit, _backend: 20 * GIB)
    (entry,) = taught(root, FakeManager())
    assert entry.identity == IDENTITY
    assert (entry.weights, entry.tokens, entry.used, entry.load_seconds) == (int(14.19 * GIB), 104857, 20 * GIB, 61.5)
    assert round((entry.overhead or 0) / GIB, 2) == 0.21
    assert (root / "ledger.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("seconds", "expected"), [(61.5, 900), (400.0, 1200)], ids=["a fast start", "a slow start"])
def test_the_next_start_may_take_three_times_as_long(root: Path, seconds: float, expected: int) -> None:
    place = Path(record_path(str(root), UNIT))
    place.write_text(json.dumps({**json.loads(place.read_text()), "start_timeout": 900}))
    taught(root, FakeManager(facts=FACTS.replace("=66500000", f"={int(5e6 + seconds * 1e6)}")))
    assert (recorded(str(place))["start_timeout"], recorded(str(place))["digest"]) == (expected, "77aa")


def test_the_journal_searches_where_it_can(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ledger_host, "run", lambda command: "\n".join(LOG) if command[0] == "journalctl" else "")
    (entry,) = taught(root, FakeManager(log=[]))
    assert entry.weights == int(14.19 * GIB)


def test_a_start_of_the_same_again_is_one_entry(root: Path) -> None:
    taught(root, FakeManager())
    (entry,) = taught(root, FakeManager(log=[]))
    assert entry.weights == int(14.19 * GIB)


@pytest.mark.parametrize(
    "manager",
    [
        pytest.param(FakeManager(facts=""), id="no manager"),
        pytest.param(FakeManager(facts=FACTS.replace("=active", "=failed")), id="it does not run any more"),
        pytest.param(FakeManager(facts="Id=other.service\nActiveState=active\n"), id="an answer about another"),
        pytest.param(FakeManager(facts="="), id="no answer"),
    ],
)
def test_what_cannot_be_learnt_is_left_out(root: Path, manager: FakeManager) -> None:
    assert taught(root, manager) == []
    assert not (root / "ledger.json").exists()


def test_a_unit_without_a_preflight_is_none_of_ours(root: Path) -> None:
    assert taught(root, FakeManager(facts="the manager is not even asked"), ("litellm@a.service",)) == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"identity": 3}', '{"identity": {"model": 1}}'])
def test_a_record_that_somebody_edited(root: Path, text: str) -> None:
    Path(record_path(str(root), UNIT)).write_text(text)
    assert taught(root, FakeManager()) == []


def test_a_record_that_is_not_there(tmp_path: Path) -> None:
    assert recorded(record_path(str(tmp_path), UNIT)) == {}


def test_a_ledger_that_cannot_be_written_fails_nothing(root: Path) -> None:
    (root / "ledger.json").mkdir()
    assert taught(root, FakeManager()) == []


@pytest.mark.parametrize(
    ("begun", "ready", "expected"),
    [
        pytest.param("5000000", "66500000", 61.5, id="a minute"),
        pytest.param("0", "66500000", None, id="never started"),
        pytest.param("5000000", "0", None, id="never ready"),
        pytest.param("5000000", "4000000", None, id="ready before this start"),
        pytest.param("", "", None, id="not told"),
    ],
)
def test_how_long_a_start_took(begun: str, ready: str, expected: float | None) -> None:
    facts = {"ExecMainStartTimestampMonotonic": begun, "ActiveEnterTimestampMonotonic": ready}
    assert load_seconds(facts) == expected


@pytest.mark.parametrize(
    ("holdings", "expected"),
    [
        pytest.param((), None, id="no card"),
        pytest.param((Holding(1, "GPU-a", 5), Holding(2, "GPU-a", 6), Holding(9, "GPU-a", 70)), 11, id="one card"),
        pytest.param((Holding(1, "GPU-a", 5), Holding(2, "GPU-b", 6)), 6, id="the fuller of two cards"),
        pytest.param((Holding(1, "GPU-a", 5), Holding(2, "GPU-a", None)), None, id="not told"),
    ],
)
def test_what_a_unit_holds(
    monkeypatch: pytest.MonkeyPatch, holdings: tuple[Holding, ...], expected: int | None
) -> None:
    monkeypatch.setattr(_ledger_host, "pids_of", lambda _units: {UNIT: [1, 2]})
    monkeypatch.setattr(_ledger_host, "read_cards", lambda _backend, _run: Cards((), holdings))
    assert used_by(UNIT, "cuda") == expected


def test_what_a_unit_holds_of_main_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ledger_host, "pids_of", lambda _units: {UNIT: [1, 2]})
    monkeypatch.setattr(_ledger_host, "resident", lambda pid: pid * 100)
    assert used_by(UNIT, "cpu") == 300
