# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a model to its instances: which host, which address, which port."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _apps
from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Declaration, Host, Model
from ansible_collections.lab.llm_stack.plugins.module_utils._engines import ENGINES, Engine
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._variables import PREFIX

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Instance:
    """One model that an engine process serves, and where that process listens."""

    engine: Engine
    model: Model
    host: str
    bind: str
    port: int
    needs_key: bool

    @property
    def unit(self) -> str:
        """The name of its service."""
        return self.engine.unit(self.model.name)

    @property
    def api_base(self) -> str:
        """Where the gateway reaches it."""
        return f"{base_url(self.bind, self.port)}/v1"

    @property
    def served_name(self) -> str:
        """What the engine calls the model."""
        model = self.model
        return self.engine.served_name(model.name, model.source, model.context, model.options.get(self.engine.name, {}))


@dataclass(frozen=True)
class Routing:
    """Who serves what, where. ``gateways`` maps each gateway's host to the address it listens on.

    ``app_ports`` has the port of each app with a gateway of its own.
    """

    instances: tuple[Instance, ...]
    gateways: Mapping[str, str]
    app_ports: Mapping[str, int]


def base_url(bind: str, port: int) -> str:
    """Give the address of a listener, with an IPv6 address in its brackets."""
    return f"http://[{bind}]:{port}" if ":" in bind else f"http://{bind}:{port}"


def route(declared: Declaration) -> tuple[Routing, list[Problem]]:
    """Place each model on its hosts and each instance on its port; collect what stands against it."""
    problems: list[Problem] = []
    placed = _placed(declared, problems)
    gateways = _gateway_hosts(declared, problems)
    app_ports = _apps.ports(declared, problems)
    reserved = {declared.gateway.port: "", **{port: f"the app {app}" for app, port in app_ports.items()}}
    ports = _ports(declared, placed, {(host, port): reserved[port] for host in gateways for port in reserved}, problems)
    remote = {host for hosts in placed.values() for host in hosts if any(gateway != host for gateway in gateways)}
    open_gateways = set(gateways) if declared.gateway.listen == "address" else set()
    problems += [*_check_addresses(declared, remote, open_gateways)]
    keyed = {host for name, hosts in placed.items() if _engine(declared, name).has_key for host in hosts}
    problems += [*_check_keys(declared, sorted(remote & keyed)), *_check_open(declared, placed, remote)]
    instances = [
        Instance(
            engine := _engine(declared, name),
            declared.models[name],
            host,
            _bind(declared, host, remote),
            ports[engine.process(name), host],
            engine.has_key and host in remote,
        )
        for name in sorted(placed)
        for host in placed[name]
    ]
    binds = {host: _bind(declared, host, open_gateways) for host in gateways}
    return Routing(tuple(instances), binds, app_ports), problems


def _bind(declared: Declaration, host: str, outward: set[str]) -> str:
    return str(declared.hosts[host].address) if host in outward else LOOPBACK


# -- hosts ----------------------------------------------------------------------------------------------------------


def _placed(declared: Declaration, problems: list[Problem]) -> dict[str, tuple[str, ...]]:
    """Give each model the hosts it names, or else every host of its engine's group."""
    placed: dict[str, tuple[str, ...]] = {}
    for engine in ENGINES:
        group = sorted(name for name, host in declared.hosts.items() if engine in host.groups)
        names = [name for name, model in declared.models.items() if model.engine == engine and not model.provider]
        placed.update(_placed_in(engine, group, names, declared, problems))
    return {name: placed[name] for name in declared.models if name in placed}


