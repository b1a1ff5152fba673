#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: python_env
short_description: Make a virtual environment that is exactly what a hash-locked file says
version_added: 0.1.0
author:
  - The lab.llm_stack authors (@lab-llm-stack)
description:
  - Builds a virtual environment with uv from the text of a lock, in which each line pins one version and the hashes
    of its files.
  - Each lock gets a directory of its own, O(root)/O(name)/DIGEST, which is never changed afterwards. It is built under
    another name and renamed into place when it is complete, so an environment that is in use is not touched and one cut
    short is never used. The link O(root)/O(name)/C(current) is switched last.
  - Everything that is wrong with the lock is reported at once, before anything on the host changes.
  - Nothing is built from source and nothing is installed without a hash, so a mirror need not be trusted.
notes:
  - The digest that names the directory comes from O(requirements), O(python) and O(build) alone. On the controller
    P(lab.llm_stack.environment_digest#filter) computes the same.
  - The configuration files of uv on the host are not read. Its variables for caches, proxies and indexes
    (such as C(UV_CACHE_DIR) and C(UV_DEFAULT_INDEX)) are.
  - LiteLLM 1.82.7 and 1.82.8 were published with malware. They are refused whatever O(deny) says, and so is every
    environment that holds the file they leave behind, C(litellm_init.pth).
extends_documentation_fragment:
  - lab.llm_stack.attributes
  - lab.llm_stack.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The diff compares the pinned versions of the current environment with those of the declared one.
  idempotent:
    support: full
options:
  name:
    description: Name of the environment, such as V(litellm). Environments of one name are versions of one thing.
    type: str
    required: true
  state:
    description: V(absent) removes all environments of this name but those in O(in_use).
    type: str
    choices: [present, absent]
    default: present
  requirements:
    description:
      - Text of the lock, as C(uv pip compile --generate-hashes --no-emit-index-url) writes it.
      - Names of indexes, other files, addresses and lines without a version or a hash are refused.
      - Required when O(state=present).
    type: str
  python:
    description: Interpreter of the host that the environment is made for. Another one makes another environment.
    type: str
    default: /usr/bin/python3
  root:
    description: Directory that holds the environments.
    type: path
    default: ~/.local/share/llm-stack/envs
  uv:
    description:
      - A uv that is already on the host.
      - Without it, uv is fetched once by pip, hash-locked too, into C(uv) beside O(root).
      - That needs C(ensurepip), which Debian keeps in C(python3-venv).
    type: path
  uv_requirements:
    description: Text of the lock of the uv to fetch. The default is the one that this collection was tested with.
    type: str
  index_url:
    description:
      - Index or mirror that packages come from. Without it the host's own configuration counts.
      - A mirror that needs a password takes it from C(~/.netrc) of the account on the host.
    type: str
  find_links:
    description:
      - Directory of wheels on the host. With it, no network is used at all.
      - It must hold the wheel of uv too, unless O(uv) is set.
    type: path
  deny:
    description: Versions that must never be installed, as a list for each name.
    type: dict
    default: {}
  floor:
    description: The oldest version that may be installed, for each name.
    type: dict
    default: {}
  allow_source:
    description:
      - Names of packages that have no wheel and may be built on the host.
      - What their build needs is not locked.
    type: list
    elements: str
    default: []
  build:
    description:
      - Environment variables for building the packages of O(allow_source), such as C(CMAKE_ARGS), each as text.
      - They are part of the digest, so that another build makes another environment.
    type: dict
    default: {}
  keep:
    description:
      - How many old environments stay for going back, the one that was current last first.
      - Those that a process of the account runs from stay as well, and are not counted.
    type: int
    default: 1
  in_use:
    description: Paths of environments that are not removed, however old, since something runs from them.
    type: list
    elements: path
    default: []
  timeout:
    description: Seconds that each step (making, filling) may take, and that another run on this host is waited for.
    type: int
    default: 900
seealso:
  - plugin: lab.llm_stack.environment_digest
    plugin_type: filter
    description: The digest of a lock, on the controller.
  - module: lab.llm_stack.release
"""

EXAMPLES = r"""
- name: Make the gateway's environment
  lab.llm_stack.python_env:
    name: litellm
    requirements: "{{ lookup('ansible.builtin.file', 'requirements.txt') }}"
    floor:
      litellm: 1.101.1

- name: Make it on a host without a network, from wheels that were copied there
  lab.llm_stack.python_env:
    name: litellm
    requirements: "{{ lookup('ansible.builtin.file', 'requirements.txt') }}"
    find_links: /srv/wheels

- name: Make it from a mirror, and keep the environment that a draining process still runs from
  lab.llm_stack.python_env:
    name: litellm
    requirements: "{{ lookup('ansible.builtin.file', 'requirements.txt') }}"
    index_url: https://mirror.example.org/simple
    in_use:
      - ~/.local/share/llm-stack/envs/litellm/0123456789ab

- name: Remove it
  lab.llm_stack.python_env:
    name: litellm
    state: absent
"""

RETURN = r"""
path:
  description: Where the declared environment is, or will be.
  returned: when O(state=present)
  type: str
  sample: /home/lab/.local/share/llm-stack/envs/litellm/0123456789ab
digest:
  description: What names it.
  returned: when O(state=present)
  type: str
  sample: 0123456789ab
items:
  description: Each difference between the declaration and the host, the same in check mode and in a run.
  returned: always
  type: list
  elements: dict
  sample:
    - kind: environment
      subject: /home/lab/.local/share/llm-stack/envs/litellm/0123456789ab
      expected: the declared environment
      actual: is missing
      remedy: deploy
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lab.llm_stack.plugins.module_utils import _env_build
from ansible_collections.lab.llm_stack.plugins.module_utils._env_build import Comparison, Wanted
from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._requirements import DEFAULT_PYTHON
from ansible_collections.lab.llm_stack.plugins.module_utils._uv_lock import UV_REQUIREMENTS

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "requirements": {"type": "str"},
    "python": {"type": "str", "default": DEFAULT_PYTHON},
    "root": {"type": "path", "default": "~/.local/share/llm-stack/envs"},
    "uv": {"type": "path"},
    "uv_requirements": {"type": "str"},
    "index_url": {"type": "str"},
    "find_links": {"type": "path"},
    "deny": {"type": "dict", "default": {}},
    "floor": {"type": "dict", "default": {}},
    "allow_source": {"type": "list", "elements": "str", "default": []},
    "build": {"type": "dict", "default": {}},
    "keep": {"type": "int", "default": 1},
    "in_use": {"type": "list", "elements": "path", "default": []},
    "timeout": {"type": "int", "default": 900},
}


