# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What a model's own files show: does its template render tools, in which form, and does the model think."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_marks import MARKS, Mark

TOOL_USE = "tool_use"
"""The template for tools, of a model that has several."""

_COMMENT = re.compile(r"\{#[\s\S]*?#\}")
_CODE = re.compile(r"\{[{%]([\s\S]*?)[%}]\}")
_TEXT = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")
_TAKES_TURNS = re.compile(r"raise_exception\s*\([^)]*alternate")
_NO_CHAT = re.compile(
    r"Embedding|Reranker|Classification|Reward|^Bert|^XLMRoberta|Whisper|MaskedLM|(?:OCR|ASR|Ocr|Asr)"
)


@dataclass(frozen=True)
class Files:
    """The model's files as parsed values. ``tokens`` is None where the tokenizer was not read.

    ``chat_template`` is the text of chat_template.jinja, which wins over what tokenizer_config.json says; ``names`` are
    the names of all files.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    tokenizer_config: Mapping[str, Any] = field(default_factory=dict)
    chat_template: str | None = None
    tokens: frozenset[str] | None = None
    names: frozenset[str] = frozenset()

    @property
    def templates(self) -> Mapping[str, str]:
        """The model's chat templates by name; the only one is called default."""
        if isinstance(self.chat_template, str):
            return {"default": self.chat_template}
        written = self.tokenizer_config.get("chat_template")
        if isinstance(written, str):
            return {"default": written}
        entries = [each for each in written if isinstance(each, Mapping)] if isinstance(written, list) else []
        return {str(each.get("name")): each["template"] for each in entries if isinstance(each.get("template"), str)}

    @property
    def template_name(self) -> str | None:
        """Which template vLLM has to be told to use; None for the one it takes anyway."""
        return TOOL_USE if TOOL_USE in self.templates else None

    @property
    def template(self) -> str | None:
        """The template for a conversation with tools, without its comments; None where the model has none."""
        found = self.templates
        text = found.get(TOOL_USE, found.get("default"))
        return None if text is None else _COMMENT.sub("", text)

    @property
    def has_template(self) -> bool:
        """Whether there is a template for a conversation at all."""
        return self.template is not None

    @property
    def renders_tools(self) -> bool:
        """Whether a template has a variable for tools. That a word in its text is "tools" shows nothing."""
        code = _CODE.findall(self.template or "")
        return any(re.search(r"(?<![\w.])tools\b", _TEXT.sub("''", each)) for each in code)

    @property
    def mark(self) -> Mark | None:
        """The form in which the template writes calls."""
        text, classes = self.template or "", self._classes().lower()
        return next((each for each in MARKS if re.search(each.pattern, text) and each.architecture in classes), None)

    @property
    def takes_turns(self) -> bool:
        """Whether the template refuses anything but user and assistant in turn, as agents send it."""
        return _TAKES_TURNS.search(self.template or "") is not None

    @property
    def chats(self) -> bool:
        """Whether the model's class is one that generates text in a conversation."""
        return _NO_CHAT.search(self._classes()) is None

    @property
    def mistral_format(self) -> bool:
        """Whether Mistral's own format is there, which needs no chat template."""
        return {"params.json", "tekken.json"} <= self.names

    @property
    def response_template(self) -> str | None:
        """What describes the model's answers to Transformers, as text."""
        found = self.tokenizer_config.get("response_template")
        return None if found is None else str(found)

    @property
    def thinks(self) -> bool:
        """Whether anything shows that the model writes its thoughts between think tokens."""
        text = "".join(self.templates.values())
        return any(each in text for each in ("<think>", "</think>", "enable_thinking")) or "<think>" in (
            self.tokens or ()
        )

    @property
    def thinking_parser(self) -> str | None:
        """The parser for thoughts, where the template shows how they begin."""
        text = self.template or ""
        if "enable_thinking" in text:
            return "qwen3"
        return "deepseek_r1" if "<think>" in text.rpartition("add_generation_prompt")[2] else None

    def missing(self, tokens: tuple[str, ...]) -> tuple[str, ...]:
        """Which of some tokens the tokenizer lacks; none where it was not read."""
        return () if self.tokens is None else tuple(each for each in tokens if each not in self.tokens)

    def _classes(self) -> str:
        found = self.config.get("architectures")
        return " ".join(str(each) for each in found) if isinstance(found, list) else ""


def tokens_of(tokenizer: object, tokenizer_config: object) -> frozenset[str]:
    """Every token of a tokenizer, from the parsed tokenizer.json and tokenizer_config.json; either may be missing."""
    return frozenset([*_in_tokenizer(tokenizer), *_in_config(tokenizer_config)])


def _in_tokenizer(tokenizer: object) -> Iterator[str]:
    if not isinstance(tokenizer, Mapping):
        return
    yield from _contents(tokenizer.get("added_tokens"))
    model = tokenizer.get("model")
    vocabulary = model.get("vocab") if isinstance(model, Mapping) else None
    if isinstance(vocabulary, Mapping):
        yield from (str(each) for each in vocabulary)
    elif isinstance(vocabulary, list):
        # Unigram models keep pairs of token and score.
        yield from (str(each[0]) for each in vocabulary if isinstance(each, list) and each)


def _in_config(tokenizer_config: object) -> Iterator[str]:
    added = tokenizer_config.get("added_tokens_decoder") if isinstance(tokenizer_config, Mapping) else None
    if isinstance(added, Mapping):
        yield from _contents(list(added.values()))


def _contents(entries: object) -> Iterator[str]:
    for each in entries if isinstance(entries, list) else ():
        if isinstance(each, Mapping) and isinstance(each.get("content"), str):
            yield each["content"]
