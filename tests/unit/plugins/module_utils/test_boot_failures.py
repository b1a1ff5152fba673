# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From the log of a failed start to its cause. A case is a log in tests/fixtures/boot_logs, named after its cause.

What is in ``healthy`` has no known cause, be it that the start went well or that it failed as none has before. Most of
vLLM's are real: tests/live/vllm_boots.py writes them. The others were written after the sources or reports.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _boot_failures
from ansible_collections.lab.llm_stack.plugins.module_utils._boot_failures import classify, explain
from hypothesis import given
from hypothesis import strategies as st

LOGS = Path(__file__).resolve().parents[3] / "fixtures/boot_logs"
FAILED = sorted(LOGS.glob("*.log"))
HEALTHY = sorted(LOGS.glob("healthy/*.log"))


VLLM_MAY_SAY = [
    "(EngineCore pid=7) ERROR 11-22 22:01:58 [core.py:1510] EngineCore failed to start.",
    "(APIServer pid=7) INFO 11-22 22:01:41 [utils.py:233] non-default args: {'model': 'm/tiny'}",
    "KeyError: 'invalid tool call parser: ",
    "vllm: error: argument ",
    "is larger than the available KV cache memory (",
    "\x1b[31mmax seq len (",
]


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def cause_of(path: Path) -> str:
    """The cause in the name of a log, which may begin with its engine and end in a variant."""
    return path.name.split(".")[0].removeprefix("vllm-")


@pytest.mark.parametrize("path", FAILED, ids=lambda path: path.stem)
def test_a_log_tells_its_cause(path: Path) -> None:
    cause = classify(lines(path))
    assert cause is not None
    assert cause.name == cause_of(path)
    assert any(line.endswith(cause.line) for line in lines(path))


def test_every_row_has_a_log() -> None:
    assert {row.name for row in _boot_failures._TABLE} == {cause_of(path) for path in FAILED}


@pytest.mark.parametrize("path", HEALTHY, ids=lambda path: path.stem)
def test_a_log_without_a_known_failure_has_no_cause(path: Path) -> None:
    assert classify(lines(path)) is None


@pytest.mark.parametrize("path", FAILED, ids=lambda path: path.stem)
def test_harmless_lines_before_and_after_do_not_win(path: Path) -> None:
    noise = [line for healthy in HEALTHY for line in lines(healthy)]
    # A later start of vLLM is one of its own.
    later = [line for healthy in HEALTHY if not healthy.stem.startswith("vllm") for line in lines(healthy)]
    assert classify([*noise, *lines(path), *later]) == classify(lines(path))


def test_what_llama_cpp_says_twice_is_told_once() -> None:
    assert explain(lines(LOGS / "gguf-missing.log")) == [
        "Cause: The model file cannot be opened.",
        "Log: E gguf_init_from_file: failed to open GGUF file "
        "'/home/llm/.local/share/llm-stack/models/tiny.gguf' (No such file or directory)",
        "Correct the model's source, or the file's owner and mode.",
    ]


def test_an_unknown_log_shows_its_last_lines_and_claims_no_cause() -> None:
    said = explain([f"line {number}" for number in range(1, 101)])
    assert said == ["The cause is not known. Its last lines:", *(f"  line {number}" for number in range(61, 101))]


def test_an_empty_journal_is_told_as_such() -> None:
    assert explain([]) == ["Its journal is empty or cannot be read."]


def test_what_vllm_found_stands_in_the_remedy() -> None:
    assert explain(lines(LOGS / "vllm-context-over-memory.older.log")) == [
        "Cause: The context does not fit into the memory that the weights leave.",
        "Log: ValueError: The model's max seq len (16384) is larger than the maximum number of tokens that can be "
        "stored in KV cache (8192). Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when "
        "initializing the engine.",
        "Lower context to 8192 or less, or set kv_cache_dtype: fp8.",
    ]


def test_an_earlier_start_of_vllm_does_not_explain_the_last_one() -> None:
    earlier, last = lines(LOGS / "vllm-unknown-tool-parser.log"), lines(LOGS / "vllm-memory-held.log")
    assert classify([*earlier, *last]) == classify(last)
    assert classify([*earlier, *lines(LOGS / "healthy/vllm-unknown.log")]) is None


