# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Fixtures for the tests of real vLLM behind the gateway."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "molecule/shared/tests"))

from engine import Engine
from observed import Stack
from testinfra.host import Host


@pytest.fixture(scope="module")
def stack(host: Host) -> Stack:
    variables = host.ansible.get_variables()
    return Stack(host, variables["inventory_hostname"], variables["ansible_user"])


@pytest.fixture(scope="module")
def engine(stack: Stack) -> Engine:
    return Engine(stack)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "live: slow, and run by hand alone: tests/live/vllm_failures")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the slow tests, or the others."""
    wanted = "LLM_STACK_LIVE" in os.environ
    others = [item for item in items if (item.get_closest_marker("live") is not None) != wanted]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
