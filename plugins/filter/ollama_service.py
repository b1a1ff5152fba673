# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The decisions of the role ollama, as a filter; the code is in module_utils, where it is tested without Ansible.

Imported late: Ansible loads every filter file of a collection in each worker that needs one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError


def decide(models: Sequence[Mapping[str, Any]], **settings: Any) -> dict[str, Any]:  # noqa: ANN401 - the function below types them
    """Decide, or refuse with every reason."""
    from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_service import ollama_service
    from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError

    try:
        prints = fingerprints(models, settings.get("source_directory", ""))
        return ollama_service(models, **settings, fingerprints=prints)
    except StackError as error:
        raise AnsibleFilterError(f"lab.llm_stack.ollama_service: {error}") from error


def fingerprints(models: Sequence[Mapping[str, Any]], directory: str) -> dict[str, str]:
    """Look at the model files on the controller; a file that cannot be read is refused before a host is touched."""
    from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_service import controller_path
    from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem, StackError
    from ansible_collections.lab.llm_stack.plugins.module_utils._release import fingerprint

    found, problems = {}, []
    for model in models:
        path = controller_path(directory, model)
        try:
            found.update({path: fingerprint(path)} if path else {})
        except OSError as error:
            remedy = "A relative source starts at the inventory; an absolute one is a file on the host."
            wrong = f"cannot be read on the controller: {error.strerror}."
            problems.append(Problem(f"llm_stack_models.{model['name']}.source", path, wrong, remedy))
    if problems:
        raise StackError(problems)
    return found


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"ollama_service": decide}
