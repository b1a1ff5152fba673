# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the model files on the controller that roles bring to a host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem, StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._release import fingerprint
from ansible_collections.lab.llm_stack.plugins.module_utils._role_paths import controller_path


def fingerprints(models: Sequence[Mapping[str, Any]], directory: str) -> dict[str, str]:
    """Give the fingerprint of each file by its path; one that cannot be read is refused before a host is touched."""
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
