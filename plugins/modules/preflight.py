#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Refuse an engine that could not start, before anything that runs is touched
version_added: 0.1.0
author:
  - The lab.llm_stack authors (@lab-llm-stack)
description:
  - Judges each instance by the files of its model, the engine that is installed, and the host as it is now. Everything
    that would make its start fail is reported at once, and the task fails.
  - The memory is held against what the card really has and what others hold of it. What the replaced instance holds is
    added back, and what the other instances of the same call will take is taken off.
  - An instance that passes leaves a record with its digest and the numbers, so that the service module can tell that
    exactly this was judged. One that has such a record and runs, or stands by, does not start now and only warns.
  - What earlier starts really took and how long they took stands in a ledger, into which the service module writes it
    after each start that succeeded. It corrects the estimate.
  - It starts and stops nothing, loads no weights and imports no engine. It takes less than a second, and a minute where
    a driver hangs.
notes:
  - It runs as the account of the stack.
  - Give it no secrets. Settings and variables stand in the task's invocation.
extends_documentation_fragment:
  - lab.llm_stack.attributes
  - lab.llm_stack.attributes.action_group
attributes:
  check_mode:
    support: full
    details:
      - In check mode it gives the same verdicts and refuses the same, and writes no record.
      - An environment or a model that is not there at all is a warning then, since earlier tasks would have brought it.
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - A record with the same digest stays as it is.
options:
  instances:
    description:
      - The instances of this host, those too that stay as they are. They share its memory.
      - Those of different hosts must not be mixed.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the instance.
        type: str
        required: true
      model:
        description: Name under which the model is declared; messages speak of C(llm_stack_models.MODEL).
        type: str
      unit:
        description: Its systemd unit. What its processes hold now is given back when it starts anew.
        type: str
        required: true
      engine:
        description: What serves it.
        type: str
        choices: [vllm, llamacpp]
        default: vllm
      folder:
        description: The folder of the model on the host, or for llama.cpp its GGUF file.
        type: path
        required: true
      repository:
        description: Where the files come from, such as V(org/name). Its last part names the family of the model.
        type: str
        default: ""
      revision:
        description: The commit that the files are of. The ledger tells revisions apart.
        type: str
        default: ""
      settings:
        description: The engine's own settings, vLLM's long flags with dashes or underscores, or llama.cpp's variables.
        type: dict
        default: {}
      env:
        description: Variables of the process. Those that choose cards and that size the cache of the CPU are read.
        type: dict
        default: {}
      tool_calling:
        description:
          - What the plan chose; C(tool_parser), C(reasoning_parser), C(chat_template), C(support) and C(reasons).
          - It is held against the files on the host and against what the installed vLLM knows.
        type: dict
        default: {}
      tools:
        description: Whether tool calling was promised.
        type: bool
        default: false
      context:
        description: Tokens that one request may have; V(0) for the model's own.
        type: int
        default: 0
      standby:
        description: Whether it does not run beside the others.
        type: bool
        default: false
      replaces:
        description: Units that stop when it starts. What they hold is added back.
        type: list
        elements: str
        default: []
      bind:
        description: Address it listens on.
        type: str
        default: 127.0.0.1
      port:
        description: Port it listens on.
        type: int
        required: true
      digest:
        description: Names what is judged. The record carries it.
        type: str
        required: true
      record:
        description: Where the record is written. The default is C(preflight/UNIT.json) below O(state).
        type: path
      accept:
        description:
          - Verdicts and reasons that are no reason to stop, by their codes, such as V(tight), V(unknown) or V(memory).
          - V(memory) stands for all refusals about memory. A refusal that is accepted becomes a warning.
        type: list
        elements: str
        default: []
  environment:
    description: The virtual environment of vLLM on the host. Its version, parsers and architectures are read there.
    type: path
  program:
    description: The C(llama-server) on the host. Where C(llama-fit-params) lies beside it, llama.cpp itself is asked.
    type: path
  backend:
    description: What the engines compute on.
    type: str
    choices: [cuda, rocm, cpu]
    default: cuda
  start_timeout:
    description:
      - Seconds that a start may take when nothing is known. Three times what it took before, where that is more.
    type: int
    default: 900
  state:
    description: Directory of the records and of the ledger.
    type: path
    default: ~/.local/state/llm-stack
