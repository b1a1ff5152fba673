# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app may ask for, under which names and how often; and the port of one with a gateway of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._app import INSTANCE, App
from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Declaration
from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_apps import AUTH, key_variable
from ansible_collections.lab.llm_stack.plugins.module_utils._names import reached
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._variables import PREFIX

FIRST_PORT = 4001


def names(app: App, declared: Declaration, served: Collection[str]) -> list[str]:
    """The names of an app's models, as the app calls them. What it only falls back to is none of them."""
    mine = {name.partition("/")[2] for name in served if name.startswith(f"{app.name}/")}
    others = set(reached(app.models, declared.models)) - {*app.models}
    return [*(name for name in app.models if name in mine), *sorted(mine - {*app.models} - others)]


def table(app: App, mine: Collection[str]) -> dict[str, Any]:
    """What the gateway has to know of an app. Its key says who asks, so the app may leave its own name out."""
    public = {name: f"{app.name}/{name}" for name in mine}
    return {
        "models": list(public.values()),
        "default_model": public[app.default_model or next(iter(public))],
        "aliases": {**public, **{alias: public[target] for alias, target in sorted(app.aliases.items())}},
        **dict(sorted(app.limits.items())),
    }


def check_apps(declared: Declaration) -> Iterator[Problem]:
    """Yield a problem for what is wrong with apps, whatever they are called at the gateway."""
    owners: dict[str, str] = {}
    for app in declared.apps.values():
        owner = owners.setdefault(key_variable(app.name), app.name)
        if owner != app.name:
            wrong = f"would have its key in {key_variable(app.name)}, like {owner}."
            yield Problem(app.path, NOTHING, wrong, "Rename one of the two apps.")
        if app.port is not None and not app.alone:
            wrong = "is for an app with a gateway of its own."
            yield Problem(f"{app.path}.port", app.port, wrong, f"Remove it, or write isolation: {INSTANCE}.")
    for section, settings in AUTH.items() if declared.apps else ():
        for key in settings:
            if key in declared.gateway.settings.get(section, {}):
                remedy = f"Remove it; it is how the gateway tells the apps of {PREFIX}apps apart."
                yield Problem(f"{PREFIX}gateway.{section}.{key}", NOTHING, "is derived where there are apps.", remedy)


def check_served(declared: Declaration, served: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for each name of an app that the gateway does not have."""
    for app in declared.apps.values():
        yield from _check_names(app, names(app, declared, served))


def _check_names(app: App, mine: Collection[str]) -> Iterator[Problem]:
    if not mine:
        remedy = "Write the models the app uses: [first, second]."
        yield Problem(f"{app.path}.models", NOTHING, "leave the app without a name to ask for.", remedy)
        return
    if app.default_model is not None and app.default_model not in mine:
        wrong = "is not a model of the app."
        yield Problem(f"{app.path}.default_model", app.default_model, wrong, nearest(app.default_model, mine))
    for alias, target in sorted(app.aliases.items()):
        path = f"{app.path}.aliases.{alias}"
        if alias in mine:
            yield Problem(path, NOTHING, "is already a model of the app.", "Choose another alias.")
        if target not in mine:
            yield Problem(path, target, "is not a model of the app.", nearest(target, mine))


def ports(declared: Declaration, problems: list[Problem]) -> dict[str, int]:
    """Give each app with a gateway of its own its port: its own choice, else the next one that nobody chose."""
    alone = [app for app in declared.apps.values() if app.alone]
    owners = {declared.gateway.port: "of the gateway"}
    for app in alone:
        if app.port is not None:
            owner = owners.setdefault(app.port, f"of {app.name}")
            if owner != f"of {app.name}":
                remedy = "Choose another, or leave it out and it is derived."
                problems.append(Problem(f"{app.path}.port", app.port, f"is already the port {owner}.", remedy))
    options = (each for model in declared.models.values() for each in model.options.values())
    taken = {*owners, declared.ollama.get("port", 0), *(each.get("port", 0) for each in options)}
    found = {}
    for app in alone:
        found[app.name] = app.port or next(port for port in range(FIRST_PORT, 65536) if port not in taken)
        taken.add(found[app.name])
    return found
