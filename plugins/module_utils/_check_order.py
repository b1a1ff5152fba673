# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which check comes before which, and why one cannot run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from ansible_collections.lab.llm_stack.plugins.module_utils._checks import (
    FAIL,
    SKIPPED,
    Check,
    Verdict,
    of_kind,
    title,
)


def needs(check: Check, others: Sequence[Check]) -> list[Check]:
    """Return the checks that must have passed before this one can tell anything.

    A port that a stranger holds is not spoken to: the gateway's key would go to the stranger.
    """
    kind = check["check"]
    if kind == "port_owner":
        return [each for each in of_kind(others, "unit_active") if set(each["units"]) & set(check["units"])]
    if kind in ("unit_uptime", "journal_clean"):
        return [each for each in of_kind(others, "unit_active") if set(each["units"]) & set(check["units"])]
    if kind == "gateway_alive" or check.get("direct"):
        return _below(check, others)
    if kind in _OF_GATEWAY:
        return _alive(check, others)
    if kind == "route":
        bases = check.get("api_bases", [])
        return _alive(check, others) + (_serving(bases[0], others) if len(bases) == 1 else [])
    if kind in _OF_ROUTE:
        same = [each for each in of_kind(others, "route") if each["model"] == check["model"]]
        here = [each for each in same if each["url"] == check["url"]] or _alive(check, others)
        return here + (_rendering(check, others) if kind == "tool_certificate" else [])
    return []


_OF_GATEWAY = (
    *("gateway_models", "gateway_key", "gateway_deployments", "gateway_fallbacks"),
    *("app_models", "app_refused", "app_timeout"),
)
_OF_ROUTE = ("tool_call", "tool_certificate", "alias", "fallback", "app_limits", "model_limits")
# On the ladder of an instance, what comes before what.
_BELOW = {
    "model_identity": "engine_key",
    "chat_content": "model_identity",
    "engine_counters": "chat_content",
    "engine_context": "model_identity",
    "tools_rendered": "model_identity",
}


def waits(check: Check, others: Sequence[Check]) -> list[Check]:
    """Return the checks that come before this one: those that it needs, and those that make it tell more."""
    if check["check"] in ("ollama_context", "ollama_gpu"):
        # What the route has just woken can be measured.
        return needs(check, others) + [each for each in of_kind(others, "route") if each["model"] == check["model"]]
    return needs(check, others)


def _below(check: Check, others: Sequence[Check]) -> list[Check]:
    """The rung below on the ladder of an instance, at last who holds its port."""
    kind = _BELOW.get(check["check"])
    while kind:
        found = [each for each in of_kind(others, kind) if each["url"] == check["url"]]
        if found:
            return found
        kind = _BELOW.get(kind)
    return _owners(check["url"], others)


def _serving(base: str, others: Sequence[Check]) -> list[Check]:
    """What shows that an instance answers, where it is on this host."""
    answers = [each for each in of_kind(others, "chat_content") if f"{each['url']}/v1" == base]
    return answers or _owners(base, others)


def _rendering(check: Check, others: Sequence[Check]) -> list[Check]:
    """What shows that tools reach the prompts of a model's instances on this host."""
    urls = [each["url"] for each in check.get("bases", ())]
    return [each for each in of_kind(others, "tools_rendered") if each["url"] in urls]


def _alive(check: Check, others: Sequence[Check]) -> list[Check]:
    return [each for each in of_kind(others, "gateway_alive") if each["url"] == check["url"]]


def _owners(url: str, others: Sequence[Check]) -> list[Check]:
    address = urlsplit(url)
    owners = of_kind(others, "port_owner")
    return [each for each in owners if (each["bind"], each["port"]) == (address.hostname, address.port)]


def gateway_silent(check: Check, others: Sequence[Check], states: Mapping[str, str]) -> bool:
    """Whether a certificate cannot be made for want of the gateway alone; its engines can still be asked."""
    alive, shown = _alive(check, others), _rendering(check, others)
    silent = any(states.get(each["id"]) in (FAIL, SKIPPED) for each in alive)
    return bool(check.get("bases")) and silent and all(states.get(each["id"]) not in (FAIL, SKIPPED) for each in shown)


def unmet(check: Check, others: Sequence[Check], states: Mapping[str, str]) -> Verdict | None:
    """Return why a check cannot run, or nothing when all it needs has passed."""
    failed = [each for each in needs(check, others) if states[each["id"]] in (FAIL, SKIPPED)]
    if not failed:
        return None
    return Verdict(SKIPPED, f"needs this first: {title(failed[0])}")
