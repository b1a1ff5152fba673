# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checker of LiteLLM configurations as a filter.

Imported late: Ansible loads every filter file of a collection in each worker that needs one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError

if TYPE_CHECKING:
    from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import Finding


def check_gateway(
    config: object,
    environment: Iterable[str] | None = None,
    hosts: Iterable[str] | None = None,
    packages: Iterable[str] | None = None,
    workers: int = 1,
) -> list[dict[str, Any]]:
    """Give the findings about a configuration, which is text or was parsed already."""
    from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check import check_config
    from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import Place
    from ansible_collections.lab.llm_stack.plugins.module_utils._plain import plain
    from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
    from ansible_collections.lab.llm_stack.plugins.plugin_utils._yaml import load

    place = Place(_names(environment), _names(hosts), _names(packages), workers)
    if isinstance(config, str):
        try:
            document = load(config)
        except StackError as error:
            raise AnsibleFilterError(str(error)) from error
        return [_as_dict(each) for each in check_config(document.data, place, document.duplicates)]
    if not isinstance(config, Mapping):
        kind = type(config).__name__
        raise AnsibleFilterError(f"lab.llm_stack.check_gateway takes text or a mapping, and was given a {kind}.")
    return [_as_dict(each) for each in check_config(plain(config), place)]


def _names(value: Iterable[str] | None) -> frozenset[str] | None:
    return None if value is None else frozenset(map(str, value))


def _as_dict(finding: Finding) -> dict[str, Any]:
    from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import render_finding
    from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING

    found = None if finding.found is NOTHING else finding.found
    return {**asdict(finding), "found": found, "text": render_finding(finding)}


class FilterModule:
    """The filter lab.llm_stack.check_gateway."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filter."""
        return {"check_gateway": check_gateway}
