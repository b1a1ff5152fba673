# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What a chat template shows of the form of tool calls, and the tokens without which a parser fails the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# DeepSeek writes its tokens with a fullwidth vertical line.
_BAR = "\uff5c"
_BEGIN, _END = f"<{_BAR}tool▁calls▁begin{_BAR}>", f"<{_BAR}tool▁calls▁end{_BAR}>"


@dataclass(frozen=True)
class Mark:
    """A regular expression on a template, and the parsers that read what it shows.

    The first is meant, unless the family of the model's name has one of the others. ``architecture`` is a part of the
    name that the model's class must have too.
    """

    pattern: str
    parsers: tuple[str, ...]
    architecture: str = ""


# The order counts: what several families write stands last.
MARKS = (
    Mark(r"<\|tool_calls_section_begin\|>", ("kimi_k2",)),
    Mark(f"{_BAR}DSML{_BAR}", ("deepseek_v32", "deepseek_v4", "deepseek_v41")),
    Mark(_BEGIN + r"[\s\S]*```json", ("deepseek_v3",)),
    Mark(_BEGIN, ("deepseek_v31",)),
    Mark(r"<\|channel\|>", ("openai",)),
    Mark(r"<\|tool_call>", ("gemma4",)),
    Mark(r"<start_function_call>", ("functiongemma",)),
    Mark(r"<minimax:tool_call>", ("minimax_m2", "minimax_m3")),
    Mark(r"<seed:tool_call>", ("seed_oss",)),
    Mark(r"<arg_key>", ("glm45", "glm47")),
    Mark(r"<function=", ("qwen3_coder", "mimo", "step3p5", "step5")),
    Mark(r"<longcat_tool_call>", ("longcat",)),
    Mark(r"<\|tool_call_start\|>", ("lfm2",)),
    Mark(r"<function_calls>", ("olmo3",)),
    Mark(r"<\|plugin\|>|<\|action_start\|>", ("internlm",)),
    Mark(r"<tool_calls>", ("hunyuan_a13b",), "hunyuan"),
    Mark(r"<tool_calls>", ("jamba",)),
    Mark(r"<\|tools_prefix\|>", ("apertus",)),
    Mark(r"\[TOOL_CALLS\]|\[AVAILABLE_TOOLS\]", ("mistral",)),
    Mark(r"functools", ("phi4_mini_json",)),
    Mark(r"<\|tool_call\|>", ("granite",)),
    Mark(r"<function_call>", ("granite-20b-fc",)),
    Mark(r"<tool_call>", ("hermes", "granite4", "ernie45", "hy_v3", "hy_v4", "mimo", "step3p5", "step5")),
    Mark(r"<\|python_tag\|>|Environment: ipython", ("llama3_json", "llama4_json", "llama4_pythonic", "pythonic")),
    Mark(r"\[func_name1\(", ("pythonic", "llama4_pythonic")),
)

_DEEPSEEK = (_BEGIN, _END)
_XML = ("<tool_call>", "</tool_call>")

# vLLM looks for these after it has loaded the model: without them all the time until then is lost.
TOOL_TOKENS: Mapping[str, tuple[str, ...]] = {
    "deepseek_v3": _DEEPSEEK,
    "deepseek_v31": _DEEPSEEK,
    "jamba": ("<tool_calls>", "</tool_calls>"),
    "kimi_k2": ("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
    "minimax_m2": ("<minimax:tool_call>", "</minimax:tool_call>"),
    "qwen3_coder": _XML,
    "qwen3_xml": _XML,
    "seed_oss": ("<seed:tool_call>", "</seed:tool_call>"),
    "step3p5": _XML,
}

# These also read text that ends a thought. On a model that never writes the end, all text counts as thought.
THINK_TOKENS: Mapping[str, tuple[str, ...]] = {
    "deepseek_r1": ("<think>", "</think>"),
    "qwen3": ("<think>", "</think>"),
}

# Parsers that need no chat template, since vLLM renders the conversation itself.
RENDERED_BY_VLLM = ("openai",)
