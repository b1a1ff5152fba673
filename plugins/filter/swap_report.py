# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of a swap, as text; the code is in module_utils, where it is tested without Ansible.

Imported late: Ansible loads every filter file of a collection in each worker that needs one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def swap_report(swap: Mapping[str, Any], faults: Sequence[Mapping[str, Any]] = (), **told: Any) -> str:  # noqa: ANN401 - the function below types them
    """Lay out the end of a swap for people."""
    from ansible_collections.lab.llm_stack.plugins.module_utils._swap_text import report

    return report(swap, faults, **told)


class FilterModule:
    """The filter lab.llm_stack.swap_report."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filter."""
        return {"swap_report": swap_report}
