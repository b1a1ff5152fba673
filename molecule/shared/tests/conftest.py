# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Fixtures for the tests of a deployed stack, which each scenario runs on its own hosts."""

from __future__ import annotations

import os
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


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "only_in(scenario): where a slow test runs whose subject is alike in all scenarios"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what another scenario shows."""
    scenario = os.environ["MOLECULE_SCENARIO_NAME"]
    elsewhere = [i for i in items if (mark := i.get_closest_marker("only_in")) and mark.args[0] != scenario]
    config.hook.pytest_deselected(items=elsewhere)
    items[:] = [item for item in items if item not in elsewhere]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the stack's journal beside a failure: what went wrong is rarely in the assertion."""
    report = yield
    arguments = getattr(item, "funcargs", {})
    stack = arguments.get("stack") or arguments.get("faulty")
    if report.when == "call" and report.failed and isinstance(stack, Stack):
        report.sections.append((f"journal of {stack.account} on {stack.name}", stack.journal()))
    return report