def wanted_from(params: dict[str, Any]) -> Wanted:
    """Turn the task's options into a declaration; an option that was not given is one that says nothing."""
    given = {name: value for name, value in params.items() if value is not None and name != "state"}
    given["root"] = os.path.abspath(params["root"])
    return Wanted(**{"requirements": "", "uv_requirements": UV_REQUIREMENTS, **given})


def result_of(wanted: Wanted, comparison: Comparison) -> dict[str, object]:
    """Word the comparison for the task's result."""
    result: dict[str, object] = {
        "changed": bool(comparison.items),
        "items": [item.as_dict() for item in comparison.items],
    }
    if comparison.digest:
        result.update(path=wanted.shelf.path(comparison.digest), digest=comparison.digest)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        supports_check_mode=True,
        required_if=[("state", "present", ["requirements"])],
        mutually_exclusive=[("index_url", "find_links")],
    )
    wanted = wanted_from(module.params)
    try:
        comparison = _env_build.compare(wanted, module.params["state"])
        diff = {"diff": _env_build.diff(wanted, comparison)} if module._diff else {}
        if comparison.items and not module.check_mode:
            _env_build.apply(wanted, comparison)
    except (StackError, InstallError, OSError) as error:
        module.fail_json(msg=_env_build.worded(wanted, error))
    module.exit_json(**result_of(wanted, comparison), **diff)


if __name__ == "__main__":
    main()
