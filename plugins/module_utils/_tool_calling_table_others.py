# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The rest of the table of families: those of fewer models, each under its maker."""

from __future__ import annotations

from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_family import (
    DOCS,
    INFERRED,
    INSTEAD,
    NO_PARSER,
    RECIPES,
    SOURCES,
    UNTRAINED,
    Family,
    none,
    template_file,
    weak,
)

_IBM = (
    Family("Granite 3.0", r"granite-3\.0", "granite", None, DOCS, template=template_file("granite")),
    Family("Granite 3.1", r"granite-3\.1", "granite", None, DOCS),
    Family(
        "Granite 3.2 and 3.3",
        r"granite-3\.[23]",
        "granite",
        "granite",
        DOCS,
        caveat="It thinks when the request asks for it, and does not call tools while it does.",
    ),
    Family("Granite 4.2", r"granite-4\.2", "granite4", "granite_thinking_parser", DOCS),
    Family("Granite 4", r"granite-4", "granite4", None, DOCS),
    Family(
        "Granite 20B function calling",
        r"granite-20b-functioncalling",
        "granite-20b-fc",
        None,
        DOCS,
        template=template_file("granite_20b_fc"),
        ship=INSTEAD,
    ),
)

_MICROSOFT = (
    Family(
        "Phi-4-mini",
        r"phi-4-mini(?!.*reasoning)",
        "phi4_mini_json",
        None,
        SOURCES,
        template=template_file("phi4_mini"),
        ship=INSTEAD,
    ),
    none("Phi-4 that thinks", r"phi-4-.*reasoning", RECIPES, UNTRAINED, "deepseek_r1"),
    none("Phi-3, Phi-4", r"phi-[34]", RECIPES, UNTRAINED),
)

_ZAI = (
    Family("GLM-4.5, GLM-4.6", r"glm-4\.[56]", "glm45", "glm45", DOCS),
    Family("GLM-4.7, GLM-5", r"glm-4\.7|glm-5", "glm47", "glm47", DOCS),
    none("GLM-4-9B, ChatGLM", r"glm-4-9b|chatglm", SOURCES, NO_PARSER),
)

_MOONSHOT = (
    Family(
        "Kimi K2 that thinks",
        r"kimi-k2(?:\.[5-9]|.*thinking)",
        "kimi_k2",
        "kimi_k2",
        DOCS,
        caveat="It brings Python code of its own.",
    ),
    Family("Kimi K2", r"kimi-k2", "kimi_k2", None, DOCS, caveat="It brings Python code of its own."),
    Family("Kimi K3", r"kimi-k3", "kimi_k3", "kimi_k3", RECIPES),
    none("Kimi Linear", r"kimi-linear", RECIPES, NO_PARSER),
)

_OPENAI = (Family("gpt-oss", r"gpt-oss", "openai", None, DOCS, caveat="vLLM always reads its thinking itself."),)

_MINIMAX = (
    Family("MiniMax-M3", r"minimax-m3", "minimax_m3", "minimax_m3", RECIPES),
    Family("MiniMax-M2", r"minimax-m2", "minimax_m2", "minimax_m2", RECIPES),
    none("MiniMax-M1", r"minimax-(?:m1|text)", SOURCES, "vLLM no longer has a parser for its calls."),
)

_GOOGLE = (
    Family(
        "FunctionGemma",
        r"functiongemma",
        "functiongemma",
        None,
        DOCS,
        caveat="It is meant to be tuned for the tools of one application.",
        template=template_file("functiongemma"),
    ),
    Family("Gemma 4", r"gemma-4|diffusiongemma", "gemma4", "gemma4", "recipes of vLLM 0.33, vllm#39279"),
    weak(
        "Gemma 3",
        r"gemma-3-",
        "pythonic",
        SOURCES,
        "It has no form of its own for calls, and its template wants user and assistant in turn.",
        template_file("gemma3_pythonic"),
        INSTEAD,
    ),
    none("Gemma 1 and 2", r"gemma-(?:1\.1|2|2b|7b)(?:-|$)", SOURCES, "Its template refuses even a system message."),
)

