# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rungs that an instance is asked directly: its key, its counters, its context; and who must not be woken.

The others of its ladder are those of _acceptance. Pure: a talk yields what to ask and is sent what came back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_names
from ansible_collections.lab.llm_stack.plugins.module_utils._acceptance import acceptance
from ansible_collections.lab.llm_stack.plugins.module_utils._answer import (
    Answer,
    Unusable,
    as_json,
    entries,
    expect_ok,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._answers import Question
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import (
    FAIL,
    PASS,
    SKIPPED,
    WARN,
    Check,
    Verdict,
    join,
)

Talk = Generator[Question, Answer, Verdict]

KINDS = ("engine_key", "engine_counters", "engine_context")
_ACCEPTED = ("model_identity", "chat_content", "tools_rendered")
_COUNTERS = {"llamacpp": "llamacpp:tokens_predicted_total", "vllm": "vllm:generation_tokens_total"}
# Requests that are being answered, by the engine's own gauge.
_RUNNING = {"llamacpp": "llamacpp:requests_processing", "vllm": "vllm:num_requests_running"}
_PAUSE = 0.25
# llama.cpp rounds a context up to a multiple of this.
_ROUNDED = 256


def rungs(engine: str, instance: Mapping[str, Any], url: str, host: str) -> Iterator[dict[str, Any]]:
    """Yield the direct checks of one instance of a plan, which listens at ``url``, in the order of the ladder."""
    accepted = {check["check"]: check for check in acceptance(engine, instance, url, host)}
    model = accepted["model_identity"]["model"]

    def own(kind: str, **more: object) -> dict[str, Any]:
        name = f"{kind}:{host}:{instance['name']}:direct"
        return {"id": name, "host": host, "check": kind, "url": url, "model": model, "direct": True} | {
            "engine": engine,
            **more,
        }

    if instance["needs_key"]:
        yield own("engine_key")
    yield from (accepted[kind] for kind in _ACCEPTED if kind in accepted)
    if instance.get("server") == "python":
        return
    if _counts(engine, instance["settings"]):
        yield own("engine_counters")
    if instance["context"]:
        yield own("engine_context", context=instance["context"])


def _counts(engine: str, settings: Mapping[str, Any]) -> bool:
    """Whether the instance was told to count what it does."""
    if engine == "llamacpp":
        return settings.get("LLAMA_ARG_ENDPOINT_METRICS") == "1"
    return not settings.get("disable-log-stats")


def talk(check: Check) -> Talk:
    """Have the talk of a check and return what it proves."""
    try:
        return (yield from _TALKS[check["check"]](check))
    except Unusable as fault:
        return fault.verdict


def _key(check: Check) -> Talk:
    answer = yield Question(f"{check['url']}/v1/models", key="wrong")
    if answer.status in (401, 403):
        return Verdict(PASS, f"{answer.status} to a wrong key")
    if answer.status == 200:
        return Verdict(FAIL, "200: a wrong key was let in", "the engine runs without its key", "run deploy")
    expect_ok(answer)
    raise Unusable(f"{answer.status} instead of 401")


def _counted(check: Check) -> Talk:
    """Ask for a few tokens between two looks at the counter; where others ask right now, theirs may do."""
    look = Question(f"{check['url']}/metrics", key="engine")
    first = yield look
    before = _counter(check, first)
    for _turn in range(4 if _sum(_RUNNING[str(check["engine"])], first) else 0):
        after = _counter(check, (yield replace(look, pause=_PAUSE)))
        if after > before:
            return Verdict(PASS, f"{before:.0f} tokens, then {after:.0f}, by the requests of others")
    body = {"model": check["model"], "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 4}
    expect_ok((yield Question(f"{check['url']}/v1/chat/completions", body, "engine")))
    # The answer may be out a moment before it is counted.
    after = before
    for _turn in range(3):
        after = _counter(check, (yield look))
        if after > before:
            return Verdict(PASS, f"{before:.0f} tokens before a question, {after:.0f} after it")
    if after < before:
        evidence = f"{before:.0f} tokens before a question, {after:.0f} after it"
        raise Unusable(evidence, "the engine was started again meanwhile", "look at the journal of its unit")
    raise Unusable(
        f"{before:.0f} tokens before and after a question",
        "what answers is not the engine that counts",
        "look at who holds the port; run deploy",
    )


def _counter(check: Check, answer: Answer) -> float:
    """The sum of a counter over all its labels."""
    name = _COUNTERS[str(check["engine"])]
    if answer.status in (404, 501):
        raise Unusable(f"{answer.status} at /metrics", "the engine was started without its counters", "run deploy")
    expect_ok(answer)
    found = _sum(name, answer)
    if found is None:
        raise Unusable(f"/metrics has no {name}", "what answers is another engine, or another version of it")
    return found


def _sum(name: str, answer: Answer) -> float | None:
    """The sum of what is told by one name; None where nothing is."""
    # Whether a counter's name ends in _total depends on the version of the library that writes it.
    base = re.escape(name[: -len("_total")] if name.endswith("_total") else name)
    found = re.findall(rf"^{base}(?:_total)?(?:\{{[^}}]*\}})?\s+([0-9.eE+-]+)\s*$", answer.text, re.MULTILINE)
    return sum(float(each) for each in found) if found else None


def _context(check: Check) -> Talk:
    declared = int(check["context"])
    if check["engine"] == "llamacpp":
        answer = yield Question(f"{check['url']}/props", key="engine")
        expect_ok(answer)
        found = (as_json(answer).get("default_generation_settings") or {}).get("n_ctx")
    else:
        answer = yield Question(f"{check['url']}/v1/models", key="engine")
        expect_ok(answer)
        listed = [each for each in entries(as_json(answer), "data") if each.get("id") == check["model"]]
        found = listed[0].get("max_model_len") if listed else None
    if not isinstance(found, int):
        return Verdict(SKIPPED, "this version of the engine does not tell its context")
    if declared <= found < declared + _ROUNDED:
        return Verdict(PASS, f"{found} tokens for a request")
    evidence = f"{found} tokens for a request, declared {declared}"
    if found > declared:
        return Verdict(WARN, evidence, "the engine runs with another context than the declared one", "run deploy")
    cause = "the engine runs with another context than the declared one, or its model was made for less"
    return Verdict(FAIL, evidence, cause, f"run deploy, or lower context in llm_stack_models.{check['model']}")


_TALKS: Mapping[str, Callable[[Check], Talk]] = dict(zip(KINDS, (_key, _counted, _context)))


def asleep(check: Check) -> Talk:
    """Look whether a question would load a model that is not in memory; a pass says that it would not.

    ``sleeps`` of the check has the server and the name of each instance that loads its model on demand.
    """
    sleeping = []
    for each in check["sleeps"]:
        answer = yield Question(f"{each['url']}/api/ps", key="none")
        # A server that does not answer is for the question itself to tell.
        told = entries(as_json(answer), "models") if answer.status == 200 else [{"name": each["name"]}]
        if _ollama_names.key(each["name"]) not in [_ollama_names.key(str(model.get("name"))) for model in told]:
            sleeping.append(each["name"])
    if sleeping:
        verb = "is" if len(sleeping) == 1 else "are"
        return Verdict(SKIPPED, f"{join(sleeping)} {verb} not in memory, and only a deep check loads it")
    return Verdict(PASS, "in memory")
