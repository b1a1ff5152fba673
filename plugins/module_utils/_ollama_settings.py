# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The variables of an Ollama server, each with its type: the server itself replaces what it cannot read in silence.

A port that is none becomes 11434, a keep_alive that is none 5 minutes, any word for a boolean true (0.32.15).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field, check

Check = Callable[[object, str], Iterator[Problem]]


_TEXT = Field("text")


@dataclass(frozen=True)
class Variable:
    """What one variable may hold: a field, or a check of its own."""

    field: Field = _TEXT
    check: Check | None = None


def _duration(value: object, path: str) -> Iterator[Problem]:
    """Go's durations, or whole seconds; a negative one means for ever."""
    number = isinstance(value, int) and not isinstance(value, bool)
    if not number and not re.fullmatch(r"-?(\d+|(\d+(\.\d+)?(ms|s|m|h))+)", str(value)):
        yield Problem(path, value, "is not a duration.", "Write 10m, 24h, a number of seconds, or -1 for ever.")


def _origins(value: object, path: str) -> Iterator[Problem]:
    origins = [str(each).strip() for each in value] if isinstance(value, (list, tuple)) else str(value).split(",")
    for origin in origins:
        if origin == "*":
            wrong = "lets every page of every site that a browser here shows use the models."
            yield Problem(path, origin, wrong, "Name the origins, such as https://chat.example.")
        elif not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^\s/,]+/?", origin.strip()):
            yield Problem(
                path, origin, "is not an origin.", "Write scheme://host[:port], such as https://chat.example."
            )


def _proxy(value: object, path: str) -> Iterator[Problem]:
    if not re.fullmatch(r"(https?|socks5h?)://[^\s]+", str(value)):
        yield Problem(path, NOTHING, "is not the address of a proxy.", "Write one such as http://proxy.example:3128.")
    elif "@" in str(value):
        wrong = "holds a password, which the server writes into its journal when it starts."
        yield Problem(path, NOTHING, wrong, "Use a proxy that knows the host by its address.")


_BOOL = Variable(Field("bool"))
_LIST = Variable(Field("text", "a list of cards", "Write their numbers or identifiers, such as 0,1."))

VARIABLES: Mapping[str, Variable] = {
    "OLLAMA_KEEP_ALIVE": Variable(check=_duration),
    "OLLAMA_LOAD_TIMEOUT": Variable(check=_duration),
    "OLLAMA_NUM_PARALLEL": Variable(Field("int", "a number of requests", low=1, high=256)),
    "OLLAMA_MAX_LOADED_MODELS": Variable(Field("int", "a number of models", low=0, high=256)),
    "OLLAMA_MAX_QUEUE": Variable(Field("int", "a number of requests", low=1, high=100000)),
    "OLLAMA_MAX_TRANSFER_STREAMS": Variable(Field("int", "a number of connections", low=1, high=64)),
    "OLLAMA_GPU_OVERHEAD": Variable(Field("int", "a number of bytes", low=0)),
    "OLLAMA_DEBUG": Variable(Field(choices=(0, 1, 2), what="a level from 0 to 2")),
    # Unset means automatic: an explicit false switches it off.
    "OLLAMA_FLASH_ATTENTION": _BOOL,
    "OLLAMA_KV_CACHE_TYPE": Variable(Field(choices=("f16", "q8_0", "q4_0"), what="a type of the cache")),
    "OLLAMA_ORIGINS": Variable(check=_origins),
    "OLLAMA_NOPRUNE": _BOOL,
    "OLLAMA_SCHED_SPREAD": _BOOL,
    "OLLAMA_VULKAN": _BOOL,
    "OLLAMA_IGPU_ENABLE": _BOOL,
    "OLLAMA_LLM_LIBRARY": Variable(),
    "OLLAMA_REMOTES": Variable(),
    "LLAMA_ARG_FIT": Variable(Field(choices=(True, False), what="true or false")),
    "CUDA_VISIBLE_DEVICES": _LIST,
    "HIP_VISIBLE_DEVICES": _LIST,
    "ROCR_VISIBLE_DEVICES": _LIST,
    "GGML_VK_VISIBLE_DEVICES": _LIST,
    "GPU_DEVICE_ORDINAL": _LIST,
    "HSA_OVERRIDE_GFX_VERSION": Variable(Field("text", hint="Write three numbers in quotes, such as '10.3.0'.")),
    "HTTPS_PROXY": Variable(check=_proxy),
    "NO_PROXY": Variable(),
}

