# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Run llama.cpp's HTTP server out of the Python wheel xllamacpp, configured by the variables of llama-server.

Usage: llama_server.py          (no arguments: LLAMA_ARG_* and LLAMA_API_KEY, as llama-server reads them)

llama-server ignores a variable that it does not know; this program refuses it. It also wants a model and a port:
without a model llama-server would start as an empty router that looks healthy.

LLAMA_SERVER_DRAIN_SECONDS (default 10): how long requests that run at SIGTERM may take to finish.

Exit: 0 after SIGTERM or SIGINT; 1 when the server does not start (llama.cpp's lines marked E say why) or a shared
library is missing; 2 for a variable that is unknown, missing or has a value that does not fit.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import json
import os
import re
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, NoReturn

Params = Any  # xllamacpp.CommonParams; the wheel has no types
DEVICES = 128


class Setting(NamedTuple):
    """Where a variable goes: attribute paths of CommonParams, how to read its text, the enumeration it names."""

    attributes: tuple[str, ...]
    read: Callable[[str], Any]
    enumeration: str = ""


def switch(value: str) -> bool:
    """Read the words for yes and no that llama.cpp takes."""
    if value in {"1", "on", "true", "enabled"}:
        return True
    if value in {"0", "off", "false", "disabled"}:
        return False
    raise ValueError("use 1 or 0")


def inverted(value: str) -> bool:
    return not switch(value)


def whole(value: str) -> int:
    if re.fullmatch(r"-?\d+", value):
        return int(value)
    raise ValueError("use a whole number")


def number(value: str) -> float:
    if re.fullmatch(r"-?\d+(\.\d+)?", value):
        return float(value)
    raise ValueError("use a number")


def words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def shares(value: str) -> list[float]:
    """Read how the devices share the model; the wheel wants a number for each of its DEVICES."""
    given = [number(word) for word in words(value)]
    return given + [0.0] * (DEVICES - len(given))


def layers(value: str) -> int:
    """Read the number of layers on the GPU: auto and all are words of llama-server."""
    return {"auto": -1, "all": -2}.get(value) or whole(value)


def mebibytes(value: str) -> list[int]:
    """Read the memory to leave free on each device; the last value counts for all further ones."""
    sizes = [whole(word) << 20 for word in words(value)]
    return sizes + sizes[-1:] * (DEVICES - len(sizes))


def contents(value: str) -> str:
    return Path(value).read_text(encoding="utf-8")


def keys(value: str) -> list[str]:
    """Read an API key file: one key a line, # starts a comment."""
    return [line for line in contents(value).splitlines() if line.strip() and not line.startswith("#")]


def one_of(members: Mapping[str, str]) -> Callable[[str], str]:
    """Read one word of an enumeration; the words are llama-server's, the members are xllamacpp's."""

    def read(value: str) -> str:
        if value not in members:
            raise ValueError(f"use one of {', '.join(members)}")
        return members[value]

    return read


def named(prefix: str, *given: str) -> dict[str, str]:
    """Map each word to its member: yarn to PREFIX_YARN."""
    return {word: f"{prefix}_{word.upper().replace('-', '_')}" for word in given}


def to(attributes: str, read: Callable[[str], Any], enumeration: str = "") -> Setting:
    return Setting(tuple(attributes.split()), read, enumeration)


CACHE_TYPE = one_of(named("GGML_TYPE", "f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"))
FLASH_ATTENTION = one_of(
    {
        "on": "LLAMA_FLASH_ATTN_TYPE_ENABLED",
        "off": "LLAMA_FLASH_ATTN_TYPE_DISABLED",
        "auto": "LLAMA_FLASH_ATTN_TYPE_AUTO",
    }
)
SPLIT_MODE = one_of(named("LLAMA_SPLIT_MODE", "none", "layer", "row", "tensor"))
POOLING = one_of(named("LLAMA_POOLING_TYPE", "none", "mean", "cls", "last", "rank"))
ROPE_SCALING = one_of(named("LLAMA_ROPE_SCALING_TYPE", "none", "linear", "yarn"))
NUMA = one_of(named("GGML_NUMA_STRATEGY", "distribute", "isolate", "numactl"))
THINK = one_of(named("COMMON_REASONING_FORMAT", "none", "auto", "deepseek", "deepseek-legacy"))

# Every variable this program understands. Whatever emits variables for it is compared with this table by a test.
SETTINGS: dict[str, Setting] = {
    "LLAMA_API_KEY": to("api_keys", words),
    "LLAMA_ARG_ALIAS": to("model_alias", lambda value: set(words(value))),
    "LLAMA_ARG_API_KEY_FILE": to("api_keys", keys),
    "LLAMA_ARG_API_PREFIX": to("api_prefix", str),
    "LLAMA_ARG_BATCH": to("n_batch", whole),
    "LLAMA_ARG_CACHE_IDLE_SLOTS": to("cache_idle_slots", switch),
    "LLAMA_ARG_CACHE_PROMPT": to("cache_prompt", switch),
    "LLAMA_ARG_CACHE_RAM": to("cache_ram_mib", whole),
    "LLAMA_ARG_CACHE_REUSE": to("n_cache_reuse", whole),
    "LLAMA_ARG_CACHE_TYPE_K": to("cache_type_k", CACHE_TYPE, "ggml_type"),
    "LLAMA_ARG_CACHE_TYPE_V": to("cache_type_v", CACHE_TYPE, "ggml_type"),
    "LLAMA_ARG_CHAT_TEMPLATE": to("chat_template", str),
    "LLAMA_ARG_CHAT_TEMPLATE_FILE": to("chat_template", contents),
    "LLAMA_ARG_CONTEXT_SHIFT": to("ctx_shift", switch),
    "LLAMA_ARG_CONT_BATCHING": to("cont_batching", switch),
    "LLAMA_ARG_CORS_CREDENTIALS": to("cors_credentials", switch),
    "LLAMA_ARG_CORS_HEADERS": to("cors_headers", str),
    "LLAMA_ARG_CORS_METHODS": to("cors_methods", str),
    "LLAMA_ARG_CORS_ORIGINS": to("cors_origins", str),
    "LLAMA_ARG_CTX_CHECKPOINTS": to("n_ctx_checkpoints", whole),
    "LLAMA_ARG_CTX_SIZE": to("n_ctx", whole),
    "LLAMA_ARG_EMBEDDINGS": to("embedding", switch),
    "LLAMA_ARG_ENDPOINT_METRICS": to("endpoint_metrics", switch),
    "LLAMA_ARG_ENDPOINT_PROPS": to("endpoint_props", switch),
    "LLAMA_ARG_ENDPOINT_SLOTS": to("endpoint_slots", switch),
    "LLAMA_ARG_FIT": to("fit_params", switch),
    "LLAMA_ARG_FIT_CTX": to("fit_params_min_ctx", whole),
    "LLAMA_ARG_FIT_TARGET": to("fit_params_target", mebibytes),
    "LLAMA_ARG_FLASH_ATTN": to("flash_attn_type", FLASH_ATTENTION, "llama_flash_attn_type"),
    "LLAMA_ARG_HOST": to("hostnames", words),
    "LLAMA_ARG_JINJA": to("use_jinja", switch),
    "LLAMA_ARG_KV_OFFLOAD": to("no_kv_offload", inverted),
    "LLAMA_ARG_KV_UNIFIED": to("kv_unified", switch),
    "LLAMA_ARG_LOG_VERBOSITY": to("verbosity", whole),
    "LLAMA_ARG_MAIN_GPU": to("main_gpu", whole),
    "LLAMA_ARG_MMPROJ": to("mmproj.path", str),
    "LLAMA_ARG_MMPROJ_OFFLOAD": to("mmproj_use_gpu", switch),
    "LLAMA_ARG_MODEL": to("model.path", str),
    "LLAMA_ARG_NUMA": to("numa", NUMA, "ggml_numa_strategy"),
    "LLAMA_ARG_N_GPU_LAYERS": to("n_gpu_layers", layers),
    "LLAMA_ARG_N_PARALLEL": to("n_parallel", whole),
    "LLAMA_ARG_N_PREDICT": to("n_predict", whole),
    "LLAMA_ARG_OFFLINE": to("offline", switch),
    "LLAMA_ARG_POOLING": to("pooling_type", POOLING, "llama_pooling_type"),
    "LLAMA_ARG_PORT": to("port", whole),
    "LLAMA_ARG_PREFILL_ASSISTANT": to("prefill_assistant", switch),
    "LLAMA_ARG_REPACK": to("no_extra_bufts", inverted),
    "LLAMA_ARG_ROPE_FREQ_BASE": to("rope_freq_base", number),
    "LLAMA_ARG_ROPE_FREQ_SCALE": to("rope_freq_scale", number),
    "LLAMA_ARG_ROPE_SCALING_TYPE": to("rope_scaling_type", ROPE_SCALING, "llama_rope_scaling_type"),
    "LLAMA_ARG_SLOT_SAVE_PATH": to("slot_save_path", str),
    "LLAMA_ARG_SPLIT_MODE": to("split_mode", SPLIT_MODE, "llama_split_mode"),
    "LLAMA_ARG_SSL_CERT_FILE": to("ssl_file_cert", str),
    "LLAMA_ARG_SSL_KEY_FILE": to("ssl_file_key", str),
    "LLAMA_ARG_SWA_FULL": to("swa_full", switch),
    "LLAMA_ARG_TENSOR_SPLIT": to("tensor_split", shares),
    "LLAMA_ARG_THINK": to("reasoning_format", THINK, "common_reasoning_format"),
    "LLAMA_ARG_THREADS": to("cpuparams.n_threads cpuparams_batch.n_threads", whole),
    "LLAMA_ARG_THREADS_HTTP": to("n_threads_http", whole),
    "LLAMA_ARG_TIMEOUT": to("timeout_read timeout_write", whole),
    "LLAMA_ARG_UBATCH": to("n_ubatch", whole),
    "LLAMA_ARG_UI": to("ui", switch),
    "LLAMA_ARG_YARN_ATTN_FACTOR": to("yarn_attn_factor", number),
    "LLAMA_ARG_YARN_BETA_FAST": to("yarn_beta_fast", number),
    "LLAMA_ARG_YARN_BETA_SLOW": to("yarn_beta_slow", number),
    "LLAMA_ARG_YARN_EXT_FACTOR": to("yarn_ext_factor", number),
    "LLAMA_ARG_YARN_ORIG_CTX": to("yarn_orig_ctx", whole),
}
PREFIX = "LLAMA_ARG_"
REQUIRED = ("LLAMA_ARG_MODEL", "LLAMA_ARG_PORT")


def problems(environ: Mapping[str, str]) -> list[str]:
    """Say everything that is wrong with the variables, in one go."""
    given = sorted(name for name in environ if name.startswith(PREFIX) or name == "LLAMA_API_KEY")
    found = [
        f"{name} is not set: one server serves one model on one port." for name in REQUIRED if not environ.get(name)
    ]
    for name in given:
        if name not in SETTINGS:
            near = difflib.get_close_matches(name[len(PREFIX) :], [known[len(PREFIX) :] for known in SETTINGS], n=1)
            found.append(f"{name} is not known here." + (f" Did you mean {PREFIX}{near[0]}?" if near else ""))
            continue
        try:
            SETTINGS[name].read(environ[name])
        except (ValueError, OSError) as error:
            shown = "its value" if "KEY" in name else f"'{environ[name]}'"
            found.append(f"{name}: {shown} does not fit: {error}.")
    port = environ.get("LLAMA_ARG_PORT", "")
    if port.isdigit() and not 0 < int(port) < 65536:  # llama.cpp would wrap it around
        found.append(f"LLAMA_ARG_PORT: '{port}' does not fit: use 1 to 65535.")
    return found


def apply(environ: Mapping[str, str], library: ModuleType) -> Params:
    """Return CommonParams with llama-server's own defaults where the wheel has others, and the given values."""
    params = library.CommonParams()
    if "LLAMA_ARG_N_PARALLEL" not in environ:
        params.n_parallel, params.kv_unified = 4, True
    for name, setting in SETTINGS.items():
        if name in environ:
            value = setting.read(environ[name])
            value = getattr(getattr(library, setting.enumeration), value) if setting.enumeration else value
            for attribute in setting.attributes:
                *parents, last = attribute.split(".")
                owner = params
                for parent in parents:
                    owner = getattr(owner, parent)
                setattr(owner, last, value)
    return params


def fail(code: int, *lines: str) -> NoReturn:
    """Say each line on standard error, under llama.cpp's own, and end."""
    sys.stderr.writelines(f"llama_server.py: {line}\n" for line in lines)
    sys.exit(code)


def load() -> ModuleType:
    """Import the wheel; it links against the OpenMP library that a minimal Debian does not have."""
    try:
        return importlib.import_module("xllamacpp")
    except ImportError as error:
        hint = "On Debian and Ubuntu: apt-get install libgomp1" if "libgomp" in str(error) else "Run deploy again."
        fail(1, f"xllamacpp cannot be loaded: {error}", hint)


def fetch(url: str, headers: dict[str, str]) -> str:
    """Read a page of this server itself; a proxy of the environment has no part in that."""
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - our own address
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=2) as answer:
        return str(answer.read().decode("utf-8", "replace"))