def _placed_in(
    engine: str, group: list[str], names: list[str], declared: Declaration, problems: list[Problem]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    free = [name for name in names if declared.models[name].hosts is None]
    if free and not group:
        remedy = f"Put the host that is to serve them into the group {engine} of the inventory."
        wrong = f"has no host, but these models need the engine {engine}: {', '.join(sorted(free))}."
        problems.append(Problem(f"groups.{engine}", NOTHING, wrong, remedy))
    for name in names:
        found = [] if name in free else list(_check_hosts(engine, declared.models[name], declared, group))
        problems += found
        if not found:
            yield name, tuple(group if name in free else sorted(declared.models[name].hosts or ()))


def _check_hosts(engine: str, model: Model, declared: Declaration, group: list[str]) -> Iterator[Problem]:
    if not model.hosts:
        remedy = f"Remove hosts to use every host of the group {engine}."
        yield Problem(f"{model.path}.hosts", NOTHING, "names no host.", remedy)
    for index, host in enumerate(model.hosts or ()):
        path = f"{model.path}.hosts[{index}]"
        if host not in declared.hosts:
            yield Problem(path, host, "is not a host of the inventory.", nearest(host, declared.hosts))
        elif host not in group:
            remedy = f"Add it to the group, or choose from: {', '.join(group)}." if group else "Add it to the group."
            yield Problem(path, host, f"is not in the group {engine}.", remedy)
        elif host in (model.hosts or ())[:index]:
            yield Problem(path, host, "is named twice.", "Remove one; a host serves a model once.")


def _gateway_hosts(declared: Declaration, problems: list[Problem]) -> tuple[str, ...]:
    """The host that the gateway names, or else every host of the group litellm."""
    group = sorted(name for name, host in declared.hosts.items() if "litellm" in host.groups)
    host = declared.gateway.host
    path = f"{PREFIX}gateway.host"
    if host is None:
        if not group:
            remedy = "Put the host that is to run the gateway into the group litellm of the inventory."
            problems.append(
                Problem("groups.litellm", NOTHING, "has no host, so nothing would serve the models.", remedy)
            )
        return tuple(group)
    if host not in declared.hosts:
        problems.append(Problem(path, host, "is not a host of the inventory.", nearest(host, declared.hosts)))
    elif host not in group:
        problems.append(
            Problem(path, host, "is not in the group litellm.", "Add it to the group, or name a host of it.")
        )
    return (host,) if host in group else ()


# -- ports ----------------------------------------------------------------------------------------------------------


def _ports(
    declared: Declaration,
    placed: Mapping[str, tuple[str, ...]],
    reserved: Mapping[tuple[str, int], str],
    problems: list[Problem],
) -> dict[tuple[str, str], int]:
    """Give each process its port: its own choice, else the next free one of its host, in the order of declaration."""
    taken = dict(reserved)
    ports: dict[tuple[str, str], int] = {}
    every = [(_engine(declared, name), name, host) for name, hosts in placed.items() for host in hosts]
    for engine, name, host in every:
        chosen = declared.ollama.get("port", 0) if engine.shared else _options(declared, name).get("port", 0)
        process = engine.process(name)
        if chosen:
            owner = taken.setdefault((host, chosen), process)
            if owner != process:
                problems.append(_port_clash(declared.models[name], chosen, host, owner))
            ports[process, host] = chosen
    for engine, name, host in every:
        process = engine.process(name)
        if (process, host) not in ports:
            first = engine.first_port(_options(declared, name))
            port = next(number for number in range(first, 65536) if (host, number) not in taken)
            taken[host, port] = process
            ports[process, host] = port
    return ports


def _engine(declared: Declaration, name: str) -> Engine:
    return ENGINES[str(declared.models[name].engine)]


def _options(declared: Declaration, name: str) -> Mapping[str, Any]:
    """The options that a model has for its engine."""
    return declared.models[name].options.get(str(declared.models[name].engine), {})


def _port_clash(model: Model, port: int, host: str, owner: str) -> Problem:
    shared = ENGINES[str(model.engine)].shared
    path = f"{PREFIX}{model.engine}.port" if shared else f"{model.path}.{model.engine}.port"
    if owner and shared:
        return Problem(path, port, f"is already the port of {owner} on {host}.", "Choose another, or leave it out.")
    if owner:
        remedy = "Give each model on a host a port of its own, or leave the ports out and they are derived."
        return Problem(path, port, f"is already the port of {owner} on {host}.", remedy)
    return Problem(
        path, port, f"is the port of the gateway on {host}.", f"Choose another, or set {PREFIX}gateway.port."
    )


# -- addresses ------------------------------------------------------------------------------------------------------


def _check_addresses(declared: Declaration, remote: set[str], open_gateways: set[str]) -> Iterator[Problem]:
    """Yield a problem for each address that is missing where it is needed, is no address, or belongs to two hosts."""
    for name in sorted(remote | open_gateways):
        if declared.hosts[name].address is None:
            remote_why, open_why = "a gateway on another host needs it", f"{PREFIX}gateway.listen asks for it"
            why = remote_why if name in remote else open_why
            remedy = f"Set {PREFIX}address in host_vars/{name} to the address that other hosts reach {name} by."
            yield Problem(f"{PREFIX}address[{name}]", NOTHING, f"is missing, and {why}.", remedy)
    owners: dict[str, str] = {}
    for name, host in sorted(declared.hosts.items()):
        if host.address is not None:
            yield from _check_address(host)
            owner = owners.setdefault(str(host.address), name)
            if owner != name:
                remedy = "Two inventory names of one machine would fight over its ports. Remove one, or correct it."
                yield Problem(f"{PREFIX}address[{name}]", host.address, f"is already the address of {owner}.", remedy)


def _check_address(host: Host) -> Iterator[Problem]:
    path = f"{PREFIX}address[{host.name}]"
    try:
        address = ipaddress.ip_address(str(host.address))
    except ValueError:
        remedy = f"Write a number such as 192.0.2.7: {host.name} may resolve its own name to loopback."
        yield Problem(path, host.address, "is not an IP address.", remedy)
        return
    remedy = f"Write the one address that other hosts reach {host.name} by."
    if address.is_unspecified:
        wrong = "stands for every address, and would open the models to every network."
        yield Problem(path, host.address, wrong, remedy)
    elif address.is_loopback:
        yield Problem(path, host.address, "is loopback, which no other host can reach.", remedy)
    elif address.version == 6 and (address.is_link_local or "%" in str(address)):
        wrong = "is a link-local address, which is one only together with an interface of this very host."
        yield Problem(path, host.address, wrong, remedy)
    elif address.is_multicast:
        yield Problem(path, host.address, "is a multicast address, on which nothing can listen.", remedy)


def _check_keys(declared: Declaration, remote: list[str]) -> Iterator[Problem]:
    for name in remote:
        if not declared.hosts[name].has_instance_key:
            wrong = "is missing, and a gateway on another host needs it."
            remedy = f"Set {PREFIX}instance_key for {name} in host_vars or group_vars, from a vault."
            yield Problem(f"{PREFIX}instance_key[{name}]", NOTHING, wrong, remedy)
    owners: dict[str, str] = {}
    for name in remote:
        owner = owners.setdefault(key_variable(name), name)
        if owner != name:
            wrong = f"would have its key in {key_variable(name)}, like {owner}."
            group = min(declared.hosts[name].groups & set(ENGINES))
            yield Problem(f"groups.{group}", name, wrong, "Rename one of the two hosts in the inventory.")


def _check_open(declared: Declaration, placed: Mapping[str, tuple[str, ...]], remote: set[str]) -> Iterator[Problem]:
    """Yield a problem where a server that asks nobody for a key would listen to other hosts, unless that is wanted."""
    without = {host for name, hosts in placed.items() if not _engine(declared, name).has_key for host in hosts}
    hosts = sorted(without & remote)
    if hosts and not declared.ollama.get("allow_unauthenticated"):
        wrong = f"is not set, and Ollama on {', '.join(hosts)} would serve a gateway on another host."
        remedy = (
            "Ollama asks nobody for a key: whoever reaches its port can use, replace and delete its models.\n"
            "Run the gateway on the same host, or write allow_unauthenticated: true and close the port to all others."
        )
        yield Problem(f"{PREFIX}ollama.allow_unauthenticated", NOTHING, wrong, remedy)


def key_variable(host: str) -> str:
    """The variable in the gateway's environment that holds the key of a host's instances."""
    return "LLM_STACK_INSTANCE_KEY_" + re.sub(r"[^A-Z0-9]", "_", host.upper())