# What follows from something else, or would do harm, with the reason and what to write.
ELSEWHERE: Mapping[str, tuple[str, str]] = {
    "OLLAMA_HOST": ("is derived from the address and the port.", "Set ollama_bind and ollama_port."),
    "OLLAMA_MODELS": ("is derived from the folder of models.", "Set ollama_models_directory."),
    "OLLAMA_CONTEXT_LENGTH": (
        "is derived: each model has its own context.",
        "Set context of the model in llm_stack_models.",
    ),
    "OLLAMA_NO_CLOUD": (
        "is always 1: prompts stay on the host.",
        "Declare a provider for what is to be answered elsewhere.",
    ),
    "OLLAMA_DEBUG_LOG_REQUESTS": ("writes every prompt to the disk.", "Remove it."),
    "OLLAMA_REGISTRIES": (
        "is known to no release of Ollama.",
        "Name the registry in the source: host[:port]/namespace/model:tag.",
    ),
    "HTTP_PROXY": ("breaks the server's own clients.", "Set HTTPS_PROXY, which is what it fetches models by."),
    "HOME": ("is the account's.", "Set ollama_models_directory to keep models elsewhere."),
}


def check_environment(settings: Mapping[str, object], path: str) -> Iterator[Problem]:
    """Yield a problem for each variable that the server would misread, ignore, or should not get."""
    for name, value in settings.items():
        below = f"{path}.{name}"
        if name in ELSEWHERE:
            wrong, remedy = ELSEWHERE[name]
            yield Problem(below, NOTHING, wrong, remedy)
        elif name not in VARIABLES:
            wrong = "is not known to Ollama, which would ignore it in silence."
            yield Problem(below, NOTHING, wrong, nearest(str(name), [*VARIABLES, *ELSEWHERE]))
        else:
            known = VARIABLES[name]
            yield from known.check(value, below) if known.check else check(value, known.field, below)


def text(value: object) -> str:
    """Write a value the way the server reads it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return ",".join(str(each).strip() for each in value) if isinstance(value, (list, tuple)) else str(value)


# -- versions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Vulnerability:
    """A known hole, and the first release without it."""

    name: str
    fixed: str
    what: str


VULNERABILITIES = (
    Vulnerability("CVE-2026-103663", "0.35.0", "whoever reaches the port runs programs as the account"),
    Vulnerability("CVE-2026-5530", "0.18.2", "a pull reaches into the networks of the host"),
    Vulnerability("CVE-2026-7482", "0.17.1", "a create reads the memory of the server"),
    Vulnerability("CVE-2024-45436", "0.1.47", "an archive writes outside of its folder"),
    Vulnerability("CVE-2024-37032", "0.1.34", "whoever reaches the port runs programs as the account"),
)


def version_of(text_of_it: str) -> tuple[int, ...]:
    """Read a version; one before its release, such as 0.35.0-rc1, counts as older than the release."""
    found = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)(-.+)?", text_of_it)
    if not found:
        return ()
    return (*map(int, found.group(1, 2, 3)), 0 if found.group(4) else 1)


def floor(accepted: object = ()) -> str:
    """The oldest version without a hole that nobody accepted."""
    names = accepted if isinstance(accepted, (list, tuple)) else ()
    wanted = [each.fixed for each in VULNERABILITIES if each.name not in names]
    return max(wanted, key=version_of, default="0.0.0")


def check_version(version: str, accepted: object, path: str) -> Iterator[Problem]:
    """Yield a problem for a version that has a known hole; to accept one, its name has to be written."""
    number = version_of(version)
    if not number:
        yield Problem(path, version, "is not a version of Ollama.", "Write one such as 0.35.0.")
        return
    names = accepted if isinstance(accepted, (list, tuple)) else ()
    for each in VULNERABILITIES:
        if number < version_of(each.fixed) and each.name not in names:
            wrong = f"has {each.name}: {each.what}."
            remedy = f"Use {each.fixed} or newer, or add {each.name} to ollama_accept_vulnerabilities and say why."
            yield Problem(path, version, wrong, remedy)


def check_accepted(accepted: object, path: str) -> Iterator[Problem]:
    """Yield a problem for each accepted name that is no known hole: a misspelt one would accept nothing."""
    known = [each.name for each in VULNERABILITIES]
    for index, name in enumerate(accepted if isinstance(accepted, (list, tuple)) else ()):
        if name not in known:
            yield Problem(f"{path}[{index}]", name, "is not a known vulnerability.", nearest(str(name), known))
