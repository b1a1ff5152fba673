# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A run by tags does what they say, or says what it did not do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from playing import play

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: lab.llm_stack.litellm
      litellm_config:
        model_list:
          - {model_name: a, litellm_params: {model: openai/a, api_base: "http://127.0.0.1:1/v1", api_key: none}}
"""


def test_a_run_that_leaves_out_an_installation_that_is_needed_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(PLAYBOOK, encoding="utf-8")
    interpreter = f"ansible_python_interpreter={sys.executable}"
    options = ("-i", "localhost,", "-c", "local", "-e", interpreter, "--tags", "litellm_service")
    done = play(tmp_path, "play.yml", *options)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "has to be installed first, and --tags leaves that out." in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("role", ["litellm", "llamacpp", "ollama", "vllm"])
def test_every_role_says_so(root: Path, role: str) -> None:
    tasks = root / "roles" / role / "tasks"
    assert (tasks / "main.yml").read_text(encoding="utf-8").count(f"{role}_service]") == 3
    install = (tasks / "install.yml").read_text(encoding="utf-8")
    assert install.endswith(f"when: __{role}_result.missing | length > 0\n  tags: [{role}_service]\n")
