# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Fixtures for the tests of the role ollama, whose server is a stand-in."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
sys.path[:0] = [str(PROJECT / "molecule/shared/tests")]

from observed import Stack
from played import Variables, deploy
from testinfra.host import Host

RELEASES = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "releases"


@pytest.fixture(scope="module")
def stack(host: Host) -> Stack:
    return Stack(host, "mol-ollama", "deploy")


@pytest.fixture
def faulty(stack: Stack) -> Iterator[Stack]:
    """The stack for a test that harms it."""
    yield stack
    deploy()


def release(name: str) -> Variables:
    """The variables that choose a packed release."""
    lock = json.loads((RELEASES / name / "lock.json").read_text())
    return {"llm_stack_release_lock": lock, "ollama_release_directory": str(RELEASES / name)}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the server's journal beside a failure."""
    report = yield
    found = getattr(item, "funcargs", {}).get("stack") or getattr(item, "funcargs", {}).get("faulty")
    if report.when == "call" and report.failed and found:
        lines = found.run("journalctl --user --quiet --no-pager --boot --lines=60 --unit ollama").stdout
        report.sections.append(("journal of the server", str(lines)))
    return report
