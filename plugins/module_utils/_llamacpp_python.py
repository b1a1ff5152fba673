# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""llama.cpp's Python server (llama-cpp-python): our options as its own settings, and what it cannot do.

Its settings reach it as LLAMA_PYTHON_NAME, by a launcher that refuses names it does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._instance import env_text
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest

FIRST_PORT = 8000
PREFIX = "LLAMA_PYTHON_"

# The numbers by which ggml calls its types; the server takes nothing else.
CACHE_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "iq4_nl": 20, "bf16": 30}

Settings = Mapping[str, object]

MAPPED: Mapping[str, Callable[[Any], Settings]] = {
    "threads": lambda value: {"n_threads": value, "n_threads_batch": value},
    "gpu_layers": lambda value: {"n_gpu_layers": value},
    "batch": lambda value: {"n_batch": value},
    "ubatch": lambda value: {"n_ubatch": value},
    "flash_attn": lambda value: {"flash_attn": value},
    "cache_type_k": lambda value: {"type_k": CACHE_TYPES[value]},
    "cache_type_v": lambda value: {"type_v": CACHE_TYPES[value]},
    "cache_ram_mib": lambda value: {"cache": value > 0, "cache_type": "ram", "cache_size": value << 20},
    "chat_format": lambda value: {"chat_format": value},
}
"""Each option that this server can follow, with the settings that it becomes."""

DEFAULTS: Settings = {
    # Its own default leaves the card idle. On a build without one this changes nothing.
    "n_gpu_layers": -1,
    # Its own default keeps the logits of every token: context x vocabulary x 4 bytes, 20 GB for 32768 tokens of Qwen.
    "logits_all": False,
    # Its own default cuts off the answer of one client as soon as another asks.
    "interrupt_requests": False,
}

_LACKING: Mapping[str, str] = {
    "parallel": "it answers one request at a time",
    "timeout": "it has no time limit of its own",
    "metrics": "it has no metrics",
    "slots": "it has no slots",
    "ui": "it has no user interface",
    "cors_origins": "no web page may read its answers",
}
"""The options that only the native server has, and what holds instead."""

# Where a setting follows from something else in the declaration.
_DERIVED: Mapping[str, str] = {
    **{
        setting: f"llamacpp.{option}"
        for option, to in MAPPED.items()
        if option not in ("cache_type_k", "cache_type_v")
        for setting in to(1)
    },
    "type_k": "llamacpp.cache_type_k",
    "type_v": "llamacpp.cache_type_v",
    "model": "source",
    "model_alias": "the name of the model",
    "hf_model_repo_id": "source",
    "n_ctx": "context",
    "host": "hosts and llm_stack_address",
    "port": "llamacpp.port",
}

# The settings of llama-cpp-python 0.3.36; the launcher refuses what the installed version does not have.
_SETTINGS = """
cache cache_size cache_type chat_format chat_template_kwargs clip_model_path disable_ping_events draft_model
draft_model_num_pred_tokens embedding flash_attn hf_model_repo_id hf_pretrained_model_name_or_path
hf_tokenizer_config_path host interrupt_requests kv_overrides last_n_tokens_size logits_all lora_base lora_path main_gpu
model model_alias mul_mat_q n_batch n_ctx n_gpu_layers n_threads n_threads_batch n_ubatch numa offload_kqv port
root_path rope_freq_base rope_freq_scale rope_scaling_type rpc_servers seed split_mode ssl_certfile ssl_keyfile
tensor_split type_k type_v use_mlock use_mmap verbose vocab_only yarn_attn_factor yarn_beta_fast yarn_beta_slow
yarn_ext_factor yarn_orig_ctx
"""
SETTINGS = frozenset(_SETTINGS.split())
VARIABLES = frozenset(f"{PREFIX}{name.upper()}" for name in SETTINGS)


def check(options: Mapping[str, Any], path: str, *, tools: bool) -> Iterator[Problem]:
    """Yield what the Python server cannot do of what is declared of a model."""
    if tools:
        wrong = "cannot be kept by llama.cpp's Python server: it returns a model's calls as text."
        remedy = f"Remove {path}.llamacpp.server, so that the native server serves it, or set tools: false."
        yield Problem(f"{path}.tools", True, wrong, remedy)
    for option, instead in _LACKING.items():
        if option in options:
            yield Problem(f"{path}.llamacpp.{option}", options[option], f"is for the native server: {instead}.", _OTHER)
    if options.get("flash_attn") == "auto":
        wrong = "is for the native server; the Python server does not choose."
        yield Problem(f"{path}.llamacpp.flash_attn", "auto", wrong, "Write true or false, or leave it out.")
    yield from check_env(options.get("env", {}), path)


_OTHER = "Remove it, or remove server: python."


def check_env(env: Mapping[Any, Any], path: str) -> Iterator[Problem]:
    """Yield a problem for each variable that the Python server would ignore, that is derived, or is no plain value."""
    for name, value in env.items():
        below, setting = f"{path}.llamacpp.env.{name}", str(name)[len(PREFIX) :].lower()
        if name in ("LLAMA_API_KEY", f"{PREFIX}API_KEY"):
            yield Problem(
                below, NOTHING, "does not belong here.", "Set llm_stack_instance_key on the host, from a vault."
            )
        elif name not in VARIABLES:
            wrong = f"is not a setting of the Python server, which are written {PREFIX}NAME."
            yield Problem(below, NOTHING, wrong, nearest(str(name).replace("LLAMA_ARG_", PREFIX), VARIABLES))
        elif setting in _DERIVED:
            yield Problem(below, NOTHING, f"is derived from {_DERIVED[setting]}.", "Write it there.")
        elif not isinstance(value, (str, int, float)) or (isinstance(value, str) and not value.isprintable()):
            yield Problem(below, value, "is not text on one line, a number, true or false.", "Write one value.")


def settings(name: str, context: int, options: Mapping[str, Any], bind: str, port: int) -> dict[str, str]:
    """Give the whole configuration of one instance, but for the path of its model, which only the host knows."""
    chosen: dict[str, object] = {**DEFAULTS, "model_alias": name, "n_ctx": context, "host": bind, "port": port}
    for option, to in MAPPED.items():
        if options.get(option) is not None:
            chosen.update(to(options[option]))
    own = {f"{PREFIX}{setting.upper()}": value for setting, value in chosen.items()}
    return {variable: env_text(value) for variable, value in sorted({**own, **options.get("env", {})}.items())}
