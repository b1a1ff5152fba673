#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: service
short_description: Converge a set of systemd user services as one transaction
version_added: 0.1.0
author:
  - The lab.llm_stack authors (@lab-llm-stack)
description:
  - Compares files, units, the manager's memory, running processes and port owners of one role with the declaration,
    in one call, and reports each difference as an item.
  - Outside check mode it then writes the files, starts or restarts only what the running processes need, and waits
    until each unit reports ready.
  - When something does not become ready, the previous files and services are put back and proven, and the task fails
    with both facts.
  - A restart is decided from the digest in the environment of the running process, never from what this run wrote, so
    a run that was killed halfway is completed by the next one.
  - It manages the services of the account it runs as. There must be a user manager for that account.
notes:
  - The task is carried out by an action plugin of the same name, which renders templates on the controller.
  - Readiness belongs in the unit, by C(Type=notify) or C(ExecStartPost=); this module waits for C(active).
  - The text C(@LLM_STACK_DIGEST@) in a unit stands for the digest of everything its process reads at start. Each
    unit needs the line C(Environment=LLM_STACK_DIGEST=@LLM_STACK_DIGEST@).
  - Files edited by others are replaced; drop-ins of others are moved to the state directory, never deleted.
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
    description: Name of the transaction; it keys the records on the host. A role uses its own name.
    type: str
    required: true
  state:
    description: V(absent) stops, disables and removes every unit and file that the last run recorded.
    type: str
    choices: [present, absent]
    default: present
  declaration:
    description:
      - O(files), O(units) and O(requires) in one dictionary, such as a filter returns; it replaces the three options.
    type: dict
  files:
    description:
      - Files that belong to the services.
      - In their content C(@LLM_STACK_HOME@) stands for the account's home, for programs that do not read C(~).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where the file goes. C(~) is the account's home, C(%i) stands for each colour of a blue/green unit.
        type: path
        required: true
      content:
        description: The file's content. The action plugin also takes O(files[].template) and O(files[].src) instead.
        type: str
      secret_content:
        description:
          - The same for content that must never be shown.
          - In a secret file, C(@secret:NAME@) stands for the value of the variable NAME that exactly one file of this
            task generates. The value never leaves the host.
        type: str
      template:
        description: A Jinja template on the controller, found like those of M(ansible.builtin.template).
        type: str
      src:
        description: A file on the controller whose content is taken as it is.
        type: str
      vars:
        description: Variables for O(files[].template) alone.
        type: dict
        default: {}
      mode:
        description: Permissions as an octal number in quotes.
        type: str
        default: "0644"
      secret:
        description: Whether the content is shown only as C((secret)) in diffs.
        type: bool
        default: false
      generate:
        description:
          - Variables of an environment file whose values are made once on the host and kept from then on.
          - Maps the variable's name to a prefix of its value.
        type: dict
        default: {}
  units:
    description: Units of the account's manager, in the order in which they start.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The unit's name with its suffix; C(name@.service) when O(units[].blue_green) is set.
        type: str
        required: true
      content:
        description: The unit's text. The action plugin also takes O(units[].template) instead.
        type: str
      template:
        description: A Jinja template on the controller.
        type: str
      vars:
        description: Variables for O(units[].template) alone.
        type: dict
        default: {}
      enabled:
        description: Whether it starts at boot.
        type: bool
        default: true
      state:
        description: Whether it runs.
        type: str
        choices: [started, stopped]
        default: started
      inputs:
        description: Paths of files that the process reads at start; a change of one means a restart.
        type: list
        elements: path
        default: []
      environment_files:
        description: Those O(units[].inputs) that the unit names in C(EnvironmentFile=).
        type: list
        elements: path
        default: []
      watch:
        description: Prefixes of variables that nothing but O(units[].environment_files) may set in the process.
        type: list
        elements: str
        default: []
      listens:
        description: Addresses as C(HOST:PORT) on which this unit and nobody else must listen.
        type: list
        elements: str
        default: []
      blue_green:
        description:
          - Whether the unit has two instances, a and b, behind one socket unit.
          - A change starts the idle one, waits until it is ready, and only then lets the other drain and stop.
        type: bool
        default: false
      slot:
        description:
          - Name of what only one unit of this task may hold at a time, such as the memory of a card.
          - When one unit of a slot stops and another starts, the first is gone before the second begins, and comes
            back when the second does not become ready.
          - Each unit needs C(Conflicts=) with every other unit of its slot, and one of each two C(After=) with the
            other, so that the manager keeps them apart at boot and whoever starts them.
        type: str
        default: ""
      ready_timeout:
        description: Seconds from the start until the unit must report ready; the wait ends at once when it fails.
        type: float
        default: 300
      settle:
        description: Seconds for which a changed unit is watched after it reported ready.
        type: float
        default: 2
  requires:
    description:
      - Things that another step installs. When one is missing, nothing is changed and RV(missing) says what.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description:
          - What it is; V(environment) of M(lab.llm_stack.python_env), V(release) of M(lab.llm_stack.release).
          - V(file) is compared by fingerprint, V(download) by the checksum with which it was fetched, V(program) only
            has to be executable.
          - V(snapshot) is a folder of M(lab.llm_stack.model_snapshot), or without a digest any whole model folder.
          - V(preflight) is the record of a M(lab.llm_stack.preflight) that found nothing against this very instance.
          - V(ollama_model) is the manifest of a model at Ollama that M(lab.llm_stack.ollama_model) made as declared.
        type: str
        choices: [environment, release, file, download, program, snapshot, preflight, ollama_model]
        required: true
      path:
        description: Where it is.
        type: path
        required: true
      digest:
        description: Its digest or fingerprint; empty where any content will do.
        type: str
        default: ""
      src:
        description: For V(file), the controller's copy; the action plugin takes the fingerprint from it.
        type: str
      server:
        description: For V(ollama_model), the address of the server, which is told when the model is to go.
        type: str
        default: ""
      file:
        description: For V(ollama_model), the file that the install step brought to make it from.
        type: path
        default: ""
  assume_installed:
    description:
      - Set for the call after the install step. In check mode it predicts as if O(requires) were met; otherwise a
        missing one is an error.
    type: bool
    default: false
  prune:
    description: Whether units and files that an earlier run of this transaction made and that are no longer declared
      are removed.
    type: bool
    default: true
  unneeded:
    description:
      - What happens to environments, releases and models that an earlier run of this transaction required, that the
        install step made, and that are no longer required.
      - V(tell) returns an item for each, V(remove) removes them too, V(ignore) is for a call that does not declare
        everything.
      - The versions beside one that is required are kept on purpose, and what another transaction requires stays. While
        the manifest of another one is edited, so that nobody knows what it requires, nothing is removed.
    type: str
    choices: [tell, remove, ignore]
    default: tell
  home:
    description:
      - Home of the account, with its records in C(.local/state/llm-stack) and its units in C(.config/systemd/user).
      - Only check mode on a host that lacks the account needs another value than the default.
    type: path
    default: "~"
  holder:
    description: Who runs this, for the message that a second run gets. The action plugin fills it in.
    type: str
    default: unknown
  source:
    description:
      - Commit of the declaration, noted on the host for this transaction after a run that succeeded. The action plugin
        fills it in.
    type: str
    default: ""
  break_lock:
    description:
      - Id of a lock that another run holds, as the refusal tells it. That run is told to end, puts back what it began,
        and this one goes on; after a minute it is killed, and this one puts back what it left.
      - The action plugin takes it from the variable C(llm_stack_break_lock).
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: One server with one configuration file
  lab.llm_stack.service:
    name: example
    files:
      - path: ~/.config/llm-stack/example/server.env
        content: |
          PORT=8080
        mode: "0600"
    units:
      - name: example.service
        template: example.service.j2
        inputs: [~/.config/llm-stack/example/server.env]
        environment_files: [~/.config/llm-stack/example/server.env]
        listens: ["127.0.0.1:8080"]
        ready_timeout: 120

