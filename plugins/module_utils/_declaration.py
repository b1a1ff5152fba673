# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user wrote, with every fault of its shape, and the values the rest of the plan works on."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _checks_declared, _drift_rules, _layer_entries
from ansible_collections.lab.llm_stack.plugins.module_utils._app import App, app
from ansible_collections.lab.llm_stack.plugins.module_utils._engines import ENGINES
from ansible_collections.lab.llm_stack.plugins.module_utils._lock_file import check_pins
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import check, secrets, unless_secret
from ansible_collections.lab.llm_stack.plugins.module_utils._variables import (
    DEFAULT_ROUTES,
    MODEL,
    OTHER_VARIABLES,
    PREFIX,
    VARIABLES,
)

# What a declaration has beside variables: the hosts, where they disagree, and the files of layers as they were read.
_FOUND = ("hosts", "conflicts", "layer_files", "model_folders")


@dataclass(frozen=True)
class Model:
    """A public name, what serves it and how.

    A ``provider`` serves it elsewhere, with the secret that ``key`` names. ``context`` is 0 when nobody said it.
    """

    name: str
    source: str
    engine: str | None = None
    hosts: tuple[str, ...] | None = None
    tools: bool = False
    context: int = 0
    standby: bool = False
    slot: str | None = None
    tags: tuple[str, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    fallbacks: tuple[str, ...] = ()
    provider: str | None = None
    api_base: str | None = None
    key: str | None = None
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pinned: Mapping[str, Any] | None = None
    """Its entry of llm_stack_model_lock."""

    @property
    def path(self) -> str:
        """Where the user wrote it."""
        return f"{PREFIX}models.{self.name}"


@dataclass(frozen=True)
class Gateway:
    """The gateway's place, and LiteLLM's own settings."""

    host: str | None = None
    port: int = 4000
    listen: str = "loopback"
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Host:
    """What the plan needs to know of a host."""

    name: str
    groups: frozenset[str] = frozenset()
    address: object = None
    has_instance_key: bool = False
    secrets: frozenset[str] = frozenset()
    """The names of its secrets; their values are never read into a declaration."""


@dataclass(frozen=True)
class Declaration:
    """Everything declared that has the right shape.

    ``names`` also has the models that were refused for their shape; ``routes`` is None when one of them was.
    """

    names: frozenset[str]
    models: Mapping[str, Model]
    routes: tuple[Mapping[str, str], ...] | None
    aliases: Mapping[str, str]
    apps: Mapping[str, App]
    gateway: Gateway
    hosts: Mapping[str, Host]
    layers: tuple[_layer_entries.Entry, ...] = ()
    active: Mapping[str, str] = field(default_factory=dict)
    ollama: Mapping[str, Any] = field(default_factory=dict)
    drift_ignore: tuple[Mapping[str, str], ...] = ()
    checks: Mapping[str, Any] = field(default_factory=dict)


def parse(written: Mapping[str, Any]) -> tuple[Declaration, list[Problem]]:
    """Give what has the right shape, and the problems of the rest."""
    problems = [*_unknown(written), *_conflicting(written), *_shapes(written), *_alike(written.get("models"))]
    problems += _layer_entries.check_entries(written.get("layers"), written.get("layer_files"))
    problems += [*check_pins(written), *_drift_rules.check_rules(written.get("drift_ignore"))]
    problems += _checks_declared.check_patterns(written.get("checks"))
    hidden = list(_secrets(written))
    refused = unless_secret(problems, hidden)
    return _declaration(written, {problem.path for problem in refused}), refused


def _unknown(written: Mapping[str, Any]) -> Iterator[Problem]:
    for key in written:
        if key not in VARIABLES and key not in _FOUND:
            known = [*(f"{PREFIX}{name}" for name in VARIABLES), *OTHER_VARIABLES[:-2]]
            yield Problem(f"{PREFIX}{key}", NOTHING, "is not a known variable.", nearest(f"{PREFIX}{key}", known))


def _conflicting(written: Mapping[str, Any]) -> Iterator[Problem]:
    for key, (first, other) in _mapping(written.get("conflicts")).items():
        wrong = f"differs between {first} and {other}, but there is one stack."
        yield Problem(f"{PREFIX}{key}", NOTHING, wrong, "Declare it once for all hosts, in group_vars/all.")


def _shapes(written: Mapping[str, Any]) -> Iterator[Problem]:
    for key, spec in VARIABLES.items():
        if key in written:
            yield from check(written[key], spec, f"{PREFIX}{key}")
    # Without the variable, one with another name may hold the models; that one is refused.
    models = written.get("models", {} if set(written) <= {*VARIABLES, *_FOUND} else None)
    if isinstance(models, Mapping) and not models and not written.get("layers"):
        remedy = "Write one, such as tiny: {source: models/tiny.gguf}."
        yield Problem(f"{PREFIX}models", NOTHING, "declares no model.", remedy)


def _alike(models: object) -> Iterator[Problem]:
    """Yield a problem for two models whose names differ only in case: people take them for one."""
    seen: dict[str, str] = {}
    for name in models if isinstance(models, Mapping) else ():
        first = seen.setdefault(str(name).lower(), str(name))
        if first != str(name):
            yield Problem(
                f"{PREFIX}models.{name}", NOTHING, f"differs from {first} only in case.", "Choose another name."
            )


def _secrets(written: Mapping[str, Any]) -> Iterator[Problem]:
    for key, value in written.items():
        if key not in ("layer_files", "model_folders"):
            plain = _layer_entries.without_no_keys(value) if key == "layers" else value
            yield from secrets(plain, f"{PREFIX}{key}", by_key=key in ("models", "gateway", "layers"))


def _declaration(written: Mapping[str, Any], refused: set[str]) -> Declaration:
    sound = {key: prune(written[key], f"{PREFIX}{key}", refused) for key in VARIABLES if key in written}
    # A folder on the controller shows what the lock says of a repository.
    pins = {**_mapping(sound.get("model_lock")), **_mapping(written.get("model_folders"))}
    return Declaration(
        names=frozenset(str(name) for name in _mapping(written.get("models"))),
        models={
            name: _model(name, each, pins.get(name)) for name, each in _entries(sound, "models", "source", refused)
        },
        routes=tuple(sound.get("routes", DEFAULT_ROUTES)) if sound.get("routes", ()) is not None else None,
        aliases=_mapping(sound.get("aliases")),
        apps={name: app(name, each) for name, each in _apps(sound, refused)},
        gateway=_gateway(_mapping(sound.get("gateway"))),
        hosts={name: _host(name, each) for name, each in _mapping(written.get("hosts")).items()},
        layers=_layer_entries.entries(written.get("layers"), written.get("layer_files")),
        active=_mapping(sound.get("active")),
        ollama=_mapping(sound.get("ollama")),
        drift_ignore=tuple(sound.get("drift_ignore") or ()),
        checks=_mapping(sound.get("checks")),
    )


def prune(value: object, path: str, refused: set[str]) -> Any:  # noqa: ANN401 - it has the type of the value
    """Leave out what was refused, so that the rest can be checked; a list with a refused entry goes as a whole."""
    if path in refused:
        return None
    if isinstance(value, Mapping):
        pruned = {key: prune(inner, f"{path}.{key}", refused) for key, inner in value.items()}
        return {key: inner for key, inner in pruned.items() if inner is not None}
    if isinstance(value, (list, tuple)) and any(each.startswith(f"{path}[") for each in refused):
        return None
    return value


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


# Without these nothing can be told of a model.
_DECISIVE = ("engine", "provider", "api_base", "key")


def _entries(
    sound: Mapping[str, Any], variable: str, needed: str, refused: set[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the entries that can be checked further: those with what they cannot be judged without."""
    for name, entry in _mapping(sound.get(variable)).items():
        if needed in entry and not any(f"{PREFIX}{variable}.{name}.{key}" in refused for key in _DECISIVE):
            yield name, entry


def _apps(sound: Mapping[str, Any], refused: set[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the apps whose models were not refused; an app whose layer brings the models has none here."""
    for name, entry in _mapping(sound.get("apps")).items():
        if "models" in entry or not any(each.startswith(f"{PREFIX}apps.{name}.models") for each in refused):
            yield name, entry


def _model(name: str, written: Mapping[str, Any], pinned: Mapping[str, Any] | None) -> Model:
    plain: dict[str, Any] = {key: value for key, value in written.items() if key in _MODEL_FIELDS}
    plain.update({key: tuple(plain[key]) for key in ("hosts", "tags", "fallbacks") if key in plain})
    options = {engine: written[engine] for engine in ENGINES if engine in written}
    return Model(name=name, options=options, pinned=pinned, **plain)


_MODEL_FIELDS = frozenset(MODEL.fields) - set(ENGINES)


def _gateway(written: Mapping[str, Any]) -> Gateway:
    plain = {key: value for key, value in written.items() if key in ("host", "port", "listen")}
    return Gateway(settings={key: value for key, value in written.items() if key.endswith("_settings")}, **plain)


def _host(name: str, written: Mapping[str, Any]) -> Host:
    groups = frozenset(written.get("groups", ()))
    has_key, secrets = written.get("has_instance_key") is True, frozenset(written.get("secrets", ()))
    return Host(name, groups, _canonical(written.get("address")), has_key, secrets)


def _canonical(address: object) -> object:
    """Give an address in its one form, in which others tell of it; what is none stays as it is, to be refused."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(str(address)))
    return address
