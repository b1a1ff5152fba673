# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words in which a report tells its data, the same on paper and on the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._checks import join
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import count

_STATES: Mapping[str, str] = {
    "pass": "well",
    "warn": "warning",
    "fail": "FAILED",
    "skipped": "skipped",
    "unchecked": "unchecked",
    "standby": "stands by",
}
_ENGINES: Mapping[str, str] = {"vllm": "vLLM", "ollama": "Ollama", "llamacpp": "llama.cpp", "gateway": "LiteLLM"}
VERDICTS: Mapping[str, str] = {
    "healthy": "healthy",
    "warnings": "healthy, with warnings",
    "degraded": "degraded",
    "broken": "broken",
    "unknown": "not known",
}


def state_word(state: str) -> str:
    """Name a state; words carry it, colour only helps."""
    return _STATES.get(state, state)


def engine_of(service: Mapping[str, Any]) -> str:
    """Name the software of a service as its makers do."""
    return _ENGINES.get(str(service["engine"]), str(service["engine"]))


def places(model: Mapping[str, Any]) -> str:
    """Say what serves a model, and where."""
    engines = ", ".join(_ENGINES.get(each, each) for each in model["engines"])
    text = f"{engines or 'nothing'}{' on ' + ', '.join(model['hosts']) if model['hosts'] else ''}"
    return f"{model['answered_by']} answers for it; {text} stands by" if model["answered_by"] else text


def tools_word(model: Mapping[str, Any]) -> str:
    """Say whether a model calls tools."""
    return {"certified": "yes, shown", "failed": "FAILED", "unchecked": "unchecked"}.get(model["tools"], "not promised")


def context(model: Mapping[str, Any]) -> str:
    """Write a context with its thousands apart."""
    return f"{model['context']:,} tokens".replace(",", "\u202f") if model["context"] else "its own"


def seconds(value: float | None) -> str:
    """Write a duration as people measure it."""
    if value is None:
        return "not measured"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def longest(app: Mapping[str, Any]) -> str:
    """Say how long a request of an app may take before it fails."""
    if app["longest"] is None:
        return "no limit known"
    return seconds(app["longest"]) if app["longest"] < 600 else f"{app['longest'] / 3600:.1f} h"


def issue_note(data: Mapping[str, Any]) -> str:
    """Say that there are no issues, and what that rests on."""
    return (
        f"None: {count(len(data['checklist']), 'check')} made."
        if data["checklist"]
        else "None, but nothing was checked."
    )


def changes(data: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], str]:
    """Give the changes worth a line, and a sentence on those that only could not be looked at this time."""
    shown = [each for each in data["changes"] if each["now"] != "skipped"]
    more = len(data["changes"]) - len(shown)
    if not data["changes"]:
        return shown, "Nothing has changed since."
    return shown, f"{count(more, 'promise')} could not be looked at this time." if more else ""


def source_words(source: Mapping[str, Any]) -> str:
    """Say what is not committed, and which commit runs where, if that is another one."""
    said = [f"{count(len(source['changed']), 'file')} not committed"] if source["changed"] else []
    hosts = source["deployed"]
    others = {host: commit for host, commit in hosts.items() if commit != source["commit"]}
    said += [f"{commit[:12]} deployed on {host}" for host, commit in others.items()]
    if hosts and not others:
        said.append(f"deployed on {join(hosts)}")
    return "; ".join(said)


def day(stamp: str) -> str:
    """Write a time in ISO form as people do; anything else stays as it is."""
    try:
        found = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    except ValueError:
        return stamp
    if found.tzinfo is not None:
        found = found.astimezone(timezone.utc)
    return f"{found.day} {found:%B %Y, %H:%M} UTC"
