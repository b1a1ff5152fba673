# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a deployment sends its requests: the provider, the address and the key."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import SplitResult, urlsplit

from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import (
    REFERENCE,
    Config,
    Deployment,
    Finding,
    Place,
    error,
    graded,
    is_reference,
    likely,
    warning,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_model_keys import PROVIDERS
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, nearest

_OPENAI = ("openai", "custom_openai", "text-completion-openai")
_OLLAMA = ("ollama", "ollama_chat")

# Providers of an engine that somebody runs: without an address nothing says where.
_SELF_HOSTED = frozenset(
    (*_OPENAI, *_OLLAMA, "hosted_vllm", "infinity", "litellm_proxy", "llamafile", "lm_studio", "openai_like", "triton")
) | {"docker_model_runner", "lemonade", "oobabooga", "xinference"}

# Names from which LiteLLM guesses a vendor's cloud when no provider is named.
_GUESSED = (
    "chatgpt-",
    "claude-",
    "command-",
    "dall-e-",
    "gemini-",
    "gpt-",
    "o1",
    "o3",
    "o4",
    "text-embedding-",
    "tts-",
)

_PORTLESS = "http://127.0.0.1:PORT"


def check_backends(config: Config, place: Place) -> Iterator[Finding]:
    """Yield the findings about each deployment's provider, address and key."""
    own = _own_providers(config)
    for deployment in config.deployments:
        if "mock_response" not in deployment.params:
            yield from _check_provider(deployment, own)
            yield from _check_ollama_chat(deployment, place)
            yield from _check_address(deployment)
            yield from _check_key(deployment)
            yield from _check_credential(deployment, config)
    yield from _check_destinations(config, place)


def _own_providers(config: Config) -> Collection[str]:
    """The providers that the configuration brings along."""
    entries = config.litellm.get("custom_provider_map")
    found = [each.get("provider") for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    return [name for name in found if isinstance(name, str)]


# -- provider --------------------------------------------------------------------------------------------------------


def _check_provider(deployment: Deployment, own: Collection[str]) -> Iterator[Finding]:
    path, model, provider = f"{deployment.params_path}.model", deployment.model, deployment.provider
    if not provider:
        yield _no_provider(model, path)
    elif provider not in PROVIDERS and provider not in own:
        remedy = likely(provider, PROVIDERS) or f"Write openai/{model} where the engine speaks the API of OpenAI."
        wrong = "begins with no provider that LiteLLM knows, so it drops this deployment and starts without it."
        yield error(path, model, wrong, remedy)
    elif not deployment.engine_model:
        yield error(path, model, "names a provider, but no model.", f"Write {provider}/NAME.")
    elif provider == "vllm":
        wrong = "would load vLLM into the gateway's own process."
        yield error(path, model, wrong, f"Write hosted_vllm/{deployment.engine_model} for a server.")
    elif provider == "ollama":
        yield from _check_ollama(deployment, path)


def _no_provider(model: str, path: str) -> Finding:
    if model.startswith(_GUESSED):
        wrong = "names no provider, so LiteLLM guesses the cloud of a vendor."
        return warning(path, model, wrong, "Write the provider before it: openai/, anthropic/, gemini/.")
    wrong = "names no provider, so LiteLLM drops this deployment and starts without it."
    return error(path, model, wrong, f"Write openai/{model} where the engine speaks the API of OpenAI.")


def _check_ollama(deployment: Deployment, path: str) -> Iterator[Finding]:
    if deployment.info.get("mode") != "embedding":
        tools = deployment.info.get("supports_function_calling") is True
        wrong = "reaches Ollama by /api/generate, where tools are pasted into the prompt and come back as text."
        remedy = f"Write ollama_chat/{deployment.engine_model}, or openai/{deployment.engine_model} with /v1."
        yield graded(tools, path, deployment.model, wrong, remedy)


def _check_ollama_chat(deployment: Deployment, place: Place) -> Iterator[Finding]:
    """LiteLLM asks Ollama about a model before each completion, and most of that where it listens by default."""
    address = deployment.params.get("api_base")
    if deployment.provider in _OLLAMA and isinstance(address, str) and not is_reference(address):
        origin = address.rstrip("/")
        elsewhere = not origin.endswith(("//localhost:11434", "//127.0.0.1:11434", "/v1"))
        if elsewhere and place.environment is not None and "OLLAMA_API_BASE" not in place.environment:
            path = f"{deployment.params_path}.api_base"
            wrong = "gets the requests, but LiteLLM asks localhost:11434 about the model before each of them."
            remedy = f"Set OLLAMA_API_BASE in the gateway's environment, or write openai/ and {origin}/v1."
            yield warning(path, address, wrong, remedy)


# -- address ---------------------------------------------------------------------------------------------------------


def _check_address(deployment: Deployment) -> Iterator[Finding]:
    key = "base_url" if "base_url" in deployment.params else "api_base"
    path, value = f"{deployment.params_path}.{key}", deployment.params.get(key)
    if value is None or value == "":
        yield from _check_missing(deployment, path)
    elif not isinstance(value, str):
        yield error(path, value, "is not an address.", f"Write {_PORTLESS}.")
    elif not is_reference(value):
        yield from _check_url(deployment, path, value)


def _check_missing(deployment: Deployment, path: str) -> Iterator[Finding]:
    provider = deployment.provider
    suffix = "" if provider in _OLLAMA else "/v1"
    if "litellm_credential_name" in deployment.params or provider not in PROVIDERS or _is_of_openai(deployment):
        return
    if provider in _OLLAMA:
        wrong = "is missing, so LiteLLM starts an Ollama of its own on the gateway's host."
        yield error(path, NOTHING, wrong, f"Write {_PORTLESS}.")
    elif provider == "openai":
        wrong = "is missing, so requests and their prompts go to the cloud of OpenAI."
        yield error(path, NOTHING, wrong, f"Write {_PORTLESS}/v1, or https://api.openai.com/v1 where that is meant.")
    elif provider in _SELF_HOSTED:
        yield error(
            path, NOTHING, "is missing, and nothing else says where the engine is.", f"Write {_PORTLESS}{suffix}."
        )


def _check_url(deployment: Deployment, path: str, value: str) -> Iterator[Finding]:
    url = _split(value)
    if url is None or url.scheme not in ("http", "https") or not url.hostname:
        yield error(path, value, "is no address that requests can be sent to.", f"Write {_PORTLESS}/v1 in full.")
    else:
        if _is_any(url.hostname):
            wrong = "names the address on which a server listens everywhere, which is not one to send to."
            yield error(path, value, wrong, "Write 127.0.0.1 for this host.")
        yield from _check_path(url, deployment.provider, path, value)


def _split(value: str) -> SplitResult | None:
    try:
        url = urlsplit(value)
        return url if url.port is None or url.port > 0 else None
    except ValueError:
        return None


def _check_path(url: SplitResult, provider: str, path: str, value: str) -> Iterator[Finding]:
    below = url.path.rstrip("/")
    origin = f"{url.scheme}://{url.netloc}"
    for end in ("/chat/completions", "/completions", "/api/chat", "/api/generate"):
        if below.endswith(end):
            remedy = f"Write {origin}{below[: -len(end)]}."
            yield error(path, value, "names a route, to which LiteLLM would append its own.", remedy)
            return
    if provider in (*_OPENAI, "hosted_vllm") and not below:
        yield error(path, value, "lacks /v1, below which the engine answers.", f"Write {origin}/v1.")
    elif provider in _OLLAMA and below.endswith("/v1"):
        wrong = "ends in /v1, but this provider speaks Ollama's own API."
        yield error(path, value, wrong, f"Write {origin}, or openai/ before the model.")


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _is_any(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_unspecified


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


# -- destinations ----------------------------------------------------------------------------------------------------


def _check_destinations(config: Config, place: Place) -> Iterator[Finding]:
    """Every host and every provider's cloud that requests leave for has to be allowed."""
    away = {each.path: _destination(each) for each in config.deployments if "mock_response" not in each.params}
    if place.hosts is None:
        others = sorted({name for name in away.values() if name})
        if others:
            wrong = f"get requests and their prompts: {', '.join(others)}."
            yield warning("hosts", NOTHING, wrong, "Say which are allowed to have them checked.")
        return
    for path, name in away.items():
        if name and name not in place.hosts:
            wrong = "gets requests and their prompts, but is not among the hosts that are allowed."
            remedy = f"Where that is meant, allow it: {name}."
            yield error(f"{path}.litellm_params.api_base", name, wrong, remedy)


def _destination(deployment: Deployment) -> str:
    """Which other host, or else which provider's cloud; empty where nothing leaves this host, or nothing says so."""
    address = deployment.params.get("api_base") or deployment.params.get("base_url")
    if isinstance(address, str) and address:
        url = _split(address) if REFERENCE not in address else None
        host = (url.hostname if url else "") or ""
        return "" if _is_loopback(host) or _is_any(host) else host
    known = deployment.provider in PROVIDERS and deployment.provider not in (*_SELF_HOSTED, "auto_router", "vllm")
    cloud = "litellm_credential_name" not in deployment.params and (known or _is_of_openai(deployment))
    return deployment.provider if cloud else ""


def _is_of_openai(deployment: Deployment) -> bool:
    """Tell whether a model can only be one of OpenAI's own, so that its cloud is meant where no address stands."""
    all_of_them = deployment.is_pattern and deployment.name == deployment.model
    return deployment.provider == "openai" and (all_of_them or deployment.engine_model.startswith(_GUESSED))


# -- key -------------------------------------------------------------------------------------------------------------


def _check_key(deployment: Deployment) -> Iterator[Finding]:
    """LiteLLM's OpenAI client does not send a request without a key, also to an engine that asks for none."""
    base = deployment.params.get("api_base") or deployment.params.get("base_url")
    if deployment.provider not in _OPENAI or "litellm_credential_name" in deployment.params or not base:
        return
    if deployment.params.get("api_key") in (None, "") and "://api.openai.com" not in str(base):
        wrong = "is missing, so each request fails, or carries the gateway's own OPENAI_API_KEY to this host."
        remedy = "Write none where the engine asks for no key, else os.environ/NAME."
        yield error(f"{deployment.params_path}.api_key", NOTHING, wrong, remedy)


def _check_credential(deployment: Deployment, config: Config) -> Iterator[Finding]:
    name, entries = deployment.params.get("litellm_credential_name"), config.whole.get("credential_list")
    found = [each for each in entries if isinstance(each, Mapping)] if isinstance(entries, list) else []
    known = [str(each.get("credential_name")) for each in found]
    if isinstance(name, str) and name not in known:
        path = f"{deployment.params_path}.litellm_credential_name"
        yield error(path, name, "is not in credential_list.", nearest(name, known))
