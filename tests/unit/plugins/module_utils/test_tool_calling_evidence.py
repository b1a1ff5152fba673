# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A note of what a model's files show decides as the files themselves do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling import choose
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_check import check
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_evidence import evidence_of, note
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_files import Files
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_marks import MARKS, THINK_TOKENS, TOOL_TOKENS
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_types import Setting
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_parsers import VLLM_0_33
from hypothesis import given, settings
from hypothesis import strategies as st

TOKENS = sorted({each for group in (*TOOL_TOKENS.values(), *THINK_TOKENS.values()) for each in group} | {"hello"})
PIECES = (
    "{% if tools %}{{ tools }}{% endif %}",
    "<tool_call>",
    "<tool_calls>",
    "<function=",
    "[TOOL_CALLS]",
    "<\uff5ctool▁calls▁begin\uff5c>",
    "<|python_tag|>",
    "enable_thinking",
    "{% if add_generation_prompt %}<think>{% endif %}",
    "{{ raise_exception('roles must alternate') }}",
    "{# tools #}",
)
TEMPLATES = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)
CLASSES = ("LlamaForCausalLM", "HunYuanForCausalLM", "JambaForCausalLM", "BertModel", "WhisperForConditionalGeneration")
FILES = st.builds(
    Files,
    config=st.fixed_dictionaries({}, optional={"architectures": st.lists(st.sampled_from(CLASSES), max_size=2)}),
    tokenizer_config=st.fixed_dictionaries(
        {},
        optional={
            "chat_template": st.one_of(
                TEMPLATES,
                st.just(
                    [{"name": "default", "template": "x"}, {"name": "tool_use", "template": PIECES[0] + PIECES[1]}]
                ),
            ),
            "response_template": st.sampled_from(["{}", "{'thinking': 1}"]),
        },
    ),
    chat_template=st.none() | TEMPLATES,
    tokens=st.none() | st.frozensets(st.sampled_from(TOKENS)),
    names=st.sampled_from([frozenset(), frozenset({"params.json", "tekken.json"})]),
)
NAMES = st.sampled_from(
    [
        "org/tuned",
        "Qwen/Qwen2.5-7B",
        "Qwen/Qwen2.5-Coder-7B",
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
        "org/granite-4",
    ]
)
SETTINGS = st.builds(
    Setting,
    tool_call_parser=st.sampled_from([None, "none", "hermes", "deepseek_v3", "jamba"]),
    reasoning_parser=st.sampled_from([None, "none", "qwen3"]),
    chat_template=st.sampled_from([None, "/srv/mine.jinja"]),
)


@given(FILES, NAMES, SETTINGS)
@settings(max_examples=300, deadline=None)
def test_a_note_decides_as_the_files_do(files: Files, name: str, setting: Setting) -> None:
    noted = evidence_of(json.loads(json.dumps(note(files))))
    by_files, by_note = (choose(name, setting, VLLM_0_33, seen) for seen in (files, noted))
    assert by_note == by_files
    assert check("m", True, setting, by_note, VLLM_0_33, noted) == check("m", True, setting, by_files, VLLM_0_33, files)


def test_a_note_says_what_is_there_and_no_more() -> None:
    template = "{% if tools %}{{ tools }}{% endif %}<tool_call>"
    files = Files({"architectures": ["Qwen2ForCausalLM"]}, {}, template, frozenset({"<tool_call>", "hello"}))
    assert note(files) == {
        "chats": True,
        "has_template": True,
        "mark": "hermes",
        "renders_tools": True,
        "tokens": ["<tool_call>"],
    }


@pytest.mark.parametrize("noted", [{}, {"mark": "unheard-of"}, {"mark": 1, "tokens": "x", "chats": "yes"}])
def test_a_note_that_somebody_edited_shows_nothing(noted: dict[str, Any]) -> None:
    seen = evidence_of(noted)
    assert (seen.mark, seen.chats, seen.tokens) == (None, False, None)


def test_every_form_is_told_by_its_first_parser() -> None:
    first = [mark.parsers[0] for mark in MARKS]
    assert len(first) == len({*first})
