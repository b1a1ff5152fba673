# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What logs of failed starts of vLLM say of the memory and of the host. The order counts: the first that fits wins."""

from __future__ import annotations

from ansible_collections.lab.llm_stack.plugins.module_utils._boot_failures_table import Row

# What vLLM says of the memory it found.
MEMORY = (
    Row(
        "memory-held",
        r"(?:Free|Available) memory on (?:device|node) .* on startup is less than desired",
        "Something else holds the memory that this engine was to take.",
        "Stop it: often an engine that outlived its server. Or lower gpu_memory_utilization.",
    ),
    Row(
        "memory-not-free",
        r"wait_memory\.py: after \d+ s .+ free, and .+ are wanted",
        "The memory that this engine was to take did not become free before its start.",
        "Stop what holds it, often an engine that outlived its server. Or let it take less: lower"
        " gpu_memory_utilization, on the CPU VLLM_CPU_KVCACHE_SPACE.",
    ),
    Row(
        "cpu-cache",
        r"on kv cache allocation is less than requested memory for kv",
        "The host has less free memory than the cache was to take.",
        "Lower VLLM_CPU_KVCACHE_SPACE.",
    ),
    Row(
        "weights-over-memory",
        r"No available memory for the cache blocks",
        "The weights leave no memory for any context.",
        "Declare a smaller or quantised model, or raise gpu_memory_utilization.",
    ),
    Row(
        "context-over-memory",
        r"(?:estimated maximum model length is |can be stored in KV cache \()(?P<limit>\d+)",
        "The context does not fit into the memory that the weights leave.",
        "Lower context to \\g<limit> or less, or set kv_cache_dtype: fp8.",
    ),
    Row(
        "cache-over-memory",
        r"To serve at least one request with the models?'s? max seq len",
        "Not even one request of the full context fits into the memory that the weights leave.",
        "Lower context, or set kv_cache_dtype: fp8.",
    ),
    Row(
        "memory-moved",
        r"Error in memory profiling",
        "Another process released memory while vLLM measured it.",
        "Start it again; wait for the memory, not for the port, when one engine follows another.",
    ),
    Row(
        "sampler-over-memory",
        r"out of memory occurred when warming up sampler",
        "The requests answered at a time do not fit into the card's memory.",
        "Set max_num_seqs: 64.",
    ),
    Row(
        "card-over-memory",
        r"CUDA out of memory|OutOfMemoryError",
        "The card's memory did not suffice.",
        "Lower context or gpu_memory_utilization, set enforce_eager: true, or declare a smaller model.",
    ),
)

# What the host lacks.
PLATFORM = (
    # Only a build for the CPU needs it; what is missing is warned of first, and what it holds is then not found.
    Row(
        "system-library",
        r"Failed to import from vllm\._C\w*: ImportError\('(?P<library>(?!libcu)[^:']+): cannot open",
        "The host lacks the library \\g<library>.",
        "Install its Debian package; libnuma.so.1 is in libnuma1.",
        then=r"has no attribute|EngineCore failed to start",
    ),
    Row(
        "driver",
        r"NVIDIA driver on your system is too old|unsupported toolchain|driver version is insufficient",
        "The NVIDIA driver is older than this build of vLLM needs.",
        "Upgrade the driver, or declare a build for an older CUDA.",
    ),
    # A healthy start on a CPU warns of the same libraries.
    Row(
        "cuda-library",
        r"(?:ImportError|OSError): .*(?:libcud\w+\.so[.\d]*: cannot open|undefined symbol)",
        "vLLM, torch and CUDA in the environment do not belong together.",
        "Build the environment again from one lock.",
    ),
    Row(
        "card-generation",
        r"no kernel image is available",
        "This build of vLLM has no code for this generation of cards.",
        "Declare a build for the card.",
    ),
    Row(
        "no-card",
        r"Failed to infer device type|No CUDA GPUs are available",
        "vLLM found no card.",
        "Show with nvidia-smi that this user reaches the card; load its driver or correct the user's groups.",
    ),
    Row(
        "compiler",
        r"Python\.h: No such file|Failed to find C compiler|No working C\+\+ compiler found"
        r"|nvcc.*(?:not found|No such file)|ninja.*build stopped",
        "vLLM compiles a part of itself at the start, and what it needs for that is not installed.",
        "Install the Debian packages g++ and python3-dev; for nvcc, CUDA, or set VLLM_USE_FLASHINFER_SAMPLER=0.",
    ),
    Row(
        "shared-memory",
        r"/dev/shm/nccl|creating shared memory|Insufficient space in /dev/shm",  # noqa: S108 - it is looked for
        "The shared memory through which the processes of the engine exchange data is too small or closed.",
        "Enlarge /dev/shm.",
    ),
    Row(
        "nccl",
        r"ncclSystemError|unhandled system error",
        "The cards cannot exchange data.",
        "Set NCCL_DEBUG=INFO and start again: its lines name the cause.",
    ),
    Row(
        "vllm-metadata",
        r"No package metadata was found for vllm",
        "The environment has a build of vLLM under another name, which vLLM itself does not find.",
        "Install the package named vllm.",
    ),
    Row(
        "engine-timeout",
        r"VLLM_ENGINE_READY_TIMEOUT_S",
        "The engine did not load the model in the time vLLM allows for it.",
        "Raise VLLM_ENGINE_READY_TIMEOUT_S; a slow disk needs more.",
    ),
)
