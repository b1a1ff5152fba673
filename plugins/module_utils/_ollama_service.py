# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From the one Ollama server of a host to its service transaction, its software, and the models it has to have."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama, _ollama_settings, _ollama_software
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_record import MODELS, identity, manifest_path
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_software import Install
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem, StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._role_paths import (
    config_dir,
    data_dir,
    join_port,
    specifier,
)

START_MARGIN = 30
"""Seconds that systemd grants beyond the readiness check, so that the check's own words reach the journal."""


def ollama_service(
    models: Sequence[Mapping[str, Any]],
    *,
    home: str,
    bind: str,
    port: int,
    ready_timeout: int,
    environment: Mapping[str, Any] | None = None,
    models_directory: str = "",
    source_directory: str = "",
    fingerprints: Mapping[str, str] | None = None,
    allow_unauthenticated: bool = False,
    generate: bool = True,
    update: bool = False,
    **install: Any,  # noqa: ANN401 - the fields of Install type them
) -> dict[str, Any]:
    """Return the transaction, the same without its models, the software and the model files, or raise every problem.

    ``ready_timeout`` is in seconds; ``fingerprints`` tells the model files on the controller apart, by their paths.
    """
    wanted = Install(**install)
    folder = models_directory or f"{home}/{MODELS[2:]}"
    problems = [
        *_check_listening(bind, port, allow_unauthenticated),
        *_ollama_settings.check_environment(environment or {}, "ollama_environment"),
        *_ollama_settings.check_accepted(wanted.accepted, "ollama_accept_vulnerabilities"),
        *_check_folder(models_directory),
        *_ollama_software.check(wanted),
    ]
    if problems:
        raise StackError(problems)
    files = [_with_file(each, home, source_directory, fingerprints or {}) for each in models]
    declared = [_model(each, update) for each in files]
    software = _ollama_software.software(wanted, home)
    variables = _variables(bind, port, environment or {}, models_directory)
    server = _declaration(home, software, variables, _ready(software, bind, port, ready_timeout, wanted, generate))
    needs = [_need(each, folder) for each in declared]
    return {
        "declaration": {**server, "requires": [*server["requires"], *needs]},
        "server": server,
        "models": declared,
        "files": [each["file"] for each in files if each.get("file")],
        "releases": software["releases"],
        "url": f"http://{join_port(_reached(bind), port)}",
        "folder": folder,
    }


# -- problems -------------------------------------------------------------------------------------------------------


def _check_listening(bind: str, port: int, allowed: bool) -> Iterator[Problem]:
    if isinstance(port, bool) or not isinstance(port, int) or not 1024 <= port <= 65535:
        wrong = "is not a port that an account may open; Ollama would listen on 11434 instead."
        yield Problem("ollama_port", port, wrong, "Write a number from 1024 to 65535.")
    try:
        loopback = ipaddress.ip_address(bind).is_loopback
    except ValueError:
        yield Problem("ollama_bind", bind, "is not an IP address.", "Write one such as 127.0.0.1.")
        return
    if not loopback and not allowed:
        wrong = "is reached from other hosts, and Ollama asks nobody for a key."
        remedy = (
            "Whoever reaches the port can use, replace and delete models. Let the gateway stand before it on "
            "127.0.0.1,\nor set ollama_allow_unauthenticated: true and close the port to all others."
        )
        yield Problem("ollama_bind", bind, wrong, remedy)


def _check_folder(folder: str) -> Iterator[Problem]:
    if folder and not re.fullmatch(r"/[^\s\"'\\$%]+", folder):
        wrong = "is not the absolute path of a folder, without spaces, quotes and $."
        yield Problem(
            "ollama_models_directory", folder, wrong, "Write one such as /srv/models/ollama, or leave it out."
        )


# -- the server -----------------------------------------------------------------------------------------------------


def _variables(bind: str, port: int, environment: Mapping[str, Any], models_directory: str) -> dict[str, str]:
    derived = {
        "OLLAMA_HOST": join_port(bind, port),
        "OLLAMA_CONTEXT_LENGTH": _ollama.SERVER_CONTEXT,
        "OLLAMA_NO_CLOUD": True,
        **({"OLLAMA_MODELS": models_directory} if models_directory else {}),
    }
    return {name: _ollama_settings.text(value) for name, value in sorted({**environment, **derived}.items())}