seealso:
  - module: lab.llm_stack.service
  - module: lab.llm_stack.python_env
"""

EXAMPLES = r"""
- name: Refuse what cannot start, while the old instance still serves
  lab.llm_stack.preflight:
    environment: ~/.local/share/llm-stack/envs/vllm/0123456789ab
    instances:
      - name: r1
        unit: vllm-r1.service
        folder: ~/.local/share/llm-stack/models/deepseek-ai--DeepSeek-R1-Distill-Qwen-7B/916b56a44061
        repository: deepseek-ai/DeepSeek-R1-Distill-Qwen-7B
        context: 65536
        settings: {gpu-memory-utilization: 0.9}
        replaces: [vllm-coder.service]
        port: 8002
        digest: 3b1c9a7e

- name: Accept by name that it is not certain to fit
  lab.llm_stack.preflight:
    backend: cpu
    environment: /srv/vllm
    instances:
      - name: tiny
        unit: vllm-tiny.service
        folder: /srv/models/tiny
        env: {VLLM_CPU_KVCACHE_SPACE: "1"}
        accept: [tight]
        port: 8001
        digest: 77aa
"""

RETURN = r"""
fit:
  description: What was found for each instance, also when the task fails.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the instance.
      type: str
      returned: always
    verdict:
      description: The verdict on its memory; V(fits), V(tight), V(no) or V(unknown).
      type: str
      returned: always
    card:
      description: The card that decided, or C(main memory).
      type: str
      returned: always
    largest_context:
      description: The largest context that fits.
      type: int
      returned: when it is known
    start_timeout:
      description: Seconds that its start may take.
      type: int
      returned: always
    measured:
      description: How an earlier start corrected the estimate, in words; empty where none did.
      type: str
      returned: always
    fit:
      description: Every number of the sum, in bytes.
      type: dict
      returned: when the memory could be judged
    refused:
      description: What refuses it, each with C(code) and C(text).
      type: list
      elements: dict
      returned: always
    warnings:
      description: What should be read, each with C(code) and C(text).
      type: list
      elements: dict
      returned: always
  sample:
    - name: r1
      verdict: "no"
      card: NVIDIA GeForce RTX 4090
      largest_context: 105760
      start_timeout: 900
      measured: ""
      fit: null
      refused:
        - code: context-over-memory
          text: "llm_stack_models.r1: does not fit into NVIDIA GeForce RTX 4090."
      warnings: []
version:
  description: Version of the vLLM in O(environment); empty where there is none.
  returned: always
  type: str
  sample: 0.33.0
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lab.llm_stack.plugins.module_utils._files import write_atomic
from ansible_collections.lab.llm_stack.plugins.module_utils._host_facts import Host, read_host, run
from ansible_collections.lab.llm_stack.plugins.module_utils._ledger import identity_from
from ansible_collections.lab.llm_stack.plugins.module_utils._ledger_host import read_ledger, record_path, recorded
from ansible_collections.lab.llm_stack.plugins.module_utils._llama_fit import ask
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import Measured
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight import judge_all
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_record import record, told
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_settings import named
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import Instance, Outcome
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError, render, render_all
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_installed import Installed, read_installed

INSTANCE_SPEC = {
    "name": {"type": "str", "required": True},
    "model": {"type": "str"},
    "unit": {"type": "str", "required": True},
    "engine": {"type": "str", "choices": ["vllm", "llamacpp"], "default": "vllm"},
    "folder": {"type": "path", "required": True},
    "repository": {"type": "str", "default": ""},
    "revision": {"type": "str", "default": ""},
    "settings": {"type": "dict", "default": {}},
    "env": {"type": "dict", "default": {}},
    "tool_calling": {"type": "dict", "default": {}},
    "tools": {"type": "bool", "default": False},
    "context": {"type": "int", "default": 0},
    "standby": {"type": "bool", "default": False},
    "replaces": {"type": "list", "elements": "str", "default": []},
    "bind": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int", "required": True},
    "digest": {"type": "str", "required": True},
    "record": {"type": "path"},
    "accept": {"type": "list", "elements": "str", "default": []},
}
ARGUMENT_SPEC = {
    "instances": {"type": "list", "elements": "dict", "required": True, "options": INSTANCE_SPEC},
    "environment": {"type": "path"},
    "program": {"type": "path"},
    "backend": {"type": "str", "choices": ["cuda", "rocm", "cpu"], "default": "cuda"},
    "start_timeout": {"type": "int", "default": 900},
    "state": {"type": "path", "default": "~/.local/state/llm-stack"},
}


