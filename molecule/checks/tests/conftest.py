# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Fixtures for the tests of the checklist: two hosts, and a gateway that can be made to err while it runs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
# What all scenarios share, and the collection itself, for the report that is made of what was found.
sys.path[:0] = [str(PROJECT / "molecule/shared/tests"), str(PROJECT / "playbooks/collections")]

import testinfra
from fixtures import pytest_runtest_makereport
from kept_in_git import git
from observed import CONFIG, Stack

__all__ = ["pytest_runtest_makereport"]


@pytest.fixture(scope="session")
def hosts() -> Mapping[str, Stack]:
    """Both hosts by their names, with a copy of what the tests change."""
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    found = {
        name: Stack(testinfra.get_host(f"ansible://{name}?ansible_inventory={inventory}"), name, "deploy")
        for name in ("ck", "ck-far")
    }
    for each in found.values():
        each.output(f"[ -e kept ] || cp -r {CONFIG}/llamacpp kept")
    return found


@pytest.fixture(scope="session")
def stack(hosts: Mapping[str, Stack]) -> Stack:
    """The host of the gateway."""
    return hosts["ck"]


@pytest.fixture(scope="session")
def gate(stack: Stack) -> Stack:
    """The gateway with a gate that lets its faults in: its own file is asked by another one."""
    unit = stack.slot()
    folder = f"{CONFIG}/litellm/{unit[len('litellm@') :][:1]}"
    stack.output(f"[ -e {folder}/own_auth.py ] || mv {folder}/app_auth.py {folder}/own_auth.py")
    stack.output(f"cp faulty_auth.py {folder}/app_auth.py && systemctl --user restart {unit}")
    return stack


@pytest.fixture(scope="module")
def inventory() -> Iterator[Path]:
    """The inventory in a repository; whatever is played uses it meanwhile."""
    given = os.environ["MOLECULE_INVENTORY_FILE"]
    folder = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "kept-inventory"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(Path(given).parent, folder)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    os.environ["MOLECULE_INVENTORY_FILE"] = str(folder)
    yield folder
    os.environ["MOLECULE_INVENTORY_FILE"] = given
