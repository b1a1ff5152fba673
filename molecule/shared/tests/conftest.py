# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Fixtures for the tests of a deployed stack, which each scenario runs on its own hosts."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from observed import Stack, deploy
from testinfra.host import Host


@pytest.fixture(scope="module")
def stack(host: Host) -> Stack:
    variables = host.ansible.get_variables()
    return Stack(host, variables["inventory_hostname"], variables.get("service_user_name", variables["ansible_user"]))


@pytest.fixture(scope="session")
def checked() -> dict[str, dict[str, int]]:
    """The counters of one run of ``--check --diff`` over all hosts."""
    return deploy("--check", "--diff")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the stack's journal beside a failure: what went wrong is rarely in the assertion."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.when == "call" and report.failed and isinstance(stack, Stack):
        report.sections.append((f"journal of {stack.account} on {stack.name}", stack.journal()))
    return report
