# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of LiteLLM's three sections, by name and kind; LiteLLM starts with what it knows and drops the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_keys import (
    ALLOWED_FAILS_POLICY,
    GENERAL_SETTINGS,
    LITELLM_SETTINGS,
    LITELLM_VERSION,
    PRE_CALL_CHECKS,
    RETRY_POLICY,
    ROUTER_SETTINGS,
    ROUTING_STRATEGIES,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field, check

SECTIONS: Mapping[str, Mapping[str, str]] = {
    "router_settings": ROUTER_SETTINGS,
    "litellm_settings": LITELLM_SETTINGS,
    "general_settings": GENERAL_SETTINGS,
}

SECONDS = Field("number", "a number of seconds", low=0)
RETRIES = Field("int", "a number of retries", low=0)


def _counts(names: frozenset[str], what: str) -> Field:
    return Field("section", fields={name: Field("int", what, low=0) for name in names})


_RETRY_POLICY = _counts(RETRY_POLICY, "a number of retries")

# Better words for what LiteLLM's signature says of a few settings, and what it does not say.
_FIELDS: Mapping[str, Field] = {
    "routing_strategy": Field(choices=tuple(sorted(ROUTING_STRATEGIES)), what="a routing strategy"),
    "timeout": SECONDS,
    "stream_timeout": SECONDS,
    "request_timeout": SECONDS,
    "cooldown_time": SECONDS,
    "retry_after": Field("int", "a number of seconds", low=0),
    "health_check_interval": Field("int", "a number of seconds", low=1),
    "num_retries": RETRIES,
    "retry_policy": _RETRY_POLICY,
    "model_group_retry_policy": Field("map", item=_RETRY_POLICY),
    "allowed_fails_policy": _counts(ALLOWED_FAILS_POLICY, "a number of failures"),
    "optional_pre_call_checks": Field(
        "list", item=Field(choices=tuple(sorted(PRE_CALL_CHECKS)), what="a check LiteLLM knows")
    ),
    "callbacks": Field("any"),
}

# Names that people try, and what LiteLLM calls them.
_RENAMED: Mapping[str, str] = {
    "router_settings.retries": "num_retries",
    "router_settings.request_timeout": "timeout",
    "router_settings.aliases": "model_group_alias",
    "router_settings.model_aliases": "model_group_alias",
    "litellm_settings.timeout": "request_timeout",
}

# The two misplaced settings that LiteLLM does not ignore.
_FATAL = ("router_settings.health_check_interval", "router_settings.health_check_concurrency")


def check_setting(
    section: str, key: str, value: object, path: str, home: Callable[[str], str] = str
) -> Iterator[Problem]:
    """Yield a problem for a setting that LiteLLM does not know, or that holds the wrong kind of value.

    ``home`` says where a section is written, for a setting that belongs to another one.
    """
    known = SECTIONS[section]
    if key in known:
        yield from check(value, _FIELDS.get(key, Field(known[key])), path)
    else:
        yield _unknown(section, key, path, home)


def _unknown(section: str, key: str, path: str, home: Callable[[str], str]) -> Problem:
    """Point to LiteLLM's name of this setting, or to the section that has it, when there is one."""
    effect = "would not start" if f"{section}.{key}" in _FATAL else "would ignore it in silence"
    wrong = f"is not known here to LiteLLM {LITELLM_VERSION}, which {effect}."
    renamed = _RENAMED.get(f"{section}.{key}")
    others = section_of(key)
    if renamed:
        return Problem(path, NOTHING, wrong, f"Write {renamed}.")
    if others:
        return Problem(path, NOTHING, wrong, f"Move it to {home(others)}.")
    return Problem(path, NOTHING, wrong, nearest(str(key), SECTIONS[section]))


def section_of(key: object) -> str:
    """The first section that has this setting; empty where none has."""
    return next((section for section, known in SECTIONS.items() if key in known), "")
