# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What vLLM can be told: our typed options, which have vLLM's own names, and what is derived from something else."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field

FIRST_PORT = 8001

PINNED = "(pinned)"
"""Under this key of a model's options its entry of llm_stack_model_lock stands; nobody can write it."""

_TOKENS = "a number of tokens"
_DTYPES = ("auto", "half", "float16", "bfloat16", "float", "float32")
# The values that vLLM 0.32.0 takes; it ends with any other before it loads the model.
_CACHE_TYPES = """
    auto bfloat16 float16 fp8 fp8_ds_mla fp8_e4m3 fp8_e5m2 fp8_inc fp8_per_token_head int4_per_token_head
    int8_per_token_head nvfp4 nvfp4_4over6 nvfp4_ds_mla turboquant_3bit_nc turboquant_4bit_nc turboquant_k3v4_nc
    turboquant_k8v4 ultraquant_4bit
"""
_QUANTISATIONS = """
    auto_awq auto_gptq awq awq_marlin compressed-tensors deepseek_v4_fp8 experts_int8 fbgemm_fp8 fp8 fp8_per_block
    fp8_per_channel fp8_per_tensor fp_quant gpt_oss_mxfp4 gptq gptq_marlin humming inc int8_per_channel_weight_only
    modelopt modelopt_fp4 modelopt_mixed modelopt_mxfp8 moe_wna16 mxfp4 mxfp8 nvfp4_per_token online quark torchao
"""
_LOADERS = """
    auto dummy fastsafetensors hf instanttensor ipc_cache mistral modelexpress npcache pt runai_streamer
    runai_streamer_sharded safetensors sharded_state tensorizer
"""
_TOKENIZERS = "auto cohere deepseek_v32 deepseek_v4 hf inkling kimi_k3 mistral"


def _one_of(names: str, what: str) -> Field:
    return Field(choices=tuple(names.split()), what=what)


OPTIONS: Mapping[str, Field] = {
    "config_format": Field(choices=("auto", "hf", "mistral"), what="a format of the configuration"),
    "cpu_offload_gb": Field("number", "a number of GiB", low=0, high=4096),
    "default_chat_template_kwargs": Field(
        "map", hint="Write the template's variables, such as enable_thinking: false."
    ),
    "dtype": Field(choices=_DTYPES, what="a type of numbers"),
    "enable_chunked_prefill": Field("bool"),
    "enable_prefix_caching": Field("bool"),
    "enforce_eager": Field("bool"),
    # vLLM takes this share of the card's whole memory; what others hold of it makes the start fail.
    "gpu_memory_utilization": Field("number", "a share of the card's memory", low=0.05, high=1),
    "hf_overrides": Field("map"),
    "kv_cache_dtype": _one_of(_CACHE_TYPES, "a type of the cache"),
    "kv_cache_memory_bytes": Field("int", "a number of bytes", low=1 << 20, high=1 << 50),
    "language_model_only": Field("bool"),
    "limit_mm_per_prompt": Field("map", hint="Write how many of each kind, such as image: 0."),
    "load_format": _one_of(_LOADERS, "a way to load weights"),
    "max_num_batched_tokens": Field("int", _TOKENS, low=16, high=16777216),
    "max_num_seqs": Field("int", "a number of requests", low=1, high=65536),
    "override_generation_config": Field("map"),
    "pipeline_parallel_size": Field("int", "a number of cards", low=1, high=64),
    "quantization": _one_of(_QUANTISATIONS, "a quantisation that vLLM knows"),
    "seed": Field("int", low=0, high=(1 << 63) - 1),
    "tensor_parallel_size": Field("int", "a number of cards", low=1, high=64),
    "tokenizer_mode": _one_of(_TOKENIZERS, "a tokenizer mode"),
    # The least that a tool call keeps to: the form of a call, or the schema of its arguments too.
    "tool_strict_level": _one_of("auto function parameter", "a strictness of tool calls"),
    "trust_remote_code": Field("bool"),
}

_PATH_HINT = "Write the absolute path of a file on the host."
_PARSER_HINT = "Write a name that vLLM has for it, or none."

FIELD = Field(
    "section",
    fields={
        **OPTIONS,
        "port": Field("int", "a port", low=1024, high=65535),
        "revision": Field("text", "a commit", "Write the 40 digits of a commit of the repository, in quotes."),
        "slot": Field("name"),
        "tool_call_parser": Field("text", hint=_PARSER_HINT),
        "reasoning_parser": Field("text", hint=_PARSER_HINT),
        "chat_template": Field("text", hint=_PATH_HINT),
        "tool_parser_plugin": Field("text", hint=_PATH_HINT),
        "accept_tools": Field(choices=("degraded", "none"), what="a verdict on tools"),
        "accept": Field("list", item=Field("text"), hint="Write a list of findings of the preflight."),
        "extra": Field("map", item=Field(), hint="Write flag: value below it, the flag without its dashes."),
        "env": Field("map", item=Field(), hint="Write VLLM_NAME: value below it."),
    },
)

