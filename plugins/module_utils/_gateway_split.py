# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway processes of a host: the one that all share, and one for each app that has its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _apps
from ansible_collections.lab.llm_stack.plugins.module_utils._app import App
from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Declaration
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway import served
from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_apps import AUTH, MAIN
from ansible_collections.lab.llm_stack.plugins.module_utils._routing import Routing

# Settings by name: lists with one name each, mappings by name, and lists of names.
_ENTRIES = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
_MAPPINGS = ("model_group_alias", "model_group_retry_policy")
_NAMES = ("default_fallbacks",)

_COMPARED = (
    *("model", "api_base", "timeout", "stream_timeout", "num_retries"),
    *("default_api_key_rpm_limit", "default_api_key_tpm_limit"),
)
_TOLD = ("mode", "max_tokens", "max_input_tokens", "max_output_tokens")
"""What clients look at of a model, beside its abilities."""


@dataclass(frozen=True)
class Process:
    """One gateway: its name, its port, what it serves and to which apps. The app is that of a gateway of its own."""

    name: str
    port: int
    config: Mapping[str, Any]
    apps: Mapping[str, Mapping[str, Any]]
    app: App | None = None

    @property
    def socket(self) -> str:
        """The unit that holds the port."""
        return f"{self.name}.socket"

    @property
    def services(self) -> list[str]:
        """The two units of which one serves."""
        return [f"{self.name}@a.service", f"{self.name}@b.service"]

    @property
    def served(self) -> list[str]:
        """The names that it lists."""
        return served(self.config)


def processes(declared: Declaration, routing: Routing, config: Mapping[str, Any]) -> list[Process]:
    """Give the shared gateway first, then the others by the names of their apps."""
    alone = [app for _name, app in sorted(declared.apps.items()) if app.alone]
    shared = [app for _name, app in sorted(declared.apps.items()) if not app.alone]
    rest = _part(config, alone, None) if alone else config
    found = [Process(MAIN, declared.gateway.port, rest, _tables(shared, declared, config))]
    for app in alone:
        own = _with_auth(_part(config, alone, app))
        tables = _tables([app], declared, config)
        found.append(Process(f"{MAIN}-{app.name}", routing.app_ports[app.name], own, tables, app))
    return found


def _tables(apps: list[App], declared: Declaration, config: Mapping[str, Any]) -> dict[str, Any]:
    every = served(config)
    return {app.name: _apps.table(app, _apps.names(app, declared, every)) for app in apps}


def _part(config: Mapping[str, Any], alone: list[App], app: App | None) -> dict[str, Any]:
    """Keep of a configuration what belongs to one app, or to none of those that have a gateway of their own."""

    def mine(name: object) -> bool:
        owner = next((each for each in alone if str(name).startswith(f"{each.name}/")), None)
        return owner is app

    part = {**config, "model_list": [entry for entry in config["model_list"] if mine(entry["model_name"])]}
    for section in ("router_settings", "litellm_settings"):
        kept = {key: _kept(key, value, mine) for key, value in config.get(section, {}).items()}
        part[section] = {key: value for key, value in kept.items() if value or not config[section][key]}
    return part


def _kept(key: str, value: Any, mine: Callable[[object], bool]) -> Any:  # noqa: ANN401 - a setting of any kind
    if key in _ENTRIES and isinstance(value, list):
        return [entry for entry in value if all(map(mine, entry))]
    if key in _MAPPINGS and isinstance(value, Mapping):
        return {name: inner for name, inner in value.items() if mine(name)}
    return [name for name in value if mine(name)] if key in _NAMES and isinstance(value, list) else value


def _with_auth(config: dict[str, Any]) -> dict[str, Any]:
    return {**config, **{name: dict(sorted({**config.get(name, {}), **keys}.items())) for name, keys in AUTH.items()}}


def deployments(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give what the running gateway has to say of each of its deployments; it tells those of an alias once more."""
    own = [
        {"name": entry["model_name"], **_place(entry["litellm_params"]), **_info(entry.get("model_info") or {})}
        for entry in config["model_list"]
    ]
    aliases = config["router_settings"].get("model_group_alias") or {}
    shown = {name: _target(target) for name, target in sorted(aliases.items()) if name in served(config)}
    return own + [{**each, "name": name} for name, target in shown.items() for each in own if each["name"] == target]


def _place(params: Mapping[str, Any]) -> dict[str, Any]:
    return {key: params[key] for key in _COMPARED if params.get(key) is not None}


def _info(written: Mapping[str, Any]) -> dict[str, Any]:
    """What clients are told of a model: its context, its abilities."""
    told = {key: value for key, value in written.items() if key in _TOLD or key.startswith("supports_")}
    return {"info": told} if told else {}


def _target(target: object) -> object:
    return target.get("model") if isinstance(target, Mapping) else target
