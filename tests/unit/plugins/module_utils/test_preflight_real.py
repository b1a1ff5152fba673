# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The starts of real vLLM that failed, and those that went well: what the preflight says of them beforehand.

tests/live/vllm_cases.py has what differs from a good start, and was run on vLLM 0.32 for the CPU; the names of its logs
are the causes. What the preflight cannot know beforehand is listed here, with why.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._host_facts import Host, Memory
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import GIB
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight import judge_all
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_settings import named
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import Instance
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_installed import Installed
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_parsers import VLLM_0_32

sys.path.append(str(Path(__file__).parents[3] / "live"))

from vllm_cases import CASES, GOOD, VARIABLES, Case

# The host on which they were run.
HOST = Host("cpu", memory=Memory(int(15.84 * GIB), int(13.5 * GIB)), disk=50 * GIB, compiler=False)
VLLM = Installed(
    "0.32.0+cpu", VLLM_0_32, frozenset({"Qwen2ForCausalLM"}), {"MotifForCausalLM": "0.10.2"}, {}, frozenset({"qwen2"})
)
# What these need is among the tokens: the model's own template writes <tool_call>.
TOKENS = {"model": {"vocab": {"<tool_call>": 1, "</tool_call>": 2}}, "added_tokens": []}
TEMPLATE = "{% if tools %}<tool_call>{% endif %}{{ messages }}"

UNKNOWABLE = {
    "vllm-unknown-setting": "vLLM alone knows its flags; the plan refuses those that have a better place",
    "vllm-unknown-setting.value": "the plan types what it knows",
    "vllm-unknown-setting.choice": "the plan types what it knows",
    "vllm-model-config.draft": "the second model of speculative decoding is not looked at",
    "vllm-architecture.transformers": "the class is known, and only Transformers misses the type",
    "vllm-weights-shape": "weights are not held against the measures of config.json",
    "vllm-quantization-file.unknown": "the methods of an installed vLLM are not read",
    "vllm-address": "the addresses of the host are not looked at",
    "vllm-port-denied": "the plan refuses ports below 1024",
}
# Booted, and answers nonsense: refused all the same, unless accepted.
BOOTS_ALL_THE_SAME = {"healthy/vllm.without-tokenizer": "tokenizer"}
KNOWABLE = [case for case in CASES if not (case.before or case.at or case.log in UNKNOWABLE)]


@pytest.fixture
def model(root: Path, tmp_path: Path) -> Path:
    """The model that they were run with; its weights are a hole in the file."""
    folder = tmp_path / "tiny"
    shutil.copytree(root / "tests/fixtures/models/tiny-tools-hf", folder)
    (folder / "model.safetensors.header").rename(folder / "model.safetensors")
    with (folder / "model.safetensors").open("r+b") as target:
        target.truncate(2_147_592)
    (folder / "tokenizer.json").write_text(json.dumps(TOKENS) + " " * 25000, encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE}), encoding="utf-8")
    return folder


def change(file: Path, how: object) -> None:
    """Do to a file of the model what a case says."""
    if how is None:
        file.unlink()
    elif isinstance(how, int):
        file.write_bytes(file.read_bytes()[: min(how, 20)] if file.suffix == ".json" else file.read_bytes()[:how])
    elif isinstance(how, str):
        file.write_text(how, encoding="utf-8")
    else:
        file.write_text(json.dumps({**json.loads(file.read_text()), **dict(how)}), encoding="utf-8")  # type: ignore[call-overload]


def refusals(case: Case, model: Path) -> list[str]:
    for name, how in case.files.items():
        change(model / name, how)
    settings: dict[str, Any] = named({**GOOD, **case.settings})
    folder = settings.pop("model")
    wanted = Instance(
        "tiny",
        "vllm-tiny.service",
        str(model) if folder == GOOD["model"] else str(folder),
        int(settings["port"]),
        "77aa",
        settings=settings,
        env={**VARIABLES, **case.variables},
        context=settings["max_model_len"] if isinstance(settings.get("max_model_len"), int) else 0,
    )
    return [each.code for each in judge_all([wanted], VLLM, HOST, (), 900)[0].refusals]


@pytest.mark.parametrize("case", KNOWABLE, ids=lambda case: case.log)
def test_what_failed_is_refused_for_its_cause_and_what_went_well_is_not(case: Case, model: Path) -> None:
    found = refusals(case, model)
    if case.log in BOOTS_ALL_THE_SAME:
        assert found == [BOOTS_ALL_THE_SAME[case.log]]
    elif case.healthy:
        assert found == []
    elif case.cause == "model-not-fetched":
        # Both are the same to somebody who looks for a folder.
        assert found == ["model-folder"]
    else:
        assert found == [case.cause]


def test_a_port_that_is_taken(model: Path) -> None:
    host = replace(HOST, taken={8001: "holder.service"})
    wanted = Instance("tiny", "vllm-tiny.service", str(model), 8001, "77aa", env=VARIABLES, settings=named(GOOD))
    assert [each.code for each in judge_all([wanted], VLLM, host, (), 900)[0].refusals] == ["port-in-use"]


def test_what_cannot_be_known_is_still_a_case() -> None:
    assert set(UNKNOWABLE) <= {case.log for case in CASES}
