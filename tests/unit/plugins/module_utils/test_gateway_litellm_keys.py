# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stored lists of settings are those of the LiteLLM they name; runs where that LiteLLM can be imported."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _litellm_keys

pytest.importorskip("litellm", reason="the environment of the tests has no LiteLLM")


def test_the_stored_lists_are_those_of_this_litellm(root: Path) -> None:
    if importlib.metadata.version("litellm") != _litellm_keys.LITELLM_VERSION:
        pytest.skip(f"this is not LiteLLM {_litellm_keys.LITELLM_VERSION}")
    tool = [sys.executable, str(root / "tools" / "litellm_keys.py")]
    printed = subprocess.run(tool, check=True, capture_output=True, text=True).stdout
    stored: dict[str, object] = {}
    exec(printed, stored)  # noqa: S102 - the tool of this checkout wrote it
    for section in ("ROUTER_SETTINGS", "LITELLM_SETTINGS", "GENERAL_SETTINGS"):
        assert stored[section] == getattr(_litellm_keys, section)