def busy(base: str, headers: dict[str, str]) -> bool:
    """Ask whether a request is running; a server that tells neither way is taken for idle."""
    try:
        running = re.search(r"^llamacpp:requests_processing (\d+)", fetch(f"{base}/metrics", headers), re.MULTILINE)
        return running is not None and int(running[1]) > 0
    except urllib.error.HTTPError:  # metrics are off
        with contextlib.suppress(OSError, ValueError):
            return any(slot.get("is_processing") for slot in json.loads(fetch(f"{base}/slots", headers)))
    except OSError:
        pass
    return False


def drain(base: str, headers: dict[str, str], seconds: float) -> None:
    end = time.monotonic() + seconds
    while busy(base, headers) and time.monotonic() < end:
        time.sleep(0.2)
    time.sleep(0.2)  # the last bytes of an answer may still be on their way


def main() -> None:
    environ = dict(os.environ)
    refused = problems(environ)
    if refused:
        fail(2, *refused)
    library = load()
    try:
        params = apply(environ, library)
        server = library.Server(params)
    except (RuntimeError, AssertionError, TypeError, ValueError, OverflowError) as error:
        fail(1, f"the server did not start: {error}", "The lines marked E above are llama.cpp's own and say why.")
    # Only now: a SIGTERM while a large model loads ends the process at once. A second one ends it during the drain.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    headers = {"Authorization": f"Bearer {params.api_keys[0]}"} if params.api_keys else {}
    drain(server.listening_address + params.api_prefix, headers, float(environ.get("LLAMA_SERVER_DRAIN_SECONDS", "10")))
    # Not a return: destroying the server waits for every client to leave, without a limit.
    os._exit(0)


if __name__ == "__main__":
    main()
