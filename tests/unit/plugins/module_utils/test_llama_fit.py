# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What llama-fit-params prints, as it was measured with llama.cpp 0.7.0, with cards, and when it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._llama_fit import ask, parse
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import Measured
from hypothesis import given
from hypothesis import strategies as st

MIB = 1 << 20
SAID = "as llama-fit-params says"
HOST = "Host 1 8 10 \n"
CARDS = "CUDA0 4403 448 304\nCUDA1 4000 400 300\nHost 292 0 24\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(HOST, Measured(MIB, 10 * MIB, 1, SAID), id="measured, without a card"),
        pytest.param(CARDS, Measured(8403 * MIB, 604 * MIB, 1, SAID), id="two cards, less what stays in main memory"),
        pytest.param("", None, id="it failed"),
        pytest.param("-c 8192 -ngl -1\n", None, id="fitted arguments in place of a table"),
        pytest.param(CARDS[:9], None, id="cut off"),
    ],
)
def test_what_it_prints(text: str, expected: Measured | None) -> None:
    assert parse(text) == expected


def test_it_is_asked_with_the_settings_of_the_instance(tmp_path: Path) -> None:
    program = tmp_path / "llama-fit-params"
    program.touch(0o755)

    def run(command: Sequence[str], variables: Mapping[str, str]) -> str:
        assert command == [str(program), "--fit-print", "on"]
        assert variables == {"LLAMA_ARG_CTX_SIZE": "8192", "LLAMA_ARG_MODEL": "/m.gguf"}
        return HOST

    assert ask(str(tmp_path / "llama-server"), "/m.gguf", {"ctx_size": 8192}, run) is not None


def test_where_there_is_none_nobody_is_asked(tmp_path: Path) -> None:
    assert ask(str(tmp_path / "llama-server"), "/m.gguf", {}, lambda *_: pytest.fail("asked")) is None


@given(st.text(alphabet=st.sampled_from("CUDA0Host 123\n²"), max_size=80))
def test_no_answer_breaks_the_reading(text: str) -> None:
    found = parse(text)
    assert found is None or (found.weights or 0) >= 0