def test_a_stop_after_a_good_start_is_no_failed_start() -> None:
    assert classify(lines(LOGS / "healthy/vllm-stopped.log")) is None
    told = classify(lines(LOGS / "vllm-stopped-while-starting.log"))
    assert told is not None
    assert told.means == "It was stopped before it was ready; it did not crash."


def test_of_an_unknown_failure_of_vllm_the_lines_of_the_engine_are_shown() -> None:
    """Those that the API server adds are as many and tell nothing."""
    said = explain(lines(LOGS / "healthy/vllm-unknown.log"))
    assert len(said) == 1 + _boot_failures.TAIL
    assert any(line.endswith("ValueError: something that nobody has seen yet") for line in said)


def test_of_an_unknown_failure_of_a_worker_its_own_lines_are_shown() -> None:
    said = explain(lines(LOGS / "healthy/vllm-unknown.fp8.log"))
    assert said[0] == "The cause is not known. Its last lines:"
    assert len(said) == 1 + _boot_failures.TAIL
    told = "received 4 argument(s). Declaration: _C::static_scaled_fp8_quant() -> ()"
    assert any(line.endswith(told) for line in said)
    assert said[-1] == "  vllm.service: Consumed 30.386s CPU time."


def test_a_harmless_error_of_a_worker_does_not_hide_how_the_log_ends() -> None:
    harmless = "(Worker pid=12) ERROR 11-23 05:58:46 [worker.py:10] The clock is odd."
    said = explain([harmless, *(f"line {number}" for number in range(1, 101)), "RuntimeError: never seen before"])
    assert len(said) == 1 + _boot_failures.TAIL
    assert (said[1], said[-1]) == (f"  {harmless}", "  RuntimeError: never seen before")


@pytest.mark.parametrize(
    "name", ["vllm-context-over-memory.log", "vllm-weights-cut.log", "healthy/vllm-unknown.fp8.log"]
)
def test_the_setting_that_lets_foreign_code_run_is_no_cause(name: str) -> None:
    """vLLM prints all its settings at each start."""
    log = lines(LOGS / name)
    allowed = [line.replace("trust_remote_code=False", "trust_remote_code=True") for line in log]
    assert allowed != log
    told, before = classify(allowed), classify(log)
    assert (told and told.name) == (before and before.name)


def test_a_line_of_a_megabyte_takes_no_time() -> None:
    began = time.process_time()
    assert classify(["Free memory on device " * 20_000]) is None
    assert time.process_time() - began < 5


def test_what_was_said_before_it_served_does_not_explain_why_it_ended() -> None:
    """A parser plugin that is not there keeps vLLM from nothing."""
    served = lines(LOGS / "healthy/vllm.parser-plugin.log")
    assert any("ModuleNotFoundError" in line for line in served)
    killed = "vllm-tiny.service: Main process exited, code=killed, status=9/KILL"
    told = classify([*served, killed])
    assert told is not None
    assert told.name == "process-killed"


def test_colours_hide_no_cause() -> None:
    plain = lines(LOGS / "vllm-parser-tokens.log")
    assert classify([line.replace("cannot be used", "\x1b[1mcannot be\x1b[0m used") for line in plain]) == classify(
        plain
    )


def test_a_line_that_lists_everything_is_cut() -> None:
    line = "Value error, Model architectures ['NopeForCausalLM'] are not supported for now. " + "'X', " * 1000
    assert len(explain([line])[1]) == len("Log: ") + 800


@given(st.lists(st.one_of(st.text(), st.sampled_from(VLLM_MAY_SAY), st.sampled_from([each.stem for each in FAILED]))))
def test_any_log_is_told_in_lines_of_text(log: list[str]) -> None:
    assert all(isinstance(line, str) for line in explain(log))


@pytest.mark.parametrize("path", FAILED, ids=lambda path: path.stem)
def test_a_log_cut_anywhere_is_told_too(path: Path) -> None:
    whole = path.read_text(encoding="utf-8")
    for end in range(1, len(whole), len(whole) // 12):
        assert "" not in explain(whole[:end].splitlines())


def test_causes_and_remedies_are_sentences() -> None:
    rows = _boot_failures._TABLE
    assert [row.name for row in rows if not (row.means.endswith(".") and row.remedy.endswith("."))] == []
    assert len({row.name for row in rows}) == len(rows)
