# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What logs of failed starts of vLLM say: of its settings and the files of the model here, of memory and the host in
_boot_failures_table_vllm_host.py. The order counts: the first row that fits wins.

The texts were provoked on vLLM 0.32.0, read in the sources of 0.33.0, or reported to the project. That the engine core
failed ("Engine core initialization failed") is no row: it follows from every failure and names none.
"""

from __future__ import annotations

from ansible_collections.lab.llm_stack.plugins.module_utils._boot_failures_table import Row

SETTINGS = (
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
        # The program's name, which for python -m is that of the file.
        r"(?:vllm|main\.py)(?: serve)?: error: (?:unrecognized arguments: |argument )(?P<setting>[^\s:]+)",
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
        "template-file",
        r"supplied chat template string \((?P<path>.+?)\) appears path-like",
        "The file \\g<path> of the chat template is not on the host.",
        "Correct chat_template, or remove it: most models bring their own.",
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
        "model-config",
        r"Invalid repository ID or local directory specified: '(?P<path>.+?)'"
        r"|config file at '(?P<file>.+?)' is not a valid JSON file",
        "The model's config.json is missing or damaged.",
        "Fetch the model again; where the line names another folder, correct the setting that names it.",
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
        # The first line of each start has the setting, too.
        r"(?:argument|option) `trust_remote_code=True`",
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
    Row(
        "weights-shape",
        r"\bassert \S*loaded_weight\.(?:shape|size)\b",
        "The weights have other shapes than the model's config.json says.",
        "Fetch the model again: its files are not of one revision.",
    ),
    Row(
        "model-json",
        r"^(?:\(\w+ pid=\d+\) )?json\.decoder\.JSONDecodeError: ",
        "A JSON file of the model is damaged; often tokenizer.json is cut off.",
        "Fetch the model again.",
    ),
)
