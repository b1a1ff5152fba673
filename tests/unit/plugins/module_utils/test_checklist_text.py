# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the checklist reads."""

from __future__ import annotations

from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._checklist_text import checklist_text


def row(state: str, host: str, title: str, evidence: str, **more: str) -> dict[str, Any]:
    return {"check": "route", "model": "", "cause": "", "remedy": "", **more} | {
        "state": state,
        "host": host,
        "title": title,
        "evidence": evidence,
    }


MIXED = [
    row("pass", "gw-01", "the gateway lists exactly the declared names", "4 of 4"),
    row(
        "fail",
        "gpu-01",
        "coder calls a tool, streamed",
        "200, but the call arrived as text in content",
        check="tool_call",
        model="coder",
        cause="the chosen parser does not recognise this model's calls",
        remedy="set the engine's tool parser",
    ),
    row("skipped", "gpu-01", "phi calls a tool", "needs this first: phi is answered", check="tool_call", model="phi"),
    row("warn", "gpu-01", "llamacpp-phi.service is active and enabled", "for 4 s", cause="it ended"),
]

TEXT = """\
pass     gw-01   the gateway lists exactly the declared names   4 of 4
FAIL     gpu-01  coder calls a tool, streamed                   200, but the call arrived as text in content
         cause   the chosen parser does not recognise this model's calls
         remedy  set the engine's tool parser
skipped  gpu-01  phi calls a tool                               needs this first: phi is answered
warn     gpu-01  llamacpp-phi.service is active and enabled     for 4 s
         cause   it ended
4 checks on 2 hosts: 1 passed, 1 with a warning, 1 failed, 1 skipped. Not certified for tools: coder and phi."""


def test_all_states_with_what_belongs_below_them() -> None:
    assert checklist_text(MIXED) == TEXT


def test_all_is_well() -> None:
    expected = "pass     gw-01  the gateway answers   200 in 3 ms\n1 check on 1 host: 1 passed."
    assert checklist_text([row("pass", "gw-01", "the gateway answers", "200 in 3 ms")]) == expected


def test_nothing_was_checked() -> None:
    assert checklist_text([]) == "0 checks: nothing was promised, so nothing was proven."
