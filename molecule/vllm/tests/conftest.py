# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Fixtures for the tests of real vLLM behind the gateway."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "molecule/shared/tests"))

from engine import Engine
from observed import Stack
from testinfra.host import Host


@pytest.fixture(scope="session")
def stack(host: Host) -> Stack:
    variables = host.ansible.get_variables()
    return Stack(host, variables["inventory_hostname"], variables["ansible_user"])


@pytest.fixture(scope="session")
def engine(stack: Stack) -> Engine:
    return Engine(stack)