- name: Remove it again
  lab.llm_stack.service:
    name: example
    state: absent
"""

RETURN = r"""
items:
  description:
    - Every difference between declaration and host, found before anything was changed.
    - The C(blame) is V(corrective) where the host was changed since the last run, V(intentional) where the declaration
      was, V(conflict) where both were. The C(since) is in UTC, and empty where nothing tells.
  returned: always
  type: list
  elements: dict
  sample:
    - kind: stale-process
      subject: llamacpp-tiny.service
      expected: runs what is declared
      actual: what it runs from changed
      remedy: deploy
      blame: intentional
      since: "2026-11-22T19:04:12Z"
checked:
  description: How many things were compared; so that no difference is not mistaken for blindness.
  returned: always
  type: int
  sample: 14
unchecked:
  description:
    - What check mode did not compare, because another run was changing the account's services at that moment, and who
      that is. There are no RV(items) then, and C(changed) is false.
  returned: when another run was at it
  type: list
  elements: dict
  sample:
    - what: the services of llamacpp, and what they answer
      why: >-
        a run changes them: litellm: ada on her-machine, pid 4711, since 2026-11-22T19:04:12Z. Look again when it has
        ended.
source:
  description: Commit of which this transaction was deployed before this run; empty where none was noted.
  returned: always
  type: str
  sample: 1b3f0c2d4e5f60718293a4b5c6d7e8f901234567
