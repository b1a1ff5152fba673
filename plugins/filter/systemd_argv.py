# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quoting for ExecStart= as a filter; the code is in module_utils, where it is tested without Ansible.

Imported late: Ansible loads every filter file of a collection in each worker that needs one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError


def systemd_argv(argv: Sequence[Any]) -> str:
    """Give the command line of ExecStart=."""
    from ansible_collections.lab.llm_stack.plugins.module_utils import _quoting
    from ansible_collections.lab.llm_stack.plugins.module_utils._plain import plain
    from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError

    if isinstance(argv, str) or not isinstance(argv, Sequence):
        kind = type(argv).__name__
        raise AnsibleFilterError(f"lab.llm_stack.systemd_argv takes a list of arguments, and was given a {kind}.")
    try:
        return _quoting.systemd_argv(plain(argv))
    except StackError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter lab.llm_stack.systemd_argv."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filter."""
        return {"systemd_argv": systemd_argv}
