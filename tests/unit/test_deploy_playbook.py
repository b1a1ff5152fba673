# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What one host's failure means for the others of a fleet. The hosts are names of this machine, which has no engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from playing import play

INVENTORY = """
all:
  vars:
    ansible_connection: local
    ansible_python_interpreter: {python}
    llm_stack_instance_key: an-example-key
    llm_stack_models: {{tiny: {{source: ~/tiny.gguf, hosts: [gpu-01]}}}}
    litellm_python: /nowhere/python3
  children:
    llamacpp:
      hosts:
        gpu-01: {{llm_stack_address: 192.0.2.11, llamacpp_python: /nowhere/python3{gone}}}
        gpu-02: {{llm_stack_address: 192.0.2.12, llamacpp_python: {python}, llm_stack_check_only: true}}
    litellm: {{hosts: {{gw-01: {{}}}}}}
"""
GONE = ", ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1"


def deploy(root: Path, home: Path, gone: str, *options: str) -> subprocess.CompletedProcess[str]:
    (home / "hosts.yml").write_text(INVENTORY.format(python=sys.executable, gone=gone), encoding="utf-8")
    return play(home, root / "playbooks/deploy.yml", "-i", "hosts.yml", *options)


@pytest.mark.parametrize(("gone", "code"), [("", 2), (GONE, 4)], ids=["that failed", "that cannot be reached"])
def test_the_gateway_is_left_as_it_is_while_an_engine_is_not_what_it_would_name(
    root: Path, tmp_path: Path, gone: str, code: int
) -> None:
    done = deploy(root, tmp_path, gone)
    assert done.returncode == code, done.stdout
    assert "lab.llm_stack.litellm :" not in done.stdout
    told = " ".join(done.stdout.split())
    assert "The gateway was left as it is: it would name engines that do not serve on gpu-01." in told
    assert "go on without: --limit 'all:!gpu-01'." in told


def test_a_host_that_is_left_out_holds_nobody_up(root: Path, tmp_path: Path) -> None:
    """It goes as far as this machine lets it: to the Python that the gateway is to have."""
    done = deploy(root, tmp_path, "", "--limit", "gpu-02,gw-01")
    assert "lab.llm_stack.litellm : Install" in done.stdout, done.stdout
