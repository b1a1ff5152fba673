# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The digest of a lock on the controller; the function itself is the one that runs on the host.

Imported late: Ansible loads every filter file of a collection in each worker that needs one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ansible.errors import AnsibleFilterError


def environment_digest(
    requirements: object, python: str = "/usr/bin/python3", build: Mapping[str, str] | None = None
) -> str:
    """Return the digest that names the environment of a lock."""
    from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
    from ansible_collections.lab.llm_stack.plugins.module_utils._requirements import environment_digest as digest_of

    if not isinstance(requirements, str):
        raise AnsibleFilterError(
            f"lab.llm_stack.environment_digest: {type(requirements).__name__} given, the text of a lock is needed.\n"
            "    Read it with lookup('ansible.builtin.file', 'requirements.txt')."
        )
    try:
        return digest_of(requirements, python, build)
    except StackError as error:
        raise AnsibleFilterError(f"lab.llm_stack.environment_digest: {error}") from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., str]]:
        return {"environment_digest": environment_digest}
