# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the variables of an inventory to the declaration that the plan is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._engines import ENGINES
from ansible_collections.lab.llm_stack.plugins.module_utils._plain import plain
from ansible_collections.lab.llm_stack.plugins.module_utils._variables import OTHER_VARIABLES, PREFIX, VARIABLES

GROUPS = (*ENGINES, "litellm")


def declaration(
    variables: Mapping[str, Any], groups: Mapping[str, Iterable[str]], hostvars: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Give the declaration: the llm_stack_* variables without their prefix, and what the plan needs of each host.

    An unknown variable is passed on by its name alone, for the plan to refuse it together with all the rest. The key of
    an instance is never read into the declaration, only whether there is one.
    """
    names = [name for name in variables if name.startswith(PREFIX) and name not in OTHER_VARIABLES]
    declared = {name[len(PREFIX) :]: plain(variables[name]) for name in names}
    memberships = {name: sorted(group for group in GROUPS if name in groups.get(group, ())) for name in groups["all"]}
    serving = {name: hostvars[name] for name, member_of in sorted(memberships.items()) if member_of}
    hosts = {name: _host(member_of, serving.get(name, {})) for name, member_of in sorted(memberships.items())}
    return {**declared, "hosts": hosts, "conflicts": _conflicts(serving)}


def layer_files(declared: Mapping[str, Any]) -> list[str]:
    """Name the files that the layers of a declaration want read."""
    layers = declared.get("layers")
    entries = [each for each in layers if isinstance(each, Mapping)] if isinstance(layers, list) else []
    return sorted({each["file"] for each in entries if isinstance(each.get("file"), str)})


def _host(groups: list[str], variables: Mapping[str, Any]) -> dict[str, Any]:
    host: dict[str, Any] = {"groups": groups, "has_instance_key": bool(variables.get(f"{PREFIX}instance_key"))}
    secrets = variables.get(f"{PREFIX}secrets")
    if isinstance(secrets, Mapping):
        host["secrets"] = sorted(str(name) for name, value in secrets.items() if value)
    if f"{PREFIX}address" in variables:
        host["address"] = plain(variables[f"{PREFIX}address"])
    return host


def _conflicts(serving: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Name two hosts for each variable on which the inventory tells different hosts different things."""
    found = {}
    for key in VARIABLES:
        seen: dict[str, Any] = {name: plain(variables.get(f"{PREFIX}{key}")) for name, variables in serving.items()}
        first = next(iter(seen), "")
        other = next((name for name, value in seen.items() if value != seen[first]), None)
        if other:
            found[key] = [first, other]
    return found
