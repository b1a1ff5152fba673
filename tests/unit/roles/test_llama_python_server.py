# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""llama_python_server.py: what counts of an environment, and what is refused before a model is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _llamacpp_python as python

KNOWN = python.SETTINGS
NEEDED = {"LLAMA_PYTHON_MODEL": "/m.gguf", "LLAMA_PYTHON_PORT": "8000"}


@pytest.fixture
def server(load: object) -> ModuleType:
    return load("llamacpp/files/llama_python_server.py")  # type: ignore[operator]


def test_what_the_plan_emits_for_a_model_is_accepted(server: ModuleType) -> None:
    options = {"threads": 1, "flash_attn": True, "cache_type_k": "q8_0", "gpu_layers": 0, "cache_ram_mib": 64}
    emitted = python.settings("tiny", 4096, options, "127.0.0.1", 8000)
    assert server.problems({**emitted, "LLAMA_PYTHON_MODEL": "/m.gguf"}, KNOWN) == []


def test_only_what_has_the_prefix_counts(server: ModuleType) -> None:
    environ = {**NEEDED, "SEED": "1", "LLAMA_PYTHON_TENSOR_SPLIT": "[3, 1]", "LLAMA_PYTHON_DRAIN_SECONDS": "3"}
    assert server.given(environ) == {"model": "/m.gguf", "port": "8000", "tensor_split": [3, 1]}


def test_the_server_does_not_see_what_it_would_take_for_settings(server: ModuleType) -> None:
    environ = {"PATH": "/bin", "HOST": "0.0.0.0", "Seed": "1", "LLAMA_PYTHON_SEED": "2"}
    assert server.without_strangers(environ, KNOWN) == {"PATH": "/bin", "LLAMA_PYTHON_SEED": "2"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param(NEEDED, [], id="a model and a port are enough"),
        pytest.param(
            {},
            [
                "LLAMA_PYTHON_MODEL is not set: one server serves one model on one port.",
                "LLAMA_PYTHON_PORT is not set: one server serves one model on one port.",
            ],
            id="nothing at all",
        ),
        pytest.param(
            {**NEEDED, "LLAMA_PYTHON_NTHREADS": "1", "LLAMA_PYTHON_QQQQ": "1"},
            [
                "LLAMA_PYTHON_NTHREADS is not known here. Did you mean LLAMA_PYTHON_N_THREADS?",
                "LLAMA_PYTHON_QQQQ is not known here.",
            ],
            id="unknown names, all of them",
        ),
        pytest.param(
            {**NEEDED, "LLAMA_PYTHON_PORT": "99999", "LLAMA_PYTHON_DRAIN_SECONDS": "soon"},
            [
                "LLAMA_PYTHON_PORT: '99999' does not fit: use 1 to 65535.",
                "LLAMA_PYTHON_DRAIN_SECONDS: 'soon' does not fit: use a whole number of seconds.",
            ],
            id="a port that is none, and a drain without a number",
        ),
    ],
)
def test_problems(server: ModuleType, environ: dict[str, str], expected: list[str]) -> None:
    assert server.problems(environ, KNOWN) == expected


def test_without_the_package_it_says_what_to_do(root: Path) -> None:
    program = root / "roles/llamacpp/files/llama_python_server.py"
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(program)], env=NEEDED, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "llama_python_server.py: llama-cpp-python cannot be loaded: No module named 'uvicorn'",
        "llama_python_server.py: Run deploy again.",
    ]
