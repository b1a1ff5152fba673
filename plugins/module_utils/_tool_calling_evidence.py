# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What a model's files show of tool calling, short enough for a lock; the files themselves stay where they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_files import Files
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_marks import (
    MARKS,
    THINK_TOKENS,
    TOOL_TOKENS,
    Mark,
)

_TOKENS = frozenset(each for tokens in (*TOOL_TOKENS.values(), *THINK_TOKENS.values()) for each in tokens)
"""The tokens that any parser asks for."""


class Evidence(Protocol):
    """What the choice of parsers asks of a model's files; Files answers from them, Noted from a note."""

    @property
    def chats(self) -> bool: ...

    @property
    def has_template(self) -> bool: ...

    @property
    def template_name(self) -> str | None: ...

    @property
    def renders_tools(self) -> bool: ...

    @property
    def mark(self) -> Mark | None: ...

    @property
    def takes_turns(self) -> bool: ...

    @property
    def mistral_format(self) -> bool: ...

    @property
    def response_template(self) -> str | None: ...

    @property
    def thinks(self) -> bool: ...

    @property
    def thinking_parser(self) -> str | None: ...

    def missing(self, tokens: tuple[str, ...]) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Noted:
    """What was seen in a model's files, each as the property of Files of that name; ``tokens`` is None where unread."""

    chats: bool
    has_template: bool
    template_name: str | None
    renders_tools: bool
    mark: Mark | None
    takes_turns: bool
    mistral_format: bool
    response_template: str | None
    thinks: bool
    thinking_parser: str | None
    tokens: frozenset[str] | None

    def missing(self, tokens: tuple[str, ...]) -> tuple[str, ...]:
        """Which of some tokens the tokenizer lacks; none where it was not read."""
        return () if self.tokens is None else tuple(each for each in tokens if each not in self.tokens)


_SIMPLE = (
    "chats",
    "has_template",
    "template_name",
    "renders_tools",
    "takes_turns",
    "mistral_format",
    "response_template",
    "thinks",
    "thinking_parser",
)


def note(files: Files) -> dict[str, Any]:
    """Give what the files show as plain data; what is not there is left out."""
    seen: dict[str, Any] = {name: getattr(files, name) for name in _SIMPLE}
    seen["mark"] = files.mark.parsers[0] if files.mark else None
    seen["tokens"] = None if files.tokens is None else sorted(files.tokens & _TOKENS)
    return {name: value for name, value in sorted(seen.items()) if value is not None and value is not False}


def evidence_of(noted: Mapping[str, Any]) -> Noted:
    """Read a note; what it does not say was not seen."""
    tokens = noted.get("tokens")
    mark = next((each for each in MARKS if each.parsers[0] == noted.get("mark")), None)
    return Noted(
        chats=noted.get("chats") is True,
        has_template=noted.get("has_template") is True,
        template_name=_text(noted.get("template_name")),
        renders_tools=noted.get("renders_tools") is True,
        mark=mark,
        takes_turns=noted.get("takes_turns") is True,
        mistral_format=noted.get("mistral_format") is True,
        response_template=_text(noted.get("response_template")),
        thinks=noted.get("thinks") is True,
        thinking_parser=_text(noted.get("thinking_parser")),
        tokens=_tokens(tokens) if isinstance(tokens, (list, tuple)) else None,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _tokens(values: Iterable[object]) -> frozenset[str]:
    return frozenset(str(each) for each in values)
