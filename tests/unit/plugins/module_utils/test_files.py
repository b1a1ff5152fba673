# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Atomic writes, links and removals."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _files


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_written_file_has_exactly_the_content_and_the_mode(tmp_path: Path) -> None:
    target = tmp_path / "config" / "litellm" / "env"
    _files.write_atomic(str(target), b"KEY=1\n", 0o600)
    assert (target.read_bytes(), mode_of(target)) == (b"KEY=1\n", 0o600)
    _files.write_atomic(str(target), b"KEY=2\n", 0o644)
    assert (target.read_bytes(), mode_of(target)) == (b"KEY=2\n", 0o644)
    assert os.listdir(target.parent) == ["env"]


def test_missing_parents_are_private_and_existing_ones_keep_their_mode(tmp_path: Path) -> None:
    open_directory = tmp_path / "open"
    open_directory.mkdir()
    open_directory.chmod(0o755)
    _files.make_dirs(str(open_directory / "a" / "b"))
    assert [mode_of(open_directory), mode_of(open_directory / "a"), mode_of(open_directory / "a" / "b")] == [
        0o755,
        0o700,
        0o700,
    ]


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        _files.write_atomic(str(tmp_path / "unit"), b"", 0o644)
        _files.make_dirs(str(tmp_path / "shared"), 0o755)
    finally:
        os.umask(before)
    assert (mode_of(tmp_path / "unit"), mode_of(tmp_path / "shared")) == (0o644, 0o755)


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "unit"
    target.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=f"No space left on device: '{target}'"):
        _files.write_atomic(str(target), b"new", 0o600)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["unit"]


def test_a_symlink_is_made_switched_and_replaces_nothing_else(tmp_path: Path) -> None:
    link = tmp_path / "current"
    for target in ("one", "two"):
        _files.switch_symlink(str(link), target)
        assert os.readlink(link) == target
    assert os.listdir(tmp_path) == ["current"]


def test_a_symlink_never_replaces_a_directory(tmp_path: Path) -> None:
    (tmp_path / "current").mkdir()
    with pytest.raises(IsADirectoryError):
        _files.switch_symlink(str(tmp_path / "current"), "one")
    assert os.listdir(tmp_path) == ["current"]


def test_reading_tells_an_absent_file_from_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert _files.read(str(tmp_path / "absent")) is None
    assert _files.read(str(tmp_path / "empty")) == b""


def test_remove_tells_whether_there_was_something(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert [_files.remove(str(tmp_path / "file")) for _ in range(2)] == [True, False]


def test_a_tree_goes_also_where_its_directories_are_read_only(tmp_path: Path) -> None:
    nested = tmp_path / "release" / "bin"
    nested.mkdir(parents=True)
    (nested / "server").touch()
    nested.chmod(0o500)
    assert [_files.remove_tree(str(tmp_path / "release")) for _ in range(2)] == [True, False]


def test_sweeping_takes_only_what_a_killed_run_left(tmp_path: Path) -> None:
    for name in (".llm-stack-abc.tmp", ".llm-stack-env.json", "config.yaml", "other.tmp"):
        (tmp_path / name).touch()
    (tmp_path / ".llm-stack-dir.tmp").mkdir()
    assert _files.sweep_temporary(str(tmp_path)) == [".llm-stack-abc.tmp", ".llm-stack-dir.tmp"]
    assert sorted(os.listdir(tmp_path)) == [".llm-stack-env.json", "config.yaml", "other.tmp"]
    assert _files.sweep_temporary(str(tmp_path / "absent")) == []
