# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The swap of the model in a slot as a filter; the code is in module_utils, where it is tested without Ansible.

Imported late: Ansible loads every filter file of a collection in each worker that needs one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def swap(declaration: Mapping[str, Any], to: str = "", inventory_dir: str = "") -> dict[str, Any]:
    """Derive the swap, or fail with every reason against it."""
    from ansible_collections.lab.llm_stack.plugins.module_utils._plain import plain
    from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
    from ansible_collections.lab.llm_stack.plugins.module_utils._swap import swap as _swap
    from ansible_collections.lab.llm_stack.plugins.module_utils._swap_text import announcement
    from ansible_collections.lab.llm_stack.plugins.plugin_utils._active_file import active_file

    try:
        found = _swap(written := plain(declaration), str(to))
        path = active_file(str(inventory_dir), written.get("active") or {})
    except StackError as error:
        raise AnsibleFilterError(str(error)) from error
    return {**found, "file": path, "announcement": announcement(found)}


class FilterModule:
    """The filter lab.llm_stack.swap."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filter."""
        return {"swap": swap}
