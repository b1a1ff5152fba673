# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The table of families: a name that people use, and what vLLM needs for it when its files are not at hand."""

from __future__ import annotations

import re

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling import choose, family_of
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_family import DEGRADED, NATIVE, NONE
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_marks import MARKS, THINK_TOKENS, TOOL_TOKENS
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_table import FAMILIES
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_types import Setting
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_parsers import VLLM_0_33

# Name, tool parser, reasoning parser. A parser behind ~ is degraded, - is none.
NAMES = """
Qwen/Qwen2.5-Coder-7B-Instruct-AWQ                  ~hermes          -
Qwen/Qwen2.5-7B-Instruct                            hermes           -
Qwen/Qwen2.5-VL-7B-Instruct                         hermes           -
Qwen/QwQ-32B-AWQ                                    hermes           deepseek_r1
Qwen/Qwen3-Coder-30B-A3B-Instruct                   qwen3_coder      -
Qwen/Qwen3-Coder-Next                               qwen3_coder      -
Qwen/Qwen3.5-35B-A3B                                qwen3_coder      qwen3
Qwen/Qwen3-4B-Instruct-2507                         hermes           -
Qwen/Qwen3-Next-80B-A3B-Instruct                    hermes           -
Qwen/Qwen3-VL-8B-Instruct                           hermes           -
Qwen/Qwen3-8B-AWQ                                   hermes           qwen3
deepseek-ai/DeepSeek-R1-Distill-Qwen-7B             -                deepseek_r1
x/DeepSeek-R1-Distill-Qwen-7B-abliterated-v2        -                deepseek_r1
deepseek-ai/DeepSeek-R1-Distill-Llama-8B            -                deepseek_r1
deepseek-ai/DeepSeek-R1-0528-Qwen3-8B               -                deepseek_r1
deepseek-ai/DeepSeek-R1-0528                        deepseek_v3      deepseek_r1
deepseek-ai/DeepSeek-V3.1-Terminus                  deepseek_v31     deepseek_v3
deepseek-ai/DeepSeek-V3.2                           deepseek_v32     deepseek_v3
deepseek-ai/DeepSeek-V3-0324                        deepseek_v3      -
deepseek-ai/DeepSeek-V4.1                           deepseek_v41     deepseek_v41
deepseek-ai/DeepSeek-V4                             deepseek_v4      deepseek_v4
meta-llama/Llama-3.1-8B-Instruct                    llama3_json      -
meta-llama/Llama-3.3-70B-Instruct                   llama3_json      -
meta-llama/Llama-3.2-3B-Instruct                    ~llama3_json     -
meta-llama/Llama-3.2-11B-Vision-Instruct            llama3_json      -
meta-llama/Llama-4-Scout-17B-16E-Instruct           llama4_pythonic  -
meta-llama/Llama-2-7b-chat-hf                       -                -
codellama/CodeLlama-7b-Instruct-hf                  -                -
lmsys/vicuna-7b-v1.5                                -                -
mistralai/Mistral-7B-Instruct-v0.3                  mistral          -
mistralai/Mistral-Nemo-Instruct-2407                mistral          -
mistralai/Devstral-Small-2507                       mistral          -
mistralai/Magistral-Small-2509                      mistral          mistral
mistralai/Mistral-Small-4-119B                      mistral          mistral
mistralai/Mistral-7B-Instruct-v0.2                  -                -
TheBloke/Mixtral-8x7B-Instruct-v0.1-AWQ             -                -
HuggingFaceH4/zephyr-7b-beta                        -                -
teknium/OpenHermes-2.5-Mistral-7B                   -                -
solidrust/dolphin-2.8-mistral-7b-v02-AWQ            -                -
NousResearch/Hermes-2-Pro-Llama-3-8B                hermes           -
NousResearch/Hermes-2-Theta-Llama-3-8B              ~hermes          -
NousResearch/Hermes-3-Llama-3.1-8B                  hermes           -
NousResearch/Hermes-4-14B                           hermes           -
ibm-granite/granite-3.0-8b-instruct                 granite          -
ibm-granite/granite-3.1-8b-instruct                 granite          -
ibm-granite/granite-3.3-8b-instruct                 granite          granite
ibm-granite/granite-4.0-h-tiny                      granite4         -
ibm-granite/granite-4.2-small                       granite4         granite_thinking_parser
ibm-granite/granite-20b-functioncalling             granite-20b-fc   -
microsoft/Phi-4-mini-instruct                       phi4_mini_json   -
microsoft/Phi-4-mini-reasoning                      -                deepseek_r1
microsoft/Phi-4-reasoning-plus                      -                deepseek_r1
microsoft/phi-4                                     -                -
microsoft/Phi-3.5-mini-instruct                     -                -
zai-org/GLM-4.5-Air-FP8                             glm45            glm45
zai-org/GLM-4.6V                                    glm45            glm45
zai-org/GLM-4.7                                     glm47            glm47
zai-org/GLM-5                                       glm47            glm47
zai-org/glm-4-9b-chat                               -                -
moonshotai/Kimi-K2-Instruct                         kimi_k2          -
moonshotai/Kimi-K2-Thinking                         kimi_k2          kimi_k2
moonshotai/Kimi-K2.5                                kimi_k2          kimi_k2
moonshotai/Kimi-K3                                  kimi_k3          kimi_k3
moonshotai/Kimi-Linear-48B-A3B-Instruct             -                -
openai/gpt-oss-20b                                  openai           -
MiniMaxAI/MiniMax-M2                                minimax_m2       minimax_m2
MiniMaxAI/MiniMax-M3                                minimax_m3       minimax_m3
MiniMaxAI/MiniMax-M1-80k                            -                -
google/gemma-4-27b-it                               gemma4           gemma4
google/gemma-3-4b-it                                ~pythonic        -
google/functiongemma-270m-it                        functiongemma    -
google/gemma-2-9b-it                                -                -
google/gemma-7b-it                                  -                -
ai21labs/AI21-Jamba-1.5-Mini                        jamba            -
Salesforce/Llama-xLAM-2-8b-fc-r                     xlam             -
Salesforce/xLAM-2-3b-fc-r                           xlam             -
internlm/internlm2_5-7b-chat                        internlm         -
internlm/internlm2-chat-7b                          ~internlm        -
internlm/internlm3-8b-instruct                      -                -
internlm/Intern-S1                                  internlm         deepseek_r1
internlm/Intern-S2                                  qwen3_coder      qwen3
allenai/Olmo-3-7B-Instruct                          olmo3            -
allenai/Olmo-3-32B-Think                            olmo3            olmo3
allenai/OLMo-2-1124-7B-Instruct                     -                -
allenai/OLMoE-1B-7B-0924-Instruct                   -                -
HuggingFaceTB/SmolLM3-3B                            hermes           qwen3
HuggingFaceTB/SmolLM2-1.7B-Instruct                 -                -
LiquidAI/LFM2-1.2B                                  lfm2             -
LiquidAI/LFM2-8B-A1B                                lfm2             qwen3
nvidia/Nemotron-3-Nano-30B-A3B                      qwen3_coder      nemotron_v3
nvidia/NVIDIA-Nemotron-Nano-9B-v2                   -                -
ByteDance-Seed/Seed-OSS-36B-Instruct                seed_oss         seed_oss
tencent/Hunyuan-A13B-Instruct                       hunyuan_a13b     hunyuan_a13b
tencent/Hy3                                         hy_v3            hy_v3
tencent/Hy4                                         hy_v4            hy_v4
CohereLabs/command-a-reasoning-08-2025              cohere_command3  cohere_command3
CohereLabs/command-a-plus                           cohere_command4  cohere_command4
baidu/ERNIE-4.5-21B-A3B-Thinking                    ernie45          ernie45
stepfun-ai/Step-3.5-Flash                           step3p5          step3p5
stepfun-ai/Step-5                                   step5            step5
stepfun-ai/step3                                    step3            step3
meituan-longcat/LongCat-Flash-Chat                  longcat          -
swiss-ai/Apertus-8B-Instruct-2509                   apertus          -
ai-sage/GigaChat3-10B-A1.8B                         gigachat3        -
XiaomiMiMo/MiMo-V2-Flash                            mimo             qwen3
XiaomiMiMo/MiMo-V2-Pro                              mimo             mimo
Team-ACE/ToolACE-2-Llama-3.1-8B                     pythonic         -
JetBrains/Mellum2-8B                                hermes           -
JetBrains/Mellum2-8B-Thinking                       hermes           qwen3
Qwen/Qwen3-Embedding-0.6B                           -                -
Qwen/Qwen3-Reranker-4B                              -                -
deepseek-ai/DeepSeek-OCR                            -                -
openai/whisper-large-v3                             -                -
unheard/of-7B                                       -                -
"""
ROWS = [line.split() for line in NAMES.strip().splitlines()]


