# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Whether what runs can be found again in git: first of all tests, since it deploys what has not been broken yet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kept_in_git import commit
from looking import look
from observed import STATE, Stack
from played import deploy, play


def test_the_commit_that_is_deployed_is_noted_and_compared(
    inventory: Path, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = commit(inventory)
    assert deploy().changed == 0
    assert stack.output(f"sort --unique {STATE}/*/source") == first
    found = look()
    told = [found.results[name]["evidence"] for name in ("source_committed:ck:ck", "source_deployed:ck-far:ck-far")]
    assert (found.wrong, told) == ({}, [f"commit {first[:12]} on main", f"commit {first[:12]}"])

    (inventory / "notes.txt").write_text("What nobody has committed.\n", encoding="utf-8")
    monkeypatch.setenv("LLM_STACK_STRICT_VALIDATE", "true")
    found = look()
    assert {name: (each["state"], each["remedy"]) for name, each in found.wrong.items()} == {
        "source_committed:ck:ck": ("warn", "git commit")
    }
    assert found.wrong["source_committed:ck:ck"]["evidence"] == "1 file not committed: notes.txt"
    assert found.code == 11

    second = commit(inventory)
    played = play("status", variables={"report_directory": str(tmp_path)})
    assert played.code == 0, played.output
    data = json.loads((tmp_path / "status.json").read_text(encoding="utf-8"))
    assert data["source"] == {
        "commit": second,
        "branch": "main",
        "changed": [],
        "deployed": {"ck": first, "ck-far": first},
    }
    assert (data["verdict"], [each["fix"] for each in data["issues"]]) == ("warnings", ["run deploy"] * 2)
    words = f"commit {first[:12]} was deployed last, the declaration is at {second[:12]}"
    assert words in (tmp_path / "status.md").read_text(encoding="utf-8")
