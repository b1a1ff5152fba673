# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an inventory to a declaration; the code is in module_utils, where it is tested without Ansible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._inventory import declaration


class FilterModule:
    """The filter lab.llm_stack.declaration."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filter."""
        return {"declaration": declaration}
