# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The decisions of the role vllm, as a filter; the code is in module_utils, where it is tested without Ansible.

Imported late: Ansible loads every filter file of a collection in each worker that needs one of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError


def decide(
    wanted: Sequence[Mapping[str, Any]],
    source_directory: str = "",
    **settings: Any,  # noqa: ANN401 - the function below types them
) -> dict[str, Any]:
    """Decide, or refuse with every reason."""
    from ansible_collections.lab.llm_stack.plugins.plugin_utils._bytecode import keep_compiled

    keep_compiled()
    from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
    from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_service import vllm_service

    try:
        placed = [_from_controller(each, source_directory) for each in wanted]
        return vllm_service(placed, **settings, listings=listings(placed))
    except StackError as error:
        raise AnsibleFilterError(f"lab.llm_stack.vllm_service: {error}") from error


def _from_controller(instance: Mapping[str, Any], directory: str) -> Mapping[str, Any]:
    """Let the folder of a model on the controller start at the directory of sources."""
    source = instance["source"]
    if source["origin"] != "controller":
        return instance
    path = os.path.normpath(os.path.join(directory, os.path.expanduser(source["path"])))
    return {**instance, "source": {**source, "path": path}}


def listings(wanted: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """List the model folders on the controller; one that is none is refused before a host is touched."""
    from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem, StackError
    from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot import listed

    found, problems = {}, []
    for instance in wanted:
        path, where = instance["source"]["path"], f"llm_stack_models.{instance['name']}.source"
        if instance["source"]["origin"] != "controller":
            continue
        try:
            files = listed(path)
        except OSError as error:
            wrong = f"cannot be read on the controller: {error.strerror}."
            problems.append(Problem(where, path, wrong, "A relative source starts at the inventory."))
            continue
        found[instance["name"]] = files
        if not {"config.json", "params.json"} & {*files}:
            remedy = "Name the folder that has config.json. A relative source starts at the inventory."
            problems.append(Problem(where, path, "is no model folder on the controller.", remedy))
    if problems:
        raise StackError(problems)
    return found


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"vllm_service": decide}
