#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: source_info
short_description: Tell whether a declaration is what was committed and pushed
version_added: 0.1.0
author:
  - The lab.llm_stack authors (@lab-llm-stack)
description:
  - Asks git about the working tree that a directory belongs to, and returns every file below that directory that is not
    committed, and whether commits were not pushed.
  - It is meant for the controller. A directory outside a working tree has no differences, and no commit.
  - Where there is no git, or where it refuses to tell, it does not fail but says so in RV(unchecked).
requirements:
  - git, where the directory belongs to a working tree
extends_documentation_fragment:
  - lab.llm_stack.attributes
  - lab.llm_stack.attributes.info_module
  - lab.llm_stack.attributes.action_group
options:
  path:
    description: The directory, such as that of the inventory.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Whether the inventory is committed
  lab.llm_stack.source_info:
    path: "{{ inventory_dir }}"
  delegate_to: localhost
  run_once: true
  register: source

- name: Refuse to deploy what nobody else can see
  ansible.builtin.assert:
    that: source.items | length == 0
"""

RETURN = r"""
commit:
  description: The commit of the working tree; empty where there is none.
  returned: always
  type: str
  sample: 1b3f0c2d4e5f60718293a4b5c6d7e8f901234567
branch:
  description: The branch; empty where there is none.
  returned: always
  type: str
  sample: main
items:
  description: Every difference between the working tree and what was committed and pushed.
  returned: always
  type: list
  elements: dict
  sample:
    - kind: source-uncommitted
      subject: inventories/workstation/group_vars/all/stack.yml
      expected: committed
      actual: changed since the last commit
      remedy: git commit
      blame: intentional
      since: ""
checked:
  description: How many things were looked at.
  returned: always
  type: int
  sample: 3
unchecked:
  description: What could not be looked at, and why.
  returned: always
  type: list
  elements: dict
  sample:
    - what: the source
      why: git is not installed, and /srv/inventory belongs to a working tree. Install git.
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lab.llm_stack.plugins.module_utils._source import Source, items, parse

CHECKED = 3
"""Files that are not committed, files that git does not know, and commits that were not pushed."""


class GitError(Exception):
    """Git is missing, or did not tell; str() says why, and what to do."""


def main() -> None:
    module = AnsibleModule(argument_spec={"path": {"type": "path", "required": True}}, supports_check_mode=True)
    path = module.params["path"]
    if not os.path.isdir(path):
        module.fail_json(msg=f"{path} is no directory. Name the directory of the inventory. Nothing was changed.")
    try:
        source, remotes = look(module, path)
        found = list(items(source, remotes, source.branch != "" or _is_fetched(module, path, source)))
        unchecked = []
    except GitError as error:
        source, found = Source(), []
        unchecked = [{"what": "the source", "why": str(error)}]
    checked = CHECKED if source.commit else 0
    told = {"commit": source.commit, "branch": source.branch, "items": found, "checked": checked}
    module.exit_json(changed=False, unchecked=unchecked, **told)


def look(module: AnsibleModule, path: str) -> tuple[Source, bool]:
    """Ask git, and tell also whether there is a remote to push to."""
    if not _in_working_tree(path):
        return Source(), False
    status = _git(module, path, "status", "--porcelain=v2", "--branch", "-z", "--", ".")
    return parse(status), bool(_git(module, path, "remote").strip())


def _is_fetched(module: AnsibleModule, path: str, source: Source) -> bool:
    """Whether a commit that is on no branch of ours came from a remote, as those that build servers check out."""
    told = ("refs/remotes", "refs/tags", "refs/pipelines", "refs/pull")
    return not source.commit or bool(_git(module, path, "for-each-ref", "--count=1", "--contains", "HEAD", *told))


def _in_working_tree(path: str) -> bool:
    folder = os.path.realpath(path)
    while folder != os.path.dirname(folder):
        if os.path.exists(os.path.join(folder, ".git")):
            return True
        folder = os.path.dirname(folder)
    return False


def _git(module: AnsibleModule, path: str, *arguments: str) -> str:
    program = module.get_bin_path("git", required=False)
    if not program:
        raise GitError(f"git is not installed, and {path} belongs to a working tree. Install git.")
    # Without it git would write its index anew, and somebody else's command might find it locked.
    command: list[Any] = [program, "--no-optional-locks", "-C", path, *arguments]
    code, out, err = module.run_command(command)
    if code:
        raise GitError(f"git could not tell the state of {path}: {' '.join((err.strip() or out.strip()).split())}")
    return str(out)


if __name__ == "__main__":
    main()
