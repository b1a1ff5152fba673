# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Families of models, by name: which parsers of vLLM read their tool calls and their thinking.

The order counts: the first pattern found in the name wins, so tunes and distillations stand before what they are made
of. A pattern is searched in the last part of the repository's name, in lower case and with dashes for underscores.
Names lie, so a row is used only where the model's own files do not decide; see docs/tool-calling.md.
"""

from __future__ import annotations

from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_family import (
    DOCS,
    INFERRED,
    INSTEAD,
    LACKING,
    NONE,
    RECIPES,
    SOURCES,
    UNTRAINED,
    Family,
    none,
    template_file,
    weak,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_table_others import OTHERS

_MISTRAL = "Its files in Mistral's own format are read better than those in Hugging Face's."

# Not for chat, tuned, or distilled: their names contain those of families below.
_DERIVED = (
    Family(
        "Models for other work than chat",
        r"embed|rerank|reward|whisper|colbert|(?:^|-)(?:bge|e5|gte)-|(?:^|[-.])(?:ocr|asr)",
        None,
        None,
        SOURCES,
        NONE,
        "It embeds, ranks or transcribes; it does not chat.",
        binds=True,
    ),
    weak(
        "Qwen2.5-Coder",
        r"qwen2\.5-coder",
        "hermes",
        "vllm#32926, vllm#29192, vllm#10952",
        "It writes its calls as JSON into the text, so tool_calls stays empty.",
    ),
    none(
        "Distillations of DeepSeek-R1",
        r"r1-distill|deepseek-r1-0528-qwen3",
        "documentation of vLLM 0.33, vllm#19001, vllm#28219",
        "Its template renders no tools and its tokenizer has none of their tokens.",
        "deepseek_r1",
    ),
    Family(
        "Dolphin 2",
        r"dolphin-?2",
        None,
        None,
        "files of dolphin-2.8-mistral-7b-v02",
        NONE,
        "It has a ChatML template without tools, or none, and no tokens for them.",
        "template_chatml.jinja",
    ),
    none("OpenHermes, Zephyr", r"openhermes|zephyr", "vllm#6862", UNTRAINED),
    weak("Hermes 2 Theta", r"hermes-2-theta", "hermes", DOCS, "It calls tools worse than its parts: it is a merge."),
    Family(
        "Hermes 2 Pro, Hermes 3",
        r"hermes-2-pro|hermes-3",
        "hermes",
        None,
        DOCS,
        template=template_file("hermes"),
        ship=LACKING,
    ),
    Family("Hermes 4", r"hermes-4", "hermes", None, INFERRED, template=template_file("hermes"), ship=LACKING),
    Family("ToolACE", r"toolace", "pythonic", None, DOCS, template=template_file("toolace"), ship=INSTEAD),
    Family(
        "xLAM on Llama",
        r"xlam-2-.*llama|llama-xlam",
        "xlam",
        None,
        DOCS,
        template=template_file("xlam_llama"),
        ship=INSTEAD,
    ),
    Family(
        "xLAM on Qwen",
        r"xlam-.*[13]b-fc|qwen-xlam",
        "xlam",
        None,
        DOCS,
        template=template_file("xlam_qwen"),
        ship=INSTEAD,
    ),
    Family("Nemotron 3", r"nemotron-3|nemotron.*nano-30b", "qwen3_coder", "nemotron_v3", RECIPES),
    none("Nemotron Nano 2", r"nemotron-nano.*v2", RECIPES, "Its parser is a plugin in the model's own repository."),
)

_QWEN = (
    Family("QwQ", r"qwq", "hermes", "deepseek_r1", DOCS),
    Family("Qwen3.5 and later", r"qwen3\.[5-9]", "qwen3_coder", "qwen3", RECIPES),
    Family(
        "Qwen3-Coder",
        r"qwen3-coder",
        "qwen3_coder",
        None,
        "documentation of vLLM 0.33, vllm#21544",
        template=template_file("qwen3coder"),
        ship=LACKING,
        never_thinks=True,
    ),
    Family(
        "Qwen3 that does not think",
        r"qwen3-.*instruct-2507|qwen3-next.*instruct|qwen3-vl.*instruct",
        "hermes",
        None,
        RECIPES,
        never_thinks=True,
    ),
    Family("Qwen3", r"qwen3", "hermes", "qwen3", RECIPES),
    Family("Qwen2.5-VL", r"qwen2\.5-vl", "hermes", None, DOCS, caveat="vLLM does not test tools with it."),
    Family("Qwen2.5", r"qwen2\.5", "hermes", None, DOCS),
)

_DEEPSEEK = (
    Family("DeepSeek-V4.1", r"deepseek-v4\.1", "deepseek_v41", "deepseek_v41", RECIPES),
    Family("DeepSeek-V4", r"deepseek-v4", "deepseek_v4", "deepseek_v4", RECIPES),
    Family(
        "DeepSeek-V3.2",
        r"deepseek-v3\.2",
        "deepseek_v32",
        "deepseek_v3",
        "recipes of vLLM 0.33, vllm#29849",
        settings={"tokenizer_mode": "deepseek_v32"},
    ),
    Family(
        "DeepSeek-V3.1",
        r"deepseek-v3\.1",
        "deepseek_v31",
        "deepseek_v3",
        DOCS,
        caveat="It calls tools only while it does not think.",
        template=template_file("deepseekv31"),
        ship=INSTEAD,
    ),
    Family(
        "DeepSeek-V3", r"deepseek-v3", "deepseek_v3", None, DOCS, template=template_file("deepseekv3"), ship=INSTEAD
    ),
    Family(
        "DeepSeek-R1",
        r"deepseek-r1",
        "deepseek_v3",
        "deepseek_r1",
        DOCS,
        template=template_file("deepseekr1"),
        ship=INSTEAD,
    ),
)

_LLAMA = (
    weak(
        "Llama 3.2 1B and 3B",
        r"llama-3\.2-[13]b",
        "llama3_json",
        DOCS,
        "Models this small often fail to write a call in the right form.",
        template_file("llama3.2_json"),
    ),
    Family(
        "Llama 3.2",
        r"llama-3\.2",
        "llama3_json",
        None,
        DOCS,
        caveat="It makes one call at a time; numbers and lists may come as text.",
        template=template_file("llama3.2_json"),
    ),
    Family(
        "Llama 3.1 and 3.3",
        r"llama-3\.[13]",
        "llama3_json",
        None,
        DOCS,
        caveat="It makes one call at a time; numbers and lists may come as text.",
        template=template_file("llama3.1_json"),
    ),
    Family("Llama 4", r"llama-4", "llama4_pythonic", None, DOCS, template=template_file("llama4_pythonic")),
    none("Llama 2, Code Llama, Vicuna", r"llama-?2|codellama|vicuna", "vllm#17977", UNTRAINED),
)

_MISTRAL_FAMILY = (
    Family(
        "Mistral that thinks",
        r"magistral|ministral.*reasoning|mistral-small-4|mistral-medium-3\.5",
        "mistral",
        "mistral",
        RECIPES,
        caveat="With tokenizers of version 11 and later, tool_choice required or named does not force a call.",
        template=template_file("mistral_parallel"),
    ),
    Family(
        "Mistral",
        r"mistral-7b-instruct-v0\.3|mistral-nemo|mistral-small|mistral-large|mixtral.*v0\.3",
        "mistral",
        None,
        DOCS,
        caveat=_MISTRAL,
        template=template_file("mistral_parallel"),
    ),
    Family(
        "Devstral, Codestral",
        r"devstral|codestral-2",
        "mistral",
        None,
        INFERRED,
        caveat=_MISTRAL,
        template=template_file("mistral_parallel"),
    ),
    none(
        "Early Mistral and Mixtral",
        r"mistral-7b-(?:instruct-)?v0\.[12]|mixtral-8x7b-instruct-v0\.1",
        "vllm#6862",
        "Its template wants user and assistant in turn, and answers 400 to tools.",
    ),
)

FAMILIES = (*_DERIVED, *_QWEN, *_DEEPSEEK, *_LLAMA, *_MISTRAL_FAMILY, *OTHERS)