def instance_from(params: dict[str, Any], state: str) -> Instance:
    """Turn one entry of the task into an instance."""
    given = {name: value for name, value in params.items() if value is not None}
    given.update(
        settings=named(params["settings"]),
        env={name: str(value) for name, value in params["env"].items()},
        replaces=tuple(params["replaces"]),
        accept=tuple(params["accept"]),
        record=params["record"] or record_path(state, params["unit"]),
    )
    return Instance(**given)


def look(instances: list[dict[str, Any]], backend: str) -> Host:
    """Look at the host, with an eye on what the instances need and may take over."""
    ours = {unit for each in instances for unit in (each["unit"], *each["replaces"])}
    return read_host(backend, ours, {each["port"]: each["bind"] for each in instances}, str(Path.home()))


def asked(instances: list[Instance], program: str | None) -> dict[str, Measured]:
    """What llama.cpp says of each of its models, by its unit."""
    found = {
        each.unit: ask(program, each.folder, each.settings, run)
        for each in instances
        if program and each.engine == "llamacpp"
    }
    return {unit: told_so for unit, told_so in found.items() if told_so}


def unrecorded(outcomes: list[Outcome]) -> list[Outcome]:
    """Those for which no record says that exactly this was judged."""
    return [each for each in outcomes if recorded(each.instance.record).get("digest") != each.instance.digest]


def refuse(module: AnsibleModule, outcomes: list[Outcome], version: str) -> None:
    """Fail with everything that refuses any of the instances."""
    problems = [each.problem(finding) for each in outcomes for finding in each.refusals]
    if problems:
        module.fail_json(msg=render_all(problems), fit=[told(each) for each in outcomes], version=version)


def warn(module: AnsibleModule, outcomes: list[Outcome]) -> None:
    """Tell what people should read."""
    for each in outcomes:
        for finding in each.warnings:
            module.warn(render(each.problem(finding)))


def outdated(outcomes: list[Outcome]) -> list[Outcome]:
    """Those whose record is of something else, or of other files in the same folder."""
    fresh = unrecorded(outcomes)
    return [each for each in outcomes if each in fresh or _is_of_other_files(each)]


def _is_of_other_files(outcome: Outcome) -> bool:
    before = identity_from(recorded(outcome.instance.record).get("identity"))
    revision = outcome.identity.revision
    return before is not None and revision not in ("", before.revision)


def write(outcomes: list[Outcome], host: Host) -> None:
    """Leave a record for each of these instances."""
    for each in outcomes:
        before = recorded(each.instance.record)
        write_atomic(each.instance.record, record(each, host.backend, before), 0o600)


def judge(params: dict[str, Any], installed: Installed, host: Host, check: bool) -> list[Outcome]:
    """Judge all instances with what earlier starts have taught."""
    instances = [instance_from(each, params["state"]) for each in params["instances"]]
    host = replace(host, asked=asked(instances, params["program"]))
    outcomes = judge_all(instances, installed, host, read_ledger(params["state"]), params["start_timeout"])
    fresh = unrecorded(outcomes)
    stays = [each for each in outcomes if each.instance.standby or host.resident.get(each.instance.unit)]
    outcomes = [each.passed_before() if each in stays and each not in fresh else each for each in outcomes]
    return [each.in_check_mode() for each in outcomes] if check else outcomes


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    try:
        installed = read_installed(params["environment"]) if params["environment"] else Installed()
        host = look(params["instances"], params["backend"])
        outcomes = judge(params, installed, host, module.check_mode)
        warn(module, outcomes)
        refuse(module, outcomes, installed.version)
        fresh = outdated(outcomes)
        if not module.check_mode:
            write(fresh, host)
    except (StackError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(fresh), fit=[told(each) for each in outcomes], version=installed.version)


if __name__ == "__main__":
    main()