def _reached(bind: str) -> str:
    """The address by which the host itself reaches the server."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)


def _ready(
    software: Mapping[str, Any], bind: str, port: int, ready_timeout: int, wanted: Install, generate: bool
) -> dict[str, Any]:
    """What the readiness check gets to know, and what systemd does."""
    options = ["--at-least", _ollama_settings.floor(wanted.accepted), "--program", software["program"]]
    options += ["--version", software["version"]] if software["version"] else []
    options += ["--generate"] if generate else []
    return {
        "url": f"http://{join_port(_reached(bind), port)}",
        "seconds": ready_timeout,
        "options": options,
        "listens": join_port(bind, port),
    }


def _declaration(
    home: str, software: Mapping[str, Any], variables: Mapping[str, str], ready: Mapping[str, Any]
) -> dict[str, Any]:
    config = config_dir(home, "ollama")
    environment_file, script = f"{config}/server.env", f"{config}/ready.py"
    check = ["/usr/bin/python3", script, ready["url"], str(ready["seconds"]), *ready["options"]]
    unit = {
        "argv": [specifier(software["program"], home), "serve"],
        "ready_argv": [specifier(word, home) for word in check],
        "environment_file": specifier(environment_file, home),
        "start_timeout": ready["seconds"] + START_MARGIN,
    }
    return {
        "files": [
            {"path": script, "src": "ready.py"},
            {
                "path": environment_file,
                "template": "server.env.j2",
                "vars": {"settings": dict(variables)},
                "mode": "0600",
            },
        ],
        "units": [
            {
                "name": _ollama.UNIT,
                "template": "ollama.service.j2",
                "vars": {"unit": unit},
                "inputs": [environment_file, script],
                "environment_files": [environment_file],
                "watch": ["OLLAMA_"],
                "listens": [ready["listens"]],
                "ready_timeout": unit["start_timeout"],
            }
        ],
        "requires": list(software["requires"]),
    }


# -- models ---------------------------------------------------------------------------------------------------------


def controller_path(directory: str, model: Mapping[str, Any]) -> str:
    """Where a model's file is on the controller; empty where it comes from elsewhere."""
    return os.path.join(directory, model["source"]["path"]) if model["source"]["origin"] == "controller" else ""


def _with_file(model: Mapping[str, Any], home: str, directory: str, fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """Add where the model's file is: ``path`` on the host, and what brings it there."""
    source = model["source"]
    if source["origin"] in ("registry", "store"):
        return {**model, "path": ""}
    if source["origin"] == "host":
        return {**model, "path": source["path"]}
    origin = controller_path(directory, model)
    bytes_of = source.get("sha256") or fingerprints.get(origin, "")
    name = "-".join(part for part in (model["name"], bytes_of[:12]) if part)
    target = f"{data_dir(home, 'models')}/{name}.gguf"
    fetched = {"name": model["name"], "target": target, "from": origin, "sha256": source.get("sha256")}
    return {**model, "path": target, "file": {**fetched, "url": "" if origin else source["path"]}}


def _model(model: Mapping[str, Any], update: bool) -> dict[str, Any]:
    """A model as the module ollama_model takes it; what says nothing is left out."""
    source = model["source"]
    found = {
        "name": model["ollama_name"],
        "state": "latest" if update and source["origin"] == "registry" else "",
        "source": "" if model["path"] else source["path"],
        "path": model["path"],
        "sha256": source.get("sha256"),
        "store": source.get("store"),
        "insecure": source.get("insecure"),
        "parameters": model.get("parameters"),
        "system": model.get("system"),
        "template": model.get("template"),
        "context": model.get("context"),
        "capabilities": ["tools"] if model.get("tools") else [],
    }
    return {key: value for key, value in found.items() if value}


def _need(declared: Mapping[str, Any], folder: str) -> dict[str, str]:
    path = manifest_path(folder, declared["name"])
    return {"kind": "ollama_model", "path": path, "digest": identity(declared)}
