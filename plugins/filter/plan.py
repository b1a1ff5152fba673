# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as a filter, so that playbooks and users can ask for it without a task on any host.

Imported late: Ansible loads every filter file of a collection in each worker that needs one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def plan(declaration: Mapping[str, Any]) -> dict[str, Any]:
    """Derive the plan, or fail with every problem of the declaration."""
    from ansible_collections.lab.llm_stack.plugins.plugin_utils._bytecode import keep_compiled

    keep_compiled()
    from ansible_collections.lab.llm_stack.plugins.module_utils._plain import plain
    from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan as _plan
    from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError

    if not isinstance(declaration, Mapping):
        kind = type(declaration).__name__
        raise AnsibleFilterError(f"lab.llm_stack.plan takes a declaration, which is a mapping, and was given a {kind}.")
    try:
        return _plan(plain(declaration))
    except StackError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter lab.llm_stack.plan."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filter."""
        return {"plan": plan}
