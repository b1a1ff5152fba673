# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Can the installed vLLM serve this model: architecture, code of its own, parsers, and what its files say of tools."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _tool_calling, _tool_calling_check
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_files import ModelFiles
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import Finding, Instance
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_family import DEGRADED, NONE
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_files import Files
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_types import (
    EVIDENCE,
    EXPLICIT,
    Choice,
    Setting,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_usable import unusable, unusable_reasoning
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_installed import Installed
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_parsers import Registry

# These read weights that were quantised before; others quantise them while they are loaded.
_STORED = ("awq", "awq_marlin", "auto_awq", "gptq", "gptq_marlin", "auto_gptq", "compressed-tensors", "moe_wna16")

_QUANTISED = frozenset({"quantize_config.json", "quant_config.json"})
"""Where older models have written how they were quantised."""


def check_vllm(instance: Instance, installed: Installed, found: ModelFiles) -> Iterator[Finding]:
    """Yield what speaks against serving these files with this vLLM."""
    if not installed.version:
        wrong = "cannot be served: there is no vLLM in its environment."
        problem = Problem(instance.path, NOTHING, wrong, "Deploy again, which installs it.")
        yield Finding("vllm-metadata", problem, pending=True)
        return
    if found.config:
        yield from _architecture(instance, installed, found.config)
        yield from _quantised(instance, found)
    yield from _template(instance)
    if installed.registry:
        yield from _parsers(instance, installed.registry, found.files)
        if found.files:
            yield from _tools(instance, installed.registry, found.files)


# -- the class of the model -------------------------------------------------------------------------------------------


def _architecture(instance: Instance, installed: Installed, config: Mapping[str, Any]) -> Iterator[Finding]:
    listed = config.get("architectures")
    names = [str(each)[:80] for each in listed] if isinstance(listed, list) else []
    path = f"{instance.path}.source"
    known = installed.architectures
    if known is None or not names or any(each in known for each in names):
        yield from _own_code(instance, installed, config)
        return
    gone = next((each for each in names if each in installed.removed), None)
    moved = next((each for each in names if each in installed.plugins), None)
    if gone:
        wrong = f"is {gone}, which vLLM knew until {installed.removed[gone]}; {installed.version} is installed."
        yield Finding("architecture-removed", Problem(path, NOTHING, wrong, "Declare another model."))
    elif moved:
        wrong = f"is {moved}, which vLLM knows with a plugin only: {installed.plugins[moved]}."
        yield Finding("architecture-plugin", Problem(path, NOTHING, wrong, "Declare another model."))
    else:
        yield _unknown(path, installed, names)


def _unknown(path: str, installed: Installed, names: list[str]) -> Finding:
    """vLLM falls back to Transformers, which may have a class that vLLM does not, and may serve it."""
    wrong = f"is {', '.join(names)}, which vLLM {installed.version} does not know."
    if installed.has_class(names[0]) is not False:
        remedy = "It may be served through Transformers, more slowly."
        return Finding("architecture", Problem(path, NOTHING, wrong, remedy), refuses=False)
    return Finding("architecture", Problem(path, NOTHING, wrong, "Declare another model, or a newer vLLM."))


def _own_code(instance: Instance, installed: Installed, config: Mapping[str, Any]) -> Iterator[Finding]:
    """A class of configuration that only the model's own code defines cannot be read without running that code."""
    brought, kind = config.get("auto_map"), str(config.get("model_type", ""))
    if not isinstance(brought, dict) or "AutoConfig" not in brought or instance.settings.get("trust_remote_code"):
        return
    if installed.has_type(kind) is not False:
        return
    wrong = "brings code of its own, which Transformers needs to read it."
    remedy = f"Read that code. To let it run on the host, set {instance.at('trust_remote_code')}: true."
    yield Finding("remote-code", Problem(f"{instance.path}.source", NOTHING, wrong, remedy))


def _quantised(instance: Instance, found: ModelFiles) -> Iterator[Finding]:
    """A way of quantisation that only reads what was quantised before needs to be told how it was."""
    method, names = instance.settings.get("quantization"), found.files.names if found.files else frozenset()
    if method in _STORED and not found.config.get("quantization_config") and not names & _QUANTISED:
        wrong = "is no way to serve a model that is not quantised: its config.json has no quantization_config."
        problem = Problem(instance.at("quantization"), method, wrong, "Remove it, or declare the quantised model.")
        yield Finding("quantization-file", problem)


def _template(instance: Instance) -> Iterator[Finding]:
    """A template that the user names is a file of the host; those of the collection are not among the settings."""
    named = instance.settings.get("chat_template")
    if isinstance(named, str) and named.startswith("/") and not os.path.isfile(named):
        remedy = "Put the file there, or remove the setting."
        yield Finding("template-file", Problem(instance.at("chat_template"), named, "is no file of the host.", remedy))


# -- parsers ----------------------------------------------------------------------------------------------------------


def _tool_parser(instance: Instance) -> str | None:
    named = instance.tool_calling.get("tool_parser") or instance.settings.get("tool_call_parser")
    return str(named) if named else None


def _reasoning_parser(instance: Instance) -> str | None:
    named = instance.tool_calling.get("reasoning_parser") or instance.settings.get("reasoning_parser")
    return str(named) if named else None


def _setting(instance: Instance, parser: str | None) -> Setting:
    """What was written for the model; a template that the collection brings is one, too."""
    template = instance.settings.get("chat_template") or instance.tool_calling.get("chat_template")
    plugin = instance.settings.get("tool_parser_plugin")
    support = instance.tool_calling.get("support")
    return Setting(
        tool_call_parser=parser,
        chat_template=str(template) if template else None,
        tool_parser_plugin=str(plugin) if plugin else None,
        # Less than native was refused by the plan, unless somebody accepted it.
        accept_tools=support if support in (DEGRADED, NONE) else None,
    )


def _parsers(instance: Instance, registry: Registry, files: Files | None) -> Iterator[Finding]:
    """Yield the parsers that vLLM would fail with, some of them only after the model is loaded."""
    tool, reasoning = _tool_parser(instance), _reasoning_parser(instance)
    if not tool and instance.settings.get("enable_auto_tool_choice"):
        wrong = "is missing, and enable_auto_tool_choice needs it."
        problem = Problem(instance.at("tool_call_parser"), NOTHING, wrong, "Name a parser, or remove the setting.")
        yield Finding("auto-tools-without-parser", problem)
    if tool:
        wrong = unusable(tool, _setting(instance, tool), registry, files)
        path = instance.at("tool_call_parser")
        if wrong and tool not in registry.tool:
            yield Finding("unknown-tool-parser", Problem(path, tool, wrong, nearest(tool, registry.tool)))
        elif wrong:
            remedy = f"Write {path}: none, or declare a model whose tokenizer has them."
            yield Finding("parser-tokens", Problem(path, tool, wrong, remedy))
    if reasoning:
        wrong = unusable_reasoning(reasoning, registry, files)
        path = instance.at("reasoning_parser")
        if wrong and reasoning not in registry.reasoning:
            yield Finding(
                "unknown-reasoning-parser", Problem(path, reasoning, wrong, nearest(reasoning, registry.reasoning))
            )
        elif wrong:
            yield Finding("reasoning-tokens", Problem(path, reasoning, wrong, f"Write {path}: none."))


def _tools(instance: Instance, registry: Registry, files: Files) -> Iterator[Finding]:
    """Hold what was declared against what the files on the host show."""
    declared = _tool_parser(instance)
    if declared and unusable(declared, _setting(instance, declared), registry, files):
        return
    name = instance.repository or os.path.basename(instance.folder.rstrip("/"))
    shown = _tool_calling.choose(name, _setting(instance, None), registry, files)
    if declared and not _explicit(instance) and _contradicts(shown, declared):
        yield _contradiction(instance, declared, shown)
        return
    choice = shown
    if declared != shown.tool_parser:
        choice = _tool_calling.choose(name, _setting(instance, declared or "none"), registry, files)
    setting = _setting(instance, None)
    for problem in _tool_calling_check.check(instance.path, instance.tools, setting, choice, registry, files):
        yield Finding("tools-promise", problem)


def _explicit(instance: Instance) -> bool:
    """Whether the user named the parser; the files then do not overrule it."""
    reasons = instance.tool_calling.get("reasons") or ()
    return any(str(each).startswith(f"{EXPLICIT}: tool_call_parser") for each in reasons)


def _contradicts(shown: Choice, declared: str) -> bool:
    """Whether the files themselves, not only the name, ask for another parser."""
    evident = any(each.source == EVIDENCE for each in shown.reasons)
    return evident and shown.tool_parser is not None and shown.tool_parser != declared


def _contradiction(instance: Instance, declared: str, shown: Choice) -> Finding:
    path = instance.at("tool_call_parser")
    wrong = f"is not what the model's files ask for: {' '.join(each.text for each in shown.reasons)}"
    remedy = f"Write {path}: {shown.tool_parser}, or {declared} to insist on it."
    # Nobody waits for the calls of a model without tools.
    return Finding("parser-contradicted", Problem(path, declared, wrong, remedy), refuses=instance.tools)
