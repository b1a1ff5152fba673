# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models that somebody else serves: where they are, whose key they want, and what their declaration may hold."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Declaration, Model
from ansible_collections.lab.llm_stack.plugins.module_utils._engines import ENGINES
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._variables import PREFIX, PROVIDERS


@dataclass(frozen=True)
class Provider:
    """How LiteLLM calls a provider, and its address; without one, the user has to write it."""

    prefix: str
    api_base: str = ""


# The addresses stand here because LiteLLM, given none, asks the environment for one before it takes its own.
_PROVIDERS: Mapping[str, Provider] = {
    "anthropic": Provider("anthropic", "https://api.anthropic.com"),
    "groq": Provider("groq", "https://api.groq.com/openai/v1"),
    "mistral": Provider("mistral", "https://api.mistral.ai/v1"),
    "openai": Provider("openai", "https://api.openai.com/v1"),
    "openai_compatible": Provider("openai"),
    "openrouter": Provider("openrouter", "https://openrouter.ai/api/v1"),
    "xai": Provider("xai", "https://api.x.ai/v1"),
}


def secret_variable(name: str) -> str:
    """The variable in the gateway's environment for a secret. LiteLLM would act on names like OPENAI_API_KEY itself."""
    return f"LLM_STACK_SECRET_{name}"


def api_base(model: Model) -> str:
    """Where the provider of a model answers."""
    return (model.api_base or _PROVIDERS[str(model.provider)].api_base).rstrip("/")


def params(model: Model) -> dict[str, Any]:
    """What LiteLLM needs to reach a model of a provider."""
    return {
        "model": f"{_PROVIDERS[str(model.provider)].prefix}/{model.source}",
        "api_base": api_base(model),
        "api_key": f"os.environ/{secret_variable(model.key)}" if model.key else "none",
    }


def secrets(declared: Declaration) -> dict[str, str]:
    """Which variable of the gateway's environment has to hold which secret."""
    keys = {model.key for model in declared.models.values() if model.provider and model.key and not model.standby}
    return {secret_variable(key): key for key in sorted(keys)}


def check_providers(declared: Declaration, gateways: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for each model whose provider cannot be asked as it is written."""
    for model in declared.models.values():
        if model.provider:
            yield from _check_model(model)
            yield from _check_secret(model, declared, gateways)
        else:
            yield from _check_own(model)


def _check_own(model: Model) -> Iterator[Problem]:
    for key in ("api_base", "key"):
        if getattr(model, key) is not None:
            remedy = f"Write provider: openai_compatible, or another of {', '.join(PROVIDERS)}; or remove {key}."
            yield Problem(f"{model.path}.{key}", NOTHING, "is for a model of a provider, and none is named.", remedy)


def _check_model(model: Model) -> Iterator[Problem]:
    provider = _PROVIDERS[str(model.provider)]
    written = {"engine": model.engine, "hosts": model.hosts, **{name: model.options.get(name) for name in ENGINES}}
    for key, value in written.items():
        if value is not None:
            wrong = f"is for a model of our own, but {model.provider} serves this one."
            yield Problem(f"{model.path}.{key}", NOTHING, wrong, f"Remove it, or remove provider: {model.provider}.")
    if model.api_base is not None:
        yield from _check_address(model.api_base, f"{model.path}.api_base")
    elif not provider.api_base:
        remedy = "Write the address with its version, such as https://models.example.org/v1."
        yield Problem(
            f"{model.path}.api_base", NOTHING, f"is missing, and {model.provider} has none of its own.", remedy
        )
    if provider.api_base and not model.key:
        remedy = (
            f"Put it into {PREFIX}secrets, from a vault, and write its name here: key: {str(model.provider).upper()}."
        )
        yield Problem(f"{model.path}.key", NOTHING, f"is missing, and {model.provider} asks for one.", remedy)


def _check_address(address: str, path: str) -> Iterator[Problem]:
    remedy = "Write the address with its version, such as https://models.example.org/v1."
    parts = urlsplit(address)
    try:
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        yield Problem(path, address, "is not the address of a server.", remedy)
    elif parts.query or parts.fragment:
        yield Problem(path, address, "has more than a path.", remedy)


def _check_secret(model: Model, declared: Declaration, gateways: Collection[str]) -> Iterator[Problem]:
    for host in sorted(gateways) if model.key else ():
        known = declared.hosts[host].secrets
        if model.key not in known:
            hint = nearest(str(model.key), known) if known else f"There is no {PREFIX}secrets for this host."
            remedy = f"{hint}\nPut it there from a vault: {PREFIX}secrets: {{{model.key}: ...}}."
            yield Problem(f"{model.path}.key", model.key, f"is not in {PREFIX}secrets of {host}.", remedy)
