# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one configuration of LiteLLM: every name, its deployments, its fallbacks, and the user's own settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _providers
from ansible_collections.lab.llm_stack.plugins.module_utils._app import App
from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Declaration, Model
from ansible_collections.lab.llm_stack.plugins.module_utils._fallback_steps import needed
from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_apps import AUTH
from ansible_collections.lab.llm_stack.plugins.module_utils._names import answering, chain, reached
from ansible_collections.lab.llm_stack.plugins.module_utils._routing import Instance, Routing, key_variable

# How many fallbacks in a row LiteLLM takes unless told otherwise.
_MAX_FALLBACKS = 5


@dataclass(frozen=True)
class Name:
    """One public name: the model behind it, and the app it belongs to, if it does."""

    model: Model
    app: App | None = None

    def of(self, name: str) -> str:
        """Give the public name of a model in the same set of names."""
        return f"{self.app.name}/{name}" if self.app else name

    @property
    def public(self) -> str:
        """The name that clients ask for."""
        return self.of(self.model.name)


def names(declared: Declaration) -> list[Name]:
    """Every name of a model: its own, and one for each app that uses it or may fall back to it."""
    own = [Name(model) for _name, model in sorted(declared.models.items())]
    apps = [
        Name(declared.models[name], app)
        for _name, app in sorted(declared.apps.items())
        for name in reached(app.models, declared.models)
    ]
    return own + apps


def config(declared: Declaration, routing: Routing) -> dict[str, Any]:
    """Derive LiteLLM's configuration. What the user wrote in LiteLLM's own words stands above our defaults."""
    every = names(declared)
    written = declared.gateway.settings
    turns = not {"allowed_fails", "allowed_fails_policy"} & set(written.get("router_settings", {}))
    auth: Mapping[str, Mapping[str, Any]] = AUTH if any(not app.alone for app in declared.apps.values()) else {}
    return {
        "model_list": [entry for name in every for entry in _entries(name, routing, turns)],
        "router_settings": _router_settings(declared, every, written.get("router_settings", {})),
        "litellm_settings": _sorted(
            {
                "disable_hf_tokenizer_download": True,
                **written.get("litellm_settings", {}),
                **auth.get("litellm_settings", {}),
            }
        ),
        "general_settings": _sorted(
            {
                # An engine would go on working, and a gateway that is replaced go on waiting, for nobody.
                "cancel_on_disconnect": True,
                **written.get("general_settings", {}),
                **auth.get("general_settings", {}),
                "master_key": "os.environ/LITELLM_MASTER_KEY",
            }
        ),
    }


def served(gateway_config: Mapping[str, Any]) -> list[str]:
    """The names that /v1/models lists: those of deployments, and the aliases."""
    deployed = {entry["model_name"] for entry in gateway_config["model_list"]}
    aliases = gateway_config["router_settings"].get("model_group_alias") or {}
    hidden = {name for name, target in aliases.items() if isinstance(target, Mapping) and target.get("hidden")}
    return sorted(deployed | (set(aliases) - hidden))


def _entries(name: Name, routing: Routing, turns: bool) -> Iterator[dict[str, Any]]:
    """One deployment for each instance of a running model, or for its provider; none for one that stands by.

    With ``turns``, one failure turns all requests to the other instances for a while. LiteLLM would wait until half of
    a minute's requests to an instance have failed, and may choose a dead one for every try of a request until then.
    """
    if name.model.standby:
        return
    mine = [instance for instance in routing.instances if instance.model.name == name.model.name]
    info = {**_info(name), **({"allowed_fails": 0} if turns and len(mine) > 1 else {})}
    for backend in [_providers.params(name.model)] if name.model.provider else map(_backend, mine):
        yield {"model_name": name.public, "litellm_params": _params(name, backend), "model_info": dict(info)}


def _backend(instance: Instance) -> dict[str, Any]:
    """What LiteLLM needs to reach an instance of ours."""
    return {
        "model": f"openai/{instance.served_name}",
        "api_base": instance.api_base,
        "api_key": f"os.environ/{key_variable(instance.host)}" if instance.needs_key else "none",
    }


def _params(name: Name, backend: Mapping[str, Any]) -> dict[str, Any]:
    """What LiteLLM acts on. It hands every key it does not know to the engine, so none of ours may stand here."""
    limits = {f"default_api_key_{key}_limit": value for key, value in sorted(name.model.limits.items())}
    app = name.app
    # Without a limit of its own, a streamed answer would get the gateway's.
    overlay = {"timeout": app.timeout, "stream_timeout": app.timeout, "num_retries": app.retries} if app else {}
    return {**backend, **limits, **{key: value for key, value in overlay.items() if value is not None}}


def _info(name: Name) -> dict[str, Any]:
    """What LiteLLM tells others about a deployment. Names of apps are not probed: the model's own name already is."""
    info: dict[str, Any] = {"mode": "chat"}
    if name.model.context:
        info["max_input_tokens"] = name.model.context
    if name.model.tools:
        info["supports_function_calling"] = True
    if name.model.tags:
        info["tags"] = sorted(set(name.model.tags))
    if name.app:
        info["disable_background_health_check"] = True
    return info


def _router_settings(declared: Declaration, every: list[Name], written: Mapping[str, Any]) -> dict[str, Any]:
    aliases, fallbacks = _aliases(declared, every), _fallbacks(declared, every)
    furthest = needed(fallbacks)
    derived: dict[str, Any] = {}
    if aliases:
        derived["model_group_alias"] = dict(sorted(aliases.items()))
    if fallbacks:
        derived["fallbacks"] = [{name: fallbacks[name]} for name in sorted(fallbacks)]
    if furthest > _MAX_FALLBACKS:
        derived["max_fallbacks"] = furthest
    return _sorted({**derived, **written})


def _aliases(declared: Declaration, every: list[Name]) -> dict[str, str]:
    """The declared aliases, and a name that stands by as an alias of the model that answers for it.

    LiteLLM refuses a name that has only fallbacks and no deployment, so a standby has to be an alias.
    """
    models = declared.models
    standby = {name.public: name.of(answering(name.model.name, models)[0]) for name in every if name.model.standby}
    return {**standby, **{alias: answering(target, models)[0] for alias, target in declared.aliases.items()}}


def _fallbacks(declared: Declaration, every: list[Name]) -> dict[str, list[str]]:
    """The chain of every name. An alias needs its own: LiteLLM does not look up the chain of the model behind it."""
    chains = {name.public: [name.of(each) for each in _rest(name.model.name, declared.models)] for name in every}
    chains.update({alias: _rest(target, declared.models) for alias, target in declared.aliases.items()})
    return {name: rest for name, rest in chains.items() if rest}


def _rest(name: str, models: Mapping[str, Model]) -> list[str]:
    """Who is tried when the first that answers for a name has failed.

    A model that stands by is an alias, whose name LiteLLM looks up alone: what the first falls back to stands here too.
    """
    if not models[name].standby:
        return chain(name, models)
    first, *others = chain(name, models)
    return [each for each in dict.fromkeys([*chain(first, models), *others]) if each != first]


def _sorted(settings: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted(settings.items()))
