# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the preflight says of models, engines and hosts: real files, hosts made for the case."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._boot_failures import _TABLE
from ansible_collections.lab.llm_stack.plugins.module_utils._devices import Cards, Device, Holding
from ansible_collections.lab.llm_stack.plugins.module_utils._host_facts import Host, Memory
from ansible_collections.lab.llm_stack.plugins.module_utils._ledger import Entry, entry_of, observed
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import GIB
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight import judge_all
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import CODES, Instance, Outcome
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError, render
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_installed import Installed
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_parsers import VLLM_0_33
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st

# Qwen2.5-7B, of which DeepSeek-R1-Distill-Qwen-7B has the measures: 14.19 GiB, 56 KiB a token.
QWEN_7B: dict[str, Any] = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "torch_dtype": "bfloat16",
    "num_hidden_layers": 28,
    "hidden_size": 3584,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "intermediate_size": 18944,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
}
TEMPLATE = "{% if tools %}<tool_call>{% endif %}{% for message in messages %}{{ message.content }}{% endfor %}"
VLLM = Installed(
    "0.33.0",
    VLLM_0_33,
    frozenset({"Qwen2ForCausalLM", "LlamaForCausalLM"}),
    {"MotifForCausalLM": "0.10.2"},
    {"BartModel": "https://example.org/bart-plugin"},
    frozenset({"qwen2", "llama"}),
    (13, 0),
    "/nowhere",
)
MIB = 1 << 20
RTX_4090 = Device(0, "GPU-a", "NVIDIA GeForce RTX 4090", 24110 * MIB, 300 * MIB, "580.65.06", (8, 9))
T4 = Device(0, "GPU-t", "Tesla T4", 15000 * MIB, 0, "580.65.06", (7, 5))
ROOM = Host("cuda", Cards((RTX_4090,)), Memory(64 * GIB, 60 * GIB), disk=100 * GIB)

Folder = Callable[..., str]


