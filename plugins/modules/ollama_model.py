#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ollama_model
short_description: Have models at an Ollama server, and be honest about what they can do
version_added: 0.1.0
author:
  - The lab.llm_stack authors (@lab-llm-stack)
description:
  - Pulls, creates, copies, seeds and deletes models over the server's HTTP API, all declared ones in one call.
  - The digest of a model decides what has changed. What was made of a declaration is noted on the host, because the
    digest of a created model follows from neither its file nor its parameters.
  - Each model that is there is then asked what it can do. One that lacks a declared capability, or that was made for
    less context than declared, is refused, so that nobody finds out by an answer.
  - An error inside a stream, which the server sends under a status of 200, is an error.
notes:
  - Run it on the host of the server, as the account whose home has the record.
  - The task is carried out by an action plugin of the same name, which shows how far a download is.
extends_documentation_fragment:
  - lab.llm_stack.attributes
  - lab.llm_stack.attributes.action_group
attributes:
  check_mode:
    support: partial
    details:
      - What V(state=latest) would bring only a pull can tell; such models are listed in RV(unknown).
      - Where no server answers yet, it is taken for one without models.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  url:
    description: Address of the server.
    type: str
    default: http://127.0.0.1:11434
  models:
    description: The models, each as it should be.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name at the server, C([host[:port]/][namespace/]model[:tag]); case does not matter.
        type: str
        required: true
      state:
        description:
          - V(present) fetches what is not there; V(latest) asks the registry each time; V(absent) deletes the name.
        type: str
        choices: [present, latest, absent]
        default: present
      source:
        description:
          - Model it is pulled as, when that is not its name. A private registry is named here in full.
          - Without parameters, system or template the model is then a second name of its source.
        type: str
      path:
        description: GGUF file on the host that the model is created from, in place of a source. C(~) is the home.
        type: str
      sha256:
        description: Checksum of the file at O(models[].path).
        type: str
      store:
        description:
          - Folder on the host with C(manifests/) and C(blobs/), out of which the source is copied. C(~) is the home.
        type: str
      insecure:
        description: Whether the registry speaks plain HTTP.
        type: bool
        default: false
      parameters:
        description: Parameters that are written into the model, such as C(num_ctx) or C(temperature).
        type: dict
        default: {}
      system:
        description: System prompt that is written into the model.
        type: str
      template:
        description: Prompt template in Go's syntax that is written into the model.
        type: str
      context:
        description: Tokens of context that are promised; a model made for less is refused.
        type: int
      capabilities:
        description: What the model has to be able to do, such as V(tools); as C(/api/show) lists it.
        type: list
        elements: str
        default: []
  folder:
    description: Folder of the server's models, its E(OLLAMA_MODELS); models are seeded into it.
    type: path
    default: ~/.ollama/models
  timeout:
    description: Seconds that an answer may take that needs no work.
    type: float
    default: 30
  slice:
    description:
      - Seconds after which a download pauses and the module returns RV(unfinished); V(0) for never.
      - The action plugin sets it to show how far the download is, and goes on.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Have a model with the context that agents need, and make sure that it calls tools
  lab.llm_stack.ollama_model:
    models:
      - name: team/coder
        source: qwen2.5-coder:7b
        context: 32768
        parameters: {num_ctx: 32768}
        capabilities: [tools]

- name: Pull from a registry of one's own, and call the model by a short name
  lab.llm_stack.ollama_model:
    models:
      - name: coder:7b
        source: mirror.example:5000/library/qwen2.5-coder:7b
        insecure: true

- name: Create a model from a file
  lab.llm_stack.ollama_model:
    models:
      - name: tiny
        path: /srv/models/tiny.gguf
        sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
"""

RETURN = r"""
items:
  description: What differed, one entry for each thing that was done, or would be.
  returned: always
  type: list
  elements: dict
  sample:
    - kind: model-pull
      subject: qwen2.5-coder:7b
      expected: as declared
      actual: absent
      remedy: deploy
unknown:
  description: In check mode, what only a run can tell.
  returned: success
  type: list
  elements: str
  sample: ["tiny:latest: present; only a pull tells whether the registry has another."]
unfinished:
  description: How far a download was when O(slice) was over; empty when all is done.
  returned: success
  type: dict
  sample: {}
models:
  description: The declared models that are there, with their digests.
  returned: success
  type: dict
  sample:
    team/coder:latest: 365c0bd3c000a25d28ddbf732fe1c6add414de7275464c4e4d1c3b5fcb5d8ad1
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_api import ApiError, Client
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_converge import FORESEEN, Run
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_models import Wanted, check, wanted_from
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_record import RECORD
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import StackError, count, render

MODEL_SPEC = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "latest", "absent"], "default": "present"},
    "source": {"type": "str"},
    "path": {"type": "str"},
    "sha256": {"type": "str"},
    "store": {"type": "str"},
    "insecure": {"type": "bool", "default": False},
    "parameters": {"type": "dict", "default": {}},
    "system": {"type": "str"},
    "template": {"type": "str"},
    "context": {"type": "int"},
    "capabilities": {"type": "list", "elements": "str", "default": []},
}

ARGUMENT_SPEC = {
    "url": {"type": "str", "default": "http://127.0.0.1:11434"},
    "models": {"type": "list", "elements": "dict", "required": True, "options": MODEL_SPEC},
    "folder": {"type": "path", "default": "~/.ollama/models"},
    "timeout": {"type": "float", "default": 30},
    "slice": {"type": "float", "default": 0},
}


def diff_of(run: Run) -> list[dict[str, str]]:
    """Word what differs for --diff."""
    return [
        {
            "before_header": item.subject,
            "after_header": item.subject,
            "before": f"{item.actual}\n",
            "after": f"{item.expected}\n",
        }
        for item in run.items
    ]


def result_of(run: Run, wanted: list[Wanted]) -> dict[str, Any]:
    """Word the run for the task's result."""
    there = {each.key: run.listed[each.key] for each in wanted if each.key in run.listed}
    return {
        "changed": bool(run.items),
        "items": [item.as_dict() for item in run.items],
        "unknown": run.unknown,
        "unfinished": run.unfinished,
        "models": {each.name: each.digest for each in there.values() if each.digest != FORESEEN},
    }


def worded(error: Exception, run: Run) -> str:
    """Word what stopped the run; what was fetched until then stays, and the next run goes on from there."""
    if not isinstance(error, StackError) or not run.reached:
        return str(error)
    headline = f"{count(len(error.problems), 'problem')} with what is at {run.client.url}. Nothing there was removed."
    return "\n".join([headline, "", *map(render, error.problems)])


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    wanted = wanted_from(params["models"])
    client = Client(params["url"].rstrip("/"), params["timeout"])
    run = Run(client, params["folder"], RECORD, module.check_mode, params["slice"])
    try:
        problems = list(check(wanted))
        if problems:
            raise StackError(problems)
        run.converge(wanted)
    except (ApiError, StackError, OSError) as error:
        module.fail_json(msg=worded(error, run), changed=bool(run.items), items=[i.as_dict() for i in run.items])
    diff = {"diff": diff_of(run)} if module._diff else {}
    module.exit_json(**result_of(run, wanted), **diff)


if __name__ == "__main__":
    main()
