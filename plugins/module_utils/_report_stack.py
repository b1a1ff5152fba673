# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stack as a report shows it: services, models, apps and hosts, each with what was found of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, PASS, WARN, Check, of_kind
from ansible_collections.lab.llm_stack.plugins.module_utils._report_impacts import MODEL_KINDS, TOOL_KINDS
from ansible_collections.lab.llm_stack.plugins.module_utils._report_rows import STANDBY, UNCHECKED, Row, worst

GATEWAY = "gateway"
_INSTANCES = ("vllm", "llamacpp")
Plan = Mapping[str, Any]


def services(plan: Plan, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Give every service with its address, its models and its state, the gateways first."""
    checks = {str(check["id"]): check for check in plan["checklist"]}
    found = [_judged(each, rows, checks) for each in _declared(plan)]
    return sorted(found, key=lambda each: (each["engine"] != GATEWAY, each["host"], each["engine"], each["name"]))


def _declared(plan: Plan) -> Iterator[dict[str, Any]]:
    for host, parts in plan["hosts"].items():
        for engine in _INSTANCES:
            for each in parts.get(engine, {}).get("instances", ()):
                yield _service(host, engine, each["unit"], each, [each["model"]], each["standby"])
        ollama = parts.get("ollama", {})
        if ollama.get("models"):
            yield _service(host, "ollama", ollama["unit"], ollama, [each["name"] for each in ollama["models"]])
        gateway = parts.get("litellm")
        if gateway:
            yield _service(host, GATEWAY, "litellm", gateway, gateway["models"])
            for each in gateway.get("instances", ()):
                where = {"bind": each["host"], "port": each["port"]}
                yield _service(host, GATEWAY, f"litellm of {each['name']}", where, [])


def _service(
    host: str, engine: str, name: str, where: Mapping[str, Any], models: Sequence[str], standby: bool = False
) -> dict[str, Any]:
    return {
        "host": host,
        "engine": engine,
        "name": name,
        "bind": where["bind"],
        "port": where["port"],
        "models": sorted(models),
        "standby": standby,
    }


def _judged(service: dict[str, Any], rows: Sequence[Row], checks: Mapping[str, Check]) -> dict[str, Any]:
    mine = [row for row in rows if row["host"] == service["host"] and _about(row, service, checks)]
    state = worst(row["state"] for row in mine) or (STANDBY if service["standby"] else UNCHECKED)
    alike = [row for row in mine if row["state"] == state]
    # What its unit says tells most of a service that is as its unit is.
    told = next((row for row in alike if row["check"] == "unit_active"), alike[0] if alike else None)
    evidence = "not started: it stands by" if state == STANDBY else told["evidence"] if told else "no check"
    return {**service, "state": state, "evidence": evidence, "checks": [row["id"] for row in mine]}


def _about(row: Row, service: Mapping[str, Any], checks: Mapping[str, Check]) -> bool:
    """Whether a row is about a service itself; a model asked for through the gateway is not about the gateway."""
    check = checks.get(str(row["id"]))
    if check is None:
        return False
    if service["name"] in check.get("units", ()):
        return True
    if service["engine"] == GATEWAY and row["model"]:
        return False
    place = (check.get("bind"), check.get("port")) if "port" in check else _place(str(check.get("url", "")))
    if place == (service["bind"], service["port"]):
        return True
    owners = [each for each in of_kind(checks.values(), "port_owner") if each["host"] == service["host"]]
    units = [set(each["units"]) for each in owners if (each["bind"], each["port"]) == _address(service)]
    return any(mine & set(check.get("units", ())) for mine in units)


def _address(service: Mapping[str, Any]) -> tuple[Any, Any]:
    return service["bind"], service["port"]


def _place(url: str) -> tuple[str | None, int | None]:
    try:
        address = urlsplit(url)
        return address.hostname, address.port
    except ValueError:
        return None, None


def models(plan: Plan, rows: Sequence[Row], running: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give every model: what serves it, whether it answers, whether it calls tools, and how long an answer took."""
    config = _config(plan)
    routes = {str(check["model"]): check for check in of_kind(plan["checklist"], "route")}
    names = _names(plan, config)
    told = [_model(name, plan, rows, running, config, routes.get(name, {})) for name in names]
    # A model that stands by is an alias of the one that answers for it.
    return [{**each, "aliases": [alias for alias in each["aliases"] if alias not in names]} for each in told]


def _config(plan: Plan) -> Mapping[str, Any]:
    """The shared gateway's configuration; all hosts have the same."""
    found = [parts["litellm"]["config"] for parts in plan["hosts"].values() if parts.get("litellm")]
    return found[0] if found else {}


def _names(plan: Plan, config: Mapping[str, Any]) -> list[str]:
    apps = tuple(f"{app}/" for app in apps_of(plan))
    served = {str(each["model_name"]) for each in config.get("model_list", ())}
    own = {name for each in _declared(plan) if each["engine"] != GATEWAY for name in each["models"]}
    return sorted(own | {name for name in served if not name.startswith(apps)})


def _model(
    name: str,
    plan: Plan,
    rows: Sequence[Row],
    running: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    route: Mapping[str, Any],
) -> dict[str, Any]:
    by = [each for each in running if name in each["models"] and each["engine"] != GATEWAY]
    mine = [row for row in rows if row["model"] == name]
    asked = [row for row in mine if row["check"] in MODEL_KINDS]
    router = config.get("router_settings", {})
    states = [row["state"] for row in asked] or [each["state"] for each in by]
    standby = bool(by) and all(each["standby"] for each in by)
    return {
        "name": name,
        "state": worst(states) or UNCHECKED,
        "standby": standby or name in plan.get("summary", {}).get("standby", ()),
        "engines": sorted({each["engine"] for each in by}) or ([route["provider"]] if route.get("provider") else []),
        "hosts": sorted({each["host"] for each in by}),
        "answered_by": str(route.get("answered_by", "")),
        "context": _context(name, plan),
        "tools": _tools(name, plan, mine),
        "fallbacks": next((each[name] for each in router.get("fallbacks", ()) if name in each), []),
        "aliases": sorted(
            alias
            for alias, target in router.get("model_group_alias", {}).items()
            if target == name and "/" not in alias
        ),
        "seconds": next(
            (row["seconds"] for row in asked if row["check"] == "route" and row["state"] in (PASS, WARN)), None
        ),
    }


def _context(name: str, plan: Plan) -> int:
    for parts in plan["hosts"].values():
        for each in (*(i for e in _INSTANCES for i in parts.get(e, {}).get("instances", ())), *_of_ollama(parts)):
            if each["name"] == name and each.get("context"):
                return int(each["context"])
    return 0


def _of_ollama(parts: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = parts.get("ollama", {}).get("models", ())
    return found


def _tools(name: str, plan: Plan, rows: Sequence[Row]) -> str:
    """Whether a model calls tools: certified, failed, unchecked, or not promised."""
    if name not in plan.get("summary", {}).get("tools", ()):
        return "not promised"
    states = [row["state"] for row in rows if row["check"] in TOOL_KINDS]
    if FAIL in states:
        return "failed"
    return "certified" if states and set(states) <= {PASS, WARN} else UNCHECKED


def apps_of(plan: Plan) -> dict[str, list[str]]:
    """Give each app with the models it may use, by their public names."""
    found: dict[str, list[str]] = {}
    for parts in plan["hosts"].values():
        gateway = parts.get("litellm") or {}
        for table in (gateway.get("apps", {}), *(each.get("apps", {}) for each in gateway.get("instances", ()))):
            for app, entry in table.items():
                found[app] = sorted({str(each).removeprefix(f"{app}/") for each in entry["models"]})
    return dict(sorted(found.items()))


def apps(plan: Plan, found: Sequence[Mapping[str, Any]], running: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give each app, the state of what it may use, and the longest that one of its requests may take."""
    states = {each["name"]: each["state"] for each in found}
    gateways = {each["name"]: each["state"] for each in running if each["engine"] == GATEWAY}
    limits = plan.get("summary", {}).get("latency", {})
    return [
        {
            "name": app,
            "models": names,
            "state": _of_app([states[name] for name in names if name in states], app, gateways),
            "longest": max((each["seconds"] for each in limits.get(app, {}).values()), default=None),
        }
        for app, names in apps_of(plan).items()
    ]


def _of_app(states: Sequence[str], app: str, gateways: Mapping[str, str]) -> str:
    """An app is as well as its gateway and its models; where its gateway failed, it is no matter what was skipped."""
    gateway = gateways.get(f"litellm of {app}", gateways.get("litellm", PASS))
    return FAIL if gateway == FAIL else worst([*states, gateway]) or UNCHECKED
