# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Ansible's loader compiles every module of a collection in every worker; the core is spared that."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins import module_utils
from ansible_collections.lab.llm_stack.plugins.plugin_utils._bytecode import CORE, Finder, keep_compiled


def test_a_module_of_the_core_is_found_by_the_loader_that_keeps_compiled_forms() -> None:
    spec = Finder().find_spec(f"{CORE}._plain", module_utils.__path__)
    assert spec is not None
    assert spec.name == f"{CORE}._plain"
    assert spec.origin == str(Path(next(iter(module_utils.__path__))) / "_plain.py")
    assert spec.cached is not None
    assert Path(spec.cached).parent.name == "__pycache__"


@pytest.mark.parametrize(
    "name", [CORE, f"{CORE}._absent", f"{CORE}._plain.deeper", "ansible_collections.acme.x.plugins.module_utils._plain"]
)
def test_everything_else_is_left_to_others(name: str) -> None:
    assert Finder().find_spec(name, module_utils.__path__) is None


def test_it_is_asked_first_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    keep_compiled()
    keep_compiled()
    assert [type(each).__name__ for each in sys.meta_path].count("Finder") == 1
    assert isinstance(sys.meta_path[0], Finder)
