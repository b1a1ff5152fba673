# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the names of an app promise: how long a request for each may take, and whether the app can wait that long."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.lab.llm_stack.plugins.module_utils._app import App
from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Declaration
from ansible_collections.lab.llm_stack.plugins.module_utils._latency import Bound, bound, deployments, number
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem

if TYPE_CHECKING:
    from ansible_collections.lab.llm_stack.plugins.module_utils._layers import Merged


def bounds(declared: Declaration, config: Mapping[str, Any]) -> dict[str, Any]:
    """Give for each app and each of its models the longest that a request may take."""
    known = deployments(config)
    return {
        name: {model: bound(f"{name}/{model}", config, known).as_dict() for model in _models(app, declared, config)}
        for name, app in sorted(declared.apps.items())
    }


def check_deadlines(
    declared: Declaration, config: Mapping[str, Any], merged: Merged | None = None
) -> Iterator[Problem]:
    """Yield a problem for each model of an app that may take longer than the app can wait.

    ``merged`` tells where a layer has written the limits of its own deployments.
    """
    hurried = {name: app for name, app in sorted(declared.apps.items()) if app.deadline is not None}
    known = deployments(config) if hurried else {}
    for name, app in hurried.items():
        for model in _models(app, declared, config):
            found = bound(f"{name}/{model}", config, known)
            if found.seconds > float(app.deadline or 0):
                wrong = f"is less than the {number(found.seconds)} s that a request for {found.name} may take."
                yield Problem(f"{app.path}.deadline", app.deadline, wrong, _remedy(app, found, merged))


def _models(app: App, declared: Declaration, config: Mapping[str, Any]) -> list[str]:
    """The models that an app asks for: those it declares, and those that its own layers bring."""
    aliases = config["router_settings"].get("model_group_alias") or {}
    names = {str(entry["model_name"]) for entry in config["model_list"]} | set(aliases)
    own = {name[len(app.name) + 1 :] for name in names if name.startswith(f"{app.name}/")}
    return sorted({*app.models, *(own - set(declared.models))})


def _remedy(app: App, found: Bound, merged: Merged | None) -> str:
    """Show the sum, then what the app may set so that it fits."""
    width = max(len(term.name) for term in found.terms)
    lines = [f"{term.name.ljust(width)}  {term}" for term in found.terms]
    lines.append("" if len(lines) == 1 else f"{'sum'.ljust(width)}  {number(found.seconds)} s")
    written = _written({term.name for term in found.terms}, merged) if merged else []
    way = f"Lower {', '.join(written)}," if written else f"Set {_ways(app, found)},"
    return "\n".join([*filter(None, lines), way, "or raise the deadline."])


def _written(names: Collection[str], merged: Merged) -> list[str]:
    """Where layers have written time limits and retries of deployments: those are lowered there."""
    found = [
        f"{path[-1]} in {setting.definition.source.place}"
        for path, setting in merged.settings.items()
        if path[0] == "model_list" and path[-1] in ("timeout", "stream_timeout", "num_retries")
        if getattr(path[1], "name", "") in names
        if setting.definition.value != 0 and not setting.definition.source.fixed
    ]
    return list(dict.fromkeys(found))


def _ways(app: App, found: Bound) -> str:
    """The largest time limits that fit, with the retries of now and without any."""
    deadline = float(app.deadline or 0)
    tries, waits = sum(term.tries for term in found.terms), sum(term.waits for term in found.terms)
    ways = [f"{app.path}.timeout to at most {_down((deadline - waits) / tries)}"] if deadline - waits >= tries else []
    if tries > len(found.terms):
        ways.append(f"{app.path}.retries to 0 and timeout to at most {_down(deadline / len(found.terms))}")
    return ",\nor ".join(ways) or f"{app.path}.timeout to at most {_down(deadline / tries)}"


def _down(seconds: float) -> str:
    """Round down, so that the sum fits."""
    steps = 10 if seconds < 10 else 1
    return number(max(math.floor(seconds * steps) / steps, 0.1))
