# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Fixtures for the tests of llama.cpp's servers on a host without a network."""

from __future__ import annotations

import sys
from pathlib import Path

PROJECT = Path(__file__).parents[3]
sys.path.insert(0, str(PROJECT / "molecule/shared/tests"))  # what all scenarios share

from fixtures import faulty, pytest_runtest_makereport, stack

__all__ = ["faulty", "pytest_runtest_makereport", "stack"]
