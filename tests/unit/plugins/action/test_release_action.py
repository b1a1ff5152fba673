# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A large file of the controller travels only to a host that lacks it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.lab.llm_stack.plugins.action.release import ActionModule, sha256_of

CONTENT = b"GGUF" * 500_000


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "files/model.gguf"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def transfers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what goes to the host, and that its temporary directory is removed."""
    noted: list[str] = []

    def make(self: Any) -> str:
        self._connection._shell = SimpleNamespace(tmpdir="/remote/tmp", join_path=lambda *parts: "/".join(parts))
        return "/remote/tmp"

    monkeypatch.setattr(ActionModule, "_make_tmp_path", make)
    monkeypatch.setattr(ActionModule, "_transfer_file", lambda _self, _local, remote: noted.append(remote))
    monkeypatch.setattr(ActionModule, "_fixup_perms2", lambda _self, _paths: None)
    monkeypatch.setattr(ActionModule, "_remove_tmp_path", lambda _self, path: noted.append(f"removed {path}"))
    return noted


def test_a_host_that_lacks_the_file_gets_it_with_its_checksum(model: Path, task: Any, transfers: list[str]) -> None:
    action, calls = task(ActionModule, {"src": "model.gguf", "path": "/a"}, answer={"changed": True})
    assert action.run(task_vars={})["changed"]
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    assert calls == [
        {"module": "lab.llm_stack.release", "check": True, "src": "model.gguf", "path": "/a", "sha256": sha256},
        {
            "module": "lab.llm_stack.release",
            "check": False,
            "src": "/remote/tmp/model.gguf",
            "remote_src": True,
            "path": "/a",
            "sha256": sha256,
        },
    ]
    assert transfers == ["/remote/tmp/model.gguf", "removed /remote/tmp"]


@pytest.mark.parametrize(
    ("answer", "check"),
    [
        pytest.param({"changed": False}, False, id="a host that has the file"),
        pytest.param({"failed": True, "msg": "no"}, False, id="a host that refuses"),
        pytest.param({"changed": True}, True, id="check mode"),
    ],
)
def test_nothing_travels_for(model: Path, task: Any, transfers: list[str], answer: dict[str, Any], check: bool) -> None:
    action, calls = task(ActionModule, {"src": "model.gguf", "path": "/a"}, answer=answer, check=check)
    assert action.run(task_vars={}) == answer
    assert (len(calls), transfers) == (1, [])


@pytest.mark.parametrize(
    "args",
    [
        pytest.param({"url": "https://example.org/a", "path": "/a"}, id="a download"),
        pytest.param({"src": "/on/the/host", "remote_src": "yes"}, id="a file of the host"),
    ],
)
def test_what_the_controller_has_no_part_in_goes_to_the_module(task: Any, args: dict[str, Any]) -> None:
    action, calls = task(ActionModule, args, answer={"changed": True})
    assert action.run(task_vars={}) == {"changed": True}
    assert calls == [{"module": "lab.llm_stack.release", "check": False, **args}]


def test_a_declared_checksum_is_not_replaced(model: Path, task: Any, transfers: list[str]) -> None:
    action, calls = task(ActionModule, {"src": "model.gguf", "sha256": "0" * 64}, answer={"changed": False})
    action.run(task_vars={})
    assert calls[0]["sha256"] == "0" * 64


def test_a_file_that_is_not_there_is_named(tmp_path: Path, task: Any) -> None:
    action, calls = task(ActionModule, {"src": "absent.gguf"})
    with pytest.raises(AnsibleActionFail, match=r"lab\.llm_stack\.release: src: .*absent\.gguf"):
        action.run(task_vars={})
    assert calls == []


def test_a_checksum_is_that_of_the_whole_file(model: Path) -> None:
    assert sha256_of(str(model)) == hashlib.sha256(CONTENT).hexdigest()
