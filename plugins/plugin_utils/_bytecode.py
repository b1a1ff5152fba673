# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let Python keep the core in compiled form, as it does with every other package.

Ansible's loader of collections compiles each module anew in each worker, which was a tenth of what a clean check costs
the controller. Python's own loader takes the compiled form from ``__pycache__`` where there is one that fits.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location

CORE = "ansible_collections.lab.llm_stack.plugins.module_utils"


class Finder:
    """Finds the modules of the core, and nothing else; whoever asks for something else is passed on."""

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, _target: object = None) -> ModuleSpec | None:
        package, _dot, name = fullname.rpartition(".")
        file = os.path.join(path[0], f"{name}.py") if package == CORE and path else ""
        return spec_from_file_location(fullname, file) if file and os.path.isfile(file) else None


def keep_compiled() -> None:
    """Have the core found by Python itself from now on in this process; the same modules under the same names."""
    if not any(isinstance(each, Finder) for each in sys.meta_path):
        sys.meta_path.insert(0, Finder())
