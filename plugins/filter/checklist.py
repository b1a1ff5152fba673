# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter lab.llm_stack.checklist: results of checks as text.

Imported late: Ansible loads every filter file of a collection in each worker that needs one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError


def checklist(results: Sequence[Mapping[str, Any]]) -> str:
    """Lay out the results of lab.llm_stack.probe for people."""
    from ansible_collections.lab.llm_stack.plugins.module_utils._checklist_text import checklist_text

    try:
        return checklist_text(results)
    except (KeyError, TypeError, AttributeError) as error:
        wanted = "a list of results of lab.llm_stack.probe is needed"
        raise AnsibleFilterError(f"lab.llm_stack.checklist: {wanted}; {type(error).__name__}: {error}") from error


class FilterModule:
    """The entry point of Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filter."""
        return {"checklist": checklist}
