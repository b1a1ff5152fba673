#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The module probe on the host itself, without Ansible's way there: options as JSON in, results as JSON out.

It is the same code; a look so costs a fraction of the CPU of a playbook. The collection lies below ~/looking.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

sys.path.insert(0, str(Path.home() / "looking"))
# What the module takes from Ansible is only for its main().
for name in ("ansible", "ansible.module_utils", "ansible.module_utils.basic"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["ansible.module_utils.basic"].AnsibleModule = object

from ansible_collections.lab.llm_stack.plugins.modules.probe import ARGUMENT_SPEC, prepare

options = {name: each.get("default") for name, each in ARGUMENT_SPEC.items()} | json.load(sys.stdin)
for name in ("secrets_file", "engines_directory", "certified_directory", "apps_directory"):
    options[name] = str(Path(options[name]).expanduser())
json.dump([each.as_dict() for each in prepare(options).run(options["checks"])], sys.stdout)
