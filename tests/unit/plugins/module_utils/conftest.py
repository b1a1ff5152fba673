# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the tests of module_utils share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from simulated_host import SimulatedHost, simulated_host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SimulatedHost]:
    """A bare host in memory, with real files below a temporary home."""
    with simulated_host(tmp_path) as simulated:
        yield simulated
