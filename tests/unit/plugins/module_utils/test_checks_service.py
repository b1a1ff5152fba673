# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Whether services stay up, what their journals tell, and what their host has left."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, PASS, SKIPPED, WARN, Unit
from ansible_collections.lab.llm_stack.plugins.module_utils._checks_host import (
    Card,
    judge_cards,
    judge_disk,
    judge_linger,
    judge_memory,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._checks_service import (
    Times,
    deployed_ago,
    judge_journal,
    judge_uptime,
    serving,
)

LOGS = Path(__file__).parents[3] / "fixtures/boot_logs"
GIB = 1 << 30


def unit(uptime: float, restarts: int = 0, name: str = "vllm-qwen.service", active: str = "active") -> Unit:
    return Unit(name, True, active, "running", "enabled", restarts, uptime)


@pytest.mark.parametrize(
    ("running", "times", "state", "words"),
    [
        (unit(7200), Times(1e6, 1e5), PASS, "up for 2 h"),
        (unit(7200, restarts=2), Times(1e6, 1e5), WARN, "started again 2 times by systemd"),
        (unit(60), Times(90, None), PASS, "since the host started"),
        (unit(60), Times(1e6, 50), PASS, "since it was deployed"),
        (unit(60), Times(1e6, 3000), FAIL, "although it was deployed 50 min ago"),
        (unit(60), Times(1e6, None), FAIL, "not by a deployment"),
        (unit(60, restarts=1), Times(1e6, 50), FAIL, "it ended by itself and was started again"),
        (unit(60, restarts=1), Times(90, 50), FAIL, "started again 1 time by systemd"),
    ],
)
def test_a_process_has_to_be_up_for_as_long_as_it_can_have_been(
    running: Unit, times: Times, state: str, words: str
) -> None:
    verdict = judge_uptime({}, running, times)
    assert verdict.state == state
    assert words in f"{verdict.evidence}, {verdict.cause}"
    assert bool(verdict.remedy) == (state != PASS)


def test_the_least_uptime_is_the_users_choice() -> None:
    assert judge_uptime({"min_uptime": 30}, unit(60), Times(1e6, None)).state == PASS


# These hold lines of errors that are no cause of a failed start.
ERRORS_WITHOUT_A_CAUSE = (
    "vllm-stopped",
    "vllm-unknown",
    "vllm-unknown.fp8",
    "vllm-unknown.worker-killed",
    "vllm.parser-plugin",
)


@pytest.mark.parametrize("log", sorted((LOGS / "healthy").glob("*.log")), ids=lambda path: path.stem)
def test_a_healthy_journal_is_clean(log: Path) -> None:
    verdict = judge_journal({"unit": "x.service"}, log.read_text(encoding="utf-8").splitlines())
    assert verdict.state == (WARN if log.stem in ERRORS_WITHOUT_A_CAUSE else PASS), verdict


@pytest.mark.parametrize("log", sorted(LOGS.glob("*.log")), ids=lambda path: path.stem)
def test_a_journal_with_a_known_failure_names_it(log: Path) -> None:
    verdict = judge_journal({"unit": "x.service"}, log.read_text(encoding="utf-8").splitlines())
    assert verdict.state in (FAIL, WARN)
    assert verdict.remedy


def test_an_error_that_nobody_classified_is_a_warning_and_can_be_allowed() -> None:
    lines = ["INFO fine", "ERROR the frobnicator slipped", "INFO fine"]
    verdict = judge_journal({"unit": "x.service"}, lines)
    assert (verdict.state, "1 line tells of an error" in verdict.evidence) == (WARN, True)
    assert "llm_stack_checks.journal_allow" in verdict.remedy
    allow = [{"match": "frobnicator slipped", "reason": "it does that"}]
    allowed = judge_journal({"unit": "x.service", "allow": allow}, lines)
    assert (allowed.state, allowed.evidence) == (PASS, "3 lines since its start; 1 allowed")
    assert judge_journal({"unit": "x.service", "strict": False}, lines).state == PASS


def test_of_two_services_the_one_that_runs_is_looked_at() -> None:
    idle, running = unit(0, name="a.service", active="inactive"), unit(5, name="b.service")
    assert serving([idle, running]) is running
    assert serving([idle]) is None


def test_when_a_unit_was_deployed_is_told_by_the_manifest_that_has_it() -> None:
    manifests = {"vllm": (100.0, ["a.service"]), "litellm": (150.0, ["b.service"])}
    assert (deployed_ago(manifests, "a.service", 160.0), deployed_ago(manifests, "c.service", 160.0)) == (60.0, None)


def test_a_host_has_to_linger_and_to_have_room() -> None:
    assert judge_linger("llm", True).state == PASS
    assert judge_linger("llm", False).remedy == "loginctl enable-linger llm, or deploy"
    assert judge_disk({}, "/home/llm", 6 * GIB, 100 * GIB).state == PASS
    assert judge_disk({"min_free": 10}, "/home/llm", 6 * GIB, 100 * GIB).state == FAIL
    assert judge_memory({}, 2 * GIB, 8 * GIB).evidence == "2.0 of 8.0 GiB available"
    assert judge_memory({}, GIB // 2, 8 * GIB).state == WARN
    assert judge_memory({}, None, 0).state == SKIPPED


RECORD = {"vllm-qwen.service": {"backend": "cuda"}}


@pytest.mark.parametrize(
    ("cards", "records", "state", "words"),
    [
        ([], {}, PASS, "no service counts on a card"),
        ([], {"vllm-qwen.service": {"backend": "cpu"}}, PASS, "no service counts on a card"),
        ([], RECORD, FAIL, "no card is seen"),
        ([Card("A", 16 * GIB, GIB, {})], RECORD, FAIL, "holds no memory of a card"),
        ([Card("A", 16 * GIB, 9 * GIB, {"vllm-qwen.service": 8 * GIB})], RECORD, PASS, "A: 9.0 of 16.0 GiB"),
    ],
)
def test_a_service_that_counts_on_a_card_has_to_hold_memory_of_one(
    cards: list[Card], records: dict[str, dict[str, str]], state: str, words: str
) -> None:
    verdict = judge_cards({"units": ["vllm-qwen.service"]}, cards, records)
    assert verdict.state == state
    assert words in verdict.evidence
