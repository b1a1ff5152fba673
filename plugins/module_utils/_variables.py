# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of what the user writes, as tables: every variable, every key, what each may hold."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.lab.llm_stack.plugins.module_utils import _checks_declared, _drift_rules, _layer_entries
from ansible_collections.lab.llm_stack.plugins.module_utils._app import APP, LIMITS
from ansible_collections.lab.llm_stack.plugins.module_utils._engines import ENGINES
from ansible_collections.lab.llm_stack.plugins.module_utils._lock_file import MODEL_LOCK, RELEASE_LOCK
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field

PREFIX = "llm_stack_"
PROVIDERS = ("anthropic", "groq", "mistral", "openai", "openai_compatible", "openrouter", "xai")

_ENGINE = Field(choices=tuple(ENGINES), what="an engine")
_NAME = Field("name")
_NAMES = Field("list", item=_NAME)

MODEL = Field(
    "section",
    fields={
        "source": Field("text", required=True, hint="Write where the model comes from, such as models/tiny.gguf."),
        "engine": _ENGINE,
        "hosts": Field("list", item=Field("text"), hint="Write a list of hosts of the inventory."),
        "tools": Field("bool"),
        "context": Field("int", "a number of tokens", low=256, high=16777216),
        "standby": Field("bool"),
        "slot": Field("name", hint="Write a name for what only one model at a time holds, such as gpu."),
        "tags": Field("list", item=Field("text")),
        "limits": LIMITS,
        "fallbacks": _NAMES,
        "provider": Field(choices=PROVIDERS, what="a provider"),
        "api_base": Field("text"),
        "key": Field("text"),
        **{engine.name: engine.field for engine in ENGINES.values()},
    },
)

GATEWAY = Field(
    "section",
    fields={
        "host": Field("text"),
        "port": Field("int", "a port", low=1024, high=65535),
        "listen": Field(choices=("loopback", "address"), what="a place to listen"),
        "router_settings": Field("map"),
        "litellm_settings": Field("map"),
        "general_settings": Field("map"),
    },
)

# The one server of a host, which several models share.
OLLAMA = Field(
    "section",
    fields={
        "port": Field("int", "a port", low=1024, high=65535),
        "allow_unauthenticated": Field("bool"),
    },
)

ROUTE = Field(
    "section",
    fields={
        "match": Field("text", required=True, hint="Write a regular expression for sources, such as '\\.gguf$'."),
        "engine": Field(choices=tuple(ENGINES), what="an engine", required=True, hint=f"Known: {', '.join(ENGINES)}."),
    },
)

VARIABLES: Mapping[str, Field] = {
    "models": Field("map", key=_NAME, item=MODEL, what="a mapping of names to models"),
    "routes": Field("list", item=ROUTE),
    "aliases": Field("map", key=_NAME, item=_NAME, what="a mapping of aliases to models"),
    "apps": Field("map", key=_NAME, item=APP, what="a mapping of names to apps"),
    "gateway": GATEWAY,
    "layers": Field("list", item=_layer_entries.FIELD),
    # Written by make swap.
    "active": Field("map", key=_NAME, item=_NAME, what="a mapping of slots to models"),
    "ollama": OLLAMA,
    # Written by make pin.
    "model_lock": MODEL_LOCK,
    "release_lock": RELEASE_LOCK,
    "drift_ignore": Field("list", item=_drift_rules.FIELD),
    "checks": _checks_declared.FIELD,
}

# Variables that are no part of the declaration: those of each host, what a playbook works on, and the plan itself.
OTHER_VARIABLES = tuple(
    f"{PREFIX}{name}"
    for name in ("address", "instance_key", "secrets", "target", "break_lock", "check_only", "prune", "plan")
)

DEFAULT_ROUTES: tuple[Mapping[str, str], ...] = (
    {"match": r"^[^/]+:[^/]+$", "engine": "ollama"},
    {"match": r"\.gguf$", "engine": "llamacpp"},
    {"match": r"^[^/]+/[^/]+$", "engine": "vllm"},
)
