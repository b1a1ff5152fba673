# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a source to an engine, from a model to its instances: which host, which address, which port."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.lab.llm_stack.plugins.module_utils import _apps, _llamacpp
from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import PREFIX, Declaration, Host, Model
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest

LOOPBACK = "127.0.0.1"
ENGINES_WITH_ROLE = ("llamacpp",)


@dataclass(frozen=True)
class Instance:
    """One engine process: the model it serves, and where it listens."""

    model: Model
    host: str
    bind: str
    port: int
    needs_key: bool

    @property
    def unit(self) -> str:
        """The name of its service."""
        return f"llamacpp-{self.model.name}.service"

    @property
    def api_base(self) -> str:
        """Where the gateway reaches it."""
        return f"{base_url(self.bind, self.port)}/v1"


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
    engines = dict(_engines(declared, problems))
    placed = _placed(declared, [name for name in declared.models if name in engines], problems)
    gateways = _gateway_hosts(declared, problems)
    app_ports = _apps.ports(declared, problems)
    reserved = {declared.gateway.port: "", **{port: f"the app {app}" for app, port in app_ports.items()}}
    ports = _ports(declared, placed, {(host, port): reserved[port] for host in gateways for port in reserved}, problems)
    remote = {host for hosts in placed.values() for host in hosts if any(gateway != host for gateway in gateways)}
    open_gateways = set(gateways) if declared.gateway.listen == "address" else set()
    problems += [*_check_addresses(declared, remote, open_gateways), *_check_keys(declared, sorted(remote))]
    instances = [
        Instance(declared.models[name], host, _bind(declared, host, remote), ports[name, host], host in remote)
        for name in sorted(placed)
        for host in placed[name]
    ]
    binds = {host: _bind(declared, host, open_gateways) for host in gateways}
    return Routing(tuple(instances), binds, app_ports), problems


def _bind(declared: Declaration, host: str, outward: set[str]) -> str:
    return str(declared.hosts[host].address) if host in outward else LOOPBACK


# -- engines --------------------------------------------------------------------------------------------------------


def _engines(declared: Declaration, problems: list[Problem]) -> Iterator[tuple[str, str]]:
    """Give the engine of each model that one with a role can serve."""
    routes = list(_compiled(declared, problems))
    complete = declared.routes is not None and len(routes) == len(declared.routes)
    for name, model in declared.models.items():
        if model.provider:
            continue
        engine = model.engine or next((engine for pattern, engine in routes if pattern.search(model.source)), None)
        if engine is None:
            problems += [_no_route(model, len(routes))] if complete else []
        elif engine not in ENGINES_WITH_ROLE:
            problems.append(_no_role(model, engine))
        else:
            found = list(_check_options(model, engine))
            problems += found
            if not found:
                yield name, engine


def _compiled(declared: Declaration, problems: list[Problem]) -> Iterator[tuple[re.Pattern[str], str]]:
    for index, each in enumerate(declared.routes or ()):
        try:
            yield re.compile(each["match"]), each["engine"]
        except re.error as error:
            wrong = f"is not a regular expression: {error}."
            remedy = "Correct it; a bracket, a dot or a star that stands for itself needs a backslash before it."
            problems.append(Problem(f"{PREFIX}routes[{index}].match", each["match"], wrong, remedy))


def _no_route(model: Model, count: int) -> Problem:
    fits = "there are none" if not count else "the only one does not fit" if count == 1 else f"none of the {count} fits"
    return Problem(
        f"{model.path}.source",
        model.source,
        "matches no route, so no engine would serve it.",
        f"Routes are tried in the order of {PREFIX}routes; {fits}.\n"
        f"Name the engine here (engine: {', '.join(ENGINES_WITH_ROLE)}), or write the source in full.",
    )


def _no_role(model: Model, engine: str) -> Problem:
    known = ", ".join(ENGINES_WITH_ROLE)
    remedy = f"Engines that have one: {known}. Name a GGUF file as the source, or remove the model."
    if model.engine:
        return Problem(f"{model.path}.engine", engine, "has no role in this version.", remedy)
    wrong = f"is for the engine {engine}, which has no role in this version."
    return Problem(f"{model.path}.source", model.source, wrong, remedy)


def _check_options(model: Model, engine: str) -> Iterator[Problem]:
    for other in sorted(set(model.options) - {engine}):
        wrong = f"holds options of {other}, but {engine} serves this model."
        yield Problem(f"{model.path}.{other}", NOTHING, wrong, "Remove them, or name the engine.")
    options = model.options.get(engine, {})
    yield from _llamacpp.check_source(model.source, options, model.path)
    yield from _llamacpp.check_env(options.get("env", {}), model.path)


# -- hosts ----------------------------------------------------------------------------------------------------------


def _placed(declared: Declaration, names: list[str], problems: list[Problem]) -> dict[str, tuple[str, ...]]:
    """Give each model the hosts it names, or else every host of its engine's group."""
    group = sorted(name for name, host in declared.hosts.items() if "llamacpp" in host.groups)
    free = [name for name in names if declared.models[name].hosts is None]
    if free and not group:
        remedy = "Put the host that is to serve them into the group llamacpp of the inventory."
        wrong = f"has no host, but these models need the engine llamacpp: {', '.join(sorted(free))}."
        problems.append(Problem("groups.llamacpp", NOTHING, wrong, remedy))
    found = {name: list(_check_hosts(declared.models[name], declared, group)) for name in names if name not in free}
    problems += [problem for each in found.values() for problem in each]
    chosen = {name: sorted(declared.models[name].hosts or ()) for name in found if not found[name]}
    return {name: tuple(group if name in free else chosen[name]) for name in names if name in free or name in chosen}


def _check_hosts(model: Model, declared: Declaration, group: list[str]) -> Iterator[Problem]:
    if not model.hosts:
        remedy = "Remove hosts to use every host of the group llamacpp."
        yield Problem(f"{model.path}.hosts", NOTHING, "names no host.", remedy)
    for index, host in enumerate(model.hosts or ()):
        path = f"{model.path}.hosts[{index}]"
        if host not in declared.hosts:
            yield Problem(path, host, "is not a host of the inventory.", nearest(host, declared.hosts))
        elif host not in group:
            remedy = f"Add it to the group, or choose from: {', '.join(group)}." if group else "Add it to the group."
            yield Problem(path, host, "is not in the group llamacpp.", remedy)
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
    """Give each instance its port: its own choice, else the next free one of its host, in the order of declaration."""
    taken = dict(reserved)
    ports: dict[tuple[str, str], int] = {}
    for name, hosts in placed.items():
        chosen: int = declared.models[name].options.get("llamacpp", {}).get("port", 0)
        for host in hosts if chosen else ():
            owner = taken.setdefault((host, chosen), name)
            if owner != name:
                problems.append(_port_clash(declared.models[name], chosen, host, owner))
            ports[name, host] = chosen
    for name, hosts in placed.items():
        for host in hosts:
            if (name, host) not in ports:
                port = next(number for number in range(_llamacpp.FIRST_PORT, 65536) if (host, number) not in taken)
                taken[host, port] = name
                ports[name, host] = port
    return ports


def _port_clash(model: Model, port: int, host: str, owner: str) -> Problem:
    path = f"{model.path}.llamacpp.port"
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
            yield Problem("groups.llamacpp", name, wrong, "Rename one of the two hosts in the inventory.")


def key_variable(host: str) -> str:
    """The variable in the gateway's environment that holds the key of a host's instances."""
    return "LLM_STACK_INSTANCE_KEY_" + re.sub(r"[^A-Z0-9]", "_", host.upper())
