# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a swap does: who leaves, who takes over, the plans before, between and after, and what has to be shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._acceptance import acceptance
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, StackError, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._routing import base_url

Plan = Mapping[str, Any]
Check = dict[str, Any]


def swap(written: Mapping[str, Any], to: str) -> dict[str, Any]:
    """Derive the swap that lets the model ``to`` serve, or raise a StackError with what stands against it."""
    before = plan(written)
    name = _slot_of(to, before)
    slot = before["slots"][name]
    active = {**(written.get("active") or {}), name: to}
    after = plan({**written, "active": active})
    between, unanswered = _emptied(written, name)
    names = [each for each in (slot["active"], to) if each]
    return {
        "slot": name,
        "engine": slot["engine"],
        "hosts": slot["hosts"],
        "gateways": sorted(before["summary"]["gateways"]),
        "leaves": slot["active"],
        "enters": to,
        "changes": slot["active"] != to,
        "active": active,
        "plans": {"before": before, "between": between, "after": after},
        # Why the gateway can offer nobody else meanwhile; empty where fallbacks answer.
        "unanswered": unanswered,
        "tests": {
            "entering": _tests(after, name, to),
            "leaving": _tests(before, name, slot["active"]),
            "gateway": _of_gateway(after, names),
            "gateway_back": _of_gateway(before, names),
        },
    }


def _slot_of(to: str, before: Plan) -> str:
    """The slot of a model; raises StackError where it is none, or has none."""
    found = next((name for name, slot in before["slots"].items() if to in slot["models"]), None)
    if found is None:
        known = sorted(model for slot in before["slots"].values() for model in slot["models"])
        raise StackError(_refusal(to, known, before))
    return str(found)


def _refusal(to: str, known: list[str], before: Plan) -> Problem:
    names = {each["name"] for host in before["hosts"].values() for each in _instances(host)}
    if not known:
        remedy = "No model has a slot. Write slot: gpu at the models that share a card, and let all but one stand by."
        return Problem("to", to or NOTHING, "cannot take over from anybody.", remedy)
    if not to:
        return Problem(
            "to", NOTHING, "is missing.", f"Say who is to serve: -e to={known[0]}. Known: {', '.join(known)}."
        )
    if to in names:
        remedy = f"It runs beside the others. These share a slot: {', '.join(known)}."
        return Problem("to", to, "has no slot in which it could take over.", remedy)
    return Problem("to", to, "is no model that shares a slot.", nearest(to, known))


def _instances(host: Plan) -> Iterator[Mapping[str, Any]]:
    for engine, each in host.items():
        if engine != "litellm":
            yield from each.get("instances", each.get("models", ()))


def _emptied(written: Mapping[str, Any], slot: str) -> tuple[dict[str, Any] | None, list[str]]:
    """The plan while nobody holds the slot, or why there is none: nobody else answers for its models."""
    try:
        return plan(written, emptied=(slot,)), []
    except StackError as error:
        return None, [f"{problem.path}: {problem.wrong}" for problem in error.problems]


def _tests(found: Plan, slot: str, model: str | None) -> list[Check]:
    """What a model has to show on each host of its slot: its unit, its port, and what acceptance asks."""
    return [check for host in found["slots"][slot]["hosts"] for check in _tests_on(host, found, slot, model)]


_OF_UNIT = ("unit_active", "port_owner")


def _tests_on(host: str, found: Plan, slot: str, model: str | None) -> Iterator[Check]:
    engine = found["slots"][slot]["engine"]
    for instance in found["hosts"][host][engine]["instances"]:
        if instance["name"] == model:
            yield from (
                check
                for check in found["checklist"]
                if check["check"] in _OF_UNIT and check["host"] == host and check["units"] == [instance["unit"]]
            )
            yield from acceptance(engine, instance, base_url(instance["bind"], instance["port"]), host)


def _of_gateway(found: Plan, models: list[str]) -> list[Check]:
    """What the gateways have to show: all that is declared is loaded, and these models are answered by who should."""
    kinds = ("gateway_alive", "gateway_models", "gateway_deployments")
    return [
        each
        for each in found["checklist"]
        if each["check"] in kinds or (each["check"] == "route" and each.get("model") in models)
    ]
