# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The programs that roles put on a host, as modules."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

Load = Callable[[str], ModuleType]


@pytest.fixture
def load(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Import a file of a role, without leaving compiled code beside it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load_file(path: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(Path(path).stem, root / "roles" / path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load_file
