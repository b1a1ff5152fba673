# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Refuse what vLLM could not start with, and tools that were promised and would not come."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_evidence import Evidence
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_family import DEGRADED, NATIVE, NONE
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_types import (
    NOWHERE,
    VERDICTS,
    Choice,
    Setting,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_usable import unusable, unusable_reasoning
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_parsers import Registry

_LATE = "vLLM would find that out only after it has loaded the model."
_KEEPS = {DEGRADED: "it calls tools unreliably.", NONE: "it calls no tools."}


def check(
    path: str, tools: bool, setting: Setting, choice: Choice, registry: Registry, files: Evidence | None = None
) -> list[Problem]:
    """Give the reasons to refuse a model; ``path`` is where it is declared, such as llm_stack_models.tiny."""
    found = [*_accepted(path, setting), *_parser(path, setting, registry, files)]
    # What a refused parser would have meant for the promise is not known.
    found += [] if found else _promise(path, tools, setting, choice, files)
    return [*found, *_reasoning(path, setting, registry, files)]


def _accepted(path: str, setting: Setting) -> Iterator[Problem]:
    named = setting.accept_tools
    if named is not None and named not in VERDICTS:
        yield Problem(f"{path}.vllm.accept_tools", named, "is no verdict on tools.", nearest(named, VERDICTS[1:]))


def _parser(path: str, setting: Setting, registry: Registry, files: Evidence | None) -> Iterator[Problem]:
    named = setting.tool_call_parser
    if named is None or named == "none":
        return
    wrong = unusable(named, setting, registry, files)
    if wrong and named not in registry.tool:
        yield Problem(f"{path}.vllm.tool_call_parser", named, wrong, nearest(named, registry.tool))
    elif wrong:
        remedy = f"{_LATE}\nRemove the parser, so that the model's own files decide; or set tools: false."
        yield Problem(f"{path}.vllm.tool_call_parser", named, wrong, remedy)


def _reasoning(path: str, setting: Setting, registry: Registry, files: Evidence | None) -> Iterator[Problem]:
    named = setting.reasoning_parser
    if named is None or named == "none":
        return
    wrong = unusable_reasoning(named, registry, files)
    if wrong and named not in registry.reasoning:
        yield Problem(f"{path}.vllm.reasoning_parser", named, wrong, nearest(named, registry.reasoning))
    elif wrong:
        yield Problem(
            f"{path}.vllm.reasoning_parser", named, wrong, "Remove it: the model does not think in this form."
        )


def _promise(path: str, tools: bool, setting: Setting, choice: Choice, files: Evidence | None) -> Iterator[Problem]:
    if not tools or choice.verdict == NATIVE or _suffices(setting.accept_tools, choice.verdict):
        return
    reasons = [each.text for each in choice.reasons]
    remedy = f"Declare another model, set tools: false, or accept it by name: vllm: {{accept_tools: {choice.verdict}}}."
    if files is None and any(each.source == NOWHERE for each in choice.reasons):
        remedy = f"Name the parser in {path}.vllm.tool_call_parser: the host's own files are held against it.\n{remedy}"
    wrong = f"is more than this model keeps: {_KEEPS[choice.verdict]}"
    yield Problem(f"{path}.tools", True, wrong, "\n".join([*reasons, remedy]))


def _suffices(accepted: str | None, verdict: str) -> bool:
    return accepted is not None and VERDICTS.index(accepted) >= VERDICTS.index(verdict)
