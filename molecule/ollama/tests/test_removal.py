# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The last of all: the stack is gone afterwards."""

from __future__ import annotations

from observed import Stack
from played import play


def test_removing_it_leaves_the_models(stack: Stack) -> None:
    played = play("remove")
    assert played.code == 0, played.output
    assert stack.show("ollama.service")["LoadState"] == "not-found"
    assert stack.output("ls .local/share/llm-stack/releases 2>/dev/null || true") == ""
    assert stack.output("ls .ollama/models/manifests/registry.ollama.ai") != ""
