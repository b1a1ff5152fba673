# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The promises of a plan as a list of checks: what a probe is to look at, and what it has to find."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Declaration
from ansible_collections.lab.llm_stack.plugins.module_utils._names import answering
from ansible_collections.lab.llm_stack.plugins.module_utils._routing import Routing, base_url

GATEWAY_SOCKET = "litellm.socket"
GATEWAY_SERVICES = ("litellm@a.service", "litellm@b.service")


def checklist(declared: Declaration, routing: Routing, served: list[str]) -> list[dict[str, Any]]:
    """Give the checks in the order they are worth running: units, ports, the gateway, its names, its routes, tools."""
    return [*_units(routing), *_ports(declared, routing), *_gateways(declared, routing, served)]


def _check(kind: str, host: str, subject: str, **parameters: object) -> dict[str, Any]:
    return {"id": f"{kind}:{host}:{subject}", "host": host, "check": kind, **parameters}


def _units(routing: Routing) -> Iterator[dict[str, Any]]:
    """Every unit is active; of the gateway's two services, exactly one."""
    for instance in sorted(routing.instances, key=lambda each: (each.host, each.model.name)):
        if not instance.model.standby:
            yield _check("unit_active", instance.host, instance.unit, units=[instance.unit])
    for host in sorted(routing.gateways):
        yield _check("unit_active", host, GATEWAY_SOCKET, units=[GATEWAY_SOCKET])
        yield _check("unit_active", host, "litellm@.service", units=list(GATEWAY_SERVICES))


def _ports(declared: Declaration, routing: Routing) -> Iterator[dict[str, Any]]:
    """Every port is held by its unit and not by a stranger."""
    for instance in sorted(routing.instances, key=lambda each: (each.host, each.model.name)):
        if not instance.model.standby:
            subject = f"{instance.bind}:{instance.port}"
            yield _check(
                "port_owner", instance.host, subject, bind=instance.bind, port=instance.port, units=[instance.unit]
            )
    for host, bind in sorted(routing.gateways.items()):
        port = declared.gateway.port
        yield _check(
            "port_owner", host, f"{bind}:{port}", bind=bind, port=port, units=[GATEWAY_SOCKET, *GATEWAY_SERVICES]
        )


def _gateways(declared: Declaration, routing: Routing, served: list[str]) -> Iterator[dict[str, Any]]:
    bases = _bases(declared, routing)
    for host, bind in sorted(routing.gateways.items()):
        url = base_url(bind, declared.gateway.port)
        yield _check("gateway_alive", host, url, url=url)
        yield _check("gateway_key", host, url, url=url)
        yield _check("gateway_models", host, url, url=url, models=served)
        for name in sorted(declared.models):
            yield _check("route", host, name, url=url, model=name, api_bases=bases[name])
        for name, model in sorted(declared.models.items()):
            for stream in (False, True) if model.tools and not model.standby else ():
                subject = f"{name}:{'streamed' if stream else 'whole'}"
                yield _check("tool_call", host, subject, url=url, model=name, api_bases=bases[name], stream=stream)


def _bases(declared: Declaration, routing: Routing) -> Mapping[str, list[str]]:
    """Where each name has to be answered from: its own instances, or those of the first model that answers for it."""
    own: dict[str, list[str]] = {name: [] for name in declared.models}
    for instance in routing.instances:
        own[instance.model.name].append(instance.api_base)
    return {name: sorted(own[answering(name, declared.models)[0]]) for name in declared.models}
