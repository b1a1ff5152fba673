# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a declaration to everything that follows from it: no input or output, and the same answer each time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _apps, _gateway, _ollama, _providers
from ansible_collections.lab.llm_stack.plugins.module_utils._checklist import checklist, deep
from ansible_collections.lab.llm_stack.plugins.module_utils._deadlines import bounds, check_deadlines
from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Declaration, parse
from ansible_collections.lab.llm_stack.plugins.module_utils._engine_choice import engines
from ansible_collections.lab.llm_stack.plugins.module_utils._engines import ENGINES
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_settings import (
    check_fallback_shapes,
    check_interplay,
    check_references,
    check_settings,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_split import Process, processes
from ansible_collections.lab.llm_stack.plugins.module_utils._names import check_names, check_standby
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._routing import (
    Routing,
    base_url,
    key_variable,
    route,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._slot_plan import occupied, slots

if TYPE_CHECKING:
    from ansible_collections.lab.llm_stack.plugins.module_utils._layers import Merged


def plan(written: Mapping[str, Any], emptied: Collection[str] = ()) -> dict[str, Any]:
    """Derive the full state of all hosts, or raise a StackError with every problem of the declaration.

    ``written`` has the keys models, routes, aliases, apps, gateway, layers, and hosts: a mapping of inventory names to
    {groups, address, has_instance_key}. ``layer_files`` has what was read of the files of layers, by their names.
    In the slots that are ``emptied`` every model stands by.
    """
    declared, routing = read(written, emptied)
    config = _gateway.config(declared, routing)
    merged = stacked(declared, config) if declared.layers else None
    config = merged.config if merged else config
    served = _gateway.served(config)
    problems = [*check_references(declared, served), *check_deadlines(declared, config, merged)]
    problems += _apps.check_served(declared, served)
    if problems:
        raise StackError(problems)
    return _derived(declared, routing, config)


def read(written: Mapping[str, Any], emptied: Collection[str] = ()) -> tuple[Declaration, Routing]:
    """Give the declaration and where everything runs, or raise a StackError with every problem."""
    declared, problems = parse(written)
    declared, unserved = engines(declared)
    routing, more = route(declared)
    declared, routing, crowded = occupied(declared, routing, emptied)
    problems += _ollama.clashes(each for each in routing.instances if each.engine.name == "ollama")
    problems += [*unserved, *more, *crowded, *check_names(declared), *check_settings(declared)]
    problems += check_interplay(declared, routing)
    problems += [*_apps.check_apps(declared), *_providers.check_providers(declared, routing.gateways)]
    # What follows can be told only when every name is known.
    problems += [] if problems else check_standby(declared.models)
    if problems:
        raise StackError(problems)
    return declared, routing


def stacked(declared: Declaration, config: Mapping[str, Any]) -> Merged:
    """Merge the layers of the user over what was derived, or raise a StackError where they do not fit."""
    # Only who has layers, or asks about them, pays for what they need.
    from ansible_collections.lab.llm_stack.plugins.module_utils._layer_check import check_merged
    from ansible_collections.lab.llm_stack.plugins.module_utils._layer_sources import derived, native
    from ansible_collections.lab.llm_stack.plugins.module_utils._layers import merge

    misshapen = list(check_fallback_shapes(declared))
    if misshapen:
        raise StackError(misshapen)
    merged = merge([*derived(declared, config), *native(declared)])
    problems = list(merged.problems)
    if declared.layers and not problems:
        problems += check_merged(declared, merged)
    if problems:
        raise StackError(problems)
    return merged


def explained(written: Mapping[str, Any]) -> Merged:
    """Give the gateway's configuration with the origin of every value, or raise a StackError with every problem."""
    declared, routing = read(written)
    return stacked(declared, _gateway.config(declared, routing))


def _derived(declared: Declaration, routing: Routing, config: Mapping[str, Any]) -> dict[str, Any]:
    gateways = processes(declared, routing, config)
    hosts: dict[str, dict[str, Any]] = {}
    for name, host in sorted(declared.hosts.items()):
        for engine in ENGINES.values():
            if engine.name in host.groups:
                mine = [each for each in routing.instances if (each.host, each.engine.name) == (name, engine.name)]
                hosts.setdefault(name, {})[engine.name] = engine.planned(mine)
        if name in routing.gateways:
            hosts.setdefault(name, {})["litellm"] = _gateway_of(name, declared, routing, gateways)
    return {
        "hosts": hosts,
        "slots": {each.name: each.as_dict() for each in slots(declared, routing)},
        "checklist": checklist(declared, routing, gateways),
        **({"deep": late} if (late := deep(declared, routing, gateways)) else {}),
        "summary": _summary(declared, routing, config),
        **({"drift_ignore": [dict(rule) for rule in declared.drift_ignore]} if declared.drift_ignore else {}),
    }


def _gateway_of(host: str, declared: Declaration, routing: Routing, gateways: list[Process]) -> dict[str, Any]:
    keyed = {
        key_variable(each.host): each.host for each in routing.instances if each.needs_key and not each.model.standby
    }
    bind, (shared, *beside) = routing.gateways[host], gateways
    return {
        "bind": bind,
        "port": shared.port,
        "url": base_url(bind, shared.port),
        "config": shared.config,
        "models": shared.served,
        "deployments": len(shared.config["model_list"]),
        "apps": shared.apps,
        # The gateways of apps that have their own, as the role takes them.
        "instances": [
            {"name": each.name, "config": each.config, "host": bind, "port": each.port, "apps": each.apps}
            for each in beside
        ],
        # Which variable of the gateway's environment has to hold the llm_stack_instance_key of which host.
        "instance_keys": dict(sorted(keyed.items())),
        # And which of them has to hold which of the llm_stack_secrets.
        "secrets": _providers.secrets(declared),
    }


def _summary(declared: Declaration, routing: Routing, config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "models": len(declared.models),
        "standby": sorted(name for name, model in declared.models.items() if model.standby),
        "instances": len(routing.instances),
        "deployments": len(config["model_list"]),
        "gateways": {host: base_url(bind, declared.gateway.port) for host, bind in sorted(routing.gateways.items())},
        "tools": sorted(name for name, model in declared.models.items() if model.tools),
        # How long a request of an app may take before it fails, in seconds, and what that is the sum of.
        "latency": bounds(declared, config),
    }
