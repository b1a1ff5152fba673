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
  - An engine that loads its models on demand is not made to load one, and no check begins when the budget is used up.
  - A model that is declared to call tools is certified for it, and its certificate is kept on the gateway's host.
  - The module does not fail because a check failed; the caller decides. It fails when it cannot run at all.
  - It runs as the account of the stack and needs no session; the manager's address is derived from the account.
notes:
  - The checks V(route), V(alias), V(fallback), V(chat_content), V(engine_counters), V(tool_call) and
    V(tool_certificate) make the models generate a few tokens.
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
      - C(engine_key), C(engine_counters) and C(engine_context) with C(context) ask an engine directly as well.
      - C(alias) with C(alias), C(gateway_fallbacks) with C(fallbacks), C(fallback) with C(fallback) and C(app_timeout)
        with C(timeout) ask the gateway at C(url). The last two need a gateway that lets a request ask for a failure.
      - C(app_limits) with C(app) and C(model), and C(model_limits) with C(model), have C(rpm), C(tpm) or both, which
        are what may be asked for in a minute.
      - C(source_committed) and C(source_deployed) compare the declaration's commit with O(source) and with what the
        host noted.
      - C(tool_certificate) with C(bases), C(api_bases) and C(digest) certifies a model for tools.
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
  engines_directory:
    description:
      - Directory on the host with a folder for each engine, whose C(secrets.env) holds its key; for what is asked
        directly.
      - A key in O(secrets_file) counts where there is none.
    type: path
    default: ~/.config/llm-stack
  certified_directory:
    description:
      - Directory on the host where the certificates for tools are kept. Check mode writes none.
      - A certificate is void when the model or its configuration changes, after O(certified_seconds), and with
        O(deep).
    type: path
    default: ~/.local/state/llm-stack/certified
  certified_seconds:
    description: Seconds for which a certificate counts. While it does, one call through the gateway confirms it.
    type: int
    default: 86400
  source:
    description:
      - What M(lab.llm_stack.source_info) returned on the controller, for the checks V(source_committed) and
        V(source_deployed).
    type: dict
    default: {}
  deep:
    description: Whether a question may load a model that is not in memory, and whether certificates are made anew.
    type: bool
    default: false
  budget:
    description:
      - Seconds after which no further check begins; those that did not are V(skipped). V(0) is no limit.
      - A check that has begun ends by itself or after O(timeout) for each answer.
    type: float
    default: 0
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
commit:
  description: The commit of the declaration that was deployed last on this host; empty where none was noted.
  returned: success
  type: str
  sample: 1b3f0c2d4e5f60718293a4b5c6d7e8f901234567
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
from ansible_collections.lab.llm_stack.plugins.module_utils._certified import Certified
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, faults
from ansible_collections.lab.llm_stack.plugins.module_utils._env import read_environment
from ansible_collections.lab.llm_stack.plugins.module_utils._probe import Probe
from ansible_collections.lab.llm_stack.plugins.module_utils._probe_host import deployed_commit

ARGUMENT_SPEC = {
    "checks": {"type": "list", "elements": "dict", "required": True},
    "secrets_file": {"type": "path", "default": "~/.config/llm-stack/litellm/secrets.env", "no_log": False},
    "engines_directory": {"type": "path", "default": "~/.config/llm-stack"},
    "certified_directory": {"type": "path", "default": "~/.local/state/llm-stack/certified"},
    "certified_seconds": {"type": "int", "default": 86400},
    "source": {"type": "dict", "default": {}},
    "deep": {"type": "bool", "default": False},
    "budget": {"type": "float", "default": 0},
    "apps_directory": {"type": "path", "default": "~/.config/llm-stack/apps"},
    "timeout": {"type": "float", "default": 30},
    "concurrency": {"type": "int", "default": 4},
}


class Refused(Exception):
    """Why nothing can be checked; the text is the message for people."""


ENGINE_KEYS = {"llamacpp": "LLAMA_API_KEY", "vllm": "VLLM_API_KEY"}


def keys_of(path: str, engines: str) -> dict[str, str]:
    """Read the operators' key and those of engines, here and behind the gateway; a file may be missing."""
    found = variables(Path(path))
    keys = [found.get(name, "") for name in ENGINE_KEYS.values()]
    behind = {name: value for name, value in found.items() if name.startswith("LLM_STACK_INSTANCE_KEY_")}
    own = {
        f"engine {engine}": variables(Path(engines, engine, "secrets.env")).get(name, "")
        for engine, name in ENGINE_KEYS.items()
    }
    return {"right": found.get("LITELLM_MASTER_KEY", ""), "engine": next(filter(None, keys), ""), **own, **behind}


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


def prepare(params: dict[str, Any], check_mode: bool = False) -> Probe:
    """Make sure that the checks can run, and give them the keys."""
    wrong = faults(params["checks"])
    if wrong:
        raise Refused("\n".join(wrong))
    engines = keys_of(params["secrets_file"], params["engines_directory"])
    keys = {**engines, **app_keys(params["checks"], params["apps_directory"])}
    certified = Certified(params["certified_directory"], params["certified_seconds"], kept=not check_mode)
    told = params.get("source") or {}
    return Probe(keys, params["timeout"], params["concurrency"], params["budget"], params["deep"], certified, told)


def main() -> None:
    """Run the checks and return what they found."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        probe = prepare(module.params, module.check_mode)
    except Refused as reason:
        module.fail_json(msg=str(reason))
    module.no_log_values.update(filter(None, probe.keys.values()))
    results = [each.as_dict() for each in probe.run(module.params["checks"])]
    failed = sum(each["state"] == FAIL for each in results)
    commit = deployed_commit(str(probe.source.get("commit") or ""))
    module.exit_json(changed=False, results=results, failed_checks=failed, commit=commit)


if __name__ == "__main__":
    main()
