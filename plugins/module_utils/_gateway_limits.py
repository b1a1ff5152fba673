# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the requests and tokens that an app or a model may have in a minute are in force, at the price of one token.

LiteLLM tells its limits in the headers of an answer, and reserves the tokens that a request asks for before it asks a
model: one that wants more than the limit is refused at once. Only a small limit of requests can be provoked by asking.
Pure: a talk yields what to ask and is sent what came back.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._answer import Answer, Unusable, expect_ok, reason, short
from ansible_collections.lab.llm_stack.plugins.module_utils._answers import Question, key_of
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import PASS, SKIPPED, Check, Verdict
from ansible_collections.lab.llm_stack.plugins.module_utils._ladder import Talk

KINDS = ("app_limits", "model_limits")
FEW = 10
"""Requests a minute of which two are not for checks, and which are few enough to be used up on purpose."""
_COUNTED: Mapping[str, str] = {"app_limits": "api_key", "model_limits": "model_per_key"}
_WORDS: Mapping[str, str] = {"rpm": "requests", "tpm": "tokens"}
# What kind of limit a refusal is about.
_KIND = "rate_limit_type"


def talk(check: Check) -> Talk:
    """Have the talk of a check and return what it proves."""
    try:
        return (yield from _talk(check))
    except Unusable as fault:
        return fault.verdict


def _talk(check: Check) -> Talk:
    rpm, tpm = (int(check.get(name) or 0) for name in _WORDS)
    few = 0 < rpm < FEW
    if few and not check.get("deep"):
        return Verdict(SKIPPED, f"{rpm} requests a minute are too few to check them, and only a deep check uses them")
    answer = yield _question(check, 1)
    if _refused(answer):
        return Verdict(PASS, f"429: the {answer.headers[_KIND]} of this minute are used up")
    expect_ok(answer)
    wrong = list(_differs(check, answer))
    if wrong:
        raise Unusable("; ".join(wrong), "the gateway runs with another limit than the declared one", "run deploy")
    said = [f"{rpm} requests a minute"] if rpm else []
    if tpm:
        more = yield _question(check, tpm + 1)
        said.append(f"{tpm + 1} tokens refused at once" if _refused(more, "tokens") else _passed(more, tpm))
    if few:
        said[0] = yield from _used_up(check, rpm)
    return Verdict(PASS, ", ".join(said))


def _question(check: Check, tokens: int) -> Question:
    key = key_of(check["app"]) if check.get("app") else "right"
    body: dict[str, Any] = {"model": check["model"], "messages": [{"role": "user", "content": "Hello!"}]}
    return Question(f"{check['url']}/v1/chat/completions", {**body, "max_tokens": tokens}, key)


def _refused(answer: Answer, kind: str = "") -> bool:
    return answer.status == 429 and answer.headers.get(_KIND) in ([kind] if kind else [*_WORDS.values()])


def _differs(check: Check, answer: Answer) -> Iterator[str]:
    """Say which limits the gateway tells that were not declared, or does not tell."""
    for name, words in _WORDS.items():
        header = f"x-ratelimit-{_COUNTED[check['check']]}-limit-{words}"
        declared, found = str(check.get(name) or ""), answer.headers.get(header, "")
        if declared != found:
            yield f"{found or 'no limit of'} {words} a minute, declared {declared or 'none'}"


def _passed(answer: Answer, tpm: int) -> str:
    """Refuse a gateway that let a request through which wants more tokens than there are."""
    told = f"{answer.status}: {short(reason(answer.text))}" if answer.status != 200 else "200"
    evidence = f"{told if answer.status else answer.error} to a request for {tpm + 1} tokens, instead of 429"
    raise Unusable(evidence, "LiteLLM tells its limit of tokens and does not hold to it", "run deploy")


def _used_up(check: Check, rpm: int) -> Generator[Question, Answer, str]:
    """Ask until the requests of a minute are used up, which has to come by the next one."""
    for _turn in range(rpm):
        if _refused((yield _question(check, 1)), "requests"):
            return f"{rpm} requests a minute, the next one refused"
    cause = "LiteLLM tells its limit of requests and does not hold to it"
    raise Unusable(f"{rpm + 1} requests in a minute were answered, declared {rpm}", cause, "run deploy")
