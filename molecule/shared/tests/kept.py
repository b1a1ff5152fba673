# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The inventory of a scenario as a person would keep it, so that a swap can be written down in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ACTIVE = "group_vars/all/active.yml"


def kept_inventory() -> Path:
    """Copy molecule's inventory, and let all that is played from now on use the copy.

    Molecule makes its own anew before each command, with a file where a person has the directory group_vars/all.
    """
    given = Path(os.environ["MOLECULE_INVENTORY_FILE"])
    directory = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "kept-inventory"
    shutil.rmtree(directory, ignore_errors=True)
    for place in ("group_vars/all", "host_vars"):
        (directory / place).mkdir(parents=True)
    shutil.copy(given, directory / "hosts.yml")
    for file in given.parent.glob("*_vars/*"):
        place = "all/main.yml" if file.name == "all" else f"{file.name}.yml"
        shutil.copy(file, directory / file.parent.name / place)
    os.environ["MOLECULE_INVENTORY_FILE"] = str(directory)
    return directory
