# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Which parsers vLLM needs for a model, and whether the model then calls tools.

What the user wrote comes first, then the model's own files, then the table of families by name, then nothing. An
observation of how a family answers lowers whatever its files promise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_evidence import Evidence
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_family import (
    DEGRADED,
    INSTEAD,
    NATIVE,
    NONE,
    Family,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_marks import RENDERED_BY_VLLM
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_table import FAMILIES
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_types import (
    EVIDENCE,
    EXPLICIT,
    NOWHERE,
    TABLE,
    VERDICTS,
    Case,
    Choice,
    Reason,
    Setting,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_usable import reasoning, unusable
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_parsers import Registry

_MISTRAL_FORMAT = {"config_format": "mistral", "load_format": "mistral", "tokenizer_mode": "mistral"}


@dataclass(frozen=True)
class _Tools:
    verdict: str
    parser: str | None
    reasons: tuple[Reason, ...]


def family_of(model: str) -> Family | None:
    """Find the family by the name of a repository or folder; None where no row fits."""
    name = _last_part(model).lower().replace("_", "-")
    return next((each for each in FAMILIES if re.search(each.pattern, name)), None)


def choose(model: str, setting: Setting, registry: Registry, files: Evidence | None = None) -> Choice:
    """Decide for one model; ``files`` is None where its files are not at hand."""
    case = Case(setting, registry, files, family_of(model))
    tools = _explicit(case) or _evidence(case) or _table(case) or _nothing()
    tools = _doubted(case, _bound(case, tools))
    thinking, thoughts = reasoning(case, tools.parser)
    template, ships = _template(case, tools.parser)
    reasons = (*tools.reasons, *_turns(case, template))
    settings = _settings(case, tools.parser)
    return Choice(tools.verdict, tools.parser, thinking, template, ships, reasons, thoughts, settings)


def _last_part(model: str) -> str:
    """The name in 'owner/name', in a folder, or in a folder of the hub's cache, whose last part is a commit."""
    parts = [each for each in re.split(r"[/\\]", model) if each]
    cached = [each for each in parts if each.startswith("models--")]
    return cached[-1].split("--")[-1] if cached else parts[-1] if parts else ""


def _explicit(case: Case) -> _Tools | None:
    named = case.setting.tool_call_parser
    if named is None:
        return None
    if named == "none":
        return _Tools(NONE, None, (Reason(EXPLICIT, "tool_call_parser is none."),))
    wrong = unusable(named, case.setting, case.registry, case.files)
    if wrong:
        return _Tools(NONE, None, (Reason(EXPLICIT, f"{named} {wrong}"),))
    said = Reason(EXPLICIT, f"tool_call_parser is {named}.")
    dropped = _no_tools_rendered(case, named)
    return _Tools(NONE if dropped else NATIVE, named, (said, *dropped))


def _evidence(case: Case) -> _Tools | None:
    files = case.files
    if files is None:
        return None
    if not files.chats:
        return _Tools(NONE, None, (Reason(EVIDENCE, "Its class in config.json is not one that chats."),))
    if files.mistral_format:
        return _usable(case, "mistral", Reason(EVIDENCE, "It has files in Mistral's own format."))
    if case.setting.chat_template or (case.family and case.family.ship == INSTEAD and case.ships):
        return None
    if not files.renders_tools:
        dropped = _no_tools_rendered(case, case.family.parser if case.family else None)
        return _Tools(NONE, None, dropped) if dropped else None
    return _by_form(case, files)


def _by_form(case: Case, files: Evidence) -> _Tools | None:
    """Decide by the form in which the template writes calls, or by what it tells Transformers."""
    if files.mark:
        family = case.family.parser if case.family else None
        parser = family if family in files.mark.parsers else files.mark.parsers[0]
        return _usable(case, str(parser), Reason(EVIDENCE, f"Its chat template writes calls as {parser} reads them."))
    if files.response_template is not None:
        return _usable(case, "hf", Reason(EVIDENCE, "Its tokenizer_config.json has a response_template."))
    return None


def _no_tools_rendered(case: Case, parser: str | None) -> tuple[Reason, ...]:
    """Say that the model would not get to see the tools; empty where it would."""
    family, files = case.family, case.files
    if files is None or case.setting.chat_template or files.renders_tools or files.mistral_format:
        return ()
    if parser in RENDERED_BY_VLLM or (family and parser == family.parser and (case.ships or family.settings)):
        return ()
    if not files.has_template:
        return (Reason(EVIDENCE, "It has no chat template, so vLLM answers 400 to every conversation."),)
    return (Reason(EVIDENCE, "Its chat template renders no tools, so vLLM drops them without a word."),)


def _table(case: Case) -> _Tools | None:
    family = case.family
    if family is None:
        return None
    reason = Reason(TABLE, _told(family))
    if family.parser is None:
        return _Tools(NONE, None, (reason,))
    found = _usable(case, family.parser, reason)
    return replace(found, verdict=family.verdict) if found.parser else found


def _nothing() -> _Tools:
    return _Tools(NONE, None, (Reason(NOWHERE, "Neither its files nor its name tell which parser reads its calls."),))


def _usable(case: Case, parser: str, reason: Reason) -> _Tools:
    wrong = unusable(parser, case.setting, case.registry, case.files)
    if wrong:
        return _Tools(NONE, None, (reason, Reason(EVIDENCE, f"{parser} {wrong}")))
    return _Tools(NATIVE, parser, (reason,))


def _bound(case: Case, tools: _Tools) -> _Tools:
    """Lower the verdict to what was observed of the family with this parser."""
    family = case.family
    if family is None or not family.binds or family.parser not in (None, tools.parser):
        return tools
    if VERDICTS.index(tools.verdict) >= VERDICTS.index(family.verdict):
        return tools
    return _Tools(family.verdict, family.parser, (*tools.reasons, Reason(TABLE, _told(family))))


def _doubted(case: Case, tools: _Tools) -> _Tools:
    """Do not take the user's word alone for a family that is known to call no tools."""
    family, files = case.family, case.files
    shown = files is not None and files.renders_tools and files.mark and tools.parser in files.mark.parsers
    if tools.verdict != NATIVE or family is None or family.verdict != NONE or shown:
        return tools
    return replace(tools, verdict=DEGRADED, reasons=(*tools.reasons, Reason(TABLE, _told(family))))


def _told(family: Family) -> str:
    return " ".join(each for each in (f"{family.name}.", family.caveat, f"({family.source})") if each)


def _template(case: Case, parser: str | None) -> tuple[str | None, bool]:
    """The chat template to name to vLLM, and whether it is one of those that come with the role."""
    if case.setting.chat_template:
        return case.setting.chat_template, False
    family, files = case.family, case.files
    lacks_any = files is not None and not files.has_template
    if family and family.parser == parser and (case.ships if parser else lacks_any and family.template):
        return family.template, True
    return (files.template_name if files and parser else None), False


def _turns(case: Case, template: str | None) -> tuple[Reason, ...]:
    if case.files is None or not case.files.takes_turns or template:
        return ()
    return (Reason(EVIDENCE, "Its chat template wants user and assistant in turn, and answers 400 to other orders."),)


def _settings(case: Case, parser: str | None) -> Mapping[str, str]:
    plugin = {"tool_parser_plugin": case.setting.tool_parser_plugin} if case.setting.tool_parser_plugin else {}
    if case.files is not None and case.files.mistral_format:
        return {**plugin, **_MISTRAL_FORMAT}
    return {**plugin, **(case.family.settings if case.family and parser == case.family.parser else {})}
