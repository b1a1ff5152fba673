# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Would this instance start: everything that can be told from files and from the host, all of it at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ansible_collections.lab.llm_stack.plugins.module_utils._host_facts import Host
from ansible_collections.lab.llm_stack.plugins.module_utils._ledger import (
    Entry,
    Identity,
    correction,
    identity_of,
    start_timeout,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import Fit, Model, gib, total
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_card import check_cards, check_shape
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_files import ModelFiles, read_files
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_memory import (
    MAIN_MEMORY,
    Place,
    fit_of,
    memory_findings,
    place_of,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_settings import cache_space, vllm_settings
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import CODES, Finding, Instance, Outcome
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_vllm import check_vllm
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, StackError, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_installed import Installed

_ABSENT = (
    *("no-card", "model-folder", "model-config", "model-json", "model-not-fetched", "weights-missing", "weights-cut"),
)
_DISK = 512 << 20
"""Bytes below which caches and records cannot be written for long."""


def judge_all(
    instances: Sequence[Instance], installed: Installed, host: Host, ledger: Sequence[Entry], default_timeout: int
) -> list[Outcome]:
    """Judge every instance, with the others beside it that run at the same time."""
    refuse_unknown_codes(instances)
    return [judge_one(each, installed, host, _beside(each, instances), ledger, default_timeout) for each in instances]


def refuse_unknown_codes(instances: Sequence[Instance]) -> None:
    """Stop where something is accepted that does not exist: it would accept nothing, and nobody would notice."""
    problems = [
        Problem(each.at("accept"), code, "is no verdict and no reason of the preflight.", nearest(code, CODES))
        for each in instances
        for code in each.accept
        if code not in CODES
    ]
    if problems:
        raise StackError(problems)


def _beside(instance: Instance, instances: Sequence[Instance]) -> list[Instance]:
    return [
        each
        for each in instances
        if each.unit != instance.unit
        and not each.standby
        and each.unit not in instance.replaces
        # Whoever replaces this one is not there at the same time either.
        and instance.unit not in each.replaces
    ]


def judge_one(
    instance: Instance,
    installed: Installed,
    host: Host,
    beside: Sequence[Instance],
    ledger: Sequence[Entry],
    default_timeout: int,
) -> Outcome:
    """Judge one instance."""
    found = read_files(instance)
    findings = [*found.findings]
    if instance.engine == "vllm":
        findings += check_vllm(instance, installed, found)
        findings += check_cards(instance, host, installed, found.config)
    if found.model:
        findings += check_shape(instance, found.model)
    place = place_of(instance, host, beside)
    identity = identity_for(instance, installed, place, found.model)
    fit, measured = _measured_fit(instance, found, place, host, ledger, identity)
    if _worth_a_line(findings):
        findings += memory_findings(instance, fit, place, host)
    findings += _host_findings(instance, host)
    findings += _compiler(instance, host, installed)
    return Outcome(
        instance,
        identity,
        fit,
        tuple(findings),
        place.name if place else "",
        start_timeout(ledger, identity, default_timeout),
        measured,
    )


def _worth_a_line(findings: Sequence[Finding]) -> bool:
    """The memory of a model that is not there, or of a card that is not, need not be spoken of."""
    return not any(each.code in _ABSENT and each.refuses for each in findings)


def _measured_fit(
    instance: Instance,
    found: ModelFiles,
    place: Place | None,
    host: Host,
    ledger: Sequence[Entry],
    identity: Identity,
) -> tuple[Fit | None, str]:
    if found.model is None or place is None:
        return None, ""
    learnt = correction(ledger, identity) if host.backend != "cpu" else None
    measured = learnt or host.asked.get(instance.unit)
    model: Model = replace(found.model, measured=measured)
    fit = fit_of(instance, model, place, host.backend)
    return fit, _difference(instance, found.model, fit, place, host) if learnt else ""


def _difference(instance: Instance, model: Model, fit: Fit, place: Place, host: Host) -> str:
    """Say by how much the estimate was corrected."""
    before = total(fit_of(instance, model, place, host.backend).needs).most
    after = total(fit.needs).most
    if before is None or after is None:
        return "An earlier start tells what no file does."
    return f"An earlier start corrects the estimate from {gib(before)} to {gib(after)}."


def identity_for(instance: Instance, installed: Installed, place: Place | None, model: Model | None) -> Identity:
    """Name this start in the ledger. What no revision names, others may have put there: its size tells them apart."""
    stored = f"{model.weights.size} bytes" if model and model.weights.size is not None else ""
    share = vllm_settings(instance).utilisation
    own = place is None or place.name == MAIN_MEMORY or instance.engine != "vllm" or cache_space(instance) is not None
    budget = None if own or place is None else int(place.card.total * share)
    return identity_of(
        instance.repository or instance.folder,
        instance.revision or stored,
        {**instance.settings, **instance.env, "context": instance.context},
        installed.version if instance.engine == "vllm" else "",
        place.name if place else "",
        instance.cards,
        budget,
    )


def _host_findings(instance: Instance, host: Host) -> Iterator[Finding]:
    holder = host.taken.get(instance.port)
    if holder and holder not in (instance.unit, *instance.replaces):
        path, wrong = instance.at("port"), f"is taken by {holder}."
        yield Finding("port-in-use", Problem(path, instance.port, wrong, "Stop it, or write another port."))
    if host.disk is not None and host.disk < _DISK:
        wrong = f"cannot start: only {gib(host.disk)} are free in the home directory of its account."
        yield Finding("no-space", Problem(instance.path, NOTHING, wrong, "Make room; compiled kernels are kept there."))


def _compiler(instance: Instance, host: Host, installed: Installed) -> Iterator[Finding]:
    """Without enforce_eager vLLM compiles at each start what it has not compiled before."""
    if instance.engine != "vllm" or instance.settings.get("enforce_eager") is True:
        return
    path, wrong = instance.at("enforce_eager"), "is not set, so vLLM compiles a part of itself, and there is no {}."
    if host.compiler is False:
        remedy = "Install gcc, or write true, which is slower."
        yield Finding("compiler", Problem(path, NOTHING, wrong.format("compiler on the host"), remedy))
    elif installed.headers is False:
        problem = Problem(path, NOTHING, wrong.format("Python.h of its Python"), "Install python3-dev, or write true.")
        yield Finding("compiler", problem, refuses=False)
