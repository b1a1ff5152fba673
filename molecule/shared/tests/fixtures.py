# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the tests of a deployed stack have in common, for the conftest.py of a scenario to import."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
from observed import Stack
from played import deploy
from testinfra.host import Host


@pytest.fixture(scope="module")
def stack(host: Host) -> Stack:
    variables = host.ansible.get_variables()
    return Stack(host, variables["inventory_hostname"], variables.get("service_user_name", variables["ansible_user"]))


@pytest.fixture(scope="module")
def faulty(stack: Stack) -> Iterator[Stack]:
    """The stack for tests that harm it: whatever one of them left is mended before the next file begins."""
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
