# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From the log of a failed start to its cause. A case is a log in tests/fixtures/boot_logs, named after its cause."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _boot_failures
from ansible_collections.lab.llm_stack.plugins.module_utils._boot_failures import classify, explain

LOGS = Path(__file__).resolve().parents[3] / "fixtures/boot_logs"
FAILED = sorted(LOGS.glob("*.log"))
HEALTHY = sorted(LOGS.glob("healthy/*.log"))


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("path", FAILED, ids=lambda path: path.stem)
def test_a_log_tells_its_cause(path: Path) -> None:
    cause = classify(lines(path))
    assert cause is not None
    assert cause.name == path.name.split(".")[0]
    assert cause.line in [line.strip() for line in lines(path)]


def test_every_row_has_a_log() -> None:
    assert {row.name for row in _boot_failures._TABLE} == {path.name.split(".")[0] for path in FAILED}


@pytest.mark.parametrize("path", HEALTHY, ids=lambda path: path.stem)
def test_a_log_without_a_known_failure_has_no_cause(path: Path) -> None:
    assert classify(lines(path)) is None


@pytest.mark.parametrize("path", FAILED, ids=lambda path: path.stem)
def test_harmless_lines_before_and_after_do_not_win(path: Path) -> None:
    noise = [line for healthy in HEALTHY for line in lines(healthy)]
    with_noise = classify([*noise, *lines(path), *noise])
    assert with_noise == classify(lines(path))


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


def test_causes_and_remedies_are_sentences() -> None:
    rows = _boot_failures._TABLE
    assert [row.name for row in rows if not (row.means.endswith(".") and row.remedy.endswith("."))] == []
    assert len({row.name for row in rows}) == len(rows)
