# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The other way onto a host without a network: llama.cpp's server as a wheel, out of a folder of the host."""

from __future__ import annotations

import pytest
from llama import ask, command, program, said
from observed import Stack
from played import assert_clean, check, deploy

pytestmark = pytest.mark.usefixtures("faulty")
WHEEL = {"llamacpp_method": "pip"}


def test_the_wheel_takes_the_place_of_the_release_and_gives_it_back(stack: Stack) -> None:
    stack.root("systemctl kill --signal=STOP mirror")
    try:
        assert deploy(WHEEL).changed
    finally:
        stack.root("systemctl kill --signal=CONT mirror")
    assert command(stack, "tiny").startswith(".local/share/llm-stack/envs/llamacpp/")
    assert [said(stack, name) for name in ("tiny", "twin")] == [
        "Hello from the tiny test model.",
        "Hello from the twin test model.",
    ]
    props = ask(stack, "tiny", "/props")
    assert (props["total_slots"], props["default_generation_settings"]["n_ctx"]) == (2, 2048)
    left = check(WHEEL)
    assert ({kind for kind, _subject in left.items}, left.changed) == ({"orphan-release"}, 0)
    # What stays needs no download to serve again; what the other way leaves goes when that is asked for.
    deploy({"llm_stack_prune": True})
    assert program(stack, "tiny").startswith(".local/share/llm-stack/releases/llamacpp/")
    assert said(stack, "tiny") == "Hello from the tiny test model."
    assert stack.run("ls .local/share/llm-stack/envs/llamacpp").rc != 0
    assert_clean()
