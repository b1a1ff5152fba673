# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What logs of failed starts of vLLM say. The order counts: the first row that fits wins.

The texts were provoked on vLLM 0.32.0, read in the sources of 0.33.0, or reported to the project. That the engine core
failed ("Engine core initialization failed") is no row: it follows from every failure and names none.
"""

from __future__ import annotations

from ansible_collections.lab.llm_stack.plugins.module_utils._boot_failures_table import Row

# What vLLM says of its own settings, and of the files of the model.
_SETTINGS = (
    # A stop looks like a crash of the engine that was starting.
    Row(
        "stopped-while-starting",
        r"trigger received signal=SIG(?:TERM|INT)",
        "It was stopped before it was ready; it did not crash.",
        "Allow more time for the start, or wait until it is ready before stopping it.",
        then=r"EngineCore failed to start",
    ),
    Row(
        "unknown-setting",
        r"vllm(?: serve)?: error: (?:unrecognized arguments: |argument )(?P<setting>[^\s:]+)",
        "This vLLM does not know the setting \\g<setting>, or refuses its value.",
        "Correct the setting, or declare the version of vLLM that has it.",
    ),
    Row(
        "settings-file",
        r"Unable to read the config file|must be of a yaml",
        "vLLM cannot read the file of its settings.",
        "Run deploy again, which writes it; its name has to end in .yaml.",
    ),
    Row(
        "auto-tools-without-parser",
        r"--enable-auto-tool-choice requires --tool-call-parser",
        "Tool calling was enabled without a tool parser.",
        "Name a tool_call_parser, or set tools: false.",
    ),
    Row(
        "unknown-tool-parser",
        r"invalid tool call parser: (?P<parser>\S+)",
        "This vLLM has no tool parser \\g<parser>.",
        "Name one of those that the line lists, or declare the version of vLLM that has it.",
    ),
    Row(
        "unknown-reasoning-parser",
        r"Reasoning parser '(?P<parser>\S+)' not found",
        "This vLLM has no reasoning parser \\g<parser>.",
        "Name one of those that the line lists, or declare the version of vLLM that has it.",
    ),
    Row(
        "reasoning-tokens",
        r"could not locate think start/end tokens",
        "The reasoning parser needs tokens that this model's tokenizer lacks.",
        "Remove reasoning_parser: the model was not trained to think in this form.",
    ),
    Row(
        "parser-tokens",
        r"cannot be used with the tokenizer|could not locate tool calls? start/end tokens",
        "The tool parser needs tokens that this model's tokenizer lacks.",
        "Name another tool_call_parser, or set tools: false. Distilled and tuned models often keep only the name.",
    ),
    Row(
        "repository",
        r"GatedRepoError|RepositoryNotFoundError|40[13] Client Error",
        "The model's repository does not exist, or is closed to this account.",
        "Correct the model's source, or give the token of an account that has accepted its terms.",
    ),
    Row(
        "model-not-fetched",
        r"LocalEntryNotFoundError|Cannot find an appropriate cached snapshot",
        "The model is not on the host, and vLLM may not fetch it.",
        "Fetch the model before the start.",
    ),
    Row(
        "model-folder",
        r"HFValidationError: Repo id must be",
        "The model's folder does not exist on the host.",
        "Correct the model's source, or fetch the model.",
    ),
    Row(
        "architecture-removed",
        r"was supported in vLLM until v(?P<version>\d[\w.]*\w)",
        "This vLLM no longer has the model's architecture.",
        "Declare vLLM \\g<version>, or another model.",
    ),
    Row(
        "architecture-plugin",
        r"is not supported in-tree anymore",
        "This vLLM has the model's architecture in a plugin only.",
        "Install the plugin that the line names, or declare another model.",
    ),
    Row(
        "architecture",
        r"Model architectures \[.*\] (?:are not supported|failed to be inspected)|does not recognize this architecture",
        "This vLLM cannot load the model's architecture.",
        "Declare a newer vLLM or another model; where the architecture is a common one, the environment is broken.",
    ),
    Row(
        "remote-code",
        r"trust_remote_code=True",
        "The model brings Python code of its own, and vLLM may not run it.",
        "Read that code, then set trust_remote_code: true; or declare another model.",
    ),
    Row(
        "context-over-model",
        r"User-specified max_model_len \((?P<asked>\d+)\)",
        "The context of \\g<asked> is longer than the model was made for.",
        "Lower context to the derived max_model_len that the line names.",
    ),
    Row(
        "tensor-parallel",
        r"must be divisible by tensor parallel size",
        "The model's attention heads cannot be divided by the number of cards.",
        "Choose a tensor_parallel_size that divides the number of heads in the line.",
    ),
    Row(
        "quantization-file",
        r"Cannot find the config file for|Unknown quantization method",
        "The model is not quantised the way the setting says.",
        "Remove quantization: vLLM reads it from the model's own files.",
    ),
    Row(
        "quantization-card",
        r"is not supported for the current GPU|Quantization scheme is not supported"
        r"|Failed to find a kernel that can implement",
        "This card cannot compute with the model's quantisation.",
        "Declare the model in another form, such as GPTQ or without quantisation.",
    ),
    Row(
        "bfloat16",
        r"Bfloat16 is only supported on GPUs",
        "This card cannot compute in bfloat16.",
        "Set dtype: half.",
    ),
    Row(
        "quantization-dtype",
        r"is not supported for quantization method (?P<method>\S+?)\.? Supported dtypes: (?P<types>\[.*?\])",
        "The quantisation \\g<method> needs another dtype.",
        "Set dtype to one of \\g<types>; half is torch.float16.",
    ),
    Row(
        "tokenizer",
        r"Can't load tokenizer|Couldn't instantiate the backend tokenizer|Tokenizer class \S+ does not exist",
        "The model's tokenizer is missing or incomplete.",
        "Fetch the model again, or name the tokenizer of the model it was made from.",
    ),
    Row(
        "weights-missing",
        r"Cannot find any model weights",
        "The model's folder has no weights.",
        "Fetch the model again.",
    ),
    Row(
        "weights-cut",
        r"SafetensorError|not fully covered",
        "A file of the model's weights is cut off or damaged.",
        "Delete that file and fetch the model again.",
    ),
)

# What vLLM says of the memory it found.
_MEMORY = (
    Row(
        "memory-held",
        r"(?:Free|Available) memory on (?:device|node) .* on startup is less than desired",
        "Something else holds the memory that this engine was to take.",
        "Stop it: often an engine that outlived its server. Or lower gpu_memory_utilization.",
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
_PLATFORM = (
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
        r"Python\.h: No such file|Failed to find C compiler|nvcc.*(?:not found|No such file)|ninja.*build stopped",
        "vLLM compiles a part of itself at the start, and what it needs for that is not installed.",
        "Install the Debian packages gcc and python3-dev; for nvcc, CUDA, or set VLLM_USE_FLASHINFER_SAMPLER=0.",
    ),
    Row(
        "shared-memory",
        r"/dev/shm/nccl|creating shared memory",  # noqa: S108 - it is looked for, not written to
        "The shared memory through which the cards exchange data is too small or closed.",
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

VLLM = (*_SETTINGS, *_MEMORY, *_PLATFORM)
