#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: user_manager
short_description: Give an account a systemd user manager that survives logout and reboot
version_added: 0.1.0
author:
  - The lab.llm_stack authors (@lab-llm-stack)
description:
  - Creates a service account when there is none, adds it to groups, lets it linger, and waits until its user manager
    answers. One call does what takes four tasks otherwise, and says in check mode what it would do.
  - It needs root. An account that exists keeps its home and shell; nothing is ever deleted.
extends_documentation_fragment:
  - lab.llm_stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description: The account.
    type: str
    required: true
  home:
    description: Home directory of a new account; the system's default when omitted.
    type: path
  shell:
    description: Login shell of a new account.
    type: path
    default: /bin/bash
  groups:
    description: Groups the account must be a member of; others are left alone.
    type: list
    elements: str
    default: []
  linger:
    description: Whether the account's services run without a login.
    type: bool
    default: true
  timeout:
    description: Seconds for which the user manager is waited for.
    type: float
    default: 30
"""

EXAMPLES = r"""
- name: An account for the stack, with access to the GPU
  lab.llm_stack.user_manager:
    name: llm
    groups: [render, video]
  become: true
"""

RETURN = r"""
exists:
  description: Whether the account is there now; false only in check mode.
  returned: always
  type: bool
  sample: true
home:
  description: Its home directory, also the one that check mode predicts.
  returned: always
  type: str
  sample: /home/llm
uid:
  description: Its user id; absent while there is no account.
  returned: when the account exists
  type: int
  sample: 998
items:
  description: What differed.
  returned: always
  type: list
  elements: dict
  sample: []
"""

import grp
import os
import pwd
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Item
from ansible_collections.lab.llm_stack.plugins.module_utils._systemd import Manager, lingers

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "home": {"type": "path"},
    "shell": {"type": "path", "default": "/bin/bash"},
    "groups": {"type": "list", "elements": "str", "default": []},
    "linger": {"type": "bool", "default": True},
    "timeout": {"type": "float", "default": 30},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    refuse_groups(module)
    items = differences(module.params)
    if items and not module.check_mode:
        converge(module, {item.kind for item in items})
    account = find(module.params["name"])
    home = account.pw_dir if account else module.params["home"] or f"/home/{module.params['name']}"
    diff = {
        "before": "".join(f"{i.kind}: {i.actual}\n" for i in items),
        "after": "".join(f"{i.kind}: {i.expected}\n" for i in items),
    }
    facts = {"uid": account.pw_uid} if account else {}
    module.exit_json(
        changed=bool(items), exists=bool(account), home=home, items=[i.as_dict() for i in items], diff=diff, **facts
    )


def find(name: str) -> pwd.struct_passwd | None:
    """The account, or None."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def number(group: str) -> int | None:
    """The number of a group, from wherever the host has its groups; None where there is no such group."""
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return None


def refuse_groups(module: AnsibleModule) -> None:
    """Fail before anything is made where a group is missing; one of the account's own name comes with it."""
    own = module.params["name"]
    absent = [name for name in module.params["groups"] if name != own and number(name) is None]
    if absent and module.params["linger"]:
        module.fail_json(
            msg=f"groups: {', '.join(absent)}: there is no such group on this host. Create it (groupadd --system), or "
            "remove it here. Nothing was changed."
        )


def differences(params: dict[str, Any]) -> list[Item]:
    """What is not as declared."""
    name, account = params["name"], find(params["name"])
    if not account and not params["linger"]:
        return []  # an account that is not there has nothing to end
    items = [] if account else [Item("account", name, "exists", "absent")]
    member = os.getgrouplist(name, account.pw_gid) if account else []
    lacking = [group for group in params["groups"] if number(group) not in member]
    if lacking:
        items.append(Item("groups", name, f"member of {', '.join(lacking)}", "not a member"))
    if lingers(name) != params["linger"]:
        items.append(Item("linger", name, "lingers" if params["linger"] else "does not linger", "the opposite"))
    if account and params["linger"] and not Manager(account.pw_uid).present():
        items.append(Item("user-manager", name, "running", "not running"))
    return items


def converge(module: AnsibleModule, kinds: set[str]) -> None:
    """Make it so, in the order in which one thing needs the other."""
    name = module.params["name"]
    if os.geteuid() != 0:
        module.fail_json(
            msg=f"Account {name} cannot be managed without root. Set become: true for this task. Nothing was changed."
        )
    if "account" in kinds:
        home = ["--home-dir", module.params["home"]] if module.params["home"] else []
        run(
            module,
            ["useradd", "--system", "--user-group", "--create-home", "--shell", module.params["shell"], *home, name],
        )
    if "groups" in kinds:
        run(module, ["usermod", "--append", "--groups", ",".join(module.params["groups"]), name])
    if "linger" in kinds:
        run(module, ["loginctl", "enable-linger" if module.params["linger"] else "disable-linger", name])
    if module.params["linger"]:
        start_manager(module)


def start_manager(module: AnsibleModule) -> None:
    """Start the user manager; its job ends when it is ready."""
    account = pwd.getpwnam(module.params["name"])
    run(module, ["systemctl", "start", f"user@{account.pw_uid}.service"])
    deadline = time.monotonic() + module.params["timeout"]
    while not Manager(account.pw_uid).present():
        if time.monotonic() > deadline:
            module.fail_json(
                msg=f"The user manager of {account.pw_name} did not come up in {module.params['timeout']:.0f} s. "
                f"Look at: systemctl status user@{account.pw_uid}.service. "
                "It needs the packages dbus-user-session and libpam-systemd."
            )
        time.sleep(0.1)


def run(module: AnsibleModule, command: list[str]) -> None:
    """Run a command of the system, or fail with what it said."""
    code, out, err = module.run_command(command)
    if code:
        module.fail_json(msg=f"{' '.join(command)} failed with exit code {code}: {(err or out).strip()}.")


if __name__ == "__main__":
    main()
