# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What logs of failed starts say: those of llama.cpp, of LiteLLM, and what the host says of any engine.
vLLM's rows fill files of their own, _boot_failures_table_vllm.py and _boot_failures_table_vllm_host.py.

Rows come from failures provoked on llama.cpp 0.7.0 (build 11669), xllamacpp b11549 and LiteLLM 1.106.2.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A cause: the line that tells, and a later line that has to be there as well, both as regular expressions.

    ``means`` and ``remedy`` may hold what a named group of ``pattern`` found, written ``\\g<name>``.
    """

    name: str
    pattern: str
    means: str
    remedy: str
    then: str = ""


LLAMACPP = (
    Row(
        "gguf-missing",
        r"failed to open GGUF file '(.+?)' \((.+?)\)",
        "The model file cannot be opened.",
        "Correct the model's source, or the file's owner and mode.",
    ),
    Row(
        "not-gguf",
        r"invalid magic characters",
        "The model file is no GGUF file (an HTML page or an LFS pointer).",
        "Delete it and fetch it again, with its sha256 declared.",
    ),
    Row(
        "gguf-empty",
        r"gguf_init_from_reader: failed to read magic",
        "The model file is empty or a directory.",
        "Fetch it again, or name the file itself.",
    ),
    Row(
        "gguf-cut",
        r"data is not within the file bounds|gguf_init_from_reader: failed to read key-value pairs",
        "The model file is cut off.",
        "Fetch it again, with its sha256 declared.",
    ),
    Row(
        "gguf-newer",
        r"this GGUF file is version (\d+) but this software only supports",
        "The file is newer than the server.",
        "Declare a newer llama.cpp.",
    ),
    Row(
        "unknown-architecture",
        r"unknown model architecture: '(.+?)'",
        "This llama.cpp does not know the model's architecture.",
        "Declare a newer llama.cpp, or another model.",
    ),
    Row(
        "unknown-pre-tokenizer",
        r"unknown pre-tokenizer type: '(.+?)'",
        "This llama.cpp does not know the model's tokenizer.",
        "Declare a newer llama.cpp, or another model.",
    ),
    Row(
        "out-of-memory-kv",
        r"failed to allocate buffer for kv cache",
        "The context does not fit into memory.",
        "Lower context or parallel, or set cache_type_k and cache_type_v to q8_0.",
    ),
    Row(
        "out-of-memory-compute",
        r"failed to allocate compute pp buffers",
        "The compute buffers do not fit into memory.",
        "Lower context, parallel or the batch size.",
    ),
    Row(
        "port-in-use",
        r"couldn't bind HTTP server socket, hostname: (.+?), port: (\d+)|\[Errno 98\]",
        "Another process holds the port, or the address is not this host's.",
        "Stop that process, or declare another port.",
    ),
    Row(
        "bad-flag",
        r"error: invalid argument: (.+)",
        "This version of the server does not know a flag.",
        "Remove the option, or declare the version that has it.",
    ),
    Row(
        "bad-variable",
        r"error while handling environment variable \"(.+?)\"|llama_server\.py: LLAMA_\w+(?:: .* does not fit| is not)",
        "The server refuses a setting's value.",
        "Correct that option of the model.",
    ),
    Row(
        "key-file",
        r"error while handling argument \"--(api-key-file|chat-template-file)\"",
        "A file named in the settings cannot be read.",
        "Correct its path, owner or mode.",
    ),
    Row(
        "bad-value",
        r"error while handling argument \"(.+?)\":",
        "The server refuses the value of a flag.",
        "Correct that option of the model.",
    ),
    Row(
        "projector",
        r"failed to load multimodal model, '(.+?)'",
        "The projector file of a multimodal model cannot be loaded.",
        "Correct LLAMA_ARG_MMPROJ, or fetch the file.",
    ),
    Row(
        "chat-template",
        r"the supplied chat template is not supported",
        "llama.cpp cannot use the chat template.",
        "Declare another template, or none.",
    ),
    Row(
        "no-backend",
        r"no backends are loaded",
        "llama.cpp found no CPU or GPU backend library.",
        "Reinstall llama.cpp with its backends.",
    ),
)

LITELLM = (
    Row(
        "unknown-provider",
        r"LLM Provider NOT provided.*You passed model=(\S+)",
        "LiteLLM does not know the provider in front of the model's name.",
        "Write a provider that LiteLLM has, such as openai/NAME.",
    ),
    Row(
        "dropped-deployments",
        r"LiteLLM left out (.+) of ",
        "LiteLLM does not serve every declared deployment.",
        "Correct the model's entry: its provider prefix and parameters.",
    ),
    Row(
        "missing-value",
        r"gateway\.py: .* needs .* in the environment",
        "A value that the configuration names by os.environ/NAME is not set.",
        "Give it in litellm_secrets.",
    ),
    Row(
        "app-key",
        r"RuntimeError: app_auth\.py: .* needs .* in the environment",
        "The key of an app is not set.",
        "Run deploy, which makes it and writes it to the file that EnvironmentFile= of the unit names.",
    ),
    Row(
        "master-key",
        r"refused to start: .*master key",
        "LiteLLM refuses its master key.",
        "Use a key that starts with sk- and is no published default, or let the role generate one.",
    ),
    Row(
        "configuration",
        r"gateway\.py: .* cannot be read: |gateway\.py: .* declares no model",
        "The gateway's configuration cannot be used.",
        "Correct the native settings, or the file's owner and mode.",
    ),
    Row(
        "litellm-setting",
        r"ValueError: .*(?:(?:router|litellm|general)_settings|config\.yaml)",
        "LiteLLM refuses a setting.",
        "Correct the setting that the line names.",
    ),
)

# What may also stand in the log of a healthy engine, or follows from a cause that an engine names itself.
HOST = (
    Row("libgomp", r"libgomp\.so\.1", "The library libgomp is not installed.", "Install the Debian package libgomp1."),
    Row(
        "python-module",
        r"ModuleNotFoundError: No module named '(.+?)'",
        "The Python environment lacks a module.",
        "Run deploy again, which rebuilds the environment.",
    ),
    Row(
        "missing-executable",
        r"Failed to (?:locate|execute)|status=203/EXEC|No such file or directory.*ExecStart",
        "The program of the unit is not there.",
        "Run deploy again, which installs it.",
    ),
    Row(
        "file-denied",
        r"PermissionError: \[Errno 13\] Permission denied: '(?P<path>.+?)'",
        "The account of the service may not use \\g<path>.",
        "Correct the owner or the mode of that path.",
    ),
    Row(
        "address",
        r"\[Errno 99\]",
        "The address to listen on is not one of this host.",
        "Correct llm_stack_address, or leave it out to listen on the host itself only.",
    ),
    Row(
        "port-denied",
        r"\[Errno 13\] (?:error while attempting to bind|Permission denied$)",
        "The account of the service may not listen on this port.",
        "Declare a port from 1024 upwards.",
    ),
    Row(
        "out-of-memory-killed",
        r"oom-kill|Out of memory|Killed process",
        "The kernel killed the process for lack of memory.",
        "Declare a smaller context, or stop something else.",
    ),
    Row(
        "no-space",
        r"No space left on device",
        "The disk, or the shared memory in /dev/shm, is full.",
        "Make room: models and caches lie below the home directory of the service's user.",
    ),
    Row(
        "process-killed",
        r"died unexpectedly \(exit code: -9\)|: -9\}|engine core exited unexpectedly|status=9/KILL",
        "A process of the engine was killed from outside, by the kernel for lack of memory or by hand.",
        "Look for an out-of-memory kill in the kernel's log; where there is one, lower context or stop something else.",
    ),
)
