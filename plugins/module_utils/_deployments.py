# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the deployments that a running gateway tells of with those that were declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Deployment = Mapping[str, Any]

# What LiteLLM tells of a deployment's parameters and we declare; the address and the model say which one it is.
_PLACE = ("model", "api_base")
_LIMITS = (
    *("timeout", "stream_timeout", "num_retries"),
    *("default_api_key_rpm_limit", "default_api_key_tpm_limit"),
)


def told(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give the deployments of an answer of /model/info in the form of the declared ones."""
    found = []
    for entry in entries:
        params = entry.get("litellm_params")
        kept = params if isinstance(params, Mapping) else {}
        values = {key: kept[key] for key in (*_PLACE, *_LIMITS) if kept.get(key) is not None}
        told_of = entry.get("model_info")
        info = {"info": dict(told_of)} if isinstance(told_of, Mapping) and told_of else {}
        found.append({"name": str(entry.get("model_name")), **values, **info})
    return found


def differences(declared: Sequence[Deployment], found: Sequence[Deployment]) -> list[str]:
    """Say how what runs differs from what was declared; a name may have several deployments."""
    missing, extra = [*declared], [*found]
    said = []
    for keys in (("name", *_PLACE, *_LIMITS), ("name", *_PLACE), ("name",)):
        for one in [*missing]:
            other = next((each for each in extra if all(_same(one, each, key) for key in keys)), None)
            if other is not None:
                missing.remove(one)
                extra.remove(other)
                said += list(_wrong(one, other))
    said += [f"{_place(one)} is missing" for one in missing]
    return said + [f"{_place(one)} is not declared" for one in extra]


def _same(one: Deployment, other: Deployment, key: str) -> bool:
    return bool(_value(one, key) == _value(other, key))


def _value(deployment: Deployment, key: str) -> object:
    value = deployment.get(key)
    return value.rstrip("/") if isinstance(value, str) else value


def _wrong(one: Deployment, other: Deployment) -> Iterator[str]:
    for key in (*_PLACE, *_LIMITS):
        if not _same(one, other, key):
            yield f"{one['name']} has {key} {other.get(key, 'unset')}, declared {one.get(key, 'unset')}"
    # Of what a model can do the gateway tells much that it found out by itself.
    info = other.get("info", {})
    for key, value in one.get("info", {}).items():
        if info.get(key) != value:
            yield f"{one['name']} is said to have {key} {info.get(key, 'unset')}, declared {value}"


def _place(deployment: Deployment) -> str:
    return f"{deployment['name']} at {deployment.get('api_base', 'no address')}"
