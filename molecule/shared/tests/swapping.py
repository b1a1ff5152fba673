# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A swap as somebody asks for it, what is said of it in the end, and the way back after one that was killed."""

from __future__ import annotations

from observed import LOCK_HOLDER, Stack
from played import Played, Variables, play


def swap(to: str, *options: str, variables: Variables | None = None) -> Played:
    """Let another model of its slot serve; how it ends is for the test to say."""
    return play("swap", *options, variables={**(variables or {}), "to": to})


def told(played: Played) -> str:
    """The last word of a swap."""
    (step,) = [step for step in played.steps if step.task == "Tell what came of it"]
    return str(step.answer["msg"])


def starting(unit: str) -> str:
    """Return a condition of the shell: a unit is about to serve."""
    return f'[ "$(systemctl --user show --property=ActiveState --value {unit})" = activating ]'


def is_idle(stack: Stack) -> bool:
    """Whether no module of a killed run is at work any more."""
    return stack.run(f"kill -0 $({LOCK_HOLDER}) 2> /dev/null").rc != 0


def converged(variables: Variables | None = None) -> bool:
    """Deploy what is declared, which is what was before the swap; the killed run's module may only now have begun."""
    played = play("deploy", variables=variables)
    if played.code:
        assert "Another run is changing this account's services: " in played.message, played.output
    return played.code == 0
