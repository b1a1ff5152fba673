# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of checks: what each promises in words, and the parameters it cannot do without."""

from __future__ import annotations

from collections.abc import Mapping

# A few kinds have words that depend on more than their parameters; those are in _checks.title.
TITLES: Mapping[str, str] = {
    "source_committed": "the declaration is committed",
    "source_deployed": "{host} runs what is committed",
    "linger": "the account's services start with {host}",
    "disk": "{host} has room on its disk",
    "memory": "{host} has memory left",
    "cards": "the services of {host} have the cards they count on",
    "gateway_alive": "{gateway} answers",
    "gateway_models": "{gateway} lists exactly the declared names",
    "gateway_key": "{gateway} refuses a wrong key",
    "gateway_deployments": "{gateway} has loaded every deployment as declared",
    "gateway_fallbacks": "{gateway} falls back as declared",
    "app_models": "the key of {app} lists exactly its models",
    "app_refused": "the key of {app} opens no other model",
    "app_limits": "the key of {app} is held to its limits",
    "app_timeout": "{model} gives up after {timeout} s",
    "model_limits": "{model} is held to its limits",
    "route": "{model} is answered by its own instance",
    "alias": "{alias} is answered by {model}",
    "fallback": "{model} is answered by {fallback} when it fails",
    "tool_certificate": "{model} is certified for tools",
    "engine_key": "the engine of {model} refuses a wrong key",
    "engine_counters": "the engine of {model} counts what it answers",
    "engine_context": "{model} has the declared context",
    "model_identity": "{model} is the model that is loaded",
    "chat_content": "{model} answers with words",
    "tools_rendered": "the prompt of {model} holds the tools",
    "tool_forced": "{model} calls a tool when it has to",
    "tool_conversation": "{model} keeps a conversation with a tool",
    "ollama_tools": "{model} can call tools",
    "ollama_context": "{model} has the declared context",
    "ollama_gpu": "{model} is on the card",
}

TOOLS = ("tool_call", "tool_certificate")
"""The kinds that tell whether a model calls tools."""

PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "unit_active": ("units",),
    "unit_uptime": ("units",),
    "journal_clean": ("units",),
    **dict.fromkeys(("source_committed", "source_deployed"), ()),
    "linger": (),
    "disk": (),
    "memory": (),
    "cards": ("units",),
    "port_owner": ("bind", "port", "units"),
    "gateway_alive": ("url",),
    "gateway_key": ("url",),
    "gateway_models": ("url", "models"),
    "gateway_deployments": ("url", "deployments"),
    "gateway_fallbacks": ("url", "fallbacks"),
    "app_models": ("url", "app", "models"),
    "app_refused": ("url", "app"),
    "app_limits": ("url", "app", "model"),
    "app_timeout": ("url", "model", "timeout"),
    "model_limits": ("url", "model"),
    "route": ("url", "model", "api_bases"),
    "alias": ("url", "model", "alias", "api_bases"),
    "fallback": ("url", "model", "fallback", "api_bases"),
    "tool_call": ("url", "model"),
    "tool_certificate": ("url", "model", "digest"),
    **dict.fromkeys(("engine_key", "engine_counters"), ("url", "model", "engine")),
    "engine_context": ("url", "model", "engine", "context"),
    **dict.fromkeys(
        ("model_identity", "chat_content", "tools_rendered", "tool_forced", "tool_conversation"), ("url", "model")
    ),
    "ollama_tools": ("url", "model", "ollama_name"),
    "ollama_context": ("url", "model", "ollama_name", "context"),
    "ollama_gpu": ("url", "model", "ollama_name"),
}
