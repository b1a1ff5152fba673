# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The test environment with real vLLM: what is made here are the very bytes that its lock names."""

from __future__ import annotations

import hashlib
from importlib.machinery import SourceFileLoader
from importlib.metadata import PathDistribution
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from zipfile import Path as InArchive

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._requirements import checked

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "roles/vllm/files/requirements-cpu.txt"

_loader = SourceFileLoader("vllm_cpu_wheels", str(ROOT / "tools/vllm-cpu-wheels"))
_spec = spec_from_loader(_loader.name, _loader)
assert _spec is not None
tool = module_from_spec(_spec)
_loader.exec_module(tool)


@pytest.mark.parametrize(("name", "version"), tool.NAMES.items())
def test_a_wheel_without_code_is_the_one_of_the_lock(tmp_path: Path, name: str, version: str) -> None:
    tool.write_name(tmp_path, name, version)
    (wheel,) = tmp_path.iterdir()
    (pin,) = (pin for pin in checked(LOCK.read_text(), {}, {}) if pin.name == name)
    assert (pin.version, pin.hashes) == (version, (f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}",))
    info = PathDistribution(InArchive(wheel, f"{name}-{version}.dist-info/"))
    assert (info.metadata["Name"], info.version) == (name, version)


def test_the_lock_says_that_it_is_for_tests() -> None:
    assert "# The test environment with real vLLM on the CPU, not meant to serve anybody" in LOCK.read_text()


def test_what_a_complete_directory_holds_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    monkeypatch.setattr(tool, "download", lambda *what: fetched.append(what[-1]))
    for _again in range(2):
        tool.fetch_all(tmp_path / "complete")
    assert fetched == [str(lock) for lock in tool.LOCKS]
