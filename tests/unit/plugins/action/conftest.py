# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the tests of action plugins share: a task on the controller whose module is not carried out but noted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase
from ansible.template import Templar

Task = Callable[..., tuple[ActionBase, list[dict[str, Any]]]]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: starts ansible-playbook, which takes seconds.")


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """Make the action of a task whose role lives in the temporary directory, and note how it calls the module."""

    def make(plugin: type[ActionBase], args: dict[str, Any], answer: dict[str, Any] | None = None, **how: Any) -> Any:
        loader = DataLoader()
        loader.set_basedir(str(tmp_path))
        declared = SimpleNamespace(
            args=args,
            async_val=0,
            check_mode=how.get("check", False),
            diff=how.get("diff", True),
            action="an action",
            get_search_path=lambda: [str(tmp_path)],
        )
        shell = SimpleNamespace(tmpdir=None)
        templar = Templar(loader=loader, variables=how.get("variables", {}))
        action = plugin(declared, SimpleNamespace(_shell=shell), None, loader, templar, None)
        calls: list[dict[str, Any]] = []

        def execute(module_name: str, module_args: dict[str, Any], task_vars: Any = None) -> dict[str, Any]:
            calls.append({"module": module_name, "check": declared.check_mode, **module_args})
            return dict(answer or {})

        monkeypatch.setattr(action, "_execute_module", execute)
        return action, calls

    return make
