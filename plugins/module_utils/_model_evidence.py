# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the small files of a model show: of a repository when it is pinned, of a folder whenever a plan is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError
from ansible_collections.lab.llm_stack.plugins.module_utils._model_config import read_config
from ansible_collections.lab.llm_stack.plugins.module_utils._model_file import ModelFileError, parse_object
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_evidence import note
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_files import Files, tokens_of

CONFIG, TOKENIZER_CONFIG, TOKENIZER, TEMPLATE = (
    "config.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "chat_template.jinja",
)


def evidence_of(contents: Mapping[str, bytes], names: frozenset[str]) -> dict[str, Any]:
    """Say what the small files of a model show of its context and of tool calling."""
    try:
        parsed = {name: parse_object(name, text, "It") for name, text in contents.items() if name != TEMPLATE}
    except ModelFileError as error:
        raise InstallError("\n".join(f"{each.path} {each.wrong}" for each in error.problems)) from None
    config, tokenizer_config = parsed.get(CONFIG, {}), parsed.get(TOKENIZER_CONFIG, {})
    tokens = tokens_of(parsed[TOKENIZER], tokenizer_config) if TOKENIZER in parsed else None
    template = contents[TEMPLATE].decode("utf-8", "replace") if TEMPLATE in contents else None
    seen = note(Files(config, tokenizer_config, template, tokens, names))
    if "response_template" in seen:
        # All that is asked of it is whether there is one, and whether it has a place for thoughts.
        seen["response_template"] = "thinking" if "thinking" in str(seen["response_template"]) else "without thoughts"
    longest = _longest(config, tokenizer_config)
    return {**seen, **({"max_context": longest} if longest else {})}


def _longest(config: Mapping[str, Any], tokenizer_config: Mapping[str, Any]) -> int | None:
    """The context that the model was made for; nothing where its family is not known here."""
    try:
        return read_config(CONFIG, config, tokenizer_config).shape.context if config else None
    except ModelFileError:
        return None
