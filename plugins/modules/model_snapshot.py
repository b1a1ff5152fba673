#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: model_snapshot
short_description: Bring a model folder to the host at a pinned revision
version_added: 0.1.0
author:
  - The lab.llm_stack authors (@lab-llm-stack)
description:
  - With O(repo), fetches one revision of a repository from a model hub or from a mirror of one into
    O(root)/OWNER--NAME/REVISION, with the revision cut to 12 digits.
  - With O(src), brings a folder of the controller to O(root)/O(name)/DIGEST; with O(remote_src=true), finds out whether
    a folder of the host is whole, and changes nothing.
  - What was cut short is gone on with, byte by byte. Every file is proven by its checksum. The folder gets its name,
    and a note that lists its files, when all of it is there; so a snapshot is whole or it is not one.
  - The files are fetched in slices of O(slice) seconds. The action plugin of this module calls it until it is done, and
    shows after each slice how much is here and how fast it comes.
notes:
  - Nothing but Python's standard library is needed on the host.
  - The token is sent to O(endpoint) alone, never to a host that it redirects to, and is not stored. Do not hand it over
    by C(environment), which shows it in lists of processes.
extends_documentation_fragment:
  - lab.llm_stack.attributes
  - lab.llm_stack.attributes.action_group
attributes:
  check_mode:
    support: full
    details:
      - Says how many files and bytes would come. Without O(files) the hub is asked for that, so it has to be reachable.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - A complete snapshot is recognised without asking anybody.
options:
  state:
    description:
      - V(absent) removes the snapshot of O(revision), or all of this model and what unfinished runs left.
      - What is in O(in_use) stays.
    type: str
    choices: [present, absent]
    default: present
  repo:
    description: The repository, as OWNER/NAME.
    type: str
  revision:
    description: The commit, as 40 hexadecimal digits. Required with O(repo) when O(state=present).
    type: str
  files:
    description:
      - The files by their paths, each with C(size) in bytes and what proves it, C(sha256), or C(blob), which is git's
        name for its content. C(make pin MODEL=NAME) writes them into the lock of the inventory.
      - Without it the hub is asked for the list of this revision, and what vLLM does not need is left out.
    type: dict
    default: {}
  endpoint:
    description:
      - Where the hub is, or a mirror that has the same paths.
      - A mirror that needs a password takes it from C(~/.netrc) of the account on the host, unless there is a O(token).
    type: str
    default: https://huggingface.co
  token:
    description: For repositories that are private or gated. Read from a vault or from the controller's environment.
    type: str
  src:
    description: A model folder on the controller, or on the host with O(remote_src=true), instead of O(repo).
    type: path
  remote_src:
    description: Whether O(src) is on the host, where it is verified and stays as it is.
    type: bool
    default: false
  name:
    description: Name of the directory below O(root); the name of the repository, or of the folder, where it is not set.
    type: str
  root:
    description: Directory that holds the snapshots.
    type: path
    default: ~/.local/share/llm-stack/models
  keep:
    description:
      - How many other snapshots of this model stay, the last ones completed first. Unset, all stay.
      - Those in O(in_use) stay as well, and are not counted.
    type: int
  in_use:
    description: Paths of snapshots that are not removed, since something serves from them or may go back to them.
    type: list
    elements: path
    default: []
  slice:
    description: Seconds after which the module says how far it is. Proving a large file may take longer.
    type: int
    default: 30
  timeout:
    description: Seconds without a single byte after which a connection is given up, and that another run is waited for.
    type: int
    default: 60
  upload:
    description: A file on the host that came from the controller. The action plugin fills it in.
    type: path
  uploaded:
    description: The path of that file in O(files). The action plugin fills it in.
    type: str
seealso:
  - module: lab.llm_stack.release
"""

EXAMPLES = r"""
- name: Fetch a model at the revision that the lock names
  lab.llm_stack.model_snapshot:
    repo: Qwen/Qwen3-8B-AWQ
    revision: "{{ llm_stack_model_lock['qwen3-8b'].revision }}"
    files: "{{ llm_stack_model_lock['qwen3-8b'].files }}"
    token: "{{ lookup('ansible.builtin.env', 'HF_TOKEN') | default(omit, true) }}"

- name: Fetch it from a mirror in the house
  lab.llm_stack.model_snapshot:
    repo: Qwen/Qwen3-8B-AWQ
    revision: 4da05c19aa1d0e1bd9ecd2f32f7c8e8ad8a1cf24
    endpoint: https://mirror.example.org/hub