_SHANGHAI = (
    Family("InternLM 2.5", r"internlm2[.-]5", "internlm", None, DOCS, template=template_file("internlm2_tool")),
    weak(
        "InternLM 2",
        r"internlm2",
        "internlm",
        DOCS,
        "Its calls are unstable; those of InternLM 2.5 are not.",
        template_file("internlm2_tool"),
    ),
    none("InternLM 1 and 3", r"internlm3|internlm-", SOURCES, NO_PARSER),
    Family("Intern-S1", r"intern-s1", "internlm", "deepseek_r1", RECIPES),
    Family("Intern-S2", r"intern-s2", "qwen3_coder", "qwen3", RECIPES),
)

_ALLEN = (
    Family("OLMo 3 that thinks", r"olmo-?3.*think", "olmo3", "olmo3", DOCS),
    Family("OLMo 3", r"olmo-?3", "olmo3", None, DOCS),
    none("OLMo 1 and 2, OLMoE", r"olmo", SOURCES, UNTRAINED),
)

_TENCENT = (
    Family("Hunyuan A13B", r"hunyuan-a13b", "hunyuan_a13b", "hunyuan_a13b", DOCS),
    Family("Hunyuan 3", r"(?:^|-)hy-?3", "hy_v3", "hy_v3", RECIPES),
    Family("Hunyuan 4", r"(?:^|-)hy-?4", "hy_v4", "hy_v4", RECIPES),
)

_NEEDS_MELODY = "It needs the Python package cohere_melody beside vLLM."
_COHERE = (
    Family(
        "Command A that thinks",
        r"command-a-reasoning",
        "cohere_command3",
        "cohere_command3",
        DOCS,
        caveat=_NEEDS_MELODY,
    ),
    Family(
        "Command A+, North Mini Code",
        r"command-a-plus|north-mini-code",
        "cohere_command4",
        "cohere_command4",
        DOCS,
        caveat=_NEEDS_MELODY,
    ),
)

_STEPFUN = (
    Family("Step 3.5 and 3.7", r"step-3\.[57]", "step3p5", "step3p5", RECIPES),
    Family("Step 5", r"step-5", "step5", "step5", RECIPES),
    Family("Step 3", r"step-?3", "step3", "step3", DOCS),
)

_MORE = (
    Family("Jamba 1.5 and later", r"jamba.*1\.[5-9]", "jamba", None, DOCS),
    Family(
        "SmolLM3",
        r"smollm3",
        "hermes",
        "qwen3",
        INFERRED,
        caveat="vLLM does not list it; compare the answers of /tokenize with and without tools.",
    ),
    none("SmolLM 1 and 2", r"smollm", INFERRED, UNTRAINED),
    Family("LFM2 that thinks", r"lfm2.*(?:thinking|8b-a1b)", "lfm2", "qwen3", RECIPES),
    Family("LFM2", r"lfm2", "lfm2", None, RECIPES),
    Family("Seed-OSS", r"seed-oss", "seed_oss", "seed_oss", RECIPES),
    Family("ERNIE 4.5 that thinks", r"ernie-4\.5.*thinking", "ernie45", "ernie45", DOCS),
    Family("LongCat", r"longcat", "longcat", None, DOCS),
    Family("Apertus", r"apertus", "apertus", None, DOCS, template=template_file("apertus")),
    Family("GigaChat 3", r"gigachat3", "gigachat3", None, DOCS),
    Family("MiMo-V2-Flash", r"mimo-v2-flash", "mimo", "qwen3", RECIPES),
    Family("MiMo-V2", r"mimo-v2", "mimo", "mimo", RECIPES),
    Family("Mellum 2 that thinks", r"mellum-?2.*thinking", "hermes", "qwen3", RECIPES),
    Family("Mellum 2", r"mellum-?2", "hermes", None, RECIPES),
)

OTHERS = (
    *_IBM,
    *_MICROSOFT,
    *_ZAI,
    *_MOONSHOT,
    *_OPENAI,
    *_MINIMAX,
    *_GOOGLE,
    *_SHANGHAI,
    *_ALLEN,
    *_TENCENT,
    *_COHERE,
    *_STEPFUN,
    *_MORE,
)
