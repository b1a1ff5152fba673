# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it means when a check of some kind fails: how bad that is, and who suffers."""

from __future__ import annotations

from collections.abc import Mapping

CRITICAL, HIGH, MEDIUM, LOW = "critical", "high", "medium", "low"
SEVERITIES = (CRITICAL, HIGH, MEDIUM, LOW)
"""From the worst."""

TOOL_KINDS = (
    *("tool_call", "tool_certificate", "tools_rendered", "tool_forced", "tool_conversation"),
    "ollama_tools",
)
"""Checks of whether a model calls tools."""

MODEL_KINDS = ("route", "model_identity", "chat_content", "engine_context", "ollama_context")
"""Checks of whether a model answers as declared."""

_TOOLS = "Apps that give {model} tools get text instead of calls, or an error."
_OTHER = "Apps are answered by another model than the one they asked for."
_SHORT = "Longer conversations with {model} are cut off or refused."

# An empty text is told from the stack: what falls back to what, and which apps are concerned.
KINDS: Mapping[str, tuple[str, str]] = {
    "gateway_alive": (CRITICAL, "No app reaches a model."),
    "gateway_key": (CRITICAL, "Whoever reaches the port can use every model."),
    "gateway_models": (MEDIUM, "Apps see other names than those declared."),
    "gateway_deployments": (HIGH, "What was declared is not in force: requests go where the gateway was told before."),
    "gateway_fallbacks": (MEDIUM, "When a model fails, its requests do not go where they should."),
    "app_models": (HIGH, "The app does not see the models it was promised."),
    "app_refused": (HIGH, "The app can use models that it was not given."),
    "app_limits": (MEDIUM, "The app can take more than its share, or is refused too early."),
    "model_limits": (MEDIUM, "{model} can be asked for more than it was declared to bear, or refuses too early."),
    "app_timeout": (MEDIUM, "The app waits longer, or gives up earlier, than it was declared to."),
    "alias": (HIGH, _OTHER),
    "fallback": (MEDIUM, "When {model} fails, its requests fail with it."),
    "model_identity": (HIGH, _OTHER),
    "chat_content": (HIGH, "Apps get empty answers from {model}."),
    "engine_context": (HIGH, _SHORT),
    "ollama_context": (HIGH, _SHORT),
    "ollama_gpu": (MEDIUM, "{model} answers many times slower than it could."),
    "engine_key": (HIGH, "Whoever reaches the port can use {model} past the gateway and its limits."),
    "engine_counters": (MEDIUM, "What {model} does cannot be seen, so a stand-in in its place would not be noticed."),
    "source_committed": (LOW, "What is deployed cannot be found again in the history."),
    "source_deployed": (LOW, "What runs on {host} may not be what the declaration says today."),
    "linger": (MEDIUM, "After a restart of {host} nothing starts until somebody logs in."),
    "disk": (MEDIUM, "A model or an update may not find room on {host}."),
    "memory": (MEDIUM, "A service of {host} may be ended for want of memory."),
    "cards": (HIGH, "Models of {host} run on the processor, or not at all."),
    "unit_uptime": (LOW, "It ended not long ago and may do so again."),
    "journal_clean": (MEDIUM, "It runs, and complains; requests may fail."),
    **dict.fromkeys(TOOL_KINDS, (HIGH, _TOOLS)),
}
