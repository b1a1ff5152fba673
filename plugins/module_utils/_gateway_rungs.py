# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway does beyond routing: its fallbacks, its aliases, and how long an app has to wait at most.

LiteLLM refuses requests that provoke a failure unless general_settings say that it may be asked for one; what has to be
provoked is checked only where they do. Pure: a talk yields what to ask and is sent what came back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.lab.llm_stack.plugins.module_utils._answer import (
    Unusable,
    as_json,
    expect_ok,
    reason,
    short,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._answers import (
    API_BASE,
    FALLBACKS,
    Question,
    own_instance,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, PASS, Check, Verdict, join
from ansible_collections.lab.llm_stack.plugins.module_utils._ladder import Talk

KINDS = ("gateway_fallbacks", "alias", "fallback", "app_timeout")
PROVOKED = "dangerously_allow_mock_testing_request_params"
"""The setting of LiteLLM under which it fails on request."""
_SLACK = 2.0
_HELLO = {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 4}


def may_provoke(config: Mapping[str, Any]) -> bool:
    """Whether a gateway lets a request ask for a failure."""
    return config.get("general_settings", {}).get(PROVOKED) is True


def fallbacks(config: Mapping[str, Any]) -> dict[str, list[str]]:
    """The names that a gateway can be asked about, with what they fall back to, where that is names alone.

    A name with a slash cannot be asked about.
    """
    listed = config.get("router_settings", {}).get("fallbacks") or []
    every = {str(name): list(to) for each in listed for name, to in each.items() if isinstance(to, list)}
    named = {name: to for name, to in every.items() if to and all(isinstance(each, str) for each in to)}
    return {name: to for name, to in named.items() if "/" not in name and name != "*"}


def talk(check: Check) -> Talk:
    """Have the talk of a check and return what it proves."""
    try:
        return (yield from _TALKS[check["check"]](check))
    except Unusable as fault:
        return fault.verdict


def _fallbacks(check: Check) -> Talk:
    said = []
    for name, declared in sorted(check["fallbacks"].items()):
        answer = yield Question(f"{check['url']}/fallback/{quote(name, safe='')}")
        if answer.status != 404:
            expect_ok(answer)
        found = as_json(answer).get("fallback_models") if answer.status == 200 else []
        said += list(_differs(name, declared, [str(each) for each in found or []]))
    if said:
        cause = "the gateway runs with another configuration than the declared one"
        raise Unusable("; ".join(said[:6]), cause, "run deploy")
    return Verdict(PASS, f"{len(check['fallbacks'])} of {len(check['fallbacks'])}")


def _differs(name: str, declared: list[str], found: list[str]) -> Iterator[str]:
    if found != declared:
        yield f"{name} falls back to {join(found) if found else 'nothing'}, declared {join(declared)}"


def _alias(check: Check) -> Talk:
    answer = yield Question(f"{check['url']}/v1/chat/completions", {"model": check["alias"], **_HELLO})
    expect_ok(answer)
    return Verdict(PASS, f"from {own_instance(check, answer)} in {answer.seconds:.2f} s")


def _fallback(check: Check) -> Talk:
    body = {"model": check["model"], **_HELLO, "mock_testing_fallbacks": True}
    answer = yield Question(f"{check['url']}/v1/chat/completions", body)
    if answer.status >= 500:
        remedy = "run deploy; the gateway's journal says what each fallback answered"
        raise Unusable(f"{answer.status} to a question that was to fail", "no fallback answered in its place", remedy)
    expect_ok(answer)
    base, turns = answer.headers.get(API_BASE, "").rstrip("/"), answer.headers.get(FALLBACKS, "0")
    if turns in ("", "0"):
        raise Unusable(
            f"200 from {base or 'nobody'}, but not from a fallback", "LiteLLM did not fail as it was asked to"
        )
    expected = [str(each).rstrip("/") for each in check["api_bases"]]
    if base not in expected:
        cause = "the first fallback failed as well, or the gateway runs with another configuration"
        raise Unusable(f"200 from {base}, expected {join(expected)}", cause, "look at the journal of its unit")
    return Verdict(PASS, f"from {base} in {answer.seconds:.2f} s")


def _timeout(check: Check) -> Talk:
    """Let LiteLLM wait for nobody in the name of an app, and measure for how long it does."""
    body = {"model": check["model"], **_HELLO, "mock_timeout": True, "num_retries": 0, "disable_fallbacks": True}
    ask = Question(f"{check['url']}/v1/chat/completions", body)
    wanted, answer = float(check["timeout"]), (yield ask)
    if answer.status in (408, 504) and answer.seconds > wanted + _SLACK:
        # A gateway that was busy for a moment is late once; another limit is late each time.
        answer = yield ask
    if answer.status not in (408, 504):
        evidence = f"{answer.status}: {short(reason(answer.text))}" if answer.status else answer.error
        return Verdict(FAIL, f"{evidence}, instead of 408", "the limit of the app is not in force", "run deploy")
    evidence = f"408 after {answer.seconds:.1f} s"
    if wanted <= answer.seconds + 0.05 and answer.seconds <= wanted + _SLACK:
        return Verdict(PASS, evidence)
    cause = "the gateway runs with another limit, or tries again in spite of it"
    raise Unusable(f"{evidence}, declared {wanted:g} s", cause, "run deploy")


_TALKS: Mapping[str, Callable[[Check], Talk]] = dict(zip(KINDS, (_fallbacks, _alias, _fallback, _timeout)))