NOBODY = "nobody: "
"""Begins the reason why something cannot be set at all."""

# Flags that follow from something else in the declaration, and where to write that.
DERIVED: Mapping[str, str] = {
    "api_key": "llm_stack_instance_key",
    "allowed_origins": f"{NOBODY}no page of a browser may read the answers",
    "chat_template": "vllm.chat_template",
    "config": "the declaration, which makes that file",
    "data_parallel_size": f"{NOBODY}name several hosts, and the gateway spreads the requests",
    "download_dir": "source",
    "enable_auto_tool_choice": "tools",
    "enable_log_outputs": f"{NOBODY}it would write what models answer into the journal",
    "enable_log_requests": f"{NOBODY}it would write what people ask into the journal",
    "enable_scale_out": f"{NOBODY}an instance is one server",
    "enable_ssl_refresh": f"{NOBODY}the gateway asks by http",
    "grpc": f"{NOBODY}the gateway asks by http",
    "grpc_port": f"{NOBODY}the gateway asks by http",
    "headless": f"{NOBODY}an instance is one server",
    "help": f"{NOBODY}it starts no server",
    "hf_token": "vllm_hub_token",
    "host": "hosts and llm_stack_address",
    "max_model_len": "context",
    "model": "source",
    "model_tag": "source",
    "master_addr": f"{NOBODY}an instance is one server",
    "nnodes": f"{NOBODY}an instance is one server",
    "node_rank": f"{NOBODY}an instance is one server",
    "port": "vllm.port",
    "reasoning_parser": "vllm.reasoning_parser",
    "revision": "vllm.revision",
    "root_path": f"{NOBODY}the gateway asks at the root",
    "served_model_name": "the name of the model",
    "shutdown_timeout": "vllm_drain_timeout",
    "ssl_ca_certs": f"{NOBODY}the gateway asks by http",
    "ssl_cert_reqs": f"{NOBODY}the gateway asks by http",
    "ssl_certfile": f"{NOBODY}the gateway asks by http",
    "ssl_ciphers": f"{NOBODY}the gateway asks by http",
    "ssl_keyfile": f"{NOBODY}the gateway asks by http",
    "tokenizer_revision": "vllm.revision",
    "code_revision": "vllm.revision",
    "tool_call_parser": "vllm.tool_call_parser",
    "tool_parser_plugin": "vllm.tool_parser_plugin",
    "uds": "vllm.port",
}

# Variables that the role sets for every instance, or that would undo what it promises, and where to write it instead.
DERIVED_VARIABLES: Mapping[str, str] = {
    "DO_NOT_TRACK": f"{NOBODY}what is used here is told to nobody",
    "HF_HOME": "vllm_account",
    "HF_HUB_CACHE": "vllm_account",
    "HF_HUB_OFFLINE": f"{NOBODY}the model is fetched before the start",
    "LLM_STACK_DIGEST": "what the process reads at start",
    "MAINPID": "systemd",
    "VLLM_CACHE_ROOT": "vllm_account",
    "VLLM_CONFIG_ROOT": "vllm_account",
    "VLLM_DO_NOT_TRACK": f"{NOBODY}what is used here is told to nobody",
    "VLLM_ENGINE_READY_TIMEOUT_S": "vllm_ready_timeout",
    "VLLM_KEEP_ALIVE_ON_ENGINE_DEATH": f"{NOBODY}systemd restarts a server whose engine died",
    "VLLM_LOGGING_COLOR": f"{NOBODY}the journal has no colours",
    "VLLM_NO_USAGE_STATS": f"{NOBODY}what is used here is told to nobody",
    "VLLM_PORT": "vllm.port",
    "VLLM_SERVER_DEV_MODE": f"{NOBODY}it opens calls that run any method of the engine",
    "VLLM_USE_MODELSCOPE": "source",
}
SECRET_VARIABLES = ("VLLM_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_TOKEN")

# What may be set for a process of vLLM: its own variables, and those of the libraries below it.
PREFIXES = (
    "VLLM_",
    "CUDA_",
    "FLASHINFER_",
    "GLOO_",
    "HIP_",
    "HSA_",
    "KMP_",
    "MIOPEN_",
    "NCCL_",
    "NVIDIA_",
    "OMP_",
    "PYTORCH_",
    "RCCL_",
    "ROCR_",
    "TOKENIZERS_",
    "TORCH_",
    "TORCHINDUCTOR_",
    "TRITON_",
)
