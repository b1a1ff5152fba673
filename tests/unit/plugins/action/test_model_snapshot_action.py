# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The action of model_snapshot calls its module until the model is there, and shows how far it is."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display
from ansible_collections.lab.llm_stack.plugins.action.model_snapshot import ActionModule
from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot import listed

GIB = 1 << 30
REPO = {"repo": "acme/tiny", "revision": "0" * 40}
FILES = {"model.safetensors": {"size": 4 * GIB}}


def answer(here: int, total: int, file: str, **more: Any) -> dict[str, Any]:
    progress = {"here": here, "total": total, "file": file}
    return {"changed": True, "items": [here], "needed": total, "progress": progress, "files": FILES, **more}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What people see while they wait, on a clock of eight seconds per look."""
    lines: list[str] = []
    clock = itertools.count(0, 8)
    monkeypatch.setattr(Display, "display", lambda _self, line, **_how: lines.append(line))
    name = "ansible_collections.lab.llm_stack.plugins.action.model_snapshot.time.monotonic"
    monkeypatch.setattr(name, lambda: float(next(clock)))
    return lines


@pytest.fixture
def transfers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Note what goes to the host."""
    noted: list[tuple[str, str]] = []

    def make(self: Any) -> str:
        self._connection._shell = SimpleNamespace(tmpdir="/remote/tmp", join_path=lambda *parts: "/".join(parts))
        return "/remote/tmp"

    monkeypatch.setattr(ActionModule, "_make_tmp_path", make)
    monkeypatch.setattr(ActionModule, "_transfer_file", lambda _self, local, remote: noted.append((local, remote)))
    monkeypatch.setattr(ActionModule, "_fixup_perms2", lambda _self, _paths: None)
    monkeypatch.setattr(ActionModule, "_remove_tmp_path", lambda _self, path: noted.append(("removed", str(path))))
    return noted


def script(monkeypatch: pytest.MonkeyPatch, action: Any, calls: list[dict[str, Any]], *answers: dict[str, Any]) -> None:
    waiting = list(answers)

    def execute(module_name: str, module_args: dict[str, Any], task_vars: Any = None) -> dict[str, Any]:
        calls.append(module_args)
        return dict(waiting.pop(0))

    monkeypatch.setattr(action, "_execute_module", execute)


def test_slices_are_asked_for_until_all_is_here(task: Any, shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    action, calls = task(ActionModule, REPO)
    answers = [answer(GIB // 2, 4 * GIB, "model.safetensors"), answer(2 * GIB, 4 * GIB, "model.safetensors")]
    last = {**answer(4 * GIB, 4 * GIB, ""), "path": "/models/x"}
    script(monkeypatch, action, calls, *answers, last)
    result = action.run(task_vars={"inventory_hostname": "gpu-01"})
    assert shown == [
        "gpu-01: acme/tiny: 0.50 of 4.00 GiB (12 %), model.safetensors",
        "gpu-01: acme/tiny: 2.00 of 4.00 GiB (50 %), 192.0 MiB/s, model.safetensors",
    ]
    # What was missing is what the first call found; a list that the hub gave is not asked for again.
    assert (result["changed"], result["items"], result["path"]) == (True, [GIB // 2], "/models/x")
    assert "files" not in result
    assert calls == [REPO, {**REPO, "files": FILES}, {**REPO, "files": FILES}]


def test_a_failure_ends_it_and_is_the_result(task: Any, shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    action, calls = task(ActionModule, REPO)
    script(monkeypatch, action, calls, answer(1, 4 * GIB, "x"), {"failed": True, "msg": "no space", "changed": False})
    result = action.run(task_vars={})
    assert (result["failed"], result["msg"], result["changed"]) == (True, "no space", False)


def test_check_mode_asks_once(task: Any, shown: list[str]) -> None:
    action, calls = task(ActionModule, REPO, answer=answer(0, 4 * GIB, "x"), check=True)
    assert action.run(task_vars={})["changed"] is True
    assert (len(calls), shown) == (1, [])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "files" / "mine"
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(b"w" * 1000)
    return path


def test_a_folder_of_the_controller_goes_file_by_file(
    task: Any, folder: Path, shown: list[str], transfers: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    action, calls = task(ActionModule, {"src": "mine", "root": "/models"})
    answers = [answer(0, 1002, "config.json"), answer(2, 1002, "model.safetensors"), answer(1002, 1002, "")]
    script(monkeypatch, action, calls, *answers)
    assert action.run(task_vars={"inventory_hostname": "gpu-01"})["items"] == [0]
    declared = {"name": "mine", "root": "/models", "files": listed(str(folder))}
    assert calls == [
        declared,
        {**declared, "upload": "/remote/tmp/file", "uploaded": "config.json"},
        {**declared, "upload": "/remote/tmp/file", "uploaded": "model.safetensors"},
    ]
    assert transfers == [
        (str(folder / "config.json"), "/remote/tmp/file"),
        ("removed", "/remote/tmp"),
        (str(folder / "model.safetensors"), "/remote/tmp/file"),
        ("removed", "/remote/tmp"),
    ]


@pytest.mark.parametrize("check", [True, False])
def test_a_host_that_has_it_gets_nothing(
    task: Any, folder: Path, transfers: list[tuple[str, str]], check: bool, shown: list[str]
) -> None:
    here = {"changed": False, "progress": {"here": 1002, "total": 1002, "file": ""}}
    action, calls = task(ActionModule, {"src": str(folder), "name": "tuned"}, answer=here, check=check)
    assert action.run(task_vars={})["changed"] is False
    assert ([call["name"] for call in calls], transfers) == (["tuned"], [])


def test_a_folder_of_the_host_is_the_modules_business(task: Any) -> None:
    args = {"src": "/srv/models/x", "remote_src": "yes"}
    action, calls = task(ActionModule, args, answer={"changed": False})
    action.run(task_vars={})
    assert calls == [{"module": "lab.llm_stack.model_snapshot", "check": False, **args}]


@pytest.mark.parametrize("name", ["nowhere", "mine/config.json"])
def test_what_is_no_folder_is_named(task: Any, folder: Path, name: str) -> None:
    action, calls = task(ActionModule, {"src": name})
    with pytest.raises(AnsibleActionFail, match=rf"lab\.llm_stack\.model_snapshot: src: .*{os.path.basename(name)}"):
        action.run(task_vars={})
    assert calls == []
