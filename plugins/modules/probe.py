#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: probe
short_description: Check what a host promises, with evidence
version_added: 0.1.0
author:
  - The lab.llm_stack authors (@lab-llm-stack)
description:
  - Runs the checks of a plan that belong to this host and returns one result for each, with the evidence, and for a
    failure with its cause and remedy.
  - It looks at the units of the user manager, at who holds the ports, and asks the gateway and its models over HTTP.
  - A check whose precondition failed is V(skipped) and says which one. A port that something else holds is not spoken
    to, so the gateway's key reaches nobody but the gateway.
  - The module does not fail because a check failed; the caller decides. It fails when it cannot run at all.
  - It runs as the account of the stack and needs no session; the manager's address is derived from the account.
notes:
  - The checks V(route) and V(tool_call) make the models generate a few tokens.
  - No key stands in the results. What a server answers is shown without it.
extends_documentation_fragment:
  - lab.llm_stack.attributes
  - lab.llm_stack.attributes.info_module
  - lab.llm_stack.attributes.action_group
options:
  checks:
    description:
      - The checks to run, as the filter P(lab.llm_stack.plan#filter) lists them for this host.
      - Each has C(id), C(host) and C(check). The kinds are C(unit_active) with C(units); C(port_owner) with C(bind),
        C(port) and C(units); C(gateway_alive) and C(gateway_key) with C(url); C(gateway_models) with C(url) and
        C(models); C(gateway_deployments) with C(url) and C(deployments); C(app_models) with C(url), C(app) and
        C(models); C(app_refused) with C(url) and C(app); C(route) with C(url), C(model) and C(api_bases);
        C(tool_call) with these and C(stream).
      - A C(tool_call) with C(direct=true) asks an engine at C(url) itself, past the gateway. So do C(model_identity)
        with C(root), a pattern of the path that the model has to come from, C(chat_content), C(tools_rendered),
        C(tool_forced) and C(tool_conversation); each has C(url), C(model), C(direct=true) and the C(engine).
      - C(ollama_tools), C(ollama_context) with C(context), and C(ollama_gpu) have C(url), C(model) and C(ollama_name),
        its name at the server. They wake no model, unless C(deep=true).
    type: list
    elements: dict
    required: true
  secrets_file:
    description:
      - Environment file on the host that holds E(LITELLM_MASTER_KEY), and E(LLAMA_API_KEY) or E(VLLM_API_KEY) where an
        engine that is asked directly wants one. It is read there and never returned.
    type: path
    default: ~/.config/llm-stack/litellm/secrets.env
  apps_directory:
    description: Directory on the host with the connection file of each app, whose key is read there and never returned.
    type: path
    default: ~/.config/llm-stack/apps
  timeout:
    description:
      - Seconds that one answer may take, from the request to its last byte.
      - A model that loads at its first request needs the time for that as well.
    type: float
    default: 30
  concurrency:
    description: How many checks run at a time. Engines that answer one request at a time queue the others.
    type: int
    default: 4
"""

EXAMPLES = r"""
- name: Look whether the gateway keeps its promises
  lab.llm_stack.probe:
    checks:
      - id: alive
        host: "{{ inventory_hostname }}"
        check: gateway_alive
        url: http://127.0.0.1:4000
      - id: tools
        host: "{{ inventory_hostname }}"
        check: tool_call
        url: http://127.0.0.1:4000
        model: qwen-coder
        api_bases: ["http://127.0.0.1:8080/v1"]
        stream: true
  register: probed

- name: Show the checklist
  ansible.builtin.debug:
    msg: "{{ (probed.results | lab.llm_stack.checklist).splitlines() }}"
"""

RETURN = r"""
results:
  description: One entry for each check, in the order given.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The check's own name.
      type: str
      returned: always
    host:
      description: The host the check is about.
      type: str
      returned: always
    check:
      description: The kind of the check.
      type: str
      returned: always
    model:
      description: The model the check is about; empty where there is none.
      type: str
      returned: always
    title:
      description: What is promised, in words.
      type: str
      returned: always
    state:
      description: Whether the promise is kept; one of V(pass), V(warn), V(fail), V(skipped).
      type: str
      returned: always
    evidence:
      description: What was found.
      type: str
      returned: always
    cause:
      description: Why it is so, as far as it can be told; empty for a pass.
      type: str
      returned: always
    remedy:
      description: What to change or to look at; empty for a pass.
      type: str
      returned: always
    seconds:
      description: How long the check took.
      type: float
      returned: always
  sample:
    - id: tool_call:gw-01:qwen-coder:streamed
      host: gw-01
      check: tool_call
      model: qwen-coder
      title: qwen-coder calls a tool, streamed
      state: fail
      evidence: 200, but the call arrived as text in content
      cause: the chosen parser does not recognise this model's calls
      remedy: "set the engine's tool parser, or tools: false, in llm_stack_models.qwen-coder"
      seconds: 0.412
failed_checks:
  description: How many checks failed.
  returned: success
  type: int
  sample: 1
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lab.llm_stack.plugins.module_utils._answers import key_of
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, faults
from ansible_collections.lab.llm_stack.plugins.module_utils._env import read_environment
from ansible_collections.lab.llm_stack.plugins.module_utils._probe import Probe

ARGUMENT_SPEC = {
    "checks": {"type": "list", "elements": "dict", "required": True},
    "secrets_file": {"type": "path", "default": "~/.config/llm-stack/litellm/secrets.env", "no_log": False},
    "apps_directory": {"type": "path", "default": "~/.config/llm-stack/apps"},
    "timeout": {"type": "float", "default": 30},
    "concurrency": {"type": "int", "default": 4},
}


class Refused(Exception):
    """Why nothing can be checked; the text is the message for people."""


def keys_of(path: str) -> dict[str, str]:
    """Read the operators' key and that of engines; a host without a gateway has no such file."""
    found = variables(Path(path))
    keys = [found.get(name, "") for name in ("LLAMA_API_KEY", "VLLM_API_KEY")]
    return {"right": found.get("LITELLM_MASTER_KEY", ""), "engine": next(filter(None, keys), "")}


def app_keys(checks: list[dict[str, Any]], directory: str) -> dict[str, str]:
    """Read the keys of the apps that the checks are about."""
    apps = sorted({str(check["app"]) for check in checks if check.get("app")})
    return {key_of(app): variables(Path(directory, f"{app}.env")).get("OPENAI_API_KEY", "") for app in apps}


def variables(file: Path) -> dict[str, str]:
    """Read an environment file; one that is not there has no variables."""
    try:
        return read_environment(file.read_bytes() if file.exists() else b"")
    except OSError as error:
        raise Refused(f"The keys in {file} cannot be read: {error.strerror}.") from error


def prepare(params: dict[str, Any]) -> Probe:
    """Make sure that the checks can run, and give them the keys."""
    wrong = faults(params["checks"])
    if wrong:
        raise Refused("\n".join(wrong))
    keys = {**keys_of(params["secrets_file"]), **app_keys(params["checks"], params["apps_directory"])}
    return Probe(keys, params["timeout"], params["concurrency"])


def main() -> None:
    """Run the checks and return what they found."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        probe = prepare(module.params)
    except Refused as reason:
        module.fail_json(msg=str(reason))
    module.no_log_values.update(filter(None, probe.keys.values()))
    results = [each.as_dict() for each in probe.run(module.params["checks"])]
    failed = sum(each["state"] == FAIL for each in results)
    module.exit_json(changed=False, results=results, failed_checks=failed)


if __name__ == "__main__":
    main()
