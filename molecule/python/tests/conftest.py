# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Fixtures for the tests of llama.cpp's Python server that the role has built."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from testinfra.host import Host

PROJECT = Path(__file__).parents[3]
# What all scenarios share, and how llama.cpp's servers are asked.
sys.path[:0] = [str(PROJECT / "molecule/shared/tests"), str(PROJECT / "molecule/engines/tests")]

from observed import Stack
from played import deploy


@pytest.fixture(scope="module")
def stack(host: Host) -> Stack:
    variables = host.ansible.get_variables()
    return Stack(host, variables["inventory_hostname"], variables["ansible_user"])


@pytest.fixture(scope="module")
def faulty(stack: Stack) -> Iterator[Stack]:
    """The stack for tests that change it: whatever one of them left is mended before the next file begins."""
    yield stack
    deploy()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the stack's journal beside a failure: what went wrong is rarely in the assertion."""
    report = yield
    arguments = getattr(item, "funcargs", {})
    stack = arguments.get("stack") or arguments.get("faulty")
    if report.when == "call" and report.failed and isinstance(stack, Stack):
        report.sections.append((f"journal of {stack.account} on {stack.name}", stack.journal()))
    return report
