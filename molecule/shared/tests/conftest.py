# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Fixtures for the tests of a deployed stack, which each scenario runs on its own hosts."""

from __future__ import annotations

import os

import pytest
from fixtures import faulty, pytest_runtest_makereport, stack

__all__ = ["faulty", "pytest_runtest_makereport", "stack"]


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
