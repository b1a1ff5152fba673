# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From the one Ollama server of a host to its service transaction, its software, and the models it has to have."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import (
    _ollama,
    _ollama_declared,
    _ollama_settings,
    _ollama_software,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_record import MODELS, identity, manifest_path
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_software import Install
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem, StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._role_paths import (
    config_dir,
    controller_path,
    data_dir,
    join_port,
    specifier,
)

START_MARGIN = 30
"""Seconds that systemd grants beyond the readiness check, so that the check's own words reach the journal."""


@dataclass(frozen=True)
class Server:
    """Where the server listens and what it may, as the role's variables say it; ``ready_timeout`` is in seconds."""

    bind: str
    port: int
    ready_timeout: int
    environment: Mapping[str, Any] = field(default_factory=dict)
    allow_unauthenticated: bool = False
    generate: bool = True

    @property
    def url(self) -> str:
        """Where the host itself reaches it."""
        reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.bind, self.bind)
        return f"http://{join_port(reached, self.port)}"


def ollama_service(
    models: Sequence[Mapping[str, Any]],
    *,
    home: str,
    models_directory: str = "",
    source_directory: str = "",
    fingerprints: Mapping[str, str] | None = None,
    update: bool = False,
    **options: Any,  # noqa: ANN401 - the fields of Server and Install type them
) -> dict[str, Any]:
    """Return the transaction, the same without its models, the software and the model files, or raise every problem.

    ``fingerprints`` tells the model files on the controller apart, by their paths; with ``update`` registries are asked
    for newer models.
    """
    own = {key: options.pop(key) for key in [*options] if key in Server.__dataclass_fields__}
    server, install = Server(**own), Install(**options)
    problems = [*_check_server(server), *_check_folder(models_directory), *_ollama_software.check(install)]
    problems += _ollama_declared.check(models)
    if problems:
        raise StackError(problems)
    software = _ollama_software.software(install, home)
    files = [_with_file(each, home, source_directory, fingerprints or {}) for each in models]
    declared = [_model(each, update) for each in files]
    alone = _declaration(home, server, software, install.accepted, models_directory)
    folder = models_directory or f"{home}/{MODELS[2:]}"
    needs = [_need(each, of, folder, server.url) for each, of in zip(declared, files)]
    return {
        "declaration": {**alone, "requires": [*alone["requires"], *needs]},
        "server": alone,
        "models": declared,
        "files": [each["file"] for each in files if each.get("file")],
        "releases": software["releases"],
        "url": server.url,
        "folder": folder,
    }


# -- problems -------------------------------------------------------------------------------------------------------


def _check_server(server: Server) -> Iterator[Problem]:
    if not 1024 <= server.port <= 65535:
        wrong = "is not a port that an account may open; Ollama would listen on 11434 instead."
        yield Problem("ollama_port", server.port, wrong, "Write a number from 1024 to 65535.")
    yield from _check_address(server)
    yield from _ollama_settings.check_environment(server.environment, "ollama_environment")


def _check_address(server: Server) -> Iterator[Problem]:
    try:
        loopback = ipaddress.ip_address(server.bind).is_loopback
    except ValueError:
        yield Problem("ollama_bind", server.bind, "is not an IP address.", "Write one such as 127.0.0.1.")
        return
    if not loopback and not server.allow_unauthenticated:
        wrong = "is reached from other hosts, and Ollama asks nobody for a key."
        remedy = (
            "Whoever reaches the port can use, replace and delete models. Let the gateway stand before it on 127.0.0.1,"
            "\nor set ollama_allow_unauthenticated: true and close the port to all others."
        )
        yield Problem("ollama_bind", server.bind, wrong, remedy)


def _check_folder(folder: str) -> Iterator[Problem]:
    if folder and not re.fullmatch(r"/[^\s\"'\\$%]+", folder):
        wrong = "is not the absolute path of a folder, without spaces, quotes and $."
        yield Problem(
            "ollama_models_directory", folder, wrong, "Write one such as /srv/models/ollama, or leave it out."
        )


# -- the server -----------------------------------------------------------------------------------------------------


def _variables(server: Server, models_directory: str) -> dict[str, str]:
    derived = {
        "OLLAMA_HOST": join_port(server.bind, server.port),
        "OLLAMA_CONTEXT_LENGTH": _ollama.SERVER_CONTEXT,
        "OLLAMA_NO_CLOUD": True,
        **({"OLLAMA_MODELS": models_directory} if models_directory else {}),
    }
    return {name: _ollama_settings.text(value) for name, value in sorted({**server.environment, **derived}.items())}


def _ready(server: Server, software: Mapping[str, Any], script: str, accepted: Sequence[str]) -> list[str]:
    """The readiness check, with all it gets to know."""
    words = ["/usr/bin/python3", script, server.url, str(server.ready_timeout)]
    words += ["--at-least", _ollama_settings.floor(accepted), "--program", software["program"]]
    words += ["--version", software["version"]] if software["version"] else []
    return [*words, "--generate"] if server.generate else words


def _declaration(
    home: str, server: Server, software: Mapping[str, Any], accepted: Sequence[str], models_directory: str
) -> dict[str, Any]:
    config = config_dir(home, "ollama")
    environment_file, script = f"{config}/server.env", f"{config}/ready.py"
    settings = _variables(server, models_directory)
    unit = {
        "argv": [specifier(software["program"], home), "serve"],
        "ready_argv": [specifier(word, home) for word in _ready(server, software, script, accepted)],
        "environment_file": specifier(environment_file, home),
        "start_timeout": server.ready_timeout + START_MARGIN,
    }
    return {
        "files": [
            {"path": script, "src": "ready.py"},
            {"path": environment_file, "template": "server.env.j2", "vars": {"settings": settings}, "mode": "0600"},
        ],
        "units": [
            {
                "name": _ollama.UNIT,
                "template": "ollama.service.j2",
                "vars": {"unit": unit},
                "inputs": [environment_file, script],
                "environment_files": [environment_file],
                "watch": ["OLLAMA_"],
                "listens": [join_port(server.bind, server.port)],
                "ready_timeout": unit["start_timeout"],
            }
        ],
        "requires": list(software["requires"]),
    }


# -- models ---------------------------------------------------------------------------------------------------------


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


def _need(declared: Mapping[str, Any], model: Mapping[str, Any], folder: str, url: str) -> dict[str, str]:
    path = manifest_path(folder, declared["name"])
    brought = {"file": str(model["file"]["target"])} if model.get("file") else {}
    return {"kind": "ollama_model", "path": path, "digest": identity(declared), "server": url, **brought}
