# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What llama.cpp can be told, as LLAMA_ARG_* variables, and where its model files come from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _llamacpp_python
from ansible_collections.lab.llm_stack.plugins.module_utils._instance import Instance, env_text
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import CODES
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field

FIRST_PORT = 8080
SERVERS = ("native", "python")
DEFAULT_CONTEXT = 4096


@dataclass(frozen=True)
class Option:
    """One option of ours: what it may hold, the variable it becomes, and the value where the user gives none."""

    field: Field
    variable: str
    default: object = None


_CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")

OPTIONS: Mapping[str, Option] = {
    # An explicit number of slots divides the context among them, so the total is multiplied below.
    "parallel": Option(Field("int", "a number of requests", low=1, high=256), "LLAMA_ARG_N_PARALLEL", 1),
    "threads": Option(Field("int", "a number of threads", low=1, high=1024), "LLAMA_ARG_THREADS"),
    "gpu_layers": Option(Field("int", "a number of layers", low=0, high=9999), "LLAMA_ARG_N_GPU_LAYERS"),
    "batch": Option(Field("int", "a number of tokens", low=1, high=1048576), "LLAMA_ARG_BATCH"),
    "ubatch": Option(Field("int", "a number of tokens", low=1, high=1048576), "LLAMA_ARG_UBATCH"),
    # YAML reads a bare on and off as true and false.
    "flash_attn": Option(Field(choices=(True, False, "auto")), "LLAMA_ARG_FLASH_ATTN"),
    "cache_type_k": Option(Field(choices=_CACHE_TYPES), "LLAMA_ARG_CACHE_TYPE_K"),
    "cache_type_v": Option(Field(choices=_CACHE_TYPES), "LLAMA_ARG_CACHE_TYPE_V"),
    # llama.cpp's own default is 8192 MiB of host memory for each instance.
    "cache_ram_mib": Option(Field("int", "a number of MiB", low=0, high=1048576), "LLAMA_ARG_CACHE_RAM", 512),
    "timeout": Option(Field("int", "a number of seconds", low=1, high=86400), "LLAMA_ARG_TIMEOUT"),
    "metrics": Option(Field("bool"), "LLAMA_ARG_ENDPOINT_METRICS", True),
    "slots": Option(Field("bool"), "LLAMA_ARG_ENDPOINT_SLOTS", False),
    "ui": Option(Field("bool"), "LLAMA_ARG_UI", False),
    # Without this, a page of any site that a browser on the host shows may read the instance's answers.
    "cors_origins": Option(Field("text"), "LLAMA_ARG_CORS_ORIGINS", "localhost"),
}

FIELD = Field(
    "section",
    fields={
        **{name: option.field for name, option in OPTIONS.items()},
        "server": Field(choices=SERVERS, what="a server"),
        "chat_format": Field("text"),
        "accept": Field("list", item=Field("text"), hint="Write a list of findings of the preflight."),
        "port": Field("int", "a port", low=1024, high=65535),
        "sha256": Field("text", "a SHA-256 sum", "Write the 64 digits that sha256sum prints for the file."),
        "env": Field("map", item=Field(), hint="Write LLAMA_ARG_NAME: value below it."),
    },
)

# Variables that follow from something else in the declaration, and where to write that.
_DERIVED: Mapping[str, str] = {
    **{option.variable: f"llamacpp.{name}" for name, option in OPTIONS.items()},
    "LLAMA_ARG_ALIAS": "the name of the model",
    "LLAMA_ARG_MODEL": "source",
    "LLAMA_ARG_MODEL_URL": "source",
    "LLAMA_ARG_HF_REPO": "source",
    "LLAMA_ARG_HF_FILE": "source",
    "LLAMA_ARG_DOCKER_REPO": "source",
    "LLAMA_ARG_MODELS_DIR": "source",
    "LLAMA_ARG_MODELS_PRESET": "source",
    "LLAMA_ARG_CTX_SIZE": "context",
    "LLAMA_ARG_HOST": "hosts and llm_stack_address",
    "LLAMA_ARG_PORT": "llamacpp.port",
    "LLAMA_ARG_REUSE_PORT": "llamacpp.port",
    "LLAMA_ARG_API_KEY_FILE": "llm_stack_instance_key",
    "LLAMA_ARG_OFFLINE": "source",
}

