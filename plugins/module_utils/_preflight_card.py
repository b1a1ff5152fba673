# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Can the cards of a host run this model at all: how many there are, how old they and their driver are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._devices import Device, visible
from ansible_collections.lab.llm_stack.plugins.module_utils._host_facts import Host
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import Model
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import Finding, Instance
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, count
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_installed import Installed

# The oldest generation of cards for each way of quantisation, as vLLM 0.32 and 0.33 have it.
_GENERATIONS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(("awq", "awq_marlin", "auto_awq", "fp8", "torchao", "humming", "modelopt_fp4"), (7, 5)),
    **dict.fromkeys(("gptq", "gptq_marlin", "auto_gptq"), (6, 0)),
    "moe_wna16": (7, 0),
    **dict.fromkeys(("fbgemm_fp8", "experts_int8", "mxfp4", "modelopt"), (8, 0)),
    "fp_quant": (10, 0),
}
# The oldest driver for each major version of CUDA.
_DRIVERS: Mapping[int, int] = {11: 450, 12: 525, 13: 580}
_PROGRAMS = {"cuda": "nvidia-smi", "rocm": "rocm-smi"}


def chosen(instance: Instance, host: Host) -> tuple[Device, ...] | None:
    """The cards that an instance takes: the first ones it sees; None where its variable names parts of cards."""
    seen = visible(host.cards, host.backend, instance.env)
    return None if seen is None else seen[: instance.cards]


def check_cards(instance: Instance, host: Host, installed: Installed, found: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what speaks against running a model on the cards of a host; ``found`` is its config.json."""
    if host.backend not in _PROGRAMS:
        return
    cards = chosen(instance, host)
    if cards is None:
        return
    if len(cards) < instance.cards:
        yield _too_few(instance, host, len(cards))
        return
    yield from _order(instance, host)
    yield from _driver(instance, cards, installed)
    yield from _quantisation(instance, cards, found)
    yield from _bfloat16(instance, cards)


def _too_few(instance: Instance, host: Host, seen: int) -> Finding:
    program = _PROGRAMS[host.backend]
    if not seen:
        wrong = f"cannot start: {program} shows no card that it would see."
        remedy = f"Run {program} as this account; load its driver, or correct the groups and the visible devices."
        return Finding("no-card", Problem(instance.path, NOTHING, wrong, remedy))
    path, wanted = instance.at("tensor_parallel_size"), instance.cards
    wrong = f"is more than the {count(seen, 'card')} that it would see."
    return Finding("no-card", Problem(path, wanted, wrong, f"Write {seen} or less."))


def _order(instance: Instance, host: Host) -> Iterator[Finding]:
    """CUDA numbers cards by their speed, nvidia-smi by their place, unless told to do the same."""
    devices = host.cards.devices
    numbered = str(instance.env.get("CUDA_VISIBLE_DEVICES", "0")).replace(",", "").isdigit()
    same = len({(each.name, each.total) for each in devices}) <= 1
    if host.backend != "cuda" or same or not numbered or instance.cards >= len(devices):
        return
    if instance.env.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID":
        return
    wrong = "has cards of several kinds to choose from, which CUDA numbers in another order than nvidia-smi."
    remedy = "Write CUDA_DEVICE_ORDER: PCI_BUS_ID there, and CUDA_VISIBLE_DEVICES by the numbers of nvidia-smi."
    yield Finding("card-order", Problem(instance.at("env"), NOTHING, wrong, remedy), refuses=False)


def _driver(instance: Instance, cards: Sequence[Device], installed: Installed) -> Iterator[Finding]:
    needed = _DRIVERS.get(installed.cuda[0]) if installed.cuda else None
    version = re.match(r"\d{1,5}", cards[0].driver, re.ASCII)
    if needed is None or installed.cuda is None or version is None or int(version[0]) >= needed:
        return
    wrong = (
        f"cannot start: the driver is {cards[0].driver}, and torch for CUDA {installed.cuda[0]}.{installed.cuda[1]} "
        f"needs {needed} or newer."
    )
    remedy = "Update the driver, or declare the requirements of a vLLM for an older CUDA."
    yield Finding("driver", Problem(instance.path, NOTHING, wrong, remedy))


def _quantisation(instance: Instance, cards: Sequence[Device], config: Mapping[str, Any]) -> Iterator[Finding]:
    section = config.get("quantization_config")
    stored = section.get("quant_method") if isinstance(section, dict) else None
    method = str(instance.settings.get("quantization") or stored or "").lower()
    needed = _GENERATIONS.get(method)
    if method == "compressed-tensors" and isinstance(section, dict) and _asymmetric(section):
        needed = (8, 0)
    for card in cards:
        if needed and card.capability and card.capability < needed:
            wrong = f"is quantised by {method}, which needs a card of {_dotted(needed)}; {_shown(card)}."
            remedy = "Declare a model that is quantised by GPTQ, or not at all, or another card."
            yield Finding("quantization-card", Problem(f"{instance.path}.source", NOTHING, wrong, remedy))
            return


def _asymmetric(section: Mapping[str, Any]) -> bool:
    """Whether weights of four bits have a zero of their own for each group."""
    groups = section.get("config_groups")
    for group in groups.values() if isinstance(groups, dict) else ():
        weights = group.get("weights") if isinstance(group, dict) else None
        if isinstance(weights, dict) and weights.get("num_bits") == 4 and weights.get("symmetric") is False:
            return True
    return False


def _bfloat16(instance: Instance, cards: Sequence[Device]) -> Iterator[Finding]:
    """Only a type that was asked for fails; by itself vLLM takes another one on such a card."""
    if str(instance.settings.get("dtype")) != "bfloat16":
        return
    for card in cards:
        if card.capability and card.capability < (8, 0):
            wrong = f"needs a card of 8.0; {_shown(card)}."
            yield Finding("bfloat16", Problem(instance.at("dtype"), "bfloat16", wrong, "Write half, or auto."))
            return


def _dotted(capability: tuple[int, int]) -> str:
    return f"compute capability {capability[0]}.{capability[1]}"


def _shown(card: Device) -> str:
    return f"{card.name} has {'.'.join(map(str, card.capability or ()))}"


def check_shape(instance: Instance, model: Model) -> Iterator[Finding]:
    """Yield what the measures of a model do not allow."""
    shape, size = model.shape, instance.settings.get("tensor_parallel_size")
    if isinstance(size, int) and size > 1 and shape.heads % size:
        wrong = f"does not divide the {shape.heads} attention heads of the model."
        fitting = ", ".join(str(each) for each in range(1, size) if shape.heads % each == 0)
        yield Finding("tensor-parallel", Problem(instance.at("tensor_parallel_size"), size, wrong, f"Write {fitting}."))
    own, overridden = shape.context, instance.settings.get("hf_overrides")
    if not own or instance.context <= own or overridden or instance.env.get("VLLM_ALLOW_LONG_MAX_MODEL_LEN"):
        return
    wrong = f"is more than the {own} tokens that the model was made for."
    found = Finding("context-over-model", Problem(f"{instance.path}.context", instance.context, wrong, f"Write {own}."))
    yield found if instance.engine == "vllm" else Finding(found.code, found.problem, refuses=False)
