# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What git tells of an inventory, asked of the real git, and the commit that is read without it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._source import Source, items, parse
from ansible_collections.lab.llm_stack.plugins.plugin_utils._git import head
from hypothesis import given
from hypothesis import strategies as st

PLAYBOOKS = Path(__file__).parents[4] / "playbooks"


def git(tree: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, "-C", str(tree), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(tree: Path, message: str = "x") -> None:
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--no-gpg-sign", "--message", message)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An inventory in a working tree with one commit that a remote has."""
    remote, tree = tmp_path / "remote.git", tmp_path / "tree"
    (tree / "inventory").mkdir(parents=True)
    remote.mkdir()
    git(remote, "init", "--quiet", "--bare")
    git(tree, "init", "--quiet")
    (tree / "inventory/stack.yml").write_text("a: 1\n")
    (tree / "other").write_text("x")
    commit(tree)
    git(tree, "remote", "add", "origin", str(remote))
    git(tree, "push", "--quiet", "--set-upstream", "origin", "main")
    return tree


def ask(path: Path, programs: str = "/usr/bin:/bin") -> dict[str, Any]:
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {"path": str(path)}})
    module = "ansible_collections.lab.llm_stack.plugins.modules.source_info"
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=arguments,
        env={"PYTHONPATH": str(PLAYBOOKS / "collections"), "PATH": programs},
        capture_output=True,
        text=True,
        check=False,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def kinds(path: Path) -> list[tuple[str, str]]:
    return [(item["kind"], item["subject"]) for item in ask(path)["items"]]


def test_what_is_committed_and_pushed_has_no_difference(tree: Path) -> None:
    result = ask(tree / "inventory")
    assert (result["items"], result["branch"], result["checked"]) == ([], "main", 3)
    assert result["commit"] == git(tree, "rev-parse", "HEAD") == head(str(tree / "inventory"))


def test_every_difference_is_named_and_only_those_below_the_directory(tree: Path) -> None:
    (tree / "other").write_text("changed, but not the inventory's")
    (tree / "inventory/stack.yml").write_text("a: 2\n")
    (tree / "inventory/new file.yml").write_text("b: 1\n")
    assert kinds(tree / "inventory") == [
        ("source-uncommitted", "inventory/stack.yml"),
        ("source-untracked", "inventory/new file.yml"),
    ]
    commit(tree)
    assert kinds(tree / "inventory") == [("source-unpushed", "main")]
    git(tree, "push", "--quiet")
    assert kinds(tree / "inventory") == []


def test_a_renamed_file_counts_once(tree: Path) -> None:
    git(tree, "mv", "inventory/stack.yml", "inventory/renamed.yml")
    assert kinds(tree / "inventory") == [("source-uncommitted", "inventory/renamed.yml")]


def test_a_branch_that_follows_nothing_is_not_pushed(tree: Path) -> None:
    git(tree, "checkout", "--quiet", "-b", "mine")
    assert kinds(tree / "inventory") == [("source-unpushed", "mine")]


def test_a_commit_on_no_branch_counts_as_pushed_where_a_remote_has_it(tree: Path) -> None:
    git(tree, "checkout", "--quiet", "--detach")
    assert kinds(tree / "inventory") == []
    (tree / "inventory/stack.yml").write_text("a: 2\n")
    commit(tree)
    (item,) = ask(tree / "inventory")["items"]
    assert (item["kind"], item["subject"]) == ("source-unpushed", "HEAD")
    assert item["actual"] == f"{git(tree, 'rev-parse', 'HEAD')[:12]} is on no branch, and no remote has it"
    git(tree, "push", "--quiet", "origin", "HEAD:refs/heads/elsewhere")
    assert kinds(tree / "inventory") == []


def test_a_commit_on_no_branch_has_nowhere_to_go_without_a_remote(tree: Path) -> None:
    git(tree, "remote", "remove", "origin")
    git(tree, "checkout", "--quiet", "--detach")
    assert kinds(tree / "inventory") == []


def test_outside_a_working_tree_there_is_nothing_to_tell(tmp_path: Path) -> None:
    result = ask(tmp_path)
    assert (result["items"], result["commit"], result["checked"]) == ([], "", 0)
    assert head(str(tmp_path)) == ""


def test_the_commit_is_read_from_packed_references_and_linked_trees_too(tree: Path, tmp_path: Path) -> None:
    expected = git(tree, "rev-parse", "HEAD")
    git(tree, "pack-refs", "--all")
    assert head(str(tree)) == expected
    git(tree, "worktree", "add", "--quiet", "-b", "linked", str(tmp_path / "linked"))
    assert head(str(tmp_path / "linked")) == expected
    git(tree, "checkout", "--quiet", "--detach")
    assert head(str(tree / "inventory")) == expected


def test_without_git_the_source_is_not_checked_and_nothing_fails(tree: Path, tmp_path: Path) -> None:
    result = ask(tree / "inventory", programs=str(tmp_path))
    why = f"git is not installed, and {tree}/inventory belongs to a working tree. Install git."
    assert result["unchecked"] == [{"what": "the source", "why": why}]
    assert (result.get("failed", False), result["items"], result["checked"], result["commit"]) == (False, [], 0, "")
    assert ask(tree / "inventory")["unchecked"] == []


def test_a_git_that_refuses_to_tell_is_told_in_one_line(tree: Path) -> None:
    (tree / ".git/HEAD").write_text("no reference")
    (row,) = ask(tree / "inventory")["unchecked"]
    assert row["why"].startswith(f"git could not tell the state of {tree}/inventory: fatal: not a git repository")
    assert "\n" not in row["why"]


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    assert ask(tmp_path / "no")["msg"].startswith(f"{tmp_path}/no is no directory.")


@given(st.text())
def test_no_text_of_git_breaks_the_reading(text: str) -> None:
    assert isinstance(list(items(parse(text), True)), list)


def test_a_new_repository_has_no_commit() -> None:
    text = "# branch.oid (initial)\0# branch.head main\0? a b\0"
    assert parse(text) == Source(branch="main", untracked=("a b",))
