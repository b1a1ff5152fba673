# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every layer of a declaration, from the bottom: defaults, what is declared, each app, then the user's own layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._app import App
from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Declaration
from ansible_collections.lab.llm_stack.plugins.module_utils._layer_entries import Entry
from ansible_collections.lab.llm_stack.plugins.module_utils._layer_paths import (
    FALLBACKS,
    Item,
    Path,
    label,
    leaves,
    within,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._layers import Definition, Layer, Source
from ansible_collections.lab.llm_stack.plugins.module_utils._variables import PREFIX

UNIFIED = "unified"
DEFAULTS = "defaults"

# What the plan sets unless somebody else does.
_DEFAULTS = ("cancel_on_disconnect", "disable_hf_tokenizer_download", "max_fallbacks")

# Which field of a model or an app a value of its deployment follows from.
_OF_MODEL = {
    "default_api_key_rpm_limit": ".limits.rpm",
    "default_api_key_tpm_limit": ".limits.tpm",
    "max_input_tokens": ".context",
    "supports_function_calling": ".tools",
    "tags": ".tags",
}
_OF_APP = {"timeout": "timeout", "stream_timeout": "timeout", "num_retries": "retries"}

# What in an app's own file holds for all its models, best first, and what it becomes at each of them.
_GLOBAL: tuple[tuple[Path, str], ...] = (
    (("litellm_settings", "request_timeout"), "timeout"),
    (("router_settings", "timeout"), "timeout"),
    (("router_settings", "stream_timeout"), "stream_timeout"),
    (("router_settings", "num_retries"), "num_retries"),
    (("litellm_settings", "num_retries"), "num_retries"),
)


def derived(declared: Declaration, config: Mapping[str, Any]) -> list[Layer]:
    """Give what the plan derived as layers, each value with the variable that it follows from."""
    found: dict[str, list[Definition]] = {DEFAULTS: [], UNIFIED: []}
    for leaf in leaves(config):
        source = _source(leaf.path, declared)
        found.setdefault(source.layer, []).append(Definition(leaf.path, leaf.value, source))
    return [Layer(name, tuple(each), yields=name == DEFAULTS) for name, each in found.items()]


def _source(path: Path, declared: Declaration) -> Source:
    if path[0] == "model_list" and len(path) > 1 and isinstance(path[1], Item):
        return _of_deployment(path[1].name, str(path[-1]))
    section, key = str(path[0]), str(path[1]) if len(path) > 1 else ""
    if key in declared.gateway.settings.get(section, {}) and key != "master_key":
        return Source(UNIFIED, f"{PREFIX}gateway.{label(path)}")
    if key in ("fallbacks", "model_group_alias"):
        name = path[2].name if isinstance(path[2], Item) else str(path[2])
        return _of_name(name, "fallbacks" if key == "fallbacks" else "standby", declared)
    if key == "master_key":
        return Source(UNIFIED, "the role litellm, which makes it on the host", fixed=True)
    if key and key not in _DEFAULTS:
        return Source(UNIFIED, f"{PREFIX}apps, whose keys the gateway checks", fixed=True)
    return Source(DEFAULTS, "a default of this collection")


def _of_deployment(name: str, key: str) -> Source:
    app, _slash, model = name.rpartition("/")
    if app and key in _OF_APP:
        return Source(_layer_of(app), f"{PREFIX}apps.{app}.{_OF_APP[key]}", fixed=True)
    return Source(_layer_of(app), f"{PREFIX}models.{model}{_OF_MODEL.get(key, '')}", fixed=True)


def _of_name(name: str, field: str, declared: Declaration) -> Source:
    if name in declared.aliases:
        return Source(UNIFIED, f"{PREFIX}aliases.{name}", fixed=True)
    app, _slash, model = name.rpartition("/")
    return Source(_layer_of(app), f"{PREFIX}models.{model}.{field}", fixed=True)


def _layer_of(app: str) -> str:
    return f"app {app}" if app else UNIFIED


def native(declared: Declaration) -> list[Layer]:
    """Give the declared layers in their order."""
    return [_layer(entry, declared.apps.get(entry.app)) for entry in declared.layers]


def _layer(entry: Entry, app: App | None) -> Layer:
    said = [
        Definition(leaf.path, leaf.value, Source(entry.name, entry.place(leaf.place))) for leaf in leaves(entry.config)
    ]
    if app is None:
        return Layer(entry.name, tuple(said), entry.path, overrides=entry.overrides, removes=entry.removes)
    kept = [each for each in said if not _is_empty(each) and not any(within(each.path, key) for key in entry.removes)]
    own = [_renamed(each, app.name) for each in kept if _is_of_names(each.path)]
    shared = [each for each in kept if not _is_of_names(each.path) and not _is_global(each.path)]
    own += [*_spread(own, kept), *_of_app(own, app)]
    return Layer(entry.name, tuple(own), entry.path, overrides=entry.overrides, app=app.name, shared=tuple(shared))


def _is_empty(said: Definition) -> bool:
    """Tell a section or a list of names that holds nothing."""
    return len(said.path) < 3 and said.value in ({}, [])


def _is_of_names(path: Path) -> bool:
    """Tell whether a value belongs to a name, and not to the whole gateway."""
    return path[0] == "model_list" or (
        len(path) > 2 and path[1] in (*FALLBACKS, "model_group_alias", "model_group_retry_policy")
    )


def _is_global(path: Path) -> bool:
    return path in [each for each, _key in _GLOBAL]


def _renamed(said: Definition, app: str) -> Definition:
    """Move a value from a name to the app's own name for it, and the names it holds as well."""
    index = 1 if said.path[0] == "model_list" else 2
    part = said.path[index]
    moved = replace(part, name=f"{app}/{part.name}") if isinstance(part, Item) else f"{app}/{part}"
    path = (*said.path[:index], moved, *said.path[index + 1 :])
    return replace(said, path=path, value=_renamed_value(path, said.value, app))


def _renamed_value(path: Path, value: object, app: str) -> object:
    if path[1] in FALLBACKS and isinstance(value, list):
        return [f"{app}/{each}" if isinstance(each, str) else each for each in value]
    alias = path[1] == "model_group_alias" and (len(path) == 3 or path[3:] == ("model",))
    name = path[0] == "model_list" and path[2:] == ("model_name",)
    return f"{app}/{value}" if alias or name else value


def _deployments(own: list[Definition]) -> list[Path]:
    return [each.path[:2] for each in own if each.path[0] == "model_list" and each.path[2:] == ("model_name",)]


def _spread(own: list[Definition], kept: list[Definition]) -> Iterator[Definition]:
    """Write what an app's file says of its whole gateway to each of its deployments that says nothing itself."""
    by_path = {each.path: each for each in kept}
    taken = {each.path for each in own}
    for deployment in _deployments(own):
        for path, key in _GLOBAL:
            target = (*deployment, "litellm_params", key)
            if path in by_path and target not in taken:
                taken.add(target)
                yield replace(by_path[path], path=target)


def _of_app(own: list[Definition], app: App) -> Iterator[Definition]:
    """Write the app's own limits to each deployment of its file, so that they hold to the end of the chain."""
    for deployment in _deployments(own):
        for key, name in _OF_APP.items():
            value = app.timeout if name == "timeout" else app.retries
            if value is not None:
                source = Source(_layer_of(app.name), f"{app.path}.{name}", fixed=True)
                yield Definition((*deployment, "litellm_params", key), value, source)