missing:
  description: Required things that are not installed, each with its reasons. Nothing was changed when there are any.
  returned: always
  type: list
  elements: dict
  sample: []
serving:
  description: Per declared unit the concrete unit that serves, or would after apply.
  returned: always
  type: dict
  sample: {"litellm@.service": "litellm@b.service"}
ready:
  description: Seconds that each started unit took to become ready.
  returned: when something was started
  type: dict
  sample: {"litellm@b.service": 7.3}
outage_s:
  description:
    - For how many seconds each slot served nothing, from the order to stop until what serves now was ready.
    - A failed task returns it too; then it ends when the previous unit served again.
  returned: when a unit of a slot made way for another, or was restarted
  type: dict
  sample: {gpu: 41.7}
"""

import contextlib
import os
import pwd
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lab.llm_stack.plugins.module_utils._lock import LockError
from ansible_collections.lab.llm_stack.plugins.module_utils._orphans import (
    claimed,
    orphan_items,
    orphans,
    remove_orphans,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._requires import identities, missing_requirements
from ansible_collections.lab.llm_stack.plugins.module_utils._service_plan import compare, with_generated
from ansible_collections.lab.llm_stack.plugins.module_utils._service_read import read_found, unreachable
from ansible_collections.lab.llm_stack.plugins.module_utils._service_spec import SpecError, wanted_from
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    ChangeError,
    Comparison,
    Found,
    Item,
    Wanted,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._state import State
from ansible_collections.lab.llm_stack.plugins.module_utils._systemd import Manager, ManagerError

Run = Callable[[AnsibleModule, Manager, State], dict[str, Any]]
UNIT_SUFFIXES = (".service", ".socket", ".timer")
MANAGER_WAIT = 15.0
"""Seconds for which a user manager that is not there yet is waited for."""

FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "secret_content": {"type": "str", "no_log": True},
    "template": {"type": "str"},
    "src": {"type": "str"},
    "vars": {"type": "dict", "default": {}},
    "mode": {"type": "str", "default": "0644"},
    "secret": {"type": "bool", "default": False},
    "generate": {"type": "dict", "default": {}},
}
KINDS = ["environment", "release", "file", "download", "program", "snapshot", "preflight", "ollama_model"]
UNIT = {
    "name": {"type": "str", "required": True},
    "content": {"type": "str"},
    "template": {"type": "str"},
    "vars": {"type": "dict", "default": {}},
    "enabled": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
    "inputs": {"type": "list", "elements": "path", "default": []},
    "environment_files": {"type": "list", "elements": "path", "default": []},
    "watch": {"type": "list", "elements": "str", "default": []},
    "listens": {"type": "list", "elements": "str", "default": []},
    "blue_green": {"type": "bool", "default": False},
    "slot": {"type": "str", "default": ""},
    "ready_timeout": {"type": "float", "default": 300},
    "settle": {"type": "float", "default": 2},
}
REQUIREMENT = {
    "kind": {"type": "str", "choices": KINDS, "required": True},
    "path": {"type": "path", "required": True},
    "digest": {"type": "str", "default": ""},
    "src": {"type": "str"},
    "server": {"type": "str", "default": ""},
    "file": {"type": "path", "default": ""},
}
ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "files": {"type": "list", "elements": "dict", "default": [], "options": FILE},
    "units": {"type": "list", "elements": "dict", "default": [], "options": UNIT},
    "requires": {"type": "list", "elements": "dict", "default": [], "options": REQUIREMENT},
    "assume_installed": {"type": "bool", "default": False},
    "prune": {"type": "bool", "default": True},
    "unneeded": {"type": "str", "choices": ["tell", "remove", "ignore"], "default": "tell"},
    "home": {"type": "path", "default": "~"},
    "declaration": {"type": "dict"},
    "holder": {"type": "str", "default": "unknown"},
    "break_lock": {"type": "str", "default": ""},
    "source": {"type": "str", "default": ""},
}


class Terminated(BaseException):
    """Somebody ended this run; it is undone like any failure."""


def _terminate(number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not cut the undoing short
    raise Terminated(f"ended by signal {number}")


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    manager = Manager(os.getuid())
    state = State(f"{module.params['home']}/.local/state/llm-stack", module.params["name"])
    run = absent if module.params["state"] == "absent" else present
    deployed = state.source()
    try:
        if module.check_mode:
            result = look(module, manager, state, run)
        else:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, _terminate)
            with _alone(module, state):
                result = run(module, manager, state)
                if module.params["state"] == "present" and not result["missing"]:
                    state.note_source(module.params["source"])
    except (ChangeError, SpecError, ManagerError, OSError, Terminated) as error:
        module.fail_json(msg=str(error), outage_s=getattr(error, "outage", {}))
    module.exit_json(**{"source": deployed, **result})


def look(module: AnsibleModule, manager: Manager, state: State, run: Run) -> dict[str, Any]:
    """Compare and change nothing. What another run changes meanwhile is neither as declared nor a difference."""
    before = state.lock_stamp()
    try:
        result = run(module, manager, state)
    except (ManagerError, OSError):
        meanwhile = _meanwhile(module, state.at_work(before))
        if not meanwhile:
            raise
        return meanwhile
    return (_meanwhile(module, state.at_work(before)) if result["items"] else {}) or result


def _meanwhile(module: AnsibleModule, who: str) -> dict[str, Any]:
    """The answer where somebody was at work: what could not be compared, and why; empty where nobody was."""
    if not who:
        return {}
    why = f"a run changes them: {who}. Look again when it has ended."
    module.warn(f"The services of {module.params['name']} were not compared: {why}")
    unchecked = [{"what": f"the services of {module.params['name']}, and what they answer", "why": why}]
    return {**_nothing([]), "unchecked": unchecked, "source": ""}


@contextlib.contextmanager
def _alone(module: AnsibleModule, state: State) -> Iterator[None]:
    """Hold the account's lock; a removal where nothing ever was needs none, and leaves no trace of itself."""
    if module.params["state"] == "absent" and not os.path.isdir(state.root):
        yield
        return
    try:
        with state.lock(module.params["holder"], module.params["break_lock"]):
            yield
    except LockError as error:
        raise ChangeError(
            f"Another run is changing this account's services: {error}\nOr wait for it to end. Nothing was changed."
        ) from None


