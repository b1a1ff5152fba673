# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Fixtures for the tests of llama.cpp's Python server that the role has built."""

from __future__ import annotations

import sys
from pathlib import Path

PROJECT = Path(__file__).parents[3]
# What all scenarios share, and how llama.cpp's servers are asked.
sys.path[:0] = [str(PROJECT / "molecule/shared/tests"), str(PROJECT / "molecule/engines/tests")]

from fixtures import faulty, pytest_runtest_makereport, stack

__all__ = ["faulty", "pytest_runtest_makereport", "stack"]
