# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The values that the choice of parsers works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_evidence import Evidence
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_family import (
    DEGRADED,
    IMPROVES,
    INSTEAD,
    NATIVE,
    NONE,
    Family,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_parsers import Registry

VERDICTS = (NATIVE, DEGRADED, NONE)
"""From the best to the worst."""

EXPLICIT, EVIDENCE, TABLE, NOWHERE = "explicit", "evidence", "table", "none"


@dataclass(frozen=True)
class Setting:
    """What the user wrote for a model; None where nothing. A parser called none is none."""

    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    chat_template: str | None = None
    tool_parser_plugin: str | None = None
    accept_tools: str | None = None
    """The verdict that is good enough, by its name."""


@dataclass(frozen=True)
class Reason:
    """What was found, and where: explicit, evidence, table or none."""

    source: str
    text: str


@dataclass(frozen=True)
class Choice:
    """How vLLM serves a model. ``ships`` says that ``chat_template`` is a file name of those that come with the role.

    ``reasons`` are those for the verdict and the tool parser, ``thoughts`` those for the reasoning parser.
    """

    verdict: str
    tool_parser: str | None
    reasoning_parser: str | None
    chat_template: str | None
    ships: bool
    reasons: tuple[Reason, ...]
    thoughts: tuple[Reason, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    def arguments(self, templates: str) -> dict[str, object]:
        """Give vLLM's own settings; ``templates`` is the folder of the templates that are shipped."""
        chosen = {
            # vLLM refuses the one without the other, and ignores the other without the one.
            "enable_auto_tool_choice": None if self.tool_parser is None else True,
            "tool_call_parser": self.tool_parser,
            "reasoning_parser": self.reasoning_parser,
            "chat_template": f"{templates}/{self.chat_template}" if self.ships else self.chat_template,
            **self.settings,
        }
        return {key: value for key, value in sorted(chosen.items()) if value is not None}


@dataclass(frozen=True)
class Case:
    """One model before the choice; ``files`` is None where its files are not at hand."""

    setting: Setting
    registry: Registry
    files: Evidence | None
    family: Family | None

    @property
    def ships(self) -> bool:
        """Whether the template of the family is to be served, as far as the model's own one decides that."""
        if self.family is None or self.family.template is None or self.setting.chat_template:
            return False
        if self.files is not None and self.files.mistral_format:
            return False
        lacking = self.files is not None and not self.files.renders_tools
        if self.family.ship == IMPROVES:
            return not lacking or (self.files is not None and not self.files.has_template)
        return lacking or self.family.ship == INSTEAD
