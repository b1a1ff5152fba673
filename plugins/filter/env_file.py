# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quoting for EnvironmentFile= as a filter; the code is in module_utils, where it is tested without Ansible.

Imported late: Ansible loads every filter file of a collection in each worker that needs one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def env_file(variables: Mapping[str, Any]) -> str:
    """Give the text of an EnvironmentFile=."""
    from ansible_collections.lab.llm_stack.plugins.module_utils import _quoting
    from ansible_collections.lab.llm_stack.plugins.module_utils._plain import plain
    from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError

    if not isinstance(variables, Mapping):
        kind = type(variables).__name__
        raise AnsibleFilterError(f"lab.llm_stack.env_file takes a mapping of variables, and was given a {kind}.")
    try:
        return _quoting.env_file(plain(variables))
    except StackError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter lab.llm_stack.env_file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filter."""
        return {"env_file": env_file}
