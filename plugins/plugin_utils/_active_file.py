# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of an inventory in which a swap is written down, and why it could not be."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, StackError
from ansible_collections.lab.llm_stack.plugins.plugin_utils._yaml import load

PLACE = "group_vars/all/active.yml"
VARIABLE = "llm_stack_active"


def active_file(inventory: str, active: Mapping[str, str]) -> str:
    """Give the path of the file, or raise a StackError where a choice in it would be lost, or hide something else.

    ``inventory`` is the directory of the inventory, ``active`` what the variable holds now.
    """
    problems = list(_problems(inventory, active))
    if problems:
        raise StackError(problems)
    return str(Path(inventory, PLACE))


def _problems(inventory: str, active: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what stands against the file. Ansible reads either ``all`` or ``all.yml``, never both."""
    root = Path(inventory or "-")
    if not root.is_dir():
        remedy = f"Use a directory (-i inventories/mine), so that the swap can be written to its {PLACE}."
        yield Problem("inventory", inventory or NOTHING, "is no directory.", remedy)
        return
    folder = root / "group_vars" / "all"
    others = [folder.with_name(f"all{ending}") for ending in (".yml", ".yaml", ".json")]
    hidden = [folder] if folder.is_file() else [] if folder.is_dir() else [each for each in others if each.exists()]
    for path in hidden:
        remedy = f"Move it to {folder}/main.yml; the swap is written to {PLACE} beside it."
        yield Problem(str(path), NOTHING, "is a file, and Ansible would not read it beside a directory all/.", remedy)
    nearest = _nearest(folder)
    if not hidden and not os.access(nearest, os.W_OK):
        yield Problem(str(nearest), NOTHING, "cannot be written to.", f"A swap is written to {PLACE} of the inventory.")
    kept = _kept(root / PLACE)
    if kept != dict(active):
        remedy = f"Whatever else sets {VARIABLE} would undo the swap: remove it there, or write the same to {PLACE}."
        yield Problem(VARIABLE, dict(active), f"is not what {root / PLACE} says, which is {kept}.", remedy)


def _nearest(folder: Path) -> Path:
    """The folder itself, or the first above it that exists."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _kept(path: Path) -> dict[str, Any]:
    """What the file says now; nothing where there is none."""
    data = load(path.read_text(encoding="utf-8")).data if path.is_file() else None
    found = data.get(VARIABLE) if isinstance(data, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}
