# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Whether services stay up, what their journals tell, and what their host has left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, PASS, SKIPPED, WARN, Unit, Verdict
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
    explain_end,
    judge_journal,
    judge_uptime,
    serving,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._probe_host import ended, explained
from ansible_collections.lab.llm_stack.plugins.module_utils._systemd import Manager

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


@pytest.mark.parametrize(
    ("running", "state"),
    [
        pytest.param(unit(60), PASS, id="somebody started it anew"),
        pytest.param(unit(60, restarts=5), FAIL, id="it ends again and again"),
        pytest.param(unit(7200, restarts=5), WARN, id="it did, and stays up now"),
    ],
)
def test_what_ended_by_itself_can_be_asked_for_alone(running: Unit, state: str) -> None:
    assert judge_uptime({"by_itself": True}, running, Times(1e6, 3000)).state == state


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


ENDED = Verdict(FAIL, "failed (failed)", "its process exited with code 1", "run deploy")


def test_a_service_that_ended_for_a_known_reason_says_which() -> None:
    lines = ["starting", "E gguf_init: failed to open GGUF file '/nowhere.gguf' (No such file or directory)", "bye"]
    assert explain_end(ENDED, lines) == Verdict(
        FAIL,
        "failed (failed): E gguf_init: failed to open GGUF file '/nowhere.gguf' (No such file or directory)",
        "The model file cannot be opened.",
        "Correct the model's source, or the file's owner and mode.",
    )


def test_a_service_that_ended_for_an_unknown_reason_keeps_what_systemd_says() -> None:
    assert explain_end(ENDED, ["a line", "another"]) == ENDED


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"Result": "success", "ExecMainStatus": "0"}, ""),
        ({"Result": "exit-code", "ExecMainStatus": "3"}, "its process exited with code 3"),
        ({"Result": "signal", "ExecMainStatus": "9"}, "its process was ended by signal 9"),
        ({"Result": "core-dump", "ExecMainStatus": "11"}, "its process was ended by signal 11"),
        ({"Result": "oom-kill", "ExecMainStatus": "9"}, "the kernel ended its process for want of memory"),
        ({"Result": "timeout"}, "it was not ready in time"),
        ({"Result": "start-limit-hit"}, "it failed too often in a short time"),
        ({}, ""),
    ],
)
def test_how_a_process_ended(found: dict[str, str], words: str) -> None:
    assert ended(found) == words


@pytest.mark.parametrize(
    ("units", "asked"),
    [
        pytest.param([unit(0, active="failed")], [], id="without an invocation there is no journal"),
        pytest.param(
            [replace(unit(0, active="failed"), invocation="1")], [("vllm-qwen.service", "1")], id="its last start"
        ),
        pytest.param(
            [
                replace(unit(0, name="a", active="inactive"), invocation="1", gone=500.0),
                replace(unit(0, name="b", active="failed"), invocation="2", gone=5.0),
            ],
            [("b", "2")],
            id="of two, the one that ended last",
        ),
        pytest.param(
            [replace(unit(9, name="a"), invocation="1"), replace(unit(0, name="b", active="failed"), invocation="2")],
            [],
            id="where one runs, that is not why",
        ),
    ],
)
def test_whose_journal_tells_why(
    units: list[Unit], asked: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []

    def journal(_manager: Manager, name: str, invocation: str, _lines: int) -> list[str]:
        seen.append((name, invocation))
        return []

    monkeypatch.setattr(Manager, "journal", journal)
    assert explained(ENDED, units) == ENDED
    assert seen == asked
