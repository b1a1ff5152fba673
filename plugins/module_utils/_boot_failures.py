# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From the log of a start that failed to its cause and remedy.

A table and a search. A log that fits no row gets no cause: its last lines are shown instead. Rows come from failures
provoked on llama.cpp 0.7.0 (build 11669), xllamacpp b11549 and LiteLLM 1.106.2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

TAIL = 40
"""Lines of an unclassified log that are shown."""


@dataclass(frozen=True)
class Cause:
    """Why a start failed: the line that tells, what it means, and what to change."""

    name: str
    line: str
    means: str
    remedy: str


@dataclass(frozen=True)
class _Row:
    name: str
    pattern: str
    means: str
    remedy: str


# What engines say of themselves stands before what may also stand in the log of a healthy one.
_TABLE = (
    _Row(
        "gguf-missing",
        r"failed to open GGUF file '(.+?)' \((.+?)\)",
        "The model file cannot be opened.",
        "Correct the model's source, or the file's owner and mode.",
    ),
    _Row(
        "not-gguf",
        r"invalid magic characters",
        "The model file is no GGUF file (an HTML page or an LFS pointer).",
        "Delete it and fetch it again, with its sha256 declared.",
    ),
    _Row(
        "gguf-empty",
        r"gguf_init_from_reader: failed to read magic",
        "The model file is empty or a directory.",
        "Fetch it again, or name the file itself.",
    ),
    _Row(
        "gguf-cut",
        r"data is not within the file bounds",
        "The model file is cut off.",
        "Fetch it again, with its sha256 declared.",
    ),
    _Row(
        "gguf-newer",
        r"this GGUF file is version (\d+) but this software only supports",
        "The file is newer than the server.",
        "Declare a newer llama.cpp.",
    ),
    _Row(
        "unknown-architecture",
        r"unknown model architecture: '(.+?)'",
        "This llama.cpp does not know the model's architecture.",
        "Declare a newer llama.cpp, or another model.",
    ),
    _Row(
        "out-of-memory-kv",
        r"failed to allocate buffer for kv cache",
        "The context does not fit into memory.",
        "Lower context or parallel, or set cache_type_k and cache_type_v to q8_0.",
    ),
    _Row(
        "out-of-memory-compute",
        r"failed to allocate compute pp buffers",
        "The compute buffers do not fit into memory.",
        "Lower context, parallel or the batch size.",
    ),
    _Row(
        "port-in-use",
        r"couldn't bind HTTP server socket, hostname: (.+?), port: (\d+)|\[Errno 98\]",
        "Another process holds the port, or the address is not this host's.",
        "Stop that process, or declare another port.",
    ),
    _Row(
        "bad-flag",
        r"error: invalid argument: (.+)",
        "This version of the server does not know a flag.",
        "Remove the option, or declare the version that has it.",
    ),
    _Row(
        "bad-variable",
        r"error while handling environment variable \"(.+?)\"|llama_server\.py: LLAMA_\w+(?:: .* does not fit| is not)",
        "The server refuses a setting's value.",
        "Correct that option of the model.",
    ),
    _Row(
        "key-file",
        r"error while handling argument \"--(api-key-file|chat-template-file)\"",
        "A file named in the settings cannot be read.",
        "Correct its path, owner or mode.",
    ),
    _Row(
        "bad-value",
        r"error while handling argument \"(.+?)\":",
        "The server refuses the value of a flag.",
        "Correct that option of the model.",
    ),
    _Row(
        "projector",
        r"failed to load multimodal model, '(.+?)'",
        "The projector file of a multimodal model cannot be loaded.",
        "Correct LLAMA_ARG_MMPROJ, or fetch the file.",
    ),
    _Row(
        "chat-template",
        r"the supplied chat template is not supported",
        "llama.cpp cannot use the chat template.",
        "Declare another template, or none.",
    ),
    _Row(
        "no-backend",
        r"no backends are loaded",
        "llama.cpp found no CPU or GPU backend library.",
        "Reinstall llama.cpp with its backends.",
    ),
    _Row("libgomp", r"libgomp\.so\.1", "The library libgomp is not installed.", "Install the Debian package libgomp1."),
    _Row(
        "python-module",
        r"ModuleNotFoundError: No module named '(.+?)'",
        "The Python environment lacks a module.",
        "Run deploy again, which rebuilds the environment.",
    ),
    _Row(
        "unknown-provider",
        r"LLM Provider NOT provided.*You passed model=(\S+)",
        "LiteLLM does not know the provider in front of the model's name.",
        "Write a provider that LiteLLM has, such as openai/NAME.",
    ),
    _Row(
        "dropped-deployments",
        r"LiteLLM left out (.+) of ",
        "LiteLLM does not serve every declared deployment.",
        "Correct the model's entry: its provider prefix and parameters.",
    ),
    _Row(
        "missing-value",
        r"gateway\.py: .* needs .* in the environment",
        "A value that the configuration names by os.environ/NAME is not set.",
        "Give it in litellm_secrets.",
    ),
    _Row(
        "app-key",
        r"RuntimeError: app_auth\.py: .* needs .* in the environment",
        "The key of an app is not set.",
        "Run deploy, which makes it and writes it to the file that EnvironmentFile= of the unit names.",
    ),
    _Row(
        "master-key",
        r"refused to start: .*master key",
        "LiteLLM refuses its master key.",
        "Use a key that starts with sk- and is no published default, or let the role generate one.",
    ),
    _Row(
        "configuration",
        r"gateway\.py: .* cannot be read: |gateway\.py: .* declares no model",
        "The gateway's configuration cannot be used.",
        "Correct the native settings, or the file's owner and mode.",
    ),
    _Row(
        "litellm-setting",
        r"ValueError: .*(?:(?:router|litellm|general)_settings|config\.yaml)",
        "LiteLLM refuses a setting.",
        "Correct the setting that the line names.",
    ),
    _Row(
        "missing-executable",
        r"Failed to (?:locate|execute)|status=203/EXEC|No such file or directory.*ExecStart",
        "The program of the unit is not there.",
        "Run deploy again, which installs it.",
    ),
    _Row(
        "out-of-memory-killed",
        r"oom-kill|Out of memory|Killed process",
        "The kernel killed the process for lack of memory.",
        "Declare a smaller context, or stop something else.",
    ),
)


def classify(lines: Sequence[str]) -> Cause | None:
    """Find the first row that fits, and its first line; None where none fits."""
    for row in _TABLE:
        for line in lines:
            if re.search(row.pattern, line):
                return Cause(row.name, line.strip(), row.means, row.remedy)
    return None


def explain(lines: Sequence[str]) -> list[str]:
    """The failure in words for people: cause, line and remedy, or the last lines of a log nobody has classified."""
    cause = classify(lines)
    if cause:
        return [f"Cause: {cause.means}", f"Log: {cause.line}", cause.remedy]
    if not lines:
        return ["Its journal is empty or cannot be read."]
    return ["The cause is not known. Its last lines:", *(f"  {line}" for line in lines[-TAIL:])]