- name: Bring a folder from the controller
  lab.llm_stack.model_snapshot:
    name: tuned-in-house
    src: /srv/models/tuned-in-house

- name: Refuse a folder of the host that is not whole
  lab.llm_stack.model_snapshot:
    src: /srv/models/qwen3-8b
    remote_src: true
"""

RETURN = r"""
path:
  description: Where the snapshot is, or will be.
  returned: when O(state=present)
  type: str
  sample: /home/lab/.local/share/llm-stack/models/Qwen--Qwen3-8B-AWQ/4da05c19aa1d
digest:
  description: Names the list of files, as the requirement V(snapshot) of M(lab.llm_stack.service) compares it.
  returned: when the list is known
  type: str
  sample: 3f0f6f9f5a34c2b1a4f7a3f8d0f9b7a65f7c2f4f8f8e4a1b7c6d5e4f3a2b1c0d
files:
  description: The list of files that was used.
  returned: when it is not done yet
  type: dict
progress:
  description: How far it is, in bytes; C(file) is the file in work, and empty when all is here.
  returned: when O(state=present)
  type: dict
  sample:
    here: 5570000000
    total: 5570000000
    file: ""
needed:
  description: Bytes that had to arrive, or would have to in check mode.
  returned: when O(state=present)
  type: int
  sample: 5570000000
items:
  description: Each difference between the declaration and the host, the same in check mode and in a run.
  returned: always
  type: list
  elements: dict
  sample:
    - kind: snapshot
      subject: /home/lab/.local/share/llm-stack/models/Qwen--Qwen3-8B-AWQ/4da05c19aa1d
      expected: 9 files, 5.71 GiB
      actual: is missing
      remedy: deploy
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lab.llm_stack.plugins.module_utils import _install, _snapshot_build
from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot_build import Comparison, Progress
from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot_wanted import Wanted

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "repo": {"type": "str"},
    "revision": {"type": "str"},
    "files": {"type": "dict", "default": {}},
    "endpoint": {"type": "str", "default": "https://huggingface.co"},
    "token": {"type": "str", "no_log": True},
    "src": {"type": "path"},
    "remote_src": {"type": "bool", "default": False},
    "name": {"type": "str"},
    "root": {"type": "path", "default": "~/.local/share/llm-stack/models"},
    "keep": {"type": "int"},
    "in_use": {"type": "list", "elements": "path", "default": []},
    "slice": {"type": "int", "default": 30},
    "timeout": {"type": "int", "default": 60},
    "upload": {"type": "path"},
    "uploaded": {"type": "str"},
}


def wanted_from(params: dict[str, Any]) -> Wanted:
    """Read the options; a folder of the controller cannot be read here, its list of files says what it holds."""
    given = {name: value for name, value in params.items() if value is not None and name not in ("state", "remote_src")}
    if not params["remote_src"]:
        given.pop("src", None)
    return Wanted(**given)


def result_of(wanted: Wanted, comparison: Comparison, progress: Progress, state: str) -> dict[str, object]:
    """Word the comparison and the progress for the task's result."""
    result: dict[str, object] = {
        "changed": bool(comparison.items),
        "items": [item.as_dict() for item in comparison.items],
    }
    if state == "absent":
        return result
    result.update(path=wanted.target, needed=comparison.needed)
    result["progress"] = {"here": progress.here, "total": progress.total, "file": progress.file}
    if wanted.digest:
        result["digest"] = wanted.digest
    if progress.file:
        result["files"] = wanted.files
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENT_SPEC,
        supports_check_mode=True,
        required_one_of=[("repo", "src", "name")],
        mutually_exclusive=[("repo", "src")],
    )
    wanted, state = wanted_from(module.params), module.params["state"]
    try:
        wanted, comparison = _snapshot_build.compare(wanted, state)
        act = comparison.items and not module.check_mode
        progress = _snapshot_build.apply(wanted, comparison) if act else _snapshot_build.foreseen(wanted, comparison)
    except (StackError, InstallError, OSError) as error:
        module.fail_json(msg=_snapshot_build.worded(wanted, error))
    diff = {"diff": _install.diff(comparison.items)} if module._diff else {}
    module.exit_json(**result_of(wanted, comparison, progress, state), **diff)


if __name__ == "__main__":
    main()
