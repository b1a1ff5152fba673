# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The values of the preflight: an instance to be judged, what was found about it, and the whole outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._ledger import Identity
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import NO, TIGHT, UNKNOWN, Fit
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem

MEMORY = ("memory-held", "weights-over-memory", "context-over-memory", "cpu-cache", "out-of-memory-kv")
"""The codes that "memory" accepts all together."""

# Reasons that rest on an estimate, a table or a policy, and may be overruled by who knows better.
_JUDGED = (
    *MEMORY,
    *(TIGHT, UNKNOWN, "architecture", "context-over-model", "driver", "parser-contradicted", "quantization-card"),
    *("compiler", "remote-code", "tokenizer", "weights-missing"),
)

# What the classifier of failed starts would call it, where it would fail the start.
CODES: Mapping[str, str] = {
    TIGHT: "what is left of the memory is within the error of the estimate",
    UNKNOWN: "nothing tells whether the memory is enough",
    "memory": "any of the refusals about memory",
    "memory-held": "others hold memory that the engine wants free when it starts",
    "weights-over-memory": "the weights leave no memory for any context",
    "context-over-memory": "the context does not fit into the memory that the weights leave",
    "cpu-cache": "the host has less memory than the cache is to take",
    "out-of-memory-kv": "llama.cpp finds no memory for its cache",
    "context-over-model": "the context is longer than the model was made for",
    "tensor-parallel": "the model cannot be divided among so many cards",
    "no-card": "there is no card, or not as many as asked for",
    "card-order": "it is not certain which of several different cards is meant",
    "driver": "the driver is older than the installed torch needs",
    "quantization-file": "the model is not quantised in the way that was asked for",
    "quantization-card": "the card is too old for this quantisation",
    "bfloat16": "the card is too old for bfloat16",
    "architecture": "the installed vLLM does not know the architecture",
    "architecture-removed": "the installed vLLM does not know the architecture any more",
    "architecture-plugin": "a plugin knows the architecture, vLLM does not",
    "remote-code": "the model brings code that has to run",
    "vllm-metadata": "there is no vLLM in the environment",
    "model-folder": "the model is not there, or is something else",
    "model-config": "the model's config.json is missing or damaged",
    "model-json": "a JSON file of the model is damaged",
    "model-not-fetched": "the model is not fetched completely",
    "weights-missing": "there are no weights that the engine reads",
    "weights-cut": "a file of the weights is not whole",
    "tokenizer": "the files of the tokenizer are missing",
    "template-file": "the file of the chat template is not on the host",
    "auto-tools-without-parser": "tool calling was enabled without a tool parser",
    "unknown-tool-parser": "the installed vLLM does not know the tool parser",
    "unknown-reasoning-parser": "the installed vLLM does not know the reasoning parser",
    "parser-tokens": "the tokenizer lacks tokens that the tool parser needs",
    "reasoning-tokens": "the tokenizer lacks tokens that the reasoning parser needs",
    "parser-contradicted": "the model's files ask for another parser than the declared one",
    "tools-promise": "the model calls tools less well than was declared",
    "port-in-use": "something else holds the port",
    "compiler": "vLLM compiles a part of itself, and what it needs for that is not installed",
    "no-space": "the disk is full",
}


@dataclass(frozen=True)
class Instance:
    """An instance as the task names it; see the module's options. ``settings`` have underscores in their names."""

    name: str
    unit: str
    folder: str
    port: int
    digest: str
    model: str = ""
    engine: str = "vllm"
    repository: str = ""
    revision: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    tool_calling: Mapping[str, Any] = field(default_factory=dict)
    tools: bool = False
    context: int = 0
    standby: bool = False
    replaces: tuple[str, ...] = ()
    bind: str = "127.0.0.1"
    record: str = ""
    accept: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where it is declared."""
        return f"llm_stack_models.{self.model or self.name}"

    def at(self, option: str) -> str:
        """Where an option of its engine is declared."""
        return f"{self.path}.{self.engine}.{option}"

    @property
    def cards(self) -> int:
        """How many cards it takes."""
        return whole(self.settings.get("tensor_parallel_size"), 1) * whole(
            self.settings.get("pipeline_parallel_size"), 1
        )


@dataclass(frozen=True)
class Finding:
    """Something that speaks against a start: its code, the reason, and whether it refuses or only warns.

    ``pending`` is what an earlier step of a deploy brings, and what check mode therefore does not find.
    """

    code: str
    problem: Problem
    refuses: bool = True
    pending: bool = False

    def accepted_by(self, accepted: tuple[str, ...]) -> bool:
        """Whether somebody wrote that this is no reason to stop."""
        return self.code in accepted or ("memory" in accepted and self.code in MEMORY)


@dataclass(frozen=True)
class Outcome:
    """What the preflight says of one instance."""

    instance: Instance
    identity: Identity
    """What the ledger knows this start by."""
    fit: Fit | None
    findings: tuple[Finding, ...]
    card: str = ""
    """The name of the card that decided."""
    start_timeout: int = 0
    measured: str = ""
    """Which earlier start corrected the estimate, in words."""

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """What refuses it, less what was accepted."""
        return tuple(each for each in self.findings if each.refuses and not each.accepted_by(self.instance.accept))

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What people should read: warnings that nobody accepted, and refusals that somebody did."""
        return tuple(each for each in self.findings if each.refuses == each.accepted_by(self.instance.accept))

    def problem(self, finding: Finding) -> Problem:
        """Give the reason with how to accept it, where that is a decision that somebody may take."""
        if finding.code not in _JUDGED or finding.accepted_by(self.instance.accept):
            return finding.problem
        line = f"Or accept it by name: {self.instance.at('accept')}: [{finding.code}]."
        return replace(finding.problem, remedy="\n".join(filter(None, (finding.problem.remedy, line))))

    def passed_before(self) -> Outcome:
        """The same for an instance that passed already and does not start anew: it need not be refused again."""
        return replace(self, findings=tuple(replace(each, refuses=False) for each in self.findings))

    def in_check_mode(self) -> Outcome:
        """The same where nothing was installed or fetched: what is to come first is not refused for its absence."""
        return replace(self, findings=tuple(_announced(each) if each.pending else each for each in self.findings))

    @property
    def verdict(self) -> str:
        """The verdict on the memory."""
        return self.fit.verdict if self.fit else UNKNOWN

    @property
    def refused(self) -> bool:
        """Whether it must not start."""
        return bool(self.refusals)


def _announced(finding: Finding) -> Finding:
    remedy = "A run brings it first, and looks at it then; check mode says nothing of it."
    return replace(finding, refuses=False, problem=replace(finding.problem, remedy=remedy))


def whole(value: object, default: int) -> int:
    """Read a whole number above zero; anything else is the default."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default


__all__ = ["CODES", "MEMORY", "NO", "TIGHT", "UNKNOWN", "Finding", "Instance", "Outcome", "whole"]
