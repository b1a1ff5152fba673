#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: ollama_model_info
short_description: Look at what an Ollama server has, and what it has loaded
version_added: 0.1.0
author:
  - The lab.llm_stack authors (@lab-llm-stack)
description:
  - Returns the server's version and each of its models with digest, capabilities and context; for those in memory
    also the context they really have and the share of them that is on the card.
  - It wakes no model and changes nothing.
extends_documentation_fragment:
  - lab.llm_stack.attributes
  - lab.llm_stack.attributes.info_module
  - lab.llm_stack.attributes.action_group
options:
  url:
    description: Address of the server.
    type: str
    default: http://127.0.0.1:11434
  timeout:
    description: Seconds that an answer may take.
    type: float
    default: 30
"""

EXAMPLES = r"""
- name: Look at the models
  lab.llm_stack.ollama_model_info:
  register: ollama

- name: Name those that call tools
  ansible.builtin.debug:
    msg: "{{ ollama.models | selectattr('capabilities', 'contains', 'tools') | map(attribute='name') }}"
"""

RETURN = r"""
version:
  description: The server's version.
  returned: success
  type: str
  sample: 0.35.0
models:
  description: The models, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name with its tag.
      type: str
      returned: always
    digest:
      description: Checksum of its manifest, without a prefix.
      type: str
      returned: always
    size:
      description: Bytes on the disk; models share what they have in common.
      type: int
      returned: always
    capabilities:
      description: What it can do, as C(/api/show) tells it; the server's list misses some of it.
      type: list
      elements: str
      returned: always
    context:
      description: Tokens of context that are written into it; V(0) where the server's own setting counts.
      type: int
      returned: always
    trained_context:
      description: Tokens of context that it was made for; V(0) where it does not say.
      type: int
      returned: always
    loaded:
      description: The C(context) it has in memory and the share of it C(on_card), 0 to 1; empty while it is not loaded.
      type: dict
      returned: always
  sample:
    - name: tiny:latest
      digest: 365c0bd3c000a25d28ddbf732fe1c6add414de7275464c4e4d1c3b5fcb5d8ad1
      size: 1099292
      capabilities: [completion, tools]
      context: 2048
      trained_context: 8192
      loaded: {context: 2048, on_card: 1.0}
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_api import ApiError, Client, Listed
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_models import own_context, trained_context
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_names import key

ARGUMENT_SPEC = {
    "url": {"type": "str", "default": "http://127.0.0.1:11434"},
    "timeout": {"type": "float", "default": 30},
}


def loaded(process: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a model is like in memory; nothing while it is not there."""
    if not process:
        return {}
    size = process.get("size") or 0
    share = (process.get("size_vram") or 0) / size if size else 0.0
    return {"context": process.get("context_length") or 0, "on_card": round(share, 3)}


def described(model: Listed, shown: Mapping[str, Any], process: Mapping[str, Any] | None) -> dict[str, Any]:
    """Put together what the server tells in three places."""
    return {
        "name": model.name,
        "digest": model.digest,
        "size": model.size,
        "capabilities": sorted(shown.get("capabilities") or []),
        "context": own_context(shown),
        "trained_context": trained_context(shown),
        "loaded": loaded(process),
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    client = Client(module.params["url"].rstrip("/"), module.params["timeout"])
    try:
        running = {key(str(each["name"])): each for each in client.running()}
        listed = sorted(client.tags().values(), key=lambda each: each.name)
        models = [described(each, client.show(each.name), running.get(key(each.name))) for each in listed]
        version = client.version()
    except (ApiError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, version=version, models=models)


if __name__ == "__main__":
    main()
