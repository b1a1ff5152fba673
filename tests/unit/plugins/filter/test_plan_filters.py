# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters as a playbook meets them: real templates, tagged values, lazy containers, the real plugin loader.

Ansible's loader takes over the import of collections, so the templates are rendered in a process of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = {"here": {"groups": ["llamacpp", "litellm"]}}
VARIABLES: dict[str, Any] = {
    "layer_dir": str(Path(__file__).parents[3] / "fixtures" / "layers"),
    "context": 2048,
    "declaration": {
        "models": {"tiny": {"source": "files/tiny.gguf", "context": "{{ context }}", "llamacpp": {"flash_attn": True}}},
        "hosts": HERE,
    },
    "broken": {"models": {"tiny": {"source": "files/tiny.gguf", "context": "{{ context }}0s"}}, "hosts": HERE},
}

RENDER = """
import json, sys
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template

def trusted(value):
    if isinstance(value, dict):
        return {key: trusted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [trusted(inner) for inner in value]
    return trust_as_template(value) if isinstance(value, str) else value

def render(expression):
    try:
        return templar.template(trust_as_template("{{ " + expression + " }}"))
    except Exception as error:
        return {"refused": str(error)}

asked = json.load(sys.stdin)
init_plugin_loader()
templar = Templar(loader=DataLoader(), variables=trusted(asked["variables"]))
json.dump([render(expression) for expression in asked["expressions"]], sys.stdout)
"""

GROUPS = "{'all': ['here'], 'litellm': ['here'], 'llamacpp': ['here']}"
DECLARATION = f"{{'llm_stack_models': declaration.models}} | lab.llm_stack.declaration({GROUPS}, {{'here': {{}}}})"
LAYERS = "{'llm_stack_layers': [{'name': 'lab', 'file': 'litellm-unified.yaml'}]}"
LAYERED = f"{LAYERS} | lab.llm_stack.declaration({GROUPS}, {{'here': {{}}}}, layer_dir)"

GOOD = {
    "(declaration | lab.llm_stack.plan).hosts.here.llamacpp.instances[0].settings.LLAMA_ARG_CTX_SIZE": "2048",
    "(declaration | lab.llm_stack.plan).hosts.here.llamacpp.instances[0].settings.LLAMA_ARG_FLASH_ATTN": "on",
    f"({DECLARATION}).models.tiny.context": 2048,
    f"({DECLARATION} | lab.llm_stack.plan).summary.models": 1,
    "declaration | lab.llm_stack.explain('model_list[tiny].model_info.max_input_tokens')": (
        "model_list[tiny].model_info.max_input_tokens  2048  unified  llm_stack_models.tiny.context\n"
        "1 value. Layers, from the bottom: defaults, unified."
    ),
    "(declaration | lab.llm_stack.explain('litellm_settings', form='data'))[0].layer": "defaults",
    f"({LAYERED} | lab.llm_stack.plan).hosts.here.litellm.config.router_settings.timeout": 120,
    f"({LAYERED}).layer_files['litellm-unified.yaml'].lines['router_settings.timeout']": 35,
    "{'A': 'b c', 'N': context} | lab.llm_stack.env_file": 'A="b c"\nN=2048\n',
    "['/bin/echo', 'a b', context] | lab.llm_stack.systemd_argv": '/bin/echo "a b" 2048',
}

REFUSED = {
    "broken | lab.llm_stack.plan": (
        "1 problem in 1 variable. Nothing was changed on any host.\n"
        "\n"
        "llm_stack_models.tiny.context: '20480s' is not a number of tokens.\n"
        "    Write a number of tokens from 256 to 16777216."
    ),
    "[1] | lab.llm_stack.explain": "lab.llm_stack.explain takes a declaration, which is a mapping, and was given a ",
    "declaration | lab.llm_stack.explain(form='xml')": "form: 'xml' is not a form. Known: text, data.",
    "declaration | lab.llm_stack.explain('modle_list')": "KEY: 'modle_list' is set by no layer.",
    "[1] | lab.llm_stack.plan": "lab.llm_stack.plan takes a declaration, which is a mapping, and was given a ",
    "[] | lab.llm_stack.systemd_argv": "argv: is empty.\n    Begin with the absolute path of a program.",
    "'/bin/true' | lab.llm_stack.systemd_argv": "systemd_argv takes a list of arguments, and was given a ",
    "{'A': true} | lab.llm_stack.env_file": "environment.A: is of type bool.\n    Write text or a number.",
    "'A=1' | lab.llm_stack.env_file": "lab.llm_stack.env_file takes a mapping of variables, and was given a ",
}


@pytest.fixture(scope="module")
def rendered(root: Path) -> dict[str, Any]:
    expressions = [*GOOD, *REFUSED]
    process = subprocess.run(
        [sys.executable, "-c", RENDER],
        input=json.dumps({"variables": VARIABLES, "expressions": expressions}),
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(root / "playbooks" / "collections")},
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(zip(expressions, json.loads(process.stdout), strict=True))


@pytest.mark.parametrize(("expression", "expected"), GOOD.items())
def test_what_a_template_gets(rendered: dict[str, Any], expression: str, expected: object) -> None:
    assert rendered[expression] == expected


@pytest.mark.parametrize(("expression", "expected"), REFUSED.items())
def test_what_a_template_is_refused(rendered: dict[str, Any], expression: str, expected: str) -> None:
    assert expected in rendered[expression]["refused"]
