# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From the vLLM instances of one host to what its service transaction needs: files, units, requirements, models."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._instance_key import check_key
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._quoting import env_file
from ansible_collections.lab.llm_stack.plugins.module_utils._role_paths import (
    config_dir,
    data_dir,
    environment,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import HOME_MARK
from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot import digest_of, place
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_unit import (
    PATIENCE,
    SCRIPTS,
    Timeouts,
    Where,
    beside,
    template_of,
    unit_of,
)

BACKENDS = ("cuda", "rocm", "cpu")
_NOTHING: Mapping[str, Any] = {"files": [], "units": [], "requires": []}


def vllm_service(
    instances: Sequence[Mapping[str, Any]],
    *,
    home: str,
    backend: str,
    lock: str,
    requirements: str,
    python: str,
    ready_timeout: int,
    memory_timeout: int,
    drain_timeout: int,
    api_key: str = "",
    listings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the declaration of the transaction, the models to fetch, and the instances to look at before they start.

    The timeouts are in seconds. ``listings`` has the files of the model folders on the controller, by instance.
    Raises StackError where the host could not serve them.
    """
    if not instances:
        return {"declaration": _NOTHING, "environment": "", "models": [], "preflight": []}
    problems = [*_check_lock(backend, lock, requirements), *_check_key(instances, api_key), *_check_slots(instances)]
    if problems:
        raise StackError(problems)
    built = environment(home, "vllm", lock, python)
    placed = [_placed(each, home, built, listings or {}) for each in instances]
    timeouts = Timeouts(memory_timeout, ready_timeout, drain_timeout)
    where = Where(config_dir(home, "vllm"), built["path"], home, backend, timeouts)
    # Who leaves a slot is declared before who takes it.
    in_order = sorted(placed, key=lambda each: (not each.get("standby"), each["name"]))
    return {
        "declaration": {
            "files": list(_files(where, placed, api_key)),
            "units": [unit_of(each, placed, where) for each in in_order],
            "requires": _requirements(built, placed),
        },
        "environment": built["path"],
        "models": [_fetched(each) for each in placed],
        "preflight": [_looked_at(each, placed) for each in placed],
    }


def _requirements(built: Mapping[str, str], placed: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What the install step makes: vLLM, the folders of the models, and the word that each instance can start."""
    return [
        {"kind": "environment", **built},
        *({"kind": "snapshot", "path": each["folder"], "digest": each["files_digest"]} for each in placed),
        *({"kind": "preflight", "path": each["record"], "digest": each["digest"]} for each in placed),
    ]


# -- refusals ---------------------------------------------------------------------------------------------------------


def _check_lock(backend: str, lock: str, requirements: str) -> Iterator[Problem]:
    if backend not in BACKENDS:
        yield Problem("vllm_backend", backend, "is no backend of vLLM.", f"Known: {', '.join(BACKENDS)}.")
    elif not lock:
        own = "" if backend != "rocm" else "\nNo index has one version of vLLM for all of ROCm, so none is shipped."
        remedy = f"Make one with uv pip compile --generate-hashes, and name it here.{own}"
        wrong = f"is no requirement lock that the controller can find, and backend {backend} needs one."
        yield Problem("vllm_requirements", requirements, wrong, remedy)


def _check_key(instances: Sequence[Mapping[str, Any]], api_key: str) -> Iterator[Problem]:
    return check_key("vllm_api_key", api_key, instances)


def _check_slots(instances: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    serving: dict[str, str] = {}
    for index, each in enumerate(instances):
        slot = each.get("slot")
        if slot and not each.get("standby"):
            first = serving.setdefault(slot, each["name"])
            if first != each["name"]:
                wrong = f"is the slot {slot}, in which {first} serves already."
                remedy = "Set standby: true for one of them, or give it a slot of its own."
                yield Problem(f"vllm_instances[{index}].slot", NOTHING, wrong, remedy)


# -- paths ------------------------------------------------------------------------------------------------------------


def _placed(
    instance: Mapping[str, Any], home: str, built: Mapping[str, str], listings: Mapping[str, Any]
) -> dict[str, Any]:
    """Add where the model's folder is on the host, and what names the very thing that would be started."""
    source = instance["source"]
    files = source.get("files") or listings.get(instance["name"]) or {}
    digest = digest_of(files) if files else ""
    if source["origin"] == "host":
        folder = _below(source["path"], home).rstrip("/")
    else:
        name = source["path"] if source["origin"] == "hub" else instance["name"]
        folder = place(data_dir(home, "models"), name, source.get("revision"), digest)
    unit = instance.get("unit") or f"vllm-{instance['name']}.service"
    placed = {
        "bind": "127.0.0.1",
        **instance,
        "unit": unit,
        "folder": folder,
        "files_digest": digest,
        "record": f"{home}/.local/state/llm-stack/preflight/{unit}.json",
        "settings": {key: _anchored(key, value, home) for key, value in instance["settings"].items()},
    }
    return {**placed, "digest": _identity(placed, built["digest"])}


def _identity(placed: Mapping[str, Any], built: str) -> str:
    """Name what a preflight looks at: other files, settings or another vLLM are another thing."""
    keys = ("folder", "files_digest", "settings", "env", "tools", "context", "tool_calling", "accept")
    text = json.dumps([built, *(placed.get(key) for key in keys)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _below(path: str, home: str) -> str:
    """A path of the user's with the home as the other paths have it."""
    return f"{home}{path[1:]}" if path.startswith("~/") else path


_PATHS = ("chat-template", "tool-parser-plugin")


def _anchored(key: str, value: object, home: str) -> object:
    return _below(value, home) if key in _PATHS and isinstance(value, str) else value


def _absolute(path: object, home: str) -> object:
    """The same path for a file that vLLM reads: it knows neither ~ nor %h."""
    text = str(path)
    return f"{HOME_MARK}{text[len(home) :]}" if text.startswith(f"{home}/") else path


# -- files ------------------------------------------------------------------------------------------------------------


def _files(where: Where, placed: Sequence[Mapping[str, Any]], api_key: str) -> Iterator[dict[str, Any]]:
    config = where.config
    yield from ({"path": f"{config}/{name}", "src": name} for name in SCRIPTS)
    for name in sorted({each for each in map(template_of, placed) if each}):
        yield {"path": f"{config}/chat_templates/{name}", "src": f"chat_templates/{name}"}
    if any(each.get("needs_key") for each in placed):
        content = env_file({"VLLM_API_KEY": api_key})
        yield {"path": f"{config}/secrets.env", "content": content, "mode": "0600", "secret": True}
    for each in placed:
        variables = {"settings": _settings(each, where)}
        yield {"path": f"{config}/{each['name']}.yaml", "template": "config.yaml.j2", "vars": variables, "mode": "0600"}
        variables = {"settings": _variables(each, where.timeouts.ready)}
        yield {"path": f"{config}/{each['name']}.env", "template": "instance.env.j2", "vars": variables, "mode": "0600"}


def _settings(instance: Mapping[str, Any], where: Where) -> dict[str, Any]:
    """Give the whole configuration of one instance, with the paths that only the host knows."""
    name = template_of(instance)
    paths = {
        "model": instance["folder"],
        **({"chat-template": f"{where.config}/chat_templates/{name}"} if name else {}),
    }
    own = {key: _absolute(value, where.home) if key in _PATHS else value for key, value in instance["settings"].items()}
    derived = {key: _absolute(path, where.home) for key, path in paths.items()}
    return dict(sorted({**own, **derived, "shutdown-timeout": where.timeouts.drain}.items()))


def _variables(instance: Mapping[str, Any], ready_timeout: int) -> dict[str, str]:
    """The environment of one instance: nothing is fetched, nothing is told to anybody, and caches have one place."""
    return {
        **(instance.get("env") or {}),
        "DO_NOT_TRACK": "1",
        "HF_HOME": f"{HOME_MARK}/.cache/llm-stack/huggingface",
        "HF_HUB_OFFLINE": "1",
        "VLLM_CACHE_ROOT": f"{HOME_MARK}/.cache/llm-stack/vllm",
        "VLLM_ENGINE_READY_TIMEOUT_S": str(PATIENCE * ready_timeout),
        "VLLM_LOGGING_COLOR": "0",
        "VLLM_NO_USAGE_STATS": "1",
    }


# -- what the install step does ---------------------------------------------------------------------------------------


def _fetched(instance: Mapping[str, Any]) -> dict[str, Any]:
    """What the install step asks of model_snapshot, by its options."""
    source = instance["source"]
    if source["origin"] == "hub":
        found = {"repo": source["path"], "revision": source["revision"], "files": source.get("files") or {}}
    else:
        path = instance["folder"] if source["origin"] == "host" else source["path"]
        found = {"src": path, "remote_src": source["origin"] == "host", "name": instance["name"]}
    return {**found, "label": instance["name"]}


def _looked_at(instance: Mapping[str, Any], placed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """An instance as preflight takes it."""
    source = instance["source"]
    return {
        "name": instance["name"],
        "model": instance.get("model") or instance["name"],
        "unit": instance["unit"],
        "folder": instance["folder"],
        "bind": instance["bind"],
        "port": instance["port"],
        "record": instance["record"],
        "digest": instance["digest"],
        "repository": source["path"] if source["origin"] == "hub" else "",
        "revision": source.get("revision") or "",
        "settings": instance["settings"],
        "env": instance.get("env") or {},
        "tool_calling": instance.get("tool_calling") or {},
        "tools": bool(instance.get("tools")),
        "context": instance.get("context") or 0,
        "standby": bool(instance.get("standby")),
        "replaces": beside(instance, placed),
        "accept": list(instance.get("accept") or ()),
    }
