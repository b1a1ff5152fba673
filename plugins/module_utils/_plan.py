# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a declaration to everything that follows from it: no input or output, and the same answer each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _gateway, _llamacpp
from ansible_collections.lab.llm_stack.plugins.module_utils._checklist import checklist
from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Declaration, parse
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_settings import (
    check_interplay,
    check_references,
    check_settings,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._names import check_names, check_standby
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem, StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._routing import (
    Instance,
    Routing,
    base_url,
    key_variable,
    route,
)


def plan(written: Mapping[str, Any]) -> dict[str, Any]:
    """Derive the full state of all hosts, or raise a StackError with every problem of the declaration.

    ``written`` has the keys models, routes, aliases, apps, gateway, and hosts: a mapping of inventory names to
    {groups, address, has_instance_key}.
    """
    declared, problems = parse(written)
    routing, more = route(declared)
    problems += [*more, *check_names(declared), *check_settings(declared), *check_interplay(declared, routing)]
    # What follows can be told only when every name is known.
    problems += [] if problems else check_standby(declared.models)
    problems += [] if problems else _dangling(declared, routing)
    if problems:
        raise StackError(problems)
    return _derived(declared, routing)


def _dangling(declared: Declaration, routing: Routing) -> list[Problem]:
    """Check the names in LiteLLM's own settings against those the gateway will have."""
    return list(check_references(declared, _gateway.served(_gateway.config(declared, routing))))


def _derived(declared: Declaration, routing: Routing) -> dict[str, Any]:
    config = _gateway.config(declared, routing)
    served = _gateway.served(config)
    hosts: dict[str, dict[str, Any]] = {}
    for name, host in sorted(declared.hosts.items()):
        if "llamacpp" in host.groups:
            mine = [_instance(each) for each in routing.instances if each.host == name]
            hosts.setdefault(name, {})["llamacpp"] = {"instances": mine}
        if name in routing.gateways:
            hosts.setdefault(name, {})["litellm"] = _gateway_of(name, declared, routing, config, served)
    return {
        "hosts": hosts,
        "checklist": checklist(declared, routing, served),
        "summary": _summary(declared, routing, config),
    }


def _instance(instance: Instance) -> dict[str, Any]:
    model = instance.model
    options = model.options.get("llamacpp", {})
    return {
        "name": model.name,
        "unit": instance.unit,
        "model": model.name,
        "bind": instance.bind,
        "port": instance.port,
        "source": _llamacpp.source_of(model.source, options).as_dict(),
        "tools": model.tools,
        "context": model.context,
        "parallel": _llamacpp.parallel(options),
        "needs_key": instance.needs_key,
        "standby": model.standby,
        "settings": _llamacpp.settings(model.name, model.context, options, instance.bind, instance.port),
    }


def _gateway_of(
    host: str, declared: Declaration, routing: Routing, config: Mapping[str, Any], served: list[str]
) -> dict[str, Any]:
    keyed = {
        key_variable(each.host): each.host for each in routing.instances if each.needs_key and not each.model.standby
    }
    return {
        "bind": routing.gateways[host],
        "port": declared.gateway.port,
        "url": base_url(routing.gateways[host], declared.gateway.port),
        "config": config,
        "models": served,
        "deployments": len(config["model_list"]),
        # Which variable of the gateway's environment has to hold the llm_stack_instance_key of which host.
        "instance_keys": dict(sorted(keyed.items())),
    }


def _summary(declared: Declaration, routing: Routing, config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "models": len(declared.models),
        "standby": sorted(name for name, model in declared.models.items() if model.standby),
        "instances": len(routing.instances),
        "deployments": len(config["model_list"]),
        "gateways": {host: base_url(bind, declared.gateway.port) for host, bind in sorted(routing.gateways.items())},
        "tools": sorted(name for name, model in declared.models.items() if model.tools),
    }