def present(module: AnsibleModule, manager: Manager, state: State) -> dict[str, Any]:
    """Compare, and outside check mode converge."""
    wanted = wanted_from(module.params)
    missing = missing_requirements(wanted.requires)
    if missing and not (module.check_mode and module.params["assume_installed"]):
        return _without(module, missing)
    if not module.check_mode:
        _need_manager(module, manager)
        state.make_salt()
    account = pwd.getpwuid(os.getuid()).pw_name
    found = read_found(wanted, manager, state, account, identities(wanted.requires, missing))
    wanted = with_generated(wanted, found)
    comparison = compare(wanted, found, module.params["prune"])
    _refuse_foreign_addresses(comparison)
    others = state.others() if {*found.manifest.installed} - {each.path for each in wanted.requires} else {}
    unneeded = orphans(wanted, found.manifest, others) if module.params["unneeded"] != "ignore" else {}
    removes = bool(unneeded) and module.params["unneeded"] == "remove" and state.knows_others()
    comparison = replace(comparison, told=(*comparison.told, *orphan_items(unneeded, removes)))
    result = {**_result(comparison, wanted, found), "changed": bool(comparison.items) or removes}
    _warn(module, comparison)
    if comparison.items and not module.check_mode:
        _refuse_strangers(module, comparison.items)
        facts = {"account": account, "holder": module.params["holder"]}
        from ansible_collections.lab.llm_stack.plugins.module_utils._ledger_host import learn
        from ansible_collections.lab.llm_stack.plugins.module_utils._transaction import Transaction

        transaction = Transaction(wanted, found, comparison, manager, state, facts)
        transaction.run()
        learn(manager, state.root, transaction.ready)
        result.update(ready=transaction.ready, outage_s=transaction.outages.seconds)
    if not module.check_mode:
        if removes:
            remove_orphans(unneeded)
        state.note_installed(claimed(wanted, found.manifest, others))
    return result