# Taken from the strings of the build named here; unknown names are ignored by llama.cpp in silence.
LLAMACPP_BUILD = "b11549"
_VARIABLES = """
AGENT ALIAS API_KEY_FILE API_PREFIX BACKEND_SAMPLING BATCH CACHE_IDLE_SLOTS CACHE_PROMPT CACHE_RAM CACHE_REUSE
CACHE_TYPE_K CACHE_TYPE_V CHAT_TEMPLATE CHAT_TEMPLATE_FILE CHAT_TEMPLATE_KWARGS CHECKPOINT_MIN_SPACING_NT
CONTEXT_SHIFT CONT_BATCHING CORS_CREDENTIALS CORS_HEADERS CORS_METHODS CORS_ORIGINS CPU_MOE CTX_CHECKPOINTS CTX_SIZE
DEFRAG_THOLD DEVICE DOCKER_REPO DRAFT_MAX DRAFT_MIN EMBEDDINGS ENDPOINT_METRICS ENDPOINT_PROPS ENDPOINT_SLOTS FIT
FIT_CTX FIT_ESTIMATE FIT_TARGET FLASH_ATTN FREQUENCY_PENALTY GRP_ATTN_N GRP_ATTN_W HF_FILE HF_REPO HOST
IMAGE_MAX_TOKENS IMAGE_MIN_TOKENS JINJA KV_OFFLOAD KV_UNIFIED KV_UNIFIED_PER_SLOT LAZY_MODE LOAD_MODE LOG_COLORS
LOG_FILE LOG_JSONL LOG_PREFIX LOG_TIMESTAMPS LOG_VERBOSITY MAIN_GPU MCP_SERVERS_CONFIG MCP_SERVERS_JSON MIN_P MMPROJ
MMPROJ_AUTO MMPROJ_OFFLOAD MMPROJ_URL MODEL MODELS_AUTOLOAD MODELS_DIR MODELS_MAX MODELS_PRESET MODEL_URL
MOE_CACHE_MIB MTMD_BATCH_MAX_TOKENS NO_HOST NUMA N_CPU_FFN N_CPU_MOE N_GPU_LAYERS N_GPU_LAYERS_DRAFT N_PARALLEL
N_PREDICT OFFLINE OVERRIDE_TENSOR PERF POOLING PORT PREFILL_ASSISTANT PRESENCE_PENALTY REASONING REASONING_EFFORT
REASONING_PRESERVE REPACK REPEAT_PENALTY RERANKING REUSE_PORT ROPE_FREQ_BASE ROPE_FREQ_SCALE ROPE_SCALE
ROPE_SCALING_TYPE RPC SHOW_TIMINGS SKIP_CHAT_PARSING SLOT_SAVE_PATH SPEC_DRAFT_BACKEND_SAMPLING
SPEC_DRAFT_CACHE_TYPE_K SPEC_DRAFT_CACHE_TYPE_V SPEC_DRAFT_CPU_MOE SPEC_DRAFT_HF_REPO SPEC_DRAFT_MODEL
SPEC_DRAFT_N_CPU_MOE SPEC_DRAFT_N_MAX SPEC_DRAFT_N_MIN SPEC_DRAFT_P_MIN SPEC_DRAFT_P_SPLIT SPEC_DRAFT_SAMPLING
SPEC_SYNTH_LEN SPEC_SYNTH_RATES SPEC_TYPE SPLIT_MODE SSE_PING_INTERVAL SSL_CERT_FILE SSL_KEY_FILE STATIC_PATH SWA_FULL
TAGS TEMPERATURE TENSOR_SPLIT THINK THINK_BUDGET THINK_BUDGET_MESSAGE THREADS THREADS_HTTP TIMEOUT TOOLS TOOLS_RUNTIME
TOP_K TOP_P UBATCH UI UI_CONFIG UI_CONFIG_FILE UI_MCP_PROXY VIDEO_FFMPEG_DIR VIDEO_FPS VIDEO_TIMESTAMP_INTERVAL
YARN_ATTN_FACTOR YARN_BETA_FAST YARN_BETA_SLOW YARN_EXT_FACTOR YARN_ORIG_CTX
"""
VARIABLES = frozenset(f"LLAMA_ARG_{name}" for name in _VARIABLES.split())


@dataclass(frozen=True)
class Source:
    """Where a model file comes from: the host's own file, a file of the controller, or an address."""

    origin: str
    path: str
    sha256: str | None

    def as_dict(self) -> dict[str, Any]:
        """Give the form the plan carries."""
        return asdict(self)


def source_of(source: str, options: Mapping[str, Any]) -> Source:
    """Read a source: an address, a path on the host when absolute or below the home, else a path on the controller."""
    sha256 = options.get("sha256")
    return Source(_origin(source), source, sha256.lower() if sha256 else None)


def _origin(source: str) -> str:
    if re.match(r"https?://", source):
        return "url"
    return "host" if source.startswith(("/", "~/")) else "controller"


def check(source: str, options: Mapping[str, Any], path: str, *, tools: bool, context: int) -> Iterator[Problem]:
    """Yield what stands against a model that llama.cpp is to serve."""
    del context  # the server takes any; what the file can do is seen on the host
    yield from check_source(source, options, path)
    for index, code in enumerate(options.get("accept", ())):
        if code not in CODES:
            wrong = "is no finding of the preflight."
            yield Problem(f"{path}.llamacpp.accept[{index}]", code, wrong, nearest(code, CODES))
    if is_python(options):
        yield from _llamacpp_python.check(options, path, tools=tools)
    else:
        yield from _check_native(options, path)


