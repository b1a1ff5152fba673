# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Models that are no longer declared: told, left alone, and removed with their files when that is asked for."""

from __future__ import annotations

import json

from observed import DATA, Stack
from played import Variables, play

MANIFEST = ".ollama/models/manifests/registry.ollama.ai/llm-stack/wide/latest"


def listed(stack: Stack) -> set[str]:
    told = json.loads(stack.output("curl -sS http://127.0.0.1:11434/api/tags"))
    return {each["name"] for each in told["models"]}


def without_wide(stack: Stack) -> Variables:
    declared = stack.host.ansible.get_variables()["llm_stack_models"]
    return {"llm_stack_models": {name: model for name, model in declared.items() if name != "wide"}}


def test_a_model_that_is_not_declared_any_more_goes_when_asked_for(faulty: Stack) -> None:
    before, file = listed(faulty), faulty.output(f"ls $PWD/{DATA}/models/wide-*.gguf")
    orphans = {("orphan-model", faulty.home(MANIFEST)), ("orphan-model", file)}
    fewer = without_wide(faulty)
    for words in (["--check", "--diff"], []):
        # Ollama alone: the gateway would switch to fewer names.
        told = play("deploy", "--tags=ollama", *words, variables=fewer)
        assert (told.code, told.changed, told.items) == (0, 0, orphans), told.output
    assert listed(faulty) == before
    gone = play("deploy", "--tags=ollama", variables={**fewer, "llm_stack_prune": True})
    assert (gone.code, gone.items) == (0, orphans), gone.output
    assert listed(faulty) == before - {"llm-stack/wide:latest"}
    assert faulty.run("test -e %s", file).rc == 1
    clean = play("deploy", "--tags=ollama", "--check", variables=fewer)
    assert (clean.code, clean.items) == (0, set()), clean.output