def absent(module: AnsibleModule, manager: Manager, state: State) -> dict[str, Any]:
    """Remove what the manifest lists, and what a run that was killed has begun."""
    manifest = state.manifest()
    if manifest.exists and not manifest.ok:
        raise ChangeError(
            f"The record of what belongs to {state.name} was edited: {state.directory}/manifest.json. It cannot say "
            "what is to be removed. Run deploy, which writes it anew, then remove again. Nothing was changed."
        )
    begun = [path for path in state.begun() if os.path.lexists(path)]
    units = sorted({*manifest.units, *(os.path.basename(path) for path in begun if path.endswith(UNIT_SUFFIXES))})
    files = sorted({*manifest.files, *begun})
    items = [Item("orphan-unit", name, "absent", "present") for name in units]
    items += [Item("orphan-file", path, "absent", "present") for path in files if os.path.lexists(path)]
    if state.interrupted():
        items.append(Item("interrupted-run", "transaction", "ended", "a run was killed before it ended"))
    if items and not module.check_mode:
        from ansible_collections.lab.llm_stack.plugins.module_utils._removal import remove_all

        remove_all(units, files, manager, state)
    comparison = Comparison(tuple(items), (), (), (), ())
    return _result(comparison, Wanted(state.name, ""), Found())


def _result(comparison: Comparison, wanted: Wanted, found: Found) -> dict[str, Any]:
    return {
        "changed": bool(comparison.items),
        "items": _items(comparison, wanted, found),
        "missing": [],
        "checked": len(comparison.writes) + 3 * len(comparison.decisions) + len(found.ports) + len(found.requires) + 2,
        "serving": {decision.spec.name: decision.serving for decision in comparison.decisions},
        "diff": _diffs(comparison, found),
    }


def _warn(module: AnsibleModule, comparison: Comparison) -> None:
    """Say what differs and stays, which neither a change nor a diff would show."""
    for item in comparison.told:
        if item.remedy != Item.remedy:
            module.warn(f"{item.kind} {item.subject}: {item.actual}; {item.remedy}.")


def _items(comparison: Comparison, wanted: Wanted, found: Found) -> list[dict[str, str]]:
    """The differences, each with who is to blame. A check that finds nothing need not load the code for it."""
    if not comparison.items and not comparison.told:
        return []
    from ansible_collections.lab.llm_stack.plugins.module_utils._drift_blame import attributed

    return attributed(comparison, wanted, found)


def _diffs(comparison: Comparison, found: Found) -> list[dict[str, str]]:
    """The blocks for --diff. A check that finds nothing, which is nearly every check, need not load the code for it."""
    if not comparison.items and not comparison.told:
        return []
    from ansible_collections.lab.llm_stack.plugins.module_utils._service_diff import diffs

    return diffs(comparison, found)


def _without(module: AnsibleModule, missing: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer when something is not installed: nothing was compared and nothing changed."""
    if module.params["assume_installed"]:
        reasons = "; ".join(f"{each['path']}: {', '.join(each['reasons'])}" for each in missing)
        module.fail_json(msg=f"What the services need is not installed although the install step ran: {reasons}.")
    return _nothing(missing)


def _nothing(missing: list[dict[str, Any]]) -> dict[str, Any]:
    return {"changed": False, "items": [], "missing": missing, "checked": 0, "serving": {}, "diff": []}


def _need_manager(module: AnsibleModule, manager: Manager) -> None:
    if not manager.wait(MANAGER_WAIT):
        account = pwd.getpwuid(manager.uid).pw_name
        module.fail_json(
            msg=f"There is no systemd user manager for account {account}: /run/user/{manager.uid}/systemd/private is "
            f"absent, also after {MANAGER_WAIT:.0f} s. On a host that runs systemd, an administrator starts it for "
            f"good with: loginctl enable-linger {account}. Nothing was changed."
        )


def _refuse_foreign_addresses(comparison: Comparison) -> None:
    lines = unreachable(comparison.decisions)
    if lines:
        remedy = "    Correct llm_stack_address of this host, or bring its network up. Nothing was changed."
        raise ChangeError("\n".join([*sorted(lines), remedy]))


def _refuse_strangers(module: AnsibleModule, items: tuple[Item, ...]) -> None:
    held = [item for item in items if item.kind == "foreign-port-owner"]
    if held:
        lines = [f"{item.subject} should be {item.expected}, but is {item.actual}; {item.remedy}." for item in held]
        module.fail_json(
            msg="\n".join(["A port is taken. Nothing was changed.", *lines]), items=[i.as_dict() for i in items]
        )


if __name__ == "__main__":
    main()