@pytest.mark.parametrize(("name", "tool", "reasoning"), [pytest.param(*row, id=row[0]) for row in ROWS])
def test_a_name_alone_tells(name: str, tool: str, reasoning: str) -> None:
    choice = choose(name, Setting(), VLLM_0_33)
    verdict = NONE if tool == "-" else DEGRADED if tool.startswith("~") else NATIVE
    told = (choice.verdict, choice.tool_parser or "-", choice.reasoning_parser or "-")
    assert told == (verdict, tool.removeprefix("~"), reasoning)


def test_every_family_is_shown_by_a_name() -> None:
    shown = {family.name for row in ROWS if (family := family_of(row[0]))}
    assert [family.name for family in FAMILIES if family.name not in shown] == []


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("/srv/models/Qwen2.5-Coder-7B-Instruct-AWQ/", id="a folder"),
        pytest.param("~/models/qwen2.5_coder_7b", id="underscores and small letters"),
        pytest.param(
            "/home/llm/.cache/huggingface/hub/models--Qwen--Qwen2.5-Coder-7B-Instruct/snapshots/c03e6d358207e414",
            id="a snapshot in the cache of the hub, whose last part is a commit",
        ),
        pytest.param("someone/Qwen2.5-Coder-7B-abliterated-GPTQ-Int4", id="a tune, quantised by someone"),
        pytest.param(r"C:\models\Qwen2.5-Coder-7B", id="a folder written with backslashes"),
    ],
)
def test_a_family_is_known_however_its_name_is_written(name: str) -> None:
    family = family_of(name)
    assert family is not None
    assert family.name == "Qwen2.5-Coder"


