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
    from ansible_collections.lab.llm_stack.plugins.plugin_utils._bytecode import keep_compiled

    keep_compiled()
    from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_service import ollama_service
    from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
    from ansible_collections.lab.llm_stack.plugins.plugin_utils._model_files import fingerprints

    try:
        prints = fingerprints(models, settings.get("source_directory", ""))
        return ollama_service(models, **settings, fingerprints=prints)
    except StackError as error:
        raise AnsibleFilterError(f"lab.llm_stack.ollama_service: {error}") from error


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"ollama_service": decide}
