# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold what layers come to against the checker of LiteLLM configurations, and name the layer to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Declaration
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check import check_config
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import ERROR, Finding
from ansible_collections.lab.llm_stack.plugins.module_utils._layer_entries import Entry
from ansible_collections.lab.llm_stack.plugins.module_utils._layer_paths import label, leaves
from ansible_collections.lab.llm_stack.plugins.module_utils._layers import Merged, Setting
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem


def check_merged(declared: Declaration, merged: Merged) -> Iterator[Problem]:
    """Yield a problem for each error of the merged configuration; what is only suspicious passes."""
    config = merged.config
    settings = {leaf.place: merged.settings[leaf.path] for leaf in leaves(config)}
    entries = {entry.name: entry for entry in declared.layers}
    for finding in check_config(config):
        if finding.level == ERROR:
            yield _problem(finding, _nearest_setting(finding.path, settings), entries, merged)


def _nearest_setting(place: str, settings: Mapping[str, Setting]) -> Setting | None:
    """The value that a finding is about, or one that stands beside what is missing."""
    while place:
        for each, setting in settings.items():
            if each == place or each.startswith((f"{place}.", f"{place}[")):
                return setting
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return None


def _problem(finding: Finding, setting: Setting | None, entries: Mapping[str, Entry], merged: Merged) -> Problem:
    """Say a finding with the layer and the line it comes from."""
    if setting is None:
        return Problem(f"llm_stack_layers.{finding.path}", finding.found, finding.wrong, finding.remedy)
    entry, source = entries.get(setting.definition.source.layer), setting.definition.source
    key = label(setting.definition.path, merged.settings)
    last = finding.path.rpartition(".")[2]
    if finding.path.startswith("model_list[") and not key.endswith(last) and "[" not in last:
        key = f"{key.rpartition('.')[0]}.{last}"
    where = "" if entry and not entry.file else f"It stands in {source.place}."
    remedy = "\n".join(filter(None, [finding.remedy, where]))
    return Problem(f"{entry.root if entry else 'llm_stack_layers'}.{key}", finding.found, finding.wrong, remedy)
