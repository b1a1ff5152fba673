# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From the instances of one host to what its service transaction needs: files, units, requirements, models to fetch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

START_MARGIN = 30
"""Seconds that systemd grants beyond the readiness check, so that the check's own words reach the journal."""


def llamacpp_service(instances: Sequence[Mapping[str, Any]], role: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the arguments of the transaction.

    ``role`` holds the role's own settings: home, method, environment {path, digest}, release, program, api_key,
    ready_timeout in seconds and source_directory.
    """
    home = role["home"]
    config = f"{home}/.config/llm-stack/llamacpp"
    argv, requirement = _program(role, config)
    scripts = ["ready.py", *(["llama_server.py"] if role["method"] == "pip" else [])]
    return {
        "files": [
            *({"path": f"{config}/{name}", "src": name} for name in scripts),
            *_secrets(config, instances, role["api_key"]),
            *(_settings_file(config, instance) for instance in instances),
        ],
        "units": [_unit(config, scripts, argv, home, role["ready_timeout"], instance) for instance in instances],
        "requires": [requirement, *(_model(home, role["source_directory"], instance) for instance in instances)],
        "models": [
            {**instance["source"], "name": instance["name"], "target": model_path(home, instance),
             "from": _controller_path(role["source_directory"], instance)}
            for instance in instances if instance["source"]["origin"] != "host"
        ],
    }


def model_path(home: str, instance: Mapping[str, Any]) -> str:
    """Where an instance's model file is on the host."""
    source = instance["source"]
    return str(source["path"]) if source["origin"] == "host" else f"{home}/.local/share/llm-stack/models/{instance['name']}.gguf"


def specifier(path: str, home: str) -> str:
    """The same path as systemd writes it: %h stands for the account's home."""
    return path.replace("%", "%%").replace(home, "%h", 1) if path.startswith(f"{home}/") else path.replace("%", "%%")


def _program(role: Mapping[str, Any], config: str) -> tuple[list[str], dict[str, Any]]:
    """The server's command without arguments, and what must be installed for it."""
    if role["method"] == "pip":
        environment = role["environment"]
        return [f"{environment['path']}/bin/python", f"{config}/llama_server.py"], {"kind": "environment", **environment}
    if role["method"] == "release":
        release = role["release"]
        return [f"{release['path']}/{release['program']}"], {"kind": "release", "path": release["path"], "digest": release["sha256"]}
    return [role["program"]], {"kind": "program", "path": role["program"]}


def _secrets(config: str, instances: Sequence[Mapping[str, Any]], api_key: str) -> list[dict[str, Any]]:
    """The file of the key that instances ask for, where there is an instance that does."""
    if not any(instance.get("needs_key") for instance in instances):
        return []
    return [{"path": f"{config}/secrets.env", "content": f"LLAMA_API_KEY={api_key}\n", "mode": "0600", "secret": True}]


def _settings_file(config: str, instance: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "path": f"{config}/{instance['name']}.env",
        "template": "instance.env.j2",
        "vars": {"settings": instance["settings"]},
        "mode": "0600",
    }


def _unit(
    config: str, scripts: Sequence[str], argv: Sequence[str], home: str, ready_timeout: int, instance: Mapping[str, Any]
) -> dict[str, Any]:
    name, port, bind = instance["name"], instance["port"], instance["bind"]
    environment_files = [f"{config}/{name}.env", *([f"{config}/secrets.env"] if instance.get("needs_key") else [])]
    url = f"http://{'127.0.0.1' if bind in ('0.0.0.0', '::') else bind}:{port}"
    ready = ["/usr/bin/python3", f"{config}/ready.py", url, name, str(ready_timeout)]
    return {
        "name": f"llamacpp-{name}.service",
        "template": "instance.service.j2",
        "vars": {
            "unit": {
                "name": name,
                "model": specifier(model_path(home, instance), home),
                "argv": [specifier(word, home) for word in argv],
                "ready_argv": [specifier(word, home) for word in ready],
                "environment_files": [specifier(path, home) for path in environment_files],
                "start_timeout": ready_timeout + START_MARGIN,
            }
        },
        "inputs": [*environment_files, *(f"{config}/{script}" for script in scripts)],
        "environment_files": environment_files,
        "watch": ["LLAMA_"],
        "listens": [f"{bind}:{port}"],
        "state": "stopped" if instance.get("standby") else "started",
        "enabled": not instance.get("standby"),
        "ready_timeout": ready_timeout + START_MARGIN,
    }


def _model(home: str, directory: str, instance: Mapping[str, Any]) -> dict[str, Any]:
    origin = instance["source"]["origin"]
    entry = {"kind": "file", "path": model_path(home, instance)}
    return {**entry, "src": _controller_path(directory, instance)} if origin == "controller" else entry


def _controller_path(directory: str, instance: Mapping[str, Any]) -> str:
    return os.path.join(directory, instance["source"]["path"]) if instance["source"]["origin"] == "controller" else ""
