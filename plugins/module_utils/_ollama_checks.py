# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Whether a model at Ollama is what was declared: its tools, its context as it is in memory, its place on the card.

Nothing here wakes a model, unless the check is ``deep``: what is not loaded is judged by what is written into it.
Pure: answers come in as values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama
from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_names as names
from ansible_collections.lab.llm_stack.plugins.module_utils._answer import Answer, Unusable, as_json, entries, expect_ok
from ansible_collections.lab.llm_stack.plugins.module_utils._answers import Question
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, PASS, SKIPPED, WARN, Check, Verdict
from ansible_collections.lab.llm_stack.plugins.module_utils._instance import Instance
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_models import own_context

KINDS = ("ollama_tools", "ollama_context", "ollama_gpu")
CARDS = ("/dev/nvidia0", "/dev/kfd")
"""What a host has that has a card for computing."""


def checks(instance: Instance, host: str, url: str) -> Iterator[dict[str, Any]]:
    """Yield the checks of one model of a plan, whose server is at ``url``."""
    model = instance.model
    options = model.options.get("ollama", {})
    name = _ollama.ollama_name(model.name, model.source, model.context, options)
    kinds = ["ollama_tools"] if model.tools else []
    kinds += ["ollama_context"]
    # Who keeps a model off the card on purpose need not be told that it is not there.
    kinds += ["ollama_gpu"] if options.get("parameters", {}).get("num_gpu") != 0 and not model.standby else []
    for kind in kinds:
        check = {"id": f"{kind}:{host}:{model.name}", "host": host, "check": kind, "url": url, "direct": True}
        check.update(model=model.name, ollama_name=name)
        yield {**check, "context": model.context} if kind == "ollama_context" else check


def questions(check: Check) -> list[Question]:
    """Say what to ask for a check, in order: what was loaded for it is asked about last."""
    url, name = str(check["url"]).rstrip("/"), check["ollama_name"]
    shown = Question(f"{url}/api/show", {"model": name}, "none")
    if check["check"] == "ollama_tools":
        return [shown]
    # An empty prompt loads a model and asks it nothing.
    wake = [Question(f"{url}/api/generate", {"model": name, "stream": False}, "none")] if check.get("deep") else []
    seen = [shown] if check["check"] == "ollama_context" else []
    return [*seen, *wake, Question(f"{url}/api/ps", key="none")]


def judge(check: Check, answers: Sequence[Answer], card: bool = False) -> Verdict:
    """Say what the answers prove; ``card`` tells whether the host has one."""
    try:
        for answer in answers:
            expect_ok(answer)
        if check["check"] == "ollama_tools":
            return _tools(check, as_json(answers[0]))
        loaded = _loaded(check, as_json(answers[-1]))
        if check["check"] == "ollama_context":
            return _context(check, as_json(answers[0]), loaded)
        return _card(loaded, card)
    except Unusable as fault:
        return fault.verdict


def _loaded(check: Check, told: Mapping[str, Any]) -> Mapping[str, Any] | None:
    wanted = names.key(str(check["ollama_name"]))
    return next((each for each in entries(told, "models") if names.key(str(each.get("name"))) == wanted), None)


def _tools(check: Check, shown: Mapping[str, Any]) -> Verdict:
    able = sorted(str(word) for word in shown.get("capabilities") or [])
    if "tools" in able:
        return Verdict(PASS, f"it can do {', '.join(able)}")
    remedy = f"set tools: false in llm_stack_models.{check['model']}, or choose a model that calls tools"
    return Verdict(FAIL, f"it can do {', '.join(able) or 'nothing'}", "its template knows no tools", remedy)


def _context(check: Check, shown: Mapping[str, Any], loaded: Mapping[str, Any] | None) -> Verdict:
    declared, own = check["context"], own_context(shown)
    if loaded is None:
        if own in (0, declared):
            where = f"{own} is written into it" if own else "the server's own counts"
            return Verdict(PASS, f"not loaded; {where}")
        evidence = f"not loaded; {own} is written into it, declared {declared}"
        return Verdict(FAIL, evidence, "it was made from another declaration", "run deploy")
    found = loaded.get("context_length")
    if not isinstance(found, int) or not found:
        return Verdict(SKIPPED, "loaded, but this version of Ollama does not tell its context")
    if found == declared:
        return Verdict(PASS, f"{found} tokens in memory")
    cause = "a request asked for another context" if own == declared else "the server's own context counts"
    state = FAIL if found < declared else WARN
    return Verdict(state, f"{found} tokens in memory, declared {declared}", cause, "run deploy, then unload the model")


def _card(loaded: Mapping[str, Any] | None, card: bool) -> Verdict:
    if loaded is None:
        return Verdict(SKIPPED, "not loaded, so there is nothing to measure")
    size, on_card = loaded.get("size") or 0, loaded.get("size_vram") or 0
    share = round(100 * on_card / size) if size else 0
    if not card:
        return Verdict(PASS, "on the processor; this host has no card" if not on_card else f"{share} % on a card")
    if share == 100:
        return Verdict(PASS, "all of it on the card")
    if not on_card:
        remedy = "restart ollama.service; journalctl --user -u ollama tells which cards it found"
        return Verdict(FAIL, "none of it on the card", "the server found no card when it started, or lost it", remedy)
    remedy = "choose a smaller model, quantisation or context"
    return Verdict(WARN, f"{share} % of it on the card", "the card has no room for the rest", remedy)
