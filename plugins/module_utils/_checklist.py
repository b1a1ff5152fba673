# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The promises of a plan as a list of checks: what a probe is to look at, and what it has to find."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import (
    _certificate,
    _certificate_identity,
    _gateway_rungs,
    _ladder,
    _ollama_checks,
    _providers,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Declaration, Model
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_split import Process, deployments
from ansible_collections.lab.llm_stack.plugins.module_utils._names import answering
from ansible_collections.lab.llm_stack.plugins.module_utils._routing import (
    Instance,
    Routing,
    base_url,
    key_variable,
)


def checklist(declared: Declaration, routing: Routing, gateways: list[Process]) -> list[dict[str, Any]]:
    """Give the checks in the order they are worth running: units, ports, instances, the gateway, its names, tools."""
    return [
        *_hosts(declared, routing),
        *_units(routing, gateways),
        *_ports(routing, gateways),
        *_instances(routing),
        *_gateways(declared, routing, gateways),
        *_ollama(routing),
        *_endurance(declared, routing, gateways),
    ]


def deep(declared: Declaration, routing: Routing, gateways: list[Process]) -> list[dict[str, Any]]:
    """Give the checks for which somebody has to wait, so that they are made only when they are asked for."""
    willing = [each for each in gateways if _gateway_rungs.may_provoke(each.config)]
    places = [(host, bind, each) for host, bind in sorted(routing.gateways.items()) for each in willing]
    found = []
    for host, bind, each in places:
        for app in [declared.apps[name] for name in sorted(each.apps)]:
            if app.timeout is not None and app.models:
                name, url = f"{app.name}/{app.models[0]}", base_url(bind, each.port)
                found.append(_check("app_timeout", host, name, url=url, model=name, timeout=app.timeout))
    return found


def _check(kind: str, host: str, subject: str, **parameters: object) -> dict[str, Any]:
    return {"id": f"{kind}:{host}:{subject}", "host": host, "check": kind, **parameters}


def _hosts(declared: Declaration, routing: Routing) -> Iterator[dict[str, Any]]:
    """What every host of the stack has to offer."""
    limits = declared.checks
    hosts = sorted({*(each.host for each in routing.instances), *routing.gateways})
    for host in hosts[:1]:
        yield _check("source_committed", host, host)
    for host in hosts:
        yield _check("source_deployed", host, host)
        yield _check("linger", host, host)
        yield _check("disk", host, host, **_given(min_free=limits.get("min_free_disk")))
        yield _check("memory", host, host, **_given(min_free=limits.get("min_free_memory")))
        units = [each.unit for each in _processes(routing) if each.host == host and not each.engine.shared]
        if units:
            yield _check("cards", host, host, units=units)


def _endurance(declared: Declaration, routing: Routing, gateways: list[Process]) -> Iterator[dict[str, Any]]:
    """Every service stays up, and its journal tells of no error; looked at last, when all the others were asked."""
    limits = _given(min_uptime=declared.checks.get("min_uptime"))
    allow = _given(allow=declared.checks.get("journal_allow"))
    for instance in _processes(routing):
        yield _check("unit_uptime", instance.host, instance.unit, units=[instance.unit], **limits)
        yield _check("journal_clean", instance.host, instance.unit, units=[instance.unit], **allow)
    for host in sorted(routing.gateways):
        for each in gateways:
            subject = f"{each.name}@.service"
            yield _check("unit_uptime", host, subject, units=each.services, **limits)
            # LiteLLM logs what clients do wrong as errors of its own.
            yield _check("journal_clean", host, subject, units=each.services, strict=False, **allow)


def _given(**parameters: object) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}


def _processes(routing: Routing) -> list[Instance]:
    """One instance for each process that has to run; a shared one runs for whatever models it has."""
    running = [each for each in routing.instances if each.engine.shared or not each.model.standby]
    every = {(each.host, each.unit): each for each in sorted(running, key=lambda each: (each.host, each.model.name))}
    return list(every.values())


def _units(routing: Routing, gateways: list[Process]) -> Iterator[dict[str, Any]]:
    """Every unit is active; of a gateway's two services, exactly one."""
    for instance in _processes(routing):
        yield _check("unit_active", instance.host, instance.unit, units=[instance.unit])
    for host in sorted(routing.gateways):
        for each in gateways:
            yield _check("unit_active", host, each.socket, units=[each.socket])
            yield _check("unit_active", host, f"{each.name}@.service", units=each.services)


def _ports(routing: Routing, gateways: list[Process]) -> Iterator[dict[str, Any]]:
    """Every port is held by its unit and not by a stranger."""
    for instance in _processes(routing):
        subject = f"{instance.bind}:{instance.port}"
        units = [instance.unit]
        yield _check("port_owner", instance.host, subject, bind=instance.bind, port=instance.port, units=units)
    for host, bind in sorted(routing.gateways.items()):
        for each in gateways:
            units = [each.socket, *each.services]
            yield _check("port_owner", host, f"{bind}:{each.port}", bind=bind, port=each.port, units=units)


def _gateways(declared: Declaration, routing: Routing, gateways: list[Process]) -> Iterator[dict[str, Any]]:
    bases = _bases(declared, routing)
    for host, bind in sorted(routing.gateways.items()):
        for each in gateways:
            url = base_url(bind, each.port)
            yield from _gateway(host, url, each)
            yield from _routes(host, url, each, declared, bases, routing)
            yield from _limits(host, url, each, declared, routing)
            yield from [] if each.app else _shared(host, url, each, declared, bases, routing)


