# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter lab.llm_stack.report: a plan and what was found as a report, in every form.

Imported late: Ansible loads every filter file of a collection in each worker that needs one of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

Rows = Sequence[Mapping[str, Any]]


def report(
    plan: Mapping[str, Any],
    results: Rows,
    generated: str,
    previous: str | Mapping[str, Any] | None = None,
    settings: Rows = (),
    drift: str | Rows = (),
    source: Mapping[str, Any] | None = None,
    deployed: Mapping[str, str] | None = None,
    silent: Mapping[str, str] | None = None,
    secrets: Sequence[str] = (),
    keep: int = 30,
) -> dict[str, Any]:
    """Give the report as data, and the text of every file of it."""
    from ansible_collections.lab.llm_stack.plugins.module_utils._plain import plain
    from ansible_collections.lab.llm_stack.plugins.module_utils._report import Facts
    from ansible_collections.lab.llm_stack.plugins.module_utils._report_files import files
    from ansible_collections.lab.llm_stack.plugins.module_utils._report_source import Drift, drift_of, source_of

    looked = drift_of(str(drift), str(generated)) if isinstance(drift, str) else Drift(tuple(plain(list(drift))))
    facts = Facts(
        generated=str(generated),
        results=plain(list(results)),
        drift=looked.items,
        drift_stale=looked.stale,
        settings=plain(list(settings)),
        source=source_of(plain(source or {}), plain(deployed or {})),
        silent=plain(silent or {}),
        previous=_previous(previous),
        secrets=[str(each) for each in secrets],
        keep=int(keep),
    )
    try:
        return files(plain(plan), facts)
    except (KeyError, TypeError, AttributeError) as error:
        wanted = "takes a plan of lab.llm_stack.plan and results of lab.llm_stack.probe"
        raise AnsibleFilterError(f"lab.llm_stack.report {wanted}; {type(error).__name__}: {error}") from error


def _previous(written: str | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The last report; a file that is none, such as one cut off, counts as no report."""
    if isinstance(written, Mapping):
        return written
    try:
        found = json.loads(written or "null")
    except ValueError:
        return None
    return found if isinstance(found, Mapping) else None


class FilterModule:
    """The filter lab.llm_stack.report."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filter."""
        return {"report": report}
