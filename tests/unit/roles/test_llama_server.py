# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""llama_server.py: the variables of llama-server, onto the parameters of the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _llamacpp

NEEDED = {"LLAMA_ARG_MODEL": "/m.gguf", "LLAMA_ARG_PORT": "8080"}


@pytest.fixture
def server(load: object) -> ModuleType:
    return load("llamacpp/files/llama_server.py")  # type: ignore[operator]


@pytest.fixture
def library() -> SimpleNamespace:
    """The wheel, as far as the program touches it: parameters with parts, and enumerations."""

    def parameters() -> SimpleNamespace:
        parts = {name: SimpleNamespace() for name in ("model", "mmproj", "cpuparams", "cpuparams_batch")}
        return SimpleNamespace(**parts, n_parallel=1, kv_unified=False)

    return SimpleNamespace(
        CommonParams=parameters,
        ggml_type=SimpleNamespace(GGML_TYPE_Q8_0="q8"),
        llama_flash_attn_type=SimpleNamespace(LLAMA_FLASH_ATTN_TYPE_ENABLED="flash"),
    )


def test_it_knows_every_variable_that_the_options_of_a_model_become(server: ModuleType) -> None:
    emitted = {option.variable for option in _llamacpp.OPTIONS.values()}
    emitted |= set(_llamacpp.settings("tiny", 4096, {}, "127.0.0.1", 8080)) | {"LLAMA_ARG_MODEL", "LLAMA_API_KEY"}
    assert emitted - server.SETTINGS.keys() == set()


def test_it_knows_no_variable_that_llamacpp_does_not(server: ModuleType) -> None:
    assert server.SETTINGS.keys() - _llamacpp.VARIABLES == {"LLAMA_API_KEY"}


def test_what_the_plan_emits_for_a_model_is_accepted(server: ModuleType) -> None:
    options = {"parallel": 2, "threads": 1, "flash_attn": True, "cache_type_k": "q8_0", "slots": True, "gpu_layers": 0}
    emitted = _llamacpp.settings("tiny", 4096, options, "127.0.0.1", 8080)
    assert server.problems({**emitted, "LLAMA_ARG_MODEL": "/m.gguf"}) == []


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param(NEEDED, [], id="a model and a port are enough"),
        pytest.param({**NEEDED, "PATH": "/bin", "LLAMA_CACHE": "/c"}, [], id="other variables are not its business"),
        pytest.param(
            {},
            [
                "LLAMA_ARG_MODEL is not set: one server serves one model on one port.",
                "LLAMA_ARG_PORT is not set: one server serves one model on one port.",
            ],
            id="nothing at all",
        ),
        pytest.param(
            {**NEEDED, "LLAMA_ARG_CTXSIZE": "1", "LLAMA_ARG_QQQQ": "1"},
            [
                "LLAMA_ARG_CTXSIZE is not known here. Did you mean LLAMA_ARG_CTX_SIZE?",
                "LLAMA_ARG_QQQQ is not known here.",
            ],
            id="unknown names, all of them",
        ),
        pytest.param(
            {**NEEDED, "LLAMA_ARG_UI": "nein", "LLAMA_ARG_THREADS": "many", "LLAMA_ARG_SPLIT_MODE": "cols"},
            [
                "LLAMA_ARG_SPLIT_MODE: 'cols' does not fit: use one of none, layer, row, tensor.",
                "LLAMA_ARG_THREADS: 'many' does not fit: use a whole number.",
                "LLAMA_ARG_UI: 'nein' does not fit: use 1 or 0.",
            ],
            id="values that do not fit, all of them",
        ),
        pytest.param(
            {**NEEDED, "LLAMA_ARG_PORT": "99999"},
            ["LLAMA_ARG_PORT: '99999' does not fit: use 1 to 65535."],
            id="a port that llama.cpp would wrap around",
        ),
        pytest.param(
            {**NEEDED, "LLAMA_ARG_API_KEY_FILE": "/nowhere/canary"},
            ["LLAMA_ARG_API_KEY_FILE: its value does not fit: [Errno 2] No such file or directory: '/nowhere/canary'."],
            id="a key file that is not there",
        ),
    ],
)
def test_problems(server: ModuleType, environ: dict[str, str], expected: list[str]) -> None:
    assert server.problems(environ) == expected


def test_values_reach_their_attributes(server: ModuleType, library: SimpleNamespace) -> None:
    environ = {
        **NEEDED,
        "LLAMA_ARG_ALIAS": "tiny,small",
        "LLAMA_ARG_THREADS": "3",
        "LLAMA_ARG_CACHE_TYPE_K": "q8_0",
        "LLAMA_ARG_FLASH_ATTN": "on",
        "LLAMA_ARG_KV_OFFLOAD": "0",
        "LLAMA_ARG_N_GPU_LAYERS": "all",
        "LLAMA_ARG_TENSOR_SPLIT": "3,1",
        "LLAMA_ARG_TIMEOUT": "600",
        "LLAMA_API_KEY": "one, two",
    }
    params = server.apply(environ, library)
    assert (params.model.path, params.port) == ("/m.gguf", 8080)
    assert (params.model_alias, params.api_keys) == ({"tiny", "small"}, ["one", "two"])
    assert (params.cpuparams.n_threads, params.cpuparams_batch.n_threads) == (3, 3)
    assert (params.cache_type_k, params.flash_attn_type, params.no_kv_offload) == ("q8", "flash", True)
    assert (params.n_gpu_layers, params.timeout_read, params.timeout_write) == (-2, 600, 600)
    assert (params.tensor_split[:3], len(params.tensor_split)) == ([3.0, 1.0, 0.0], 128)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({}, (4, True), id="like llama-server: four slots that share the context"),
        pytest.param({"LLAMA_ARG_N_PARALLEL": "2"}, (2, False), id="a given number divides it"),
    ],
)
def test_slots(
    server: ModuleType, library: SimpleNamespace, environ: dict[str, str], expected: tuple[int, bool]
) -> None:
    params = server.apply(environ, library)
    assert (params.n_parallel, params.kv_unified) == expected


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        pytest.param(
            "raise ImportError('libgomp.so.1: cannot open shared object file')",
            "On Debian and Ubuntu: apt-get install libgomp1",
            id="the OpenMP library is missing",
        ),
        pytest.param("raise ImportError('no such wheel')", "Run deploy again.", id="the wheel is missing"),
    ],
)
def test_a_wheel_that_does_not_load_ends_with_1_and_a_remedy(
    root: Path, tmp_path: Path, module: str, expected: str
) -> None:
    (tmp_path / "xllamacpp.py").write_text(module)
    program = root / "roles/llamacpp/files/llama_server.py"
    environ = {**os.environ, **NEEDED, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, program], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"llama_server.py: {expected}")


def test_a_server_that_does_not_start_ends_with_1(root: Path, tmp_path: Path) -> None:
    (tmp_path / "xllamacpp.py").write_text(
        "from types import SimpleNamespace as S\n"
        "def CommonParams(): return S(model=S())\n"
        "def Server(params): raise RuntimeError('Failed to init server')\n"
    )
    program = root / "roles/llamacpp/files/llama_server.py"
    environ = {**os.environ, **NEEDED, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, program], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "llama_server.py: the server did not start: Failed to init server\n"
        "llama_server.py: The lines marked E above are llama.cpp's own and say why.\n"
    )