def _gateway(host: str, url: str, each: Process) -> Iterator[dict[str, Any]]:
    """The gateway answers, to its keys alone, and has loaded what was declared; each app's key opens its own."""
    where = {"url": url, "of": each.app.name} if each.app else {"url": url}
    yield _check("gateway_alive", host, url, **where)
    yield _check("gateway_key", host, url, **where)
    yield _check("gateway_models", host, url, **where, models=each.served)
    yield _check("gateway_deployments", host, url, **where, deployments=deployments(each.config))
    falls = _gateway_rungs.fallbacks(each.config)
    if falls:
        yield _check("gateway_fallbacks", host, url, **where, fallbacks=falls)
    for app, table in each.apps.items():
        names = sorted({*table["models"], *table["aliases"]})
        yield _check("app_models", host, app, url=url, app=app, models=names)
        yield _check("app_refused", host, app, url=url, app=app)


def _routes(
    host: str, url: str, each: Process, declared: Declaration, bases: Mapping[str, list[str]], routing: Routing
) -> Iterator[dict[str, Any]]:
    """Each name is answered by its own instances; one that stands by, by those of the model that answers for it."""
    names = {f"{each.app.name}/{name}": name for name in each.app.models} if each.app else dict(zip(bases, bases))
    for public, name in sorted(names.items()):
        more = {**_answered_by(declared.models[name], declared), **_sleeps(name, declared, routing)}
        yield _check("route", host, public, url=url, model=public, api_bases=bases[name], **more)


def _limits(host: str, url: str, each: Process, declared: Declaration, routing: Routing) -> Iterator[dict[str, Any]]:
    """What an app may ask for in a minute, and what each key may ask of a model."""
    for app in [declared.apps[name] for name in sorted(each.apps)]:
        if app.limits and app.models:
            first = app.models[0]
            more = {"app": app.name, "model": f"{app.name}/{first}" if each.app else first, **app.limits}
            yield _check("app_limits", host, app.name, url=url, **more, **_sleeps(first, declared, routing))
    for name, model in [] if each.app else sorted(declared.models.items()):
        if model.limits and not model.standby:
            more = {"model": name, **model.limits, **_sleeps(name, declared, routing)}
            yield _check("model_limits", host, name, url=url, **more)


def _sleeps(name: str, declared: Declaration, routing: Routing) -> dict[str, Any]:
    """The instances that a question to a model may load; the others have it in memory as long as they run."""
    first = answering(name, declared.models)[0]
    lazy = [each for each in routing.instances if each.model.name == first and each.engine.shared]
    found = [{"url": base_url(each.bind, each.port), "name": each.served_name} for each in lazy]
    return {"sleeps": found} if found else {}


def _answered_by(model: Model, declared: Declaration) -> dict[str, str]:
    """Who answers for a model where that is no instance of its own."""
    if model.standby:
        return {"answered_by": answering(model.name, declared.models)[0]}
    return {"provider": model.provider} if model.provider else {}


def _shared(
    host: str, url: str, each: Process, declared: Declaration, bases: Mapping[str, list[str]], routing: Routing
) -> Iterator[dict[str, Any]]:
    """What the gateway that all share does with names: aliases, fallbacks, and the tools of each model."""
    for alias, target in sorted(declared.aliases.items()):
        yield _check("alias", host, alias, url=url, model=target, alias=alias, api_bases=bases[target])
    if _gateway_rungs.may_provoke(each.config):
        for name, (first, *_rest) in sorted(_gateway_rungs.fallbacks(each.config).items()):
            if name in declared.models and first in bases:
                more = {"model": name, "fallback": first, "api_bases": bases[first]}
                yield _check("fallback", host, name, url=url, **more, **_sleeps(first, declared, routing))
    for name, model in sorted(declared.models.items()):
        if model.tools and not model.standby:
            more = _certified(model, each, routing)
            yield _check(_certificate.KIND, host, name, url=url, model=name, api_bases=bases[name], **more)


def _certified(model: Model, each: Process, routing: Routing) -> dict[str, Any]:
    """Whom to ask for a model's certificate, and the digest of all that it depends on."""
    mine = [instance for instance in routing.instances if instance.model.name == model.name]
    bases = [
        {"url": base_url(one.bind, one.port), "name": one.served_name, "engine": one.engine.name}
        | ({"key": key_variable(one.host)} if one.needs_key else {})
        for one in mine
    ]
    deployed = [entry for entry in each.config["model_list"] if entry["model_name"] == model.name]
    accept = model.options.get("vllm", {}).get("accept_tools")
    planned = [one.engine.planned([one]) for one in mine]
    return {
        "bases": bases,
        "digest": _certificate_identity.digest(planned, deployed),
        **({"accept": accept} if accept else {}),
    }


def _instances(routing: Routing) -> Iterator[dict[str, Any]]:
    """The ladder of each instance that serves one model: key, model, a word of it, counters, context."""
    for each in _processes(routing):
        if not each.engine.shared:
            (planned,) = each.engine.planned([each])["instances"]
            yield from _ladder.rungs(each.engine.name, planned, base_url(each.bind, each.port), each.host)


def _ollama(routing: Routing) -> Iterator[dict[str, Any]]:
    """What a model at Ollama can do, and what of it is really in memory and where."""
    for each in sorted(routing.instances, key=lambda each: (each.host, each.model.name)):
        if each.engine.name == "ollama":
            yield from _ollama_checks.checks(each, each.host, base_url(each.bind, each.port))


def _bases(declared: Declaration, routing: Routing) -> Mapping[str, list[str]]:
    """Where each name has to be answered from: its own instances, or those of the first model that answers for it."""
    own: dict[str, list[str]] = {name: [] for name in declared.models}
    for instance in routing.instances:
        own[instance.model.name].append(instance.api_base)
    own.update({name: [_providers.api_base(model)] for name, model in declared.models.items() if model.provider})
    return {name: sorted(own[answering(name, declared.models)[0]]) for name in declared.models}