def test_the_owner_of_a_repository_names_no_family() -> None:
    assert family_of("qwen3-lovers/unheard-of") is None
    assert family_of("") is None


# The rows themselves


def test_each_row_has_a_source() -> None:
    assert [family.name for family in FAMILIES if not family.source] == []
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    assert len(FAMILIES) > 61


def test_verdict_and_parser_agree() -> None:
    assert [each.name for each in FAMILIES if (each.parser is None) != (each.verdict == NONE)] == []


def test_a_row_that_is_not_native_says_why() -> None:
    assert [each.name for each in FAMILIES if each.verdict != NATIVE and not each.caveat] == []
    assert [each.name for each in FAMILIES if each.caveat and not each.caveat.endswith(".")] == []


def test_vllm_registers_every_parser_that_is_named() -> None:
    named = {each.parser for each in FAMILIES} | {name for mark in MARKS for name in mark.parsers} | {*TOOL_TOKENS}
    assert named - {None} - VLLM_0_33.tool == set()
    assert ({each.reasoning for each in FAMILIES} | {*THINK_TOKENS}) - {None} - VLLM_0_33.reasoning == set()


def test_a_pattern_is_written_as_names_are_compared() -> None:
    def plain(pattern: str) -> str:
        return re.sub(r"\\.|\(\?[:!]", "", pattern)

    assert [
        each.name
        for each in FAMILIES
        if "_" in plain(each.pattern) or plain(each.pattern).lower() != plain(each.pattern)
    ] == []
