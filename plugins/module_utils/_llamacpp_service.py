# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From the instances of one host to what its service transaction needs: files, units, requirements, models to fetch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _llamacpp_checks
from ansible_collections.lab.llm_stack.plugins.module_utils._instance_key import check_key
from ansible_collections.lab.llm_stack.plugins.module_utils._llamacpp_preflight import looks, requirements
from ansible_collections.lab.llm_stack.plugins.module_utils._llamacpp_software import (
    Install,
    Software,
    native,
    python,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._quoting import env_file
from ansible_collections.lab.llm_stack.plugins.module_utils._role_paths import (
    config_dir,
    controller_path,
    data_dir,
    join_port,
    specifier,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._slots import relations

DRAIN_SECONDS = 10
"""How long requests that run when llama-server is stopped may take to finish; the unit grants 20 in all."""

START_MARGIN = 30
"""Seconds that systemd grants beyond the readiness check, so that the check's own words reach the journal."""


def llamacpp_service(
    instances: Sequence[Mapping[str, Any]],
    *,
    home: str,
    ready_timeout: int,
    api_key: str = "",
    source_directory: str = "",
    fingerprints: Mapping[str, str] | None = None,
    **install: Any,  # noqa: ANN401 - the fields of Install type them
) -> dict[str, Any]:
    """Return the declaration of the transaction, the models to fetch, and the software to install.

    ``ready_timeout`` is in seconds; ``fingerprints`` tells the model files on the controller apart, by their paths;
    ``install`` holds the fields of Install. Raises StackError with what stands against the instances, or with what the
    method lacks.
    """
    config, wanted = config_dir(home, "llamacpp"), Install(**install)
    servers = _checked(instances, wanted, home, config)
    instances = [_with_files(each, home, source_directory, fingerprints or {}) for each in instances]
    looked_at = looks(instances, servers, wanted, home)
    scripts = sorted({script for each in servers.values() for script in _scripts(each)})
    return {
        "declaration": {
            "files": [
                *({"path": f"{config}/{name}", "src": name} for name in scripts),
                *_secrets(config, instances, api_key),
                *(_settings_file(config, instance) for instance in instances),
            ],
            "units": [
                _unit(config, servers[_kind(each)], home, ready_timeout, each, relations(each, instances))
                for each in instances
            ],
            "requires": [*_installed(servers), *map(_model, instances), *requirements(looked_at)],
        },
        "preflight": looked_at,
        "models": [_fetched(each) for each in instances if each["source"]["origin"] != "host"],
        "releases": [archive for each in servers.values() for archive in each.releases],
        "native": "native" in servers,
        "python": servers["python"].build if "python" in servers else {},
    }


def _checked(instances: Sequence[Mapping[str, Any]], install: Install, home: str, config: str) -> dict[str, Software]:
    """Give the servers, or raise what stands against the instances together with what the method lacks."""
    problems, servers = list(_llamacpp_checks.check(instances)), {}
    try:
        servers = dict(_servers(instances, install, home, config))
    except StackError as error:
        problems += error.problems
    if problems:
        raise StackError(problems)
    return servers


def _installed(servers: Mapping[str, Software]) -> list[Mapping[str, str]]:
    return [need for each in servers.values() for need in each.requires]


def _servers(
    instances: Sequence[Mapping[str, Any]], install: Install, home: str, config: str
) -> Iterator[tuple[str, Software]]:
    """Give the servers that the instances need; a host without any keeps the native one."""
    kinds = {_kind(each) for each in instances}
    if "native" in kinds or not kinds:
        yield "native", native(install, home, config)
    if "python" in kinds:
        yield "python", python(install, home, config)


def _scripts(software: Software) -> list[str]:
    """The programs of the role that a server's unit runs, and that are inputs of its process."""
    stopping = [] if software.stops_itself else ["stop.py"]
    return ["ready.py", *stopping, *([software.script] if software.script else [])]


def _kind(instance: Mapping[str, Any]) -> str:
    return str(instance.get("server") or "native")


def _with_files(
    instance: Mapping[str, Any], home: str, directory: str, fingerprints: Mapping[str, str]
) -> dict[str, Any]:
    """Add where the model's file is: ``from`` on the controller, ``target`` on the host.

    Files with other bytes have other names, so that a new one that does not load leaves the old one to go back to.
    """
    source = instance["source"]
    origin = controller_path(directory, instance)
    bytes_of = source.get("sha256") or fingerprints.get(origin, "")
    name = "-".join(part for part in (instance["name"], bytes_of[:12]) if part)
    target = source["path"] if source["origin"] == "host" else f"{data_dir(home, 'models')}/{name}.gguf"
    return {**instance, "target": str(target), "from": origin}


def _fetched(instance: Mapping[str, Any]) -> dict[str, Any]:
    """A model file that the install step brings to the host."""
    return {**instance["source"], **{key: instance[key] for key in ("name", "target", "from")}}


def _secrets(config: str, instances: Sequence[Mapping[str, Any]], api_key: str) -> list[dict[str, Any]]:
    """The file of the key that instances ask for, where there is an instance that does."""
    # llama.cpp takes a comma for the end of one of several keys.
    problems = list(check_key("llamacpp_api_key", api_key, instances, forbidden=","))
    if problems:
        raise StackError(problems)
    if not any(instance.get("needs_key") for instance in instances):
        return []
    content = env_file({"LLAMA_API_KEY": api_key})
    return [{"path": f"{config}/secrets.env", "content": content, "mode": "0600", "secret": True}]


def _settings_file(config: str, instance: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "path": f"{config}/{instance['name']}.env",
        "template": "instance.env.j2",
        "vars": {"settings": instance["settings"]},
        "mode": "0600",
    }


def _unit(
    config: str,
    software: Software,
    home: str,
    ready_timeout: int,
    instance: Mapping[str, Any],
    slot: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    name, port, bind = instance["name"], instance["port"], instance["bind"]
    environment_files = [f"{config}/{name}.env", *([f"{config}/secrets.env"] if instance.get("needs_key") else [])]
    url = f"http://{join_port(bind, port)}"
    stop = [] if software.stops_itself else ["/usr/bin/python3", f"{config}/stop.py", url, str(DRAIN_SECONDS)]
    ready = ["/usr/bin/python3", f"{config}/ready.py", url, name, str(ready_timeout)]
    return {
        "name": f"llamacpp-{name}.service",
        "template": "instance.service.j2",
        "vars": {
            "unit": {
                "name": name,
                "model_variable": software.model_variable,
                "model": re.sub(r'(["\\])', r"\\\1", specifier(instance["target"], home)),
                "libraries": [specifier(path, home) for path in software.libraries],
                "argv": [specifier(word, home) for word in software.argv],
                "ready_argv": [specifier(word, home) for word in ready],
                "stop_argv": [specifier(word, home) for word in stop],
                "environment_files": [specifier(path, home) for path in environment_files],
                "start_timeout": ready_timeout + START_MARGIN,
                "slot": slot,
            }
        },
        "inputs": [*environment_files, *(f"{config}/{script}" for script in _scripts(software))],
        "environment_files": environment_files,
        "watch": ["LLAMA_"],
        "listens": [join_port(bind, port)],
        "state": "stopped" if instance.get("standby") else "started",
        "enabled": not instance.get("standby"),
        "slot": instance.get("slot") or "",
        "ready_timeout": ready_timeout + START_MARGIN,
    }


def _model(instance: Mapping[str, Any]) -> dict[str, Any]:
    entry = {"kind": "file", "path": instance["target"]}
    if instance["source"]["origin"] == "url":
        return {**entry, "kind": "download", "digest": instance["source"]["sha256"]}
    return {**entry, "src": instance["from"]} if instance["from"] else entry
