# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that tells whether a model fits: on a folder, on a file, and on what is neither."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._model_read import read_model

WEIGHTS = 2_147_592
QUANTISED = {"quant_method": "awq", "bits": 4}
CODER = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "torch_dtype": "float16",
    "num_hidden_layers": 28,
    "hidden_size": 3584,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "intermediate_size": 18944,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": False,
    "sliding_window": 131072,
    "use_sliding_window": False,
}


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/fit", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)


@pytest.fixture
def tiny(root: Path, tmp_path: Path) -> Path:
    """The model of this repository as transformers has it; its weights are a hole in the file."""
    folder = tmp_path / "tiny-tools-hf"
    shutil.copytree(root / "tests/fixtures/models/tiny-tools-hf", folder)
    weights = folder / "model.safetensors"
    (folder / "model.safetensors.header").rename(weights)
    with weights.open("r+b") as target:
        target.truncate(WEIGHTS)
    return folder


@pytest.fixture
def coder(tmp_path: Path) -> Path:
    """A folder that holds a config.json and nothing else."""
    folder = tmp_path / "coder"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CODER), encoding="utf-8")
    return folder


def test_a_file_for_llama_cpp(root: Path) -> None:
    done = run(root, "models/tiny-tools.gguf", "--gpu", "16GiB", "--context", "4096", "--parallel", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout
        == """\
A card sold with 16.00 GiB offers about 15.68 GiB; name what its driver says, with --measured.

tiny-tools.gguf with llama.cpp: fits

  free                         15.68 GiB  of 15.68 GiB
  left alone                   -1.00 GiB  --fit-target, for the driver and others
  weights                      -1.03 MiB  27 tensors of the header
  KV cache of 2 x 4096 tokens  -8.00 MiB  2 layers x 2 x (64 f16 + 64 f16)
  compute buffer               -5.83 MiB  an estimate, for 512 tokens at a time
  left                         14.67 GiB

The largest context that fits is 8192 tokens of the 8192 the model was made for.
"""
    )


def test_a_folder_for_vllm(root: Path, tiny: Path) -> None:
    done = run(root, str(tiny), "--gpu", "15.68GiB", "--measured", "--dtype", "float32")
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout
        == """\
tiny-tools-hf with vLLM: fits

  gpu_memory_utilization 0.92   14.43 GiB  of 15.68 GiB
  weights                       -2.05 MiB  header of 1 file
  activations                   -1.50 GiB  an estimate for a model of this size
  CUDA graphs                   -0.30 GiB  an estimate for a model of this size
  KV cache of 8192 tokens      -16.00 MiB  2 layers x 2 x 128, 4 bytes each
  left                          12.61 GiB

The largest context that fits is 8192 tokens of the 8192 the model was made for.
"""
    )


def test_a_checkpoint_of_32_bits_is_served_with_16(tiny: Path) -> None:
    weights = read_model(str(tiny)).weights
    assert (weights.size, weights.served(2).most, weights.estimate) == (2_144_768, 1_072_384, False)


def test_a_folder_with_config_json_alone_is_an_estimate_that_says_so(root: Path, coder: Path) -> None:
    done = run(root, str(coder), "--gpu", "16GB")
    assert done.returncode == 1
    assert "An estimate: the weights are not there, so their size was not read." in done.stdout
    assert "7.62 billion parameters by config.json" in done.stdout


def test_a_quantised_model_is_estimated_as_it_is_published(coder: Path) -> None:
    """Qwen2.5-Coder-7B-Instruct-AWQ has 5.19 GiB of weights."""
    (coder / "config.json").write_text(json.dumps({**CODER, "quantization_config": QUANTISED}), encoding="utf-8")
    weights = read_model(str(coder)).weights
    assert weights.size is not None
    assert weights.size / (1 << 30) == pytest.approx(5.19, abs=0.01)
    assert weights.estimate


def test_the_index_alone_tells_more_than_config_json(coder: Path) -> None:
    index = {"metadata": {"total_size": 15_231_233_024}, "weight_map": {"a": "model-00001-of-00001.safetensors"}}
    (coder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    weights = read_model(str(coder)).weights
    assert (weights.size, weights.why, weights.estimate) == (
        15_231_233_024,
        "the index; none of the files is there",
        True,
    )


def test_a_family_that_is_not_known_is_unknown(root: Path, coder: Path) -> None:
    (coder / "config.json").write_text(json.dumps({**CODER, "model_type": "novel"}), encoding="utf-8")
    done = run(root, str(coder), "--gpu", "80GB")
    assert done.returncode == 3
    assert "with vLLM: unknown" in done.stdout


def test_a_folder_of_the_hubs_cache_is_its_snapshot(tiny: Path, tmp_path: Path) -> None:
    cache = tmp_path / "models--a--b"
    (cache / "refs").mkdir(parents=True)
    (cache / "snapshots").mkdir()
    (cache / "refs/main").write_text("0123abc", encoding="ascii")
    tiny.rename(cache / "snapshots/0123abc")
    assert read_model(str(cache)).weights.size == 2_144_768


def test_the_answer_as_data(root: Path) -> None:
    done = run(root, "models/tiny-tools.gguf", "--gpu", "16GiB", "--json")
    answer = json.loads(done.stdout)
    assert (answer["verdict"], answer["engine"], answer["largest"]) == ("fits", "llamacpp", 8192)
    assert [need["amount"]["most"] for need in answer["needs"]] == [1_075_200, 8_388_608, 10_307_584]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["nowhere", "--gpu", "8GiB"], "nowhere: does not exist.", id="nothing there"),
        pytest.param(["docs", "--gpu", "8GiB"], "docs: has no config.json.", id="no model"),
        pytest.param(
            ["models", "--gpu", "8GiB"],
            "models: has no config.json.\n    Name the file: models/tiny-tools.gguf.",
            id="a folder of GGUF files",
        ),
        pytest.param(["README.md", "--gpu", "8GiB"], "README.md: is neither a folder nor a GGUF file.", id="a text"),
        pytest.param(
            ["models/tiny-tools.gguf", "--gpu", "much"],
            "--gpu: 'much' is not an amount of memory.\n    Write 16GiB, or 16376MiB.",
            id="no size",
        ),
        pytest.param(["models/tiny-tools.gguf", "--gpu", "0"], "--gpu: '0' is no memory at all.", id="no memory"),
        pytest.param(
            ["models/tiny-tools.gguf", "--gpu", "8", "--utilisation", "0.9"],
            "--utilisation: is for vLLM, and the model is a GGUF file.\n    Leave it out.",
            id="a setting of the other engine",
        ),
        pytest.param(
            ["models/tiny-tools.gguf", "--gpu", "8", "--cache-type", "fp8"],
            "--cache-type: 'fp8' is not a type of its KV cache.\n    Known: f32, f16, bf16,",
            id="a type of the other engine",
        ),
    ],
)
def test_what_cannot_be_read_ends_with_2(root: Path, arguments: list[str], message: str) -> None:
    done = run(root, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(message)
