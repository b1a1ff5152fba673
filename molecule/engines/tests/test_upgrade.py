# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From one pinned release to the next: models stay, one restart, and back again when the new one does not generate."""

from __future__ import annotations

import pytest
from llama import program, release, said, starts
from observed import Stack
from played import assert_clean, check, deploy, refused

pytestmark = pytest.mark.usefixtures("faulty")
MODELS = ".local/share/llm-stack/models"
RELEASES = ".local/share/llm-stack/releases/llamacpp"


def models(stack: Stack) -> str:
    """The model files with everything that a new copy of one would change."""
    return stack.output(f"stat --format '%n %i %s %Y' {MODELS}/*.gguf")


def gateway(stack: Stack) -> str:
    """What a restart of the gateway would change."""
    return stack.show(stack.slot())["InvocationID"]


def test_an_upgrade_keeps_the_models_and_restarts_once(stack: Stack) -> None:
    files, served_by, before = models(stack), gateway(stack), starts(stack, "tiny")
    predicted = check(release("b11670"))
    assert {subject.rpartition("/")[2] for kind, subject in predicted.items if kind == "unit-file"} == {
        "llamacpp-tiny.service",
        "llamacpp-twin.service",
    }
    assert starts(stack, "tiny") == before
    played = deploy(release("b11670"))
    assert played.changed
    assert program(stack, "tiny").startswith(f"{RELEASES}/b11670-")
    assert starts(stack, "tiny") == before + 1
    assert (models(stack), gateway(stack)) == (files, served_by)
    assert said(stack, "tiny") == "Hello from the tiny test model."
    assert_clean(release("b11670"))


def test_going_back_to_the_release_before_needs_no_download(stack: Stack) -> None:
    deploy(release("b11670"))
    stack.root("systemctl kill --signal=STOP mirror")
    try:
        deploy(release("b11669"))
    finally:
        stack.root("systemctl kill --signal=CONT mirror")
    assert program(stack, "tiny").startswith(f"{RELEASES}/b11669-")
    assert said(stack, "tiny") == "Hello from the tiny test model."


def test_a_release_that_does_not_generate_is_taken_back(stack: Stack) -> None:
    deploy(release("b11670"))
    files = models(stack)
    message = refused(release("b11671"))
    assert "is loaded but does not generate: /v1/completions answers 500" in message
    assert "is serving again" in message
    assert program(stack, "tiny").startswith(f"{RELEASES}/b11670-")
    assert stack.output(f"readlink {RELEASES}/current").startswith("b11670-")
    assert [said(stack, name) for name in ("tiny", "twin")] == [
        "Hello from the tiny test model.",
        "Hello from the twin test model.",
    ]
    assert models(stack) == files
    assert_clean(release("b11670"))


def test_a_release_without_a_checksum_is_refused_before_anything_stops(stack: Stack) -> None:
    before = stack.imprint()
    message = refused({"llm_stack_release_lock": {}})
    assert "llm_stack_release_lock.llamacpp: pins no release" in message
    assert "make pin RELEASE=llamacpp TAG=" in message
    assert stack.imprint() == before