def _check_native(options: Mapping[str, Any], path: str) -> Iterator[Problem]:
    if "chat_format" in options:
        wrong = "is for the Python server: the native one follows the template of the model."
        remedy = "Remove it, or write server: python. Another template: env: {LLAMA_ARG_CHAT_TEMPLATE_FILE: path}."
        yield Problem(f"{path}.llamacpp.chat_format", options["chat_format"], wrong, remedy)
    yield from check_env(options.get("env", {}), path)


def is_python(options: Mapping[str, Any]) -> bool:
    """Whether llama.cpp's Python server serves the model, and not the native one."""
    return options.get("server") == "python"


def first_port(options: Mapping[str, Any]) -> int:
    """Where looking for a free port starts."""
    return _llamacpp_python.FIRST_PORT if is_python(options) else FIRST_PORT


def check_source(source: str, options: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Yield a problem where the source is no GGUF file, or is downloaded without a sum to compare it with."""
    sha256 = options.get("sha256")
    address = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", source)
    if address and _origin(source) != "url":
        wrong = "is an address that cannot be downloaded from."
        yield Problem(f"{path}.source", source, wrong, "Write https://... or a path.")
    elif not re.split(r"[?#]", source, maxsplit=1)[0].endswith(".gguf"):
        wrong = "is not a GGUF file, and llamacpp reads nothing else."
        yield Problem(f"{path}.source", source, wrong, "Name a file ending in .gguf.")
    elif source.startswith("~") and not source.startswith("~/"):
        yield Problem(f"{path}.source", source, "is below the home of another user.", "Write the absolute path.")
    if sha256 is None and _origin(source) == "url":
        yield Problem(f"{path}.llamacpp.sha256", NOTHING, "is missing, and the source is downloaded.", _SUM)
    if sha256 is not None and not re.fullmatch(r"[0-9A-Fa-f]{64}", sha256):
        yield Problem(f"{path}.llamacpp.sha256", sha256, "is not a SHA-256 sum.", _SUM)


_SUM = "Write the 64 digits that sha256sum prints for the file."


def check_env(env: Mapping[Any, Any], path: str) -> Iterator[Problem]:
    """Yield a problem for each variable that llama.cpp would ignore, that is derived, or that holds no plain value."""
    for name, value in env.items():
        below = f"{path}.llamacpp.env.{name}"
        if name == "LLAMA_API_KEY":
            yield Problem(
                below, NOTHING, "does not belong here.", "Set llm_stack_instance_key on the host, from a vault."
            )
        elif name in _DERIVED:
            yield Problem(below, NOTHING, f"is derived from {_DERIVED[name]}.", "Write it there.")
        elif name not in VARIABLES:
            wrong = "is not known to llama.cpp, which would ignore it in silence."
            yield Problem(below, NOTHING, wrong, nearest(str(name), VARIABLES))
        elif not isinstance(value, (str, int, float)) or (isinstance(value, str) and not value.isprintable()):
            yield Problem(below, value, "is not text on one line, a number, true or false.", "Write one value.")


def settings(name: str, context: int, options: Mapping[str, Any], bind: str, port: int) -> dict[str, str]:
    """Give the whole configuration of one instance, but for the path of its model, which only the host knows."""
    derived = {
        "LLAMA_ARG_ALIAS": name,
        "LLAMA_ARG_CTX_SIZE": context * parallel(options),
        "LLAMA_ARG_HOST": bind,
        "LLAMA_ARG_OFFLINE": True,
        "LLAMA_ARG_PORT": port,
    }
    typed = {option.variable: options.get(key, option.default) for key, option in OPTIONS.items()}
    if options.get("flash_attn") in (True, False):
        typed["LLAMA_ARG_FLASH_ATTN"] = "on" if options["flash_attn"] else "off"
    every = {**options.get("env", {}), **typed, **derived}
    return {variable: env_text(value) for variable, value in sorted(every.items()) if value is not None}


def parallel(options: Mapping[str, Any]) -> int:
    """How many requests an instance answers at a time."""
    return int(options.get("parallel", OPTIONS["parallel"].default))


def planned(instances: Sequence[Instance]) -> dict[str, Any]:
    """Give what the role takes for the instances of one host."""
    return {"instances": [_planned(each) for each in instances]}


def _planned(instance: Instance) -> dict[str, Any]:
    model = instance.model
    options = model.options.get("llamacpp", {})
    derive = _llamacpp_python.settings if is_python(options) else settings
    return {
        "name": model.name,
        "unit": instance.unit,
        "model": model.name,
        "bind": instance.bind,
        "port": instance.port,
        "source": source_of(model.source, options).as_dict(),
        "tools": model.tools,
        "context": model.context,
        "parallel": parallel(options),
        "server": options.get("server", "native"),
        "accept": list(options.get("accept", ())),
        "needs_key": instance.needs_key,
        "standby": model.standby,
        "slot": model.slot,
        "settings": derive(model.name, model.context, options, instance.bind, instance.port),
    }
