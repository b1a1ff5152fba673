# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From a LiteLLM configuration to what the gateway's service transaction needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._role_paths import config_dir, environment, specifier

KEY = "LITELLM_MASTER_KEY"


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

    Raises StackError for a configuration with nothing to serve (LiteLLM starts and answers every request with an
    error) and for a key that LiteLLM refuses.
    """
    problems = list(_problems(config, master_key))
    if problems:
        raise StackError(problems)
    etc = config_dir(home, "litellm")
    built = environment(home, "litellm", lock, python)
    secret_file = f"{etc}/secrets.env"
    own_files = [f"{etc}/%i/config.yaml", f"{etc}/%i/gateway.py"]
    unit = {
        "argv": [
            f"{specifier(built['path'], home)}/bin/python",
            *(_colour(path, home) for path in reversed(own_files)),
        ],
        "secret_file": specifier(secret_file, home),
        "ready_timeout": ready_timeout,
        "drain_timeout": drain_timeout,
        # The drain ends by itself; systemd only steps in when it does not.
        "stop_timeout": drain_timeout + 30,
    }
    return {
        "declaration": {
            "files": [
                {"path": own_files[0], "template": "config.yaml.j2", "vars": {"config": config}, "mode": "0600"},
                {"path": own_files[1], "src": "gateway.py"},
                _secret_file(secret_file, dict(secrets or {}), master_key),
            ],
            "units": [
                {
                    "name": "litellm.socket",
                    "template": "litellm.socket.j2",
                    "vars": {"listen": f"{host}:{port}"},
                    "listens": [f"{host}:{port}"],
                },
                {
                    "name": "litellm@.service",
                    "template": "litellm@.service.j2",
                    "vars": {"unit": unit},
                    "blue_green": True,
                    "inputs": [*own_files, secret_file],
                    "environment_files": [secret_file],
                    "watch": ["LITELLM_"],
                    "ready_timeout": ready_timeout,
                },
            ],
            "requires": [{"kind": "environment", **built}],
        },
    }


def _colour(path: str, home: str) -> str:
    """A path in a unit that keeps systemd's own %i for the instance."""
    return specifier(path, home).replace("%%i", "%i")


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
