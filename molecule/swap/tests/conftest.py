# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Fixtures for the tests of a swap: an inventory that a choice can be written to, and who holds the slot."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import testinfra

PROJECT = Path(__file__).parents[3]
sys.path.insert(0, str(PROJECT / "molecule/shared/tests"))

from fixtures import pytest_runtest_makereport
from kept import ACTIVE, kept_inventory
from observed import Stack
from played import deploy

__all__ = ["pytest_runtest_makereport"]


@pytest.fixture(scope="session")
def inventory() -> Path:
    """The inventory as a person would keep it."""
    return kept_inventory()


def on(name: str) -> Stack:
    """Return a host of the scenario by its name in the inventory."""
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    return Stack(testinfra.get_host(f"ansible://{name}?ansible_inventory={inventory}"), name, "deploy")


@pytest.fixture(scope="module")
def stack(inventory: Path) -> Stack:
    assert inventory.is_dir()
    return on("swap")


@pytest.fixture(scope="module")
def far(inventory: Path) -> Stack:
    """The host without a gateway, which has one of the slots too."""
    assert inventory.is_dir()
    return on("swap-far")


@pytest.fixture
def coder(stack: Stack, inventory: Path) -> Iterator[Stack]:
    """The stack as declared: the coder holds the slot, and does so again afterwards."""
    yield stack
    (inventory / ACTIVE).unlink(missing_ok=True)
    deploy()
