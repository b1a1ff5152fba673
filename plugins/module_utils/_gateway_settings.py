# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the user's LiteLLM settings; LiteLLM itself ignores what it does not know and starts with the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Declaration
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_fallbacks import (
    check_entry,
    check_name,
    check_shape,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_sections import SECTIONS, check_setting
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem
from ansible_collections.lab.llm_stack.plugins.module_utils._routing import Routing
from ansible_collections.lab.llm_stack.plugins.module_utils._variables import PREFIX

__all__ = ["SECTIONS", "check_fallback_shapes", "check_interplay", "check_references", "check_settings"]

# What the plan derives, and where the user declares it.
_DERIVED: Mapping[str, str] = {
    "router_settings.model_list": f"Declare models in {PREFIX}models.",
    "router_settings.model_group_alias": f"Declare aliases in {PREFIX}aliases.",
    "router_settings.fallbacks": f"Write fallbacks at the model, in {PREFIX}models.",
    "litellm_settings.fallbacks": f"Write fallbacks at the model, in {PREFIX}models.",
    "general_settings.master_key": "The role makes the key on the host, in a file that only its user can read.",
}


def check_settings(declared: Declaration) -> Iterator[Problem]:
    """Yield a problem for each setting that LiteLLM does not know, that is derived, or that holds the wrong kind."""
    for section in SECTIONS:
        path = f"{PREFIX}gateway.{section}"
        for key, value in declared.gateway.settings.get(section, {}).items():
            if f"{section}.{key}" in _DERIVED:
                yield Problem(f"{path}.{key}", NOTHING, "is derived.", _DERIVED[f"{section}.{key}"])
            else:
                yield from check_setting(section, key, value, f"{path}.{key}", _home)


def _home(section: str) -> str:
    return f"{PREFIX}gateway.{section}"


def check_references(declared: Declaration, names: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for each model that a setting names and the gateway does not have."""
    for section in ("router_settings", "litellm_settings"):
        settings = declared.gateway.settings.get(section, {})
        for key in ("context_window_fallbacks", "content_policy_fallbacks"):
            path = f"{PREFIX}gateway.{section}.{key}"
            for index, entry in enumerate(_list(settings.get(key))):
                yield from check_entry(entry, f"{path}[{index}]", names)
        for index, name in enumerate(_list(settings.get("default_fallbacks"))):
            yield from check_name(name, f"{PREFIX}gateway.{section}.default_fallbacks[{index}]", names)
    policies = declared.gateway.settings.get("router_settings", {}).get("model_group_retry_policy", {})
    for name in policies if isinstance(policies, Mapping) else ():
        yield from check_name(name, f"{PREFIX}gateway.router_settings.model_group_retry_policy.{name}", names)


def check_fallback_shapes(declared: Declaration) -> Iterator[Problem]:
    """Yield a problem for each entry that cannot be told from others by its name, as layers are merged by it."""
    for section in ("router_settings", "litellm_settings"):
        settings = declared.gateway.settings.get(section, {})
        for key in ("context_window_fallbacks", "content_policy_fallbacks"):
            for index, entry in enumerate(_list(settings.get(key))):
                yield from check_shape(entry, f"{PREFIX}gateway.{section}.{key}[{index}]")


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def check_interplay(declared: Declaration, routing: Routing) -> Iterator[Problem]:
    """Yield a problem for each setting that would undo what is declared elsewhere."""
    router = declared.gateway.settings.get("router_settings", {})
    path = f"{PREFIX}gateway.router_settings"
    limited = sorted(app.name for app in declared.apps.values() if app.retries is not None)
    if "retry_policy" in router and limited:
        wrong = f"would undo the retries of: {', '.join(limited)}."
        yield Problem(
            f"{path}.retry_policy", NOTHING, wrong, "Use num_retries, or model_group_retry_policy for single models."
        )
    counts = {name: sum(each.model.name == name for each in routing.instances) for name in declared.models}
    single = sorted(name for name, count in counts.items() if count == 1 or declared.models[name].provider)
    for key in ("allowed_fails", "allowed_fails_policy"):
        if key in router and single and not router.get("disable_cooldowns"):
            wrong = f"would shut models with one instance off after failures: {', '.join(single)}."
            yield Problem(f"{path}.{key}", NOTHING, wrong, "Remove it, or give each model a second host.")
