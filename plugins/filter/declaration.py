# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an inventory to a declaration; the code is in module_utils, where it is tested without Ansible.

Imported late: Ansible loads every filter file of a collection in each worker that needs one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def declaration(
    variables: Mapping[str, Any],
    groups: Mapping[str, Iterable[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    inventory_dir: str = "",
) -> dict[str, Any]:
    """Give the declaration, with the files of layers and the folders of models as they are read on this machine."""
    from ansible_collections.lab.llm_stack.plugins.plugin_utils._bytecode import keep_compiled

    keep_compiled()
    from ansible_collections.lab.llm_stack.plugins.module_utils._inventory import declaration as _declaration
    from ansible_collections.lab.llm_stack.plugins.module_utils._inventory import layer_files

    found = _declaration(variables, groups, hostvars)
    names = layer_files(found)
    if names:
        # Only who has such files pays for the reader.
        from ansible_collections.lab.llm_stack.plugins.plugin_utils._layer_file import read

        found["layer_files"] = {name: read(name, inventory_dir) for name in names}
    if any("vllm" in host["groups"] for host in found["hosts"].values()):
        from ansible_collections.lab.llm_stack.plugins.plugin_utils._model_folder import folders
        from ansible_collections.lab.llm_stack.plugins.plugin_utils._model_folder import read as seen

        paths = folders(found.get("models"))
        found.update(
            {"model_folders": {name: seen(path, inventory_dir) for name, path in paths.items()}} if paths else {}
        )
    return found


class FilterModule:
    """The filter lab.llm_stack.declaration."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filter."""
        return {"declaration": declaration}
