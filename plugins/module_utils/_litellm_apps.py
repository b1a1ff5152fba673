# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the apps of a gateway need on its host: the table that opens it to their keys, and a file each to connect by."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._role_paths import config_dir

Apps = Mapping[str, Mapping[str, Any]]

MAIN = "litellm"
"""The gateway that every host of the group has; others stand beside it in the same transaction."""

AUTH: Mapping[str, Mapping[str, Any]] = {
    "litellm_settings": {"enable_post_custom_auth_checks": True},
    "general_settings": {"custom_auth": "app_auth.user_api_key_auth", "custom_auth_run_common_checks": True},
}
"""What makes LiteLLM ask app_auth.py who sent a request. With only one of the two switches it does not hold an app to
its models (measured on LiteLLM 1.106.2)."""

_FIELDS = ("aliases", "default_model", "models", "rpm", "tpm")


def key_variable(app: str) -> str:
    """The variable in the gateway's environment that holds an app's key."""
    return "LLM_STACK_APP_KEY_" + re.sub(r"[^A-Z0-9]", "_", app.upper())


def check_apps(apps: Apps, config: Mapping[str, Any], option: Callable[[str], str]) -> Iterator[Problem]:
    """Yield a problem for each app that cannot be served, and for a configuration that would not ask for their keys.

    ``option`` tells the path of what the user wrote from its name.
    """
    for name, app in apps.items():
        path = f"{option('apps')}.{name}"
        for key in sorted(set(app) - set(_FIELDS)):
            yield Problem(f"{path}.{key}", NOTHING, "is not a known key.", nearest(key, _FIELDS))
        if not app.get("models"):
            yield Problem(f"{path}.models", NOTHING, "is missing or empty.", "Name what its key may ask for.")
    yield from _check_variables(apps, option("apps"))
    if apps:
        yield from _check_auth(config, option("config"))


def _check_auth(config: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for section, settings in AUTH.items():
        for key, value in settings.items():
            found = config.get(section, {}).get(key, NOTHING)
            if found != value:
                text = json.dumps(value).strip('"')
                wrong = "is missing" if found is NOTHING else "differs"
                wrong += ", so the keys of apps would open nothing, or more than their models."
                yield Problem(f"{path}.{section}.{key}", found, wrong, f"Write {key}: {text}.")


def _check_variables(apps: Apps, path: str) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name in sorted(apps):
        owner = owners.setdefault(key_variable(name), name)
        if owner != name:
            wrong = f"would have its key in {key_variable(name)}, like {owner}."
            yield Problem(f"{path}.{name}", NOTHING, wrong, "Rename one of the two apps.")


def table(apps: Apps) -> str:
    """The text of apps.json, which app_auth.py reads. It names the variables of keys and holds none."""
    rows = {name: _row(name, app) for name, app in sorted(apps.items())}
    return json.dumps(rows, indent=2, sort_keys=True) + "\n"


def _row(name: str, app: Mapping[str, Any]) -> dict[str, Any]:
    limits = {key: app[key] for key in ("rpm", "tpm") if app.get(key) is not None}
    return {"key": key_variable(name), "models": list(app["models"]), "aliases": dict(app.get("aliases", {})), **limits}


def connections(apps: Apps, home: str, url: str) -> list[dict[str, Any]]:
    """A file for each app, by which it finds the gateway, its own key and its default model."""
    return [
        {
            "path": f"{config_dir(home, 'apps')}/{name}.env",
            "template": "app.env.j2",
            "vars": {"app": name, "variables": _variables(name, app, url)},
            "mode": "0600",
            "secret": True,
        }
        for name, app in sorted(apps.items())
    ]


def _variables(name: str, app: Mapping[str, Any], url: str) -> dict[str, str]:
    """The names that OpenAI's own clients look for. The key is put in on the host, where it is made."""
    return {
        "OPENAI_API_KEY": f"@secret:{key_variable(name)}@",
        "OPENAI_BASE_URL": url,
        "OPENAI_MODEL": str(app.get("default_model") or app["models"][0]),
    }
