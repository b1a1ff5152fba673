# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From a LiteLLM configuration to what the gateway's service transaction needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._role_paths import (
    config_dir,
    environment,
    join_port,
    specifier,
)

KEY = "LITELLM_MASTER_KEY"
STOP_MARGIN = 30
"""Seconds that systemd waits beyond the drain, which ends by itself, before it steps in."""


def litellm_service(
    config: Mapping[str, Any],
    *,
    home: str,
    host: str,
    port: int,
    lock: str,
    python: str,
    ready_timeout: int,
    drain_timeout: int,
    master_key: str = "",
    secrets: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the declaration of the transaction; timeouts are in seconds.

    Raises StackError for a configuration with nothing to serve and for a key that LiteLLM refuses.
    """
    problems = list(_problems(config, master_key))
    if problems:
        raise StackError(problems)
    etc, built = config_dir(home, "litellm"), environment(home, "litellm", lock, python)
    paths = {"config": f"{etc}/%i/config.yaml", "launcher": f"{etc}/%i/gateway.py", "secrets": f"{etc}/secrets.env"}
    unit = {
        "argv": [
            f"{specifier(built['path'], home)}/bin/python",
            _coloured(paths, "launcher", home),
            _coloured(paths, "config", home),
        ],
        "secret_file": specifier(paths["secrets"], home),
        "ready_timeout": ready_timeout,
        "drain_timeout": drain_timeout,
        "stop_timeout": drain_timeout + STOP_MARGIN,
    }
    files = [
        {"path": paths["config"], "template": "config.yaml.j2", "vars": {"config": config}, "mode": "0600"},
        {"path": paths["launcher"], "src": "gateway.py"},
        _secret_file(paths["secrets"], dict(secrets or {}), master_key),
    ]
    units = [_socket(join_port(host, port)), _service(paths, unit)]
    return {"declaration": {"files": files, "units": units, "requires": [{"kind": "environment", **built}]}}


def _socket(listen: str) -> dict[str, Any]:
    return {"name": "litellm.socket", "template": "litellm.socket.j2", "vars": {"listen": listen}, "listens": [listen]}


def _service(paths: Mapping[str, str], unit: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": "litellm@.service",
        "template": "litellm@.service.j2",
        "vars": {"unit": unit},
        "blue_green": True,
        "inputs": list(paths.values()),
        "environment_files": [paths["secrets"]],
        "watch": ["LITELLM_"],
        "ready_timeout": unit["ready_timeout"],
    }


def _coloured(paths: Mapping[str, str], name: str, home: str) -> str:
    """A path in a unit that keeps systemd's own %i for the instance."""
    return specifier(paths[name], home).replace("%%i", "%i")


def _secret_file(path: str, secrets: dict[str, str], master_key: str) -> dict[str, Any]:
    """The one file with keys; the operators' key is generated on the host unless it is given."""
    given = {**secrets, KEY: master_key} if master_key else secrets
    generate = {} if master_key else {KEY: "sk-"}
    return {
        "path": path,
        "template": "secrets.env.j2",
        "vars": {"secrets": given},
        "mode": "0600",
        "secret": True,
        "generate": generate,
    }


def _problems(config: Mapping[str, Any], master_key: str) -> Iterator[Problem]:
    if not config.get("model_list"):
        yield Problem(
            "litellm_config.model_list",
            NOTHING,
            "is missing or empty, so the gateway would serve nothing.",
            "Declare at least one deployment.",
        )
    if master_key and not re.fullmatch(r"sk-\S{8,}", master_key):
        yield Problem(
            "litellm_master_key",
            NOTHING,
            "is none that LiteLLM accepts.",
            "Write sk- and at least 8 further characters, or leave it empty and one is generated on the host.",
        )
