# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the installed vLLM could start with, and which parser reads a model's thoughts."""

from __future__ import annotations

from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_evidence import Evidence
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_marks import THINK_TOKENS, TOOL_TOKENS
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_types import (
    EVIDENCE,
    EXPLICIT,
    NOWHERE,
    TABLE,
    Case,
    Reason,
    Setting,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_parsers import Registry

# Parsers of calls that models with different ways of thinking have in common.
_COMMON = (None, "hermes", "llama3_json", "pythonic", "qwen3_coder")


def unusable(parser: str, setting: Setting, registry: Registry, files: Evidence | None) -> str:
    """Say why vLLM would fail to start with this tool parser; empty where it would not."""
    if parser not in registry.tool and not (parser and setting.tool_parser_plugin):
        return f"is no tool parser of vLLM {registry.version}."
    return _lacking(files, TOOL_TOKENS.get(parser, ()))


def unusable_reasoning(parser: str, registry: Registry, files: Evidence | None) -> str:
    """Say why vLLM would fail to start with this reasoning parser; empty where it would not."""
    if parser not in registry.reasoning:
        return f"is no reasoning parser of vLLM {registry.version}."
    return _lacking(files, THINK_TOKENS.get(parser, ()))


def _lacking(files: Evidence | None, tokens: tuple[str, ...]) -> str:
    missing = files.missing(tokens) if files else ()
    return f"needs tokens that the model's tokenizer lacks: {', '.join(missing)}." if missing else ""


def reasoning(case: Case, tool_parser: str | None) -> tuple[str | None, tuple[Reason, ...]]:
    """Choose the parser for thoughts, if any; a wrong one is worse than none, since it hides the answers."""
    named = case.setting.reasoning_parser
    if named is not None:
        return (None if named == "none" else named), (Reason(EXPLICIT, f"reasoning_parser is {named}."),)
    parser, reason = _thinking(case, tool_parser)
    if parser is None:
        return None, ()
    wrong = unusable_reasoning(parser, case.registry, case.files)
    if case.files and parser in THINK_TOKENS and not case.files.thinks:
        wrong = "would take every answer for a thought: nothing in the model's files shows that it thinks."
    return (None, (Reason(EVIDENCE, f"{parser} {wrong}"),)) if wrong else (parser, (reason,))


def _thinking(case: Case, tool_parser: str | None) -> tuple[str | None, Reason]:
    """Look in the table, then in the template."""
    family, files = case.family, case.files
    if family and (family.never_thinks or family.reasoning):
        return family.reasoning, Reason(
            TABLE, f"{family.name}: {family.reasoning} reads what they think. ({family.source})"
        )
    if files and tool_parser == "hf" and "thinking" in (files.response_template or ""):
        return "hf", Reason(EVIDENCE, "Its response_template has a field for thinking.")
    if files and tool_parser in _COMMON and files.thinking_parser:
        return files.thinking_parser, Reason(EVIDENCE, "Its chat template opens a thought for the model.")
    return None, Reason(NOWHERE, "")