def weights(size: int) -> bytes:
    """The beginning of a file that holds so many bytes of weights; the rest is a hole."""
    tensor = {"dtype": "BF16", "shape": [size // 2], "data_offsets": [0, size // 2 * 2]}
    header = json.dumps({"model.weight": tensor}).encode()
    return struct.pack("<Q", len(header)) + header


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Make the folder of a model."""

    def make(name: str = "mine-7b", size: int = int(14.19 * GIB), drop: str = "", **config: object) -> str:
        place = tmp_path / name
        place.mkdir()
        files = {
            "config.json": json.dumps({**QWEN_7B, **config}),
            "tokenizer.json": json.dumps({"model": {"vocab": {"a": 0}}, "added_tokens": [{"content": "<tool_call>"}]}),
            "tokenizer_config.json": json.dumps({"chat_template": TEMPLATE}),
        }
        for file, text in files.items():
            (place / file).write_text(text, encoding="utf-8")
        start = weights(size)
        with (place / "model.safetensors").open("wb") as target:
            target.write(start)
            target.truncate(len(start) + size // 2 * 2)
        if drop:
            (place / drop).unlink()
        return str(place)

    return make


def instance(folder: str, **changes: Any) -> Instance:
    return Instance("mine", "vllm-mine.service", folder, 8001, "77aa", **{"context": 32768, **changes})


def judged(wanted: Instance, host: Host = ROOM, *beside: Instance, ledger: tuple[Entry, ...] = ()) -> Outcome:
    return judge_all([wanted, *beside], VLLM, host, ledger, 900)[0]


def codes(outcome: Outcome) -> list[str]:
    """The codes of what refuses, and in brackets of what warns."""
    return [each.code for each in outcome.refusals] + [f"({each.code})" for each in outcome.warnings]


def held(host: Host, size: int | None, unit: str, used: int) -> Host:
    """The same host with a process on its card."""
    device = replace(host.cards.devices[0], used=used)
    return replace(host, cards=Cards((device,), (Holding(4711, device.uuid, size),)), units={4711: unit})


# -- memory -----------------------------------------------------------------------------------------------------------


def test_a_model_that_fits(folder: Folder) -> None:
    outcome = judged(instance(folder()))
    assert (codes(outcome), outcome.verdict, outcome.card) == ([], "fits", "NVIDIA GeForce RTX 4090")


def test_the_model_of_the_field_report_at_its_own_context_is_refused_with_all_numbers(folder: Folder) -> None:
    outcome = judged(instance(folder("DeepSeek-R1-Distill-Qwen-7B"), context=0))
    assert codes(outcome) == ["context-over-memory"]
    assert (
        render(outcome.problem(outcome.refusals[0]))
        == """\
llm_stack_models.mine: does not fit into NVIDIA GeForce RTX 4090.
    DeepSeek-R1-Distill-Qwen-7B with vLLM: no

      gpu_memory_utilization 0.92   21.66 GiB  of 23.54 GiB
      weights                      -14.19 GiB  header of 1 file
      activations                   -1.50 GiB  an estimate for a model of this size
      CUDA graphs                   -0.30 GiB  an estimate for a model of this size
      KV cache of 131072 tokens     -7.00 GiB  28 layers x 4 x 256, 2 bytes each
      left                          -1.33 GiB

    The largest context that fits is 106192 tokens of the 131072 the model was made for.
    It would fit with:
        max_model_len: 106192  (0.07 MiB left)
        kv_cache_dtype: fp8  (2.17 GiB left)
        tensor_parallel_size: 2  (9.12 GiB left)
        kv_cache_dtype: fp8, enforce_eager: true, gpu_memory_utilization: 0.97  (3.65 GiB left)
    As declared it needs a card that offers 24.99 GiB, with nothing else on it.
    Or accept it by name: llm_stack_models.mine.vllm.accept: [context-over-memory]."""
    )


def test_a_refusal_that_was_accepted_is_a_warning(folder: Folder) -> None:
    wanted = instance(folder(), context=0)
    assert codes(judged(replace(wanted, accept=("memory",)))) == ["(context-over-memory)"]
    assert codes(judged(replace(wanted, accept=("context-over-memory",)))) == ["(context-over-memory)"]
    assert codes(judged(replace(wanted, accept=("weights-over-memory",)))) == ["context-over-memory"]


def test_a_verdict_that_was_accepted_is_not_spoken_of(folder: Folder) -> None:
    wanted = instance(folder(), context=106192)
    assert codes(judged(wanted)) == ["(tight)"]
    assert codes(judged(replace(wanted, accept=("tight",)))) == []


def test_accepting_what_does_not_exist_is_refused(folder: Folder) -> None:
    with pytest.raises(StackError, match=r"vllm[.]accept: 'memmory' is no verdict .*\n    Did you mean 'memory'[?]"):
        judged(instance(folder(), accept=("memmory",)))


@pytest.mark.parametrize(
    ("size", "used", "unit", "replaces", "expected"),
    [
        pytest.param(20 * GIB, 21 * GIB, "", (), ["memory-held"], id="a stranger holds it"),
        pytest.param(20 * GIB, 21 * GIB, "vllm-old.service", (), ["memory-held"], id="another unit holds it"),
        pytest.param(20 * GIB, 21 * GIB, "vllm-old.service", ("vllm-old.service",), [], id="who makes room holds it"),
        pytest.param(20 * GIB, 21 * GIB, "vllm-mine.service", (), [], id="its own old process holds it"),
        pytest.param(None, 21 * GIB, "vllm-old.service", ("vllm-old.service",), ["(unknown)"], id="not told how much"),
        pytest.param(None, 21 * GIB, "", (), ["memory-held"], id="a stranger, not told how much"),
    ],
)
def test_memory_that_others_hold(
    folder: Folder, size: int | None, used: int, unit: str, replaces: tuple[str, ...], expected: list[str]
) -> None:
    assert codes(judged(instance(folder(), replaces=replaces), held(ROOM, size, unit, used))) == expected


def test_who_holds_it_is_named(folder: Folder) -> None:
    host = held(ROOM, 20 * GIB, "vllm-old.service", 21 * GIB)
    text = render(judged(instance(folder()), host).refusals[0].problem)
    assert "It is shared with:\n        vllm-old.service: 20.00 GiB" in text
    assert "vLLM wants 21.66 GiB free when it starts, and 2.54 GiB are: others hold 21.00 GiB." in text


def test_two_instances_that_start_together_share_the_card(folder: Folder) -> None:
    small = {"gpu_memory_utilization": 0.4}
    other = replace(instance(folder("other", 2 * GIB), settings=small), unit="vllm-other.service", port=8002)
    wanted = instance(folder("mine", 2 * GIB), settings=small)
    assert codes(judged(wanted, ROOM, other)) == []
    large = replace(other, settings={"gpu_memory_utilization": 0.9})
    assert codes(judged(wanted, ROOM, large)) == ["memory-held"]
    assert codes(judged(wanted, ROOM, replace(large, standby=True))) == []
    assert codes(judged(replace(wanted, replaces=(large.unit,)), ROOM, large)) == []


def test_what_runs_beside_it_is_not_counted_twice(folder: Folder) -> None:
    settings = {"gpu_memory_utilization": 0.45}
    other = replace(instance(folder("other", 2 * GIB), settings=settings), unit="vllm-other.service", port=8002)
    host = held(ROOM, 10 * GIB, other.unit, 10 * GIB + 300 * MIB)
    assert codes(judged(instance(folder("mine", 2 * GIB), settings=settings), host, other)) == []


def test_the_card_with_the_least_room_decides(folder: Folder) -> None:
    second = replace(RTX_4090, index=1, uuid="GPU-b", used=20 * GIB)
    host = replace(ROOM, cards=Cards((RTX_4090, second)))
    wanted = instance(folder())
    assert codes(judged(replace(wanted, settings={"tensor_parallel_size": 2}), host)) == ["memory-held"]
    assert codes(judged(replace(wanted, env={"CUDA_VISIBLE_DEVICES": "0"}), host)) == []
    assert codes(judged(replace(wanted, env={"CUDA_VISIBLE_DEVICES": "1"}), host)) == ["memory-held"]


@pytest.mark.parametrize(
    "device",
    [
        pytest.param(replace(RTX_4090, total=None, used=None), id="a card without memory of its own"),
        pytest.param(replace(RTX_4090, divided=True), id="a card in parts"),
    ],
)
def test_a_card_that_tells_no_memory_is_unknown(folder: Folder, device: Device) -> None:
    outcome = judged(instance(folder()), replace(ROOM, cards=Cards((device,))))
    assert (codes(outcome), outcome.verdict) == (["(unknown)"], "unknown")


@pytest.mark.parametrize(
    ("settings", "context", "expected"),
    [
        pytest.param({"cpu_offload_gb": 10}, 131072, ["(unknown)"], id="less than the sum says: no is not certain"),
        pytest.param({"cpu_offload_gb": 10}, 32768, [], id="less than the sum says: fits is"),
        pytest.param({"speculative_config": {"model": "x"}}, 32768, ["(unknown)"], id="more than the sum says"),
        pytest.param({"quantization": "bitsandbytes"}, 131072, ["(unknown)"], id="quantised while it is loaded"),
        pytest.param({"max_model_len": "auto"}, 0, ["(tight)"], id="vLLM chooses the context"),
        pytest.param({"max_model_len": "16k"}, 0, [], id="a context as vLLM writes it"),
        pytest.param({"gpu_memory_utilization": 0.97}, 131072, ["(tight)"], id="a larger share"),
        pytest.param({"kv_cache_dtype": "fp8"}, 131072, [], id="a cache of eight bits"),
    ],
)
def test_settings(folder: Folder, settings: dict[str, object], context: int, expected: list[str]) -> None:
    assert codes(judged(instance(folder(), settings=settings, context=context))) == expected


# -- the ledger -------------------------------------------------------------------------------------------------------

LOG = "Model loading took 13.10 GiB memory\nAvailable KV cache memory: 8.40 GiB\n"


def test_an_earlier_start_corrects_the_estimate_and_says_so(folder: Folder) -> None:
    wanted = instance(folder(), context=131072)
    assert codes(judged(wanted)) == ["context-over-memory"]
    identity = judged(replace(wanted, context=1024)).identity
    ledger = (entry_of(identity, observed(LOG), None, 400.0, "2026-11-20T19:01:20Z"),)
    outcome = judged(wanted, ledger=ledger)
    assert (codes(outcome), outcome.verdict, outcome.start_timeout) == ([], "fits", 1200)
    assert outcome.measured == "An earlier start corrects the estimate from 22.99 GiB to 20.26 GiB."
    assert outcome.fit is not None
    assert outcome.fit.needs[0].why == "measured on 2026-11-20 with other settings or vLLM 0.33.0"


# -- what else speaks against it --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"context": 200000}, ["context-over-model", "context-over-memory"], id="beyond the model's own"),
        pytest.param(
            {"context": 200000, "env": {"VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1"}, "settings": {"kv_cache_dtype": "fp8"}},
            [],
            id="vLLM was told to allow it",
        ),
        pytest.param({"settings": {"tensor_parallel_size": 2}}, ["no-card"], id="more cards than there are"),
        pytest.param({"settings": {"dtype": "bfloat16"}}, [], id="bfloat16 on a card that has it"),
        pytest.param({"settings": {"quantization": "awq"}}, ["quantization-file"], id="AWQ of a model that is not"),
        pytest.param(
            {"settings": {"enable_auto_tool_choice": True}}, ["auto-tools-without-parser"], id="tools without a parser"
        ),
        pytest.param(
            {"tool_calling": {"tool_parser": "hermez"}}, ["unknown-tool-parser"], id="a parser nobody registers"
        ),
        pytest.param(
            {"settings": {"tool_call_parser": "hermez"}}, ["unknown-tool-parser"], id="a parser among the settings"
        ),
        pytest.param({"tool_calling": {"reasoning_parser": "qwen33"}}, ["unknown-reasoning-parser"], id="nor this one"),
        pytest.param(
            {"tool_calling": {"tool_parser": "deepseek_v3"}}, ["parser-tokens"], id="tokens that are not there"
        ),
        pytest.param(
            {"tool_calling": {"reasoning_parser": "deepseek_r1"}}, ["reasoning-tokens"], id="tokens of thoughts"
        ),
        pytest.param(
            {"tools": True, "tool_calling": {"tool_parser": "mistral", "reasons": ["table: Mistral."]}},
            ["parser-contradicted"],
            id="the files ask for another parser than the table",
        ),
        pytest.param(
            {"tool_calling": {"tool_parser": "mistral", "reasons": ["table: Mistral."]}},
            ["(parser-contradicted)"],
            id="and nobody was promised tools",
        ),
        pytest.param(
            {
                "tools": True,
                "tool_calling": {"tool_parser": "mistral", "reasons": ["explicit: tool_call_parser is mistral."]},
            },
            [],
            id="the user's word wins over the files",
        ),
        pytest.param({"tools": True, "tool_calling": {"tool_parser": "hermes"}}, [], id="tools as promised"),
    ],
)
def test_what_speaks_against_an_instance(folder: Folder, changes: dict[str, Any], expected: list[str]) -> None:
    assert codes(judged(instance(folder(), **changes))) == expected


def test_older_models_say_in_a_file_of_its_own_how_they_were_quantised(folder: Folder) -> None:
    place = folder()
    Path(place, "quant_config.json").write_text("{}", encoding="utf-8")
    assert codes(judged(instance(place, settings={"quantization": "awq"}))) == []


def test_a_contradiction_names_the_setting_to_write(folder: Folder) -> None:
    declared = {"tool_parser": "mistral", "support": "native", "reasons": ["table: Mistral."]}
    outcome = judged(instance(folder(), tools=True, tool_calling=declared))
    assert (
        render(outcome.refusals[0].problem)
        == """\
llm_stack_models.mine.vllm.tool_call_parser: 'mistral' is not what the model's files ask for: \
Its chat template writes calls as hermes reads them.
    Write llm_stack_models.mine.vllm.tool_call_parser: hermes, or mistral to insist on it."""
    )


def test_tools_that_the_files_do_not_render_are_refused(folder: Folder) -> None:
    place = folder()
    Path(place, "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}', encoding="utf-8")
    declared = {"tool_parser": "hermes", "support": "native"}
    assert codes(judged(instance(place, tools=True, tool_calling=declared))) == ["tools-promise"]
    assert codes(judged(instance(place, tools=True, tool_calling={**declared, "support": "none"}))) == []
    assert codes(judged(instance(place, tools=False, tool_calling=declared))) == []


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param({"architectures": ["NopeForCausalLM"], "model_type": "nope"}, ["architecture"], id="unknown"),
        pytest.param({"architectures": ["NopeForCausalLM"]}, ["architecture"], id="unknown, of a known type"),
        pytest.param({"architectures": ["MotifForCausalLM"]}, ["architecture-removed"], id="not any more"),
        pytest.param({"architectures": ["BartModel"]}, ["architecture-plugin"], id="with a plugin"),
        pytest.param(
            {"model_type": "nope", "auto_map": {"AutoConfig": "configuration_nope.Nope"}},
            ["remote-code"],
            id="code of its own",
        ),
        pytest.param(
            {"auto_map": {"AutoConfig": "configuration_qwen.Qwen"}}, [], id="code of its own that nobody needs any more"
        ),
    ],
)
def test_the_class_of_a_model(folder: Folder, config: dict[str, Any], expected: list[str]) -> None:
    assert codes(judged(instance(folder(**config)))) == expected


def test_a_class_that_transformers_alone_has_may_be_served(folder: Folder, tmp_path: Path) -> None:
    place = tmp_path / "site/transformers/models/nope"
    place.mkdir(parents=True)
    (place / "modeling_nope.py").write_text(
        "import torch\n\nclass NopeForCausalLM(PreTrainedModel):\n", encoding="utf-8"
    )
    installed = replace(VLLM, packages=str(tmp_path / "site"))
    wanted = instance(folder(architectures=["NopeForCausalLM"], model_type="nope"))
    assert codes(judge_all([wanted], installed, ROOM, (), 900)[0]) == ["(architecture)"]
    assert codes(judge_all([wanted], replace(installed, transformers=None), ROOM, (), 900)[0]) == ["(architecture)"]


@pytest.mark.parametrize(
    "where", ["transformers/models/auto/configuration_auto.py", "vllm/transformers_utils/config.py"]
)
def test_a_type_that_is_known_needs_no_code_of_its_own(folder: Folder, tmp_path: Path, where: str) -> None:
    place = tmp_path / "site" / where
    place.parent.mkdir(parents=True)
    place.write_text('("nope", "NopeConfig"),\n    nope="NopeConfig",\n', encoding="utf-8")
    wanted = instance(folder(model_type="nope", auto_map={"AutoConfig": "configuration_nope.Nope"}))
    assert codes(judge_all([wanted], replace(VLLM, packages=str(tmp_path / "site")), ROOM, (), 900)[0]) == []
    assert codes(judged(wanted)) == ["remote-code"]
    assert codes(judged(replace(wanted, settings={"trust_remote_code": True}))) == []


@pytest.mark.parametrize(
    ("compiler", "headers", "eager", "expected"),
    [
        pytest.param(True, True, False, [], id="all there"),
        pytest.param(False, True, False, ["compiler"], id="no compiler"),
        pytest.param(True, False, False, ["(compiler)"], id="no Python.h"),
        pytest.param(False, False, True, [], id="nothing to compile"),
        pytest.param(None, None, False, [], id="nobody looked"),
    ],
)
def test_what_is_compiled_at_a_start(
    folder: Folder, compiler: bool | None, headers: bool | None, eager: bool, expected: list[str]
) -> None:
    wanted = instance(folder(), settings={"enforce_eager": eager})
    host = replace(ROOM, compiler=compiler)
    assert codes(judge_all([wanted], replace(VLLM, headers=headers), host, (), 900)[0]) == expected


def test_a_template_that_is_not_on_the_host(folder: Folder, tmp_path: Path) -> None:
    template = tmp_path / "mine.jinja"
    wanted = instance(folder(), settings={"chat_template": str(template)})
    assert codes(judged(wanted)) == ["template-file"]
    template.touch()
    assert codes(judged(wanted)) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [("config.json", "model-config"), ("tokenizer.json", "model-json"), ("model.safetensors", "weights-cut")],
)
def test_a_file_that_is_damaged(folder: Folder, name: str, expected: str) -> None:
    place = folder()
    Path(place, name).write_text("{", encoding="utf-8")
    assert codes(judged(instance(place))) == [expected]


AWQ = {"quantization_config": {"quant_method": "awq", "bits": 4}}
GROUPS = {"group_0": {"weights": {"num_bits": 4, "symmetric": False}}}


@pytest.mark.parametrize(
    ("device", "config", "settings", "expected"),
    [
        pytest.param(T4, AWQ, {}, [], id="AWQ on a T4"),
        pytest.param(replace(T4, capability=(7, 0)), AWQ, {}, ["quantization-card"], id="AWQ on a V100"),
        pytest.param(T4, {"quantization_config": {"quant_method": "mxfp4"}}, {}, ["quantization-card"], id="MXFP4"),
        pytest.param(
            T4,
            {"quantization_config": {"quant_method": "compressed-tensors", "config_groups": GROUPS}},
            {},
            ["quantization-card"],
            id="four bits with a zero of their own",
        ),
        pytest.param(T4, AWQ, {"dtype": "bfloat16"}, ["bfloat16"], id="bfloat16 on a T4"),
        pytest.param(replace(T4, driver="535.104.05"), AWQ, {}, ["driver"], id="an old driver"),
        pytest.param(replace(T4, driver=""), AWQ, {}, [], id="a driver that says nothing"),
        pytest.param(replace(T4, capability=None), AWQ, {"dtype": "bfloat16"}, [], id="a card that says nothing"),
    ],
)
def test_the_age_of_a_card(
    folder: Folder, device: Device, config: dict[str, Any], settings: dict[str, Any], expected: list[str]
) -> None:
    wanted = instance(folder(size=5 * GIB, **config), settings=settings)
    assert codes(judged(wanted, replace(ROOM, cards=Cards((device,))))) == expected


def test_heads_that_cannot_be_divided(folder: Folder) -> None:
    three = tuple(replace(RTX_4090, index=number, uuid=f"GPU-{number}") for number in range(3))
    wanted = instance(folder(), settings={"tensor_parallel_size": 3})
    outcome = judged(wanted, replace(ROOM, cards=Cards(three)))
    assert codes(outcome) == ["tensor-parallel"]
    assert render(outcome.refusals[0].problem).endswith("of the model.\n    Write 1, 2.")


def test_cards_of_several_kinds_are_numbered_in_two_ways(folder: Folder) -> None:
    both = replace(ROOM, cards=Cards((RTX_4090, replace(T4, index=1))))
    wanted = instance(folder())
    assert codes(judged(wanted, both)) == ["(card-order)"]
    assert codes(judged(replace(wanted, env={"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}), both)) == []


def test_without_a_card_nothing_is_said_of_memory(folder: Folder) -> None:
    outcome = judged(instance(folder()), Host("cuda"))
    assert codes(outcome) == ["no-card"]
    assert "nvidia-smi shows no card that it would see." in outcome.refusals[0].problem.wrong


def test_an_environment_without_vllm(folder: Folder) -> None:
    outcome = judge_all([instance(folder())], Installed(), ROOM, (), 900)[0]
    assert codes(outcome) == ["vllm-metadata"]


def test_the_port_and_the_disk(folder: Folder) -> None:
    host = replace(ROOM, taken={8001: "pid 99 (python3) of ada"}, disk=100 * MIB)
    outcome = judged(instance(folder()), host)
    assert codes(outcome) == ["port-in-use", "no-space"]
    assert render(outcome.refusals[0].problem).startswith(
        "llm_stack_models.mine.vllm.port: 8001 is taken by pid 99 (python3) of ada."
    )


# -- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drop", "expected"),
    [
        pytest.param("config.json", ["model-config"], id="no config.json"),
        pytest.param("tokenizer.json", ["tokenizer"], id="no tokenizer"),
        pytest.param("model.safetensors", ["weights-missing"], id="no weights"),
    ],
)
def test_files_that_are_missing(folder: Folder, drop: str, expected: list[str]) -> None:
    assert codes(judged(instance(folder(drop=drop)))) == expected


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert codes(judged(instance(str(tmp_path / "none")))) == ["model-folder"]


def test_a_file_that_is_cut_off(folder: Folder) -> None:
    place = folder()
    with Path(place, "model.safetensors").open("r+b") as target:
        target.truncate(1000)
    outcome = judged(instance(place))
    assert codes(outcome) == ["weights-cut"]
    assert "is cut off: it has 1000 bytes" in outcome.refusals[0].problem.wrong


def test_a_download_that_did_not_end(folder: Folder) -> None:
    place = Path(folder())
    (place / ".cache/huggingface/download").mkdir(parents=True)
    (place / ".cache/huggingface/download/abc.incomplete").touch()
    assert codes(judged(instance(str(place)))) == ["model-not-fetched"]


def test_a_link_that_leads_nowhere(folder: Folder) -> None:
    place = Path(folder())
    (place / "generation_config.json").symlink_to(place / "blobs/none")
    outcome = judged(instance(str(place)))
    assert codes(outcome) == ["model-not-fetched"]
    assert "generation_config.json is a link to a file that is not there" in outcome.refusals[0].problem.wrong


def test_a_shard_that_is_missing(folder: Folder) -> None:
    place = Path(folder())
    (place / "model.safetensors").rename(place / "model-00001-of-00002.safetensors")
    assert codes(judged(instance(str(place)))) == ["weights-missing"]


def test_every_reason_is_given_at_once(folder: Folder) -> None:
    wanted = instance(
        folder(architectures=["NopeForCausalLM"], model_type="nope"),
        context=200000,
        tool_calling={"tool_parser": "hermez", "reasoning_parser": "qwen33"},
    )
    outcome = judged(wanted, replace(ROOM, taken={8001: "pid 99"}, cards=Cards((replace(RTX_4090, driver="470.1"),))))
    assert codes(outcome) == [
        *("architecture", "unknown-tool-parser", "unknown-reasoning-parser", "driver", "context-over-model"),
        *("context-over-memory", "port-in-use"),
    ]


# -- the CPU and llama.cpp --------------------------------------------------------------------------------------------


def test_vllm_in_main_memory(folder: Folder) -> None:
    host = Host("cpu", memory=Memory(24 * GIB, 20 * GIB))
    space = {"VLLM_CPU_KVCACHE_SPACE": "2"}
    small = instance(folder("small", 2 * GIB), env=space)
    assert (codes(judged(small, host)), judged(small, host).card) == ([], "main memory")
    assert codes(judged(replace(small, env={"VLLM_CPU_KVCACHE_SPACE": "1"}), host)) == ["context-over-memory"]
    assert codes(judged(replace(small, env={"VLLM_CPU_KVCACHE_SPACE": "40"}), host)) == ["cpu-cache"]
    assert codes(judged(replace(small, env={"VLLM_CPU_KVCACHE_SPACE": "0"}), host)) == ["weights-over-memory"]
    assert codes(judged(replace(small, env={}), host)) == ["memory-held"]


def test_what_the_old_process_holds_of_main_memory_is_added_back(folder: Folder) -> None:
    wanted = instance(folder("small", 2 * GIB), env={"VLLM_CPU_KVCACHE_SPACE": "2"})
    host = Host("cpu", memory=Memory(24 * GIB, 3 * GIB))
    assert codes(judged(wanted, host)) == ["cpu-cache"]
    assert codes(judged(wanted, replace(host, resident={"vllm-mine.service": 8 * GIB}))) == []


def test_llama_cpp_keeps_in_main_memory_what_the_card_does_not_hold(root: Path) -> None:
    wanted = Instance(
        "tiny",
        "llamacpp-tiny.service",
        str(root / "models/tiny-tools.gguf"),
        8080,
        "77aa",
        engine="llamacpp",
        context=8192,
        settings={"n_parallel": "1", "fit_target": "4096"},
    )
    assert codes(judged(wanted)) == []
    full = replace(ROOM, cards=Cards((replace(RTX_4090, used=RTX_4090.total),)))
    outcome = judged(wanted, full)
    assert codes(outcome) == ["(out-of-memory-kv)"]
    assert "a part will be kept in main memory, where it is slow" in outcome.warnings[0].problem.wrong
    nowhere = replace(full, memory=Memory(GIB, 0))
    assert codes(judged(wanted, nowhere)) == ["out-of-memory-kv"]
    assert codes(judged(wanted, Host("cuda", memory=Memory(8 * GIB, 6 * GIB)))) == []
    little = judged(wanted, Host("cuda", memory=Memory(8 * GIB, 30 * MIB)))
    assert codes(little) == ["(out-of-memory-kv)"]
    assert "its weights will be read from the disk over and over" in little.warnings[0].problem.wrong
    assert codes(judged(wanted, Host("cuda", memory=Memory(8 * GIB, MIB)))) == ["out-of-memory-kv"]


def test_codes_of_failed_starts_are_those_of_the_classifier() -> None:
    own = {"tight", "unknown", "memory", "card-order", "parser-contradicted", "tools-promise"}
    assert set(CODES) - {row.name for row in _TABLE} == own


def test_every_code_is_documented(root: Path) -> None:
    documented = (root / "docs/memory-fit.md").read_text(encoding="utf-8")
    assert [code for code, means in CODES.items() if f"| `{code}` | {means} |" not in documented] == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 1 << 40) | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["quant_method", "config_groups"]), inner)
    ),
    max_leaves=6,
)
FLAGS = ["dtype", "tensor_parallel_size", "max_model_len", "gpu_memory_utilization", "kv_cache_dtype", "quantization"]
KEYS = ["architectures", "model_type", "auto_map", "quantization_config", "num_attention_heads", "rope_scaling"]


@limits(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(st.sampled_from([*KEYS, "torch_dtype"]), VALUES), st.dictionaries(st.sampled_from(FLAGS), VALUES)
)
def test_whatever_stands_in_a_configuration_is_judged(
    folder: Folder, tmp_path: Path, config: dict[str, Any], flags: dict[str, Any]
) -> None:
    place = tmp_path / "any"
    if not place.exists():
        folder("any", 1 << 20)
    (place / "config.json").write_text(json.dumps({**QWEN_7B, **config}), encoding="utf-8")
    outcome = judged(instance(str(place), settings=flags))
    assert outcome.verdict in ("fits", "tight", "no", "unknown")
