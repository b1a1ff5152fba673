# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Fixtures for the tests of real vLLM behind the gateway."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "molecule/shared/tests"))

from engine import Engine
from fixtures import pytest_runtest_makereport, stack
from kept import kept_inventory
from observed import Stack
from played import deploy

__all__ = ["pytest_runtest_makereport", "stack"]


@pytest.fixture(scope="module")
def kept() -> Iterator[Path]:
    """An inventory that a swap can be written to; what the scenario declares is deployed again afterwards."""
    given = os.environ["MOLECULE_INVENTORY_FILE"]
    yield kept_inventory()
    os.environ["MOLECULE_INVENTORY_FILE"] = given
    deploy()


@pytest.fixture(scope="module")
def engine(stack: Stack) -> Engine:
    return Engine(stack)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "live: slow, and run by hand alone: tests/live/vllm_swaps")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tests out, or run the files that have some, whole."""
    slow = [item for item in items if item.get_closest_marker("live") is not None]
    files = {item.path for item in slow}
    others = [item for item in items if item.path not in files] if "LLM_STACK_LIVE" in os.environ else slow
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
