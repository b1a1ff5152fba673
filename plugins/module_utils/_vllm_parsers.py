# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The parsers that a vLLM registers: read from its sources, or known of its version."""

from __future__ import annotations

import ast
from dataclasses import dataclass

TOOL_REGISTRY = "_TOOL_PARSERS_TO_REGISTER"
"""The name of the mapping in vllm/tool_parsers/__init__.py."""

REASONING_REGISTRY = "_REASONING_PARSERS_TO_REGISTER"
"""The name of the mapping in vllm/reasoning/__init__.py."""


@dataclass(frozen=True)
class Registry:
    """The names that one vLLM knows."""

    version: str
    tool: frozenset[str]
    reasoning: frozenset[str]


def registered(source: str, variable: str) -> frozenset[str] | None:
    """Read the keys of a literal mapping from Python source, where importing vLLM takes 20 s; None without one."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        named = any(isinstance(target, ast.Name) and target.id == variable for target in targets)
        if named and isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Dict):
            return frozenset(
                k.value for k in node.value.keys if isinstance(k, ast.Constant) and isinstance(k.value, str)
            )
    return None


_TOOL = """
    apertus beam cohere_command3 cohere_command4 deepseek_v3 deepseek_v31 deepseek_v32 deepseek_v4 deepseek_v41 dots
    ernie45 functiongemma gemma4 gigachat3 glm45 glm47 granite granite-20b-fc granite4 hermes hf hunyuan_a13b hy_v3
    hy_v4 inkling internlm jamba k2_horizon kimi_k2 kimi_k3 lfm2 ling3 llama3_json llama4_json llama4_pythonic longcat
    mimo minicpm5 minimax_m2 minimax_m3 mistral muse muse_glimmer musespark1x olmo3 openai phi4_mini_json plamo3
    poolside_v1 pythonic qwen3_coder qwen3_json qwen3_xml seed_oss step3 step3p5 step5 xlam
"""
_REASONING = """
    beam cohere_command3 cohere_command4 deepseek_r1 deepseek_v3 deepseek_v4 deepseek_v41 ernie45 gemma4 glm45 glm47
    granite granite_thinking_parser hf holo2 hunyuan_a13b hy_v3 hy_v4 inkling k2_horizon kimi_k2 kimi_k3 ling3 mimo
    minicpmv minimax_m2 minimax_m2_append_think minimax_m3 mistral muse muse_glimmer musespark1x nemotron_v3
    olmo3 openai_gptoss plamo3 poolside_v1 qwen3 seed_oss step3 step3p5 step5
"""
_NEW_TOOL = frozenset({"beam", "muse", "musespark1x", "step5"})

VLLM_0_33 = Registry("0.33.0", frozenset(_TOOL.split()), frozenset(_REASONING.split()))
VLLM_0_32 = Registry("0.32.0", VLLM_0_33.tool - _NEW_TOOL, VLLM_0_33.reasoning)


def known(version: str) -> Registry | None:
    """What is known of a version whose sources are not at hand; None where nothing is."""
    return next((each for each in (VLLM_0_33, VLLM_0_32) if version.split("+", maxsplit=1)[0] == each.version), None)
