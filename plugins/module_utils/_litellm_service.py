# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From LiteLLM configurations to what the service transaction of a host's gateways needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _litellm_apps
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check import check_config
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import ERROR, Place
from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_apps import MAIN
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


@dataclass(frozen=True)
class Gateway:
    """One gateway process: its name, under which its units and its directory go, and what it serves."""

    name: str
    config: Mapping[str, Any]
    host: str
    port: int
    apps: _litellm_apps.Apps = field(default_factory=dict)

    def option(self, name: str) -> str:
        """Where the user of the role wrote something of it."""
        return f"litellm_{name}" if self.name == MAIN else f"litellm_instances.{self.name}.{name}"

    def files(self, home: str) -> dict[str, str]:
        """The files that its process reads at start."""
        etc = config_dir(home, self.name)
        own = {"config": "%i/config.yaml", "launcher": "%i/gateway.py", "secrets": "secrets.env"}
        auth = {"auth": "%i/app_auth.py", "apps": "%i/apps.json"} if self.apps else {}
        return {key: f"{etc}/{name}" for key, name in {**own, **auth}.items()}


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
    apps: _litellm_apps.Apps | None = None,
    instances: Sequence[Mapping[str, Any]] = (),
    check: bool = True,
) -> dict[str, Any]:
    """Return the declaration of the transaction; timeouts are in seconds.

    ``instances`` are gateways beside the main one, each with name, config, host, port and apps. Raises StackError for
    a configuration that LiteLLM would serve wrongly (unless ``check`` is false), for one with nothing to serve, for a
    key that LiteLLM refuses, and for apps it would not hold to their own.
    """
    gateways = [Gateway(MAIN, config, host, port, apps or {}), *(Gateway(**each) for each in instances)]
    problems = [*_check_key(master_key), *(problem for each in gateways for problem in _check(each))]
    if check and not problems:
        problems = [problem for each in gateways for problem in _wrong(each, secrets or {})]
    if problems:
        raise StackError(problems)
    built = environment(home, "litellm", lock, python)
    unit = {
        "python": f"{specifier(built['path'], home)}/bin/python",
        "ready_timeout": ready_timeout,
        "drain_timeout": drain_timeout,
        "stop_timeout": drain_timeout + STOP_MARGIN,
    }
    files = [file for each in gateways for file in _files(each, home, secrets or {}, master_key)]
    units = [entry for each in gateways for entry in _units(each, home, unit)]
    return {"declaration": {"files": files, "units": units, "requires": [{"kind": "environment", **built}]}}


def _files(gateway: Gateway, home: str, secrets: Mapping[str, str], master_key: str) -> list[dict[str, Any]]:
    paths = gateway.files(home)
    files: list[dict[str, Any]] = [
        {"path": paths["config"], "template": "config.yaml.j2", "vars": {"config": gateway.config}, "mode": "0600"},
        {"path": paths["launcher"], "src": "gateway.py"},
        _secret_file(gateway, paths["secrets"], secrets, master_key),
    ]
    if gateway.apps:
        files += [
            {"path": paths["auth"], "src": "app_auth.py"},
            {"path": paths["apps"], "content": _litellm_apps.table(gateway.apps)},
        ]
    return files + _litellm_apps.connections(gateway.apps, home, f"http://{join_port(gateway.host, gateway.port)}/v1")


def _secret_file(gateway: Gateway, path: str, secrets: Mapping[str, str], master_key: str) -> dict[str, Any]:
    """The one file with a gateway's keys. What is not given is made on the host; operators have one key for all."""
    main = gateway.name == MAIN
    given = dict(secrets) if main else {name: secrets[name] for name in _references(gateway.config) if name in secrets}
    if master_key or not main:
        given[KEY] = master_key or f"@secret:{KEY}@"
    generate = {} if KEY in given else {KEY: "sk-"}
    generate.update({_litellm_apps.key_variable(app): "sk-" for app in sorted(gateway.apps)})
    return {
        "path": path,
        "template": "secrets.env.j2",
        "vars": {"secrets": given},
        "mode": "0600",
        "secret": True,
        "generate": generate,
    }


def _references(value: object) -> set[str]:
    """The names behind os.environ/NAME in a configuration."""
    if isinstance(value, (Mapping, list, tuple)):
        inner = value.values() if isinstance(value, Mapping) else value
        return {name for each in inner for name in _references(each)}
    return {value.partition("/")[2]} if isinstance(value, str) and value.startswith("os.environ/") else set()


def _units(gateway: Gateway, home: str, unit: Mapping[str, Any]) -> list[dict[str, Any]]:
    paths, listen = gateway.files(home), join_port(gateway.host, gateway.port)
    shown = {"name": gateway.name, "of": f" of {', '.join(sorted(gateway.apps))}" if gateway.name != MAIN else ""}
    argv = [unit["python"], *(_coloured(paths[name], home) for name in ("launcher", "config"))]
    secret_file = specifier(paths["secrets"], home)
    return [
        {
            "name": f"{gateway.name}.socket",
            "template": "litellm.socket.j2",
            "vars": {"listen": listen, "gateway": shown},
            "listens": [listen],
        },
        {
            "name": f"{gateway.name}@.service",
            "template": "litellm@.service.j2",
            "vars": {"unit": {**unit, "argv": argv, "secret_file": secret_file}, "gateway": shown},
            "blue_green": True,
            "inputs": list(paths.values()),
            "environment_files": [paths["secrets"]],
            "watch": ["LITELLM_", "LLM_STACK_APP_KEY_"] if gateway.apps else ["LITELLM_"],
            "ready_timeout": unit["ready_timeout"],
        },
    ]


def _coloured(path: str, home: str) -> str:
    """A path in a unit that keeps systemd's own %i for the instance."""
    return specifier(path, home).replace("%%i", "%i")


def _check(gateway: Gateway) -> Iterator[Problem]:
    if not gateway.config.get("model_list"):
        yield Problem(
            f"{gateway.option('config')}.model_list",
            NOTHING,
            "is missing or empty, so the gateway would serve nothing.",
            "Declare at least one deployment.",
        )
    yield from _litellm_apps.check_apps(gateway.apps, gateway.config, gateway.option)


def _wrong(gateway: Gateway, secrets: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a problem for each thing in a configuration that LiteLLM would drop, ignore or take for something else."""
    known = frozenset({KEY, *secrets, *map(_litellm_apps.key_variable, gateway.apps)})
    for finding in check_config(gateway.config, Place(environment=known)):
        if finding.level == ERROR:
            yield Problem(f"{gateway.option('config')}.{finding.path}", finding.found, finding.wrong, finding.remedy)


def _check_key(master_key: str) -> Iterator[Problem]:
    if master_key and not re.fullmatch(r"sk-[!-~]{8,}", master_key):
        yield Problem(
            "litellm_master_key",
            NOTHING,
            "is none that LiteLLM accepts.",
            "Write sk- and at least 8 further characters, or leave it empty and one is generated on the host.",
        )
