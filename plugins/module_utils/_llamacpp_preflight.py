# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the preflight is told of llama.cpp's instances: the file, the settings that decide about memory, what runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _llamacpp_python
from ansible_collections.lab.llm_stack.plugins.module_utils._llamacpp_software import Install, Software
from ansible_collections.lab.llm_stack.plugins.module_utils._slots import relations

_NATIVE = "LLAMA_ARG_"

# The Python server's settings that decide about memory, by the names that llama-server has for them.
_NAMES = {"n_ctx": "ctx_size", "n_batch": "batch", "n_ubatch": "ubatch"}
_KINDS = {str(number): name for name, number in _llamacpp_python.CACHE_TYPES.items()}

_JUDGED = ("cpu", "cuda", "rocm")
"""The backends that the preflight can judge; of a card behind Vulkan nothing tells how much memory it has."""


def looks(
    instances: Sequence[Mapping[str, Any]], servers: Mapping[str, Software], install: Install, home: str
) -> list[dict[str, Any]]:
    """Give the calls of the module preflight, one for each backend: what computes alike shares its memory."""
    by_backend: dict[str, list[dict[str, Any]]] = {}
    for each in instances:
        backend, software = backend_of(each, install), servers[each.get("server") or "native"]
        if backend in _JUDGED:
            found = _looked_at(each, relations(each, instances)["excluded"], [backend, *software.requires], home)
            by_backend.setdefault(backend, []).append(found)
    native = servers.get("native")
    program = native.argv[0] if native and not native.stops_itself else ""
    return [{"backend": each, "program": program, "instances": found} for each, found in sorted(by_backend.items())]


def requirements(found: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """The word that each instance can start, as the service module asks for it."""
    for call in found:
        for each in call["instances"]:
            yield {"kind": "preflight", "path": each["record"], "digest": each["digest"]}


def _looked_at(
    instance: Mapping[str, Any], others: Sequence[str], identity: Sequence[object], home: str
) -> dict[str, Any]:
    """An instance as the module takes it."""
    unit = f"llamacpp-{instance['name']}.service"
    judged = {
        "engine": "llamacpp",
        "folder": instance["target"],
        "settings": settings_of(instance),
        "context": instance.get("context") or 0,
        "accept": list(instance.get("accept") or ()),
    }
    return {
        **judged,
        "name": instance["name"],
        "model": instance.get("model") or instance["name"],
        "unit": unit,
        "bind": instance["bind"],
        "port": instance["port"],
        "standby": bool(instance.get("standby")),
        "replaces": [f"llamacpp-{name}.service" for name in others],
        "record": f"{home}/.local/state/llm-stack/preflight/{unit}.json",
        "digest": _digest(identity, judged),
    }


def _digest(*parts: object) -> str:
    """Name what is looked at: another file, other settings or another server are another thing."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def backend_of(instance: Mapping[str, Any], install: Install) -> str:
    """What the server of an instance computes with."""
    if instance.get("server") == "python":
        return install.python_backend
    return "cpu" if install.method == "pip" else install.backend


def settings_of(instance: Mapping[str, Any]) -> dict[str, str]:
    """The settings of an instance by llama-server's own names in small letters, whichever server it has."""
    given = instance["settings"]
    native = {key[len(_NATIVE) :].lower(): value for key, value in given.items() if key.startswith(_NATIVE)}
    prefix = _llamacpp_python.PREFIX
    python = {key[len(prefix) :].lower(): value for key, value in given.items() if key.startswith(prefix)}
    return {**native, **dict(_translated(python))}


def _translated(python: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in python.items():
        if name in _NAMES:
            yield _NAMES[name], value
        elif name == "flash_attn":
            yield name, "on" if value == "1" else "off"
        elif name in ("type_k", "type_v") and value in _KINDS:
            yield f"cache_{name}", _KINDS[value]
