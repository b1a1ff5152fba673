# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What drift.yml tells, and deploy.yml does, where a host is bare or gone. The hosts are names of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from playing import play

INVENTORY = """
all:
  vars:
    ansible_connection: local
    ansible_python_interpreter: {python}
    ansible_become_exe: {home}/sudo
    service_user_name: llm-stack-nobody
    llm_stack_instance_key: an-example-key
    llm_stack_models: {{tiny: {{source: ~/tiny.gguf, hosts: [gpu-02]}}}}
    llamacpp_python: {python}
    litellm_python: {python}
  children:
    llamacpp:
      hosts:
        gpu-01: {{llm_stack_address: 192.0.2.11{gone}}}
        gpu-02: {{llm_stack_address: 192.0.2.12}}
    litellm: {{hosts: {{gpu-02: {{}}}}}}
"""
GONE = ", ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1"
SUDO = """#!/bin/sh
# Becomes nobody, but knows who there is.
while [ "${1#-}" != "$1" ]; do
    if [ "$1" = -u ]; then id "$2" || exit 1; shift; fi
    shift
done
exec "$@"
"""


def drift(root: Path, home: Path, gone: str, *options: str) -> tuple[int, dict[str, Any], str]:
    """Run it, and give its status, what it reported, and what it printed."""
    done = run(root, home, "drift", gone, *options)
    return done.returncode, json.loads((home / "reports/drift.json").read_text(encoding="utf-8")), done.stdout


def run(root: Path, home: Path, name: str, gone: str, *options: str) -> subprocess.CompletedProcess[str]:
    (home / "hosts.yml").write_text(INVENTORY.format(python=sys.executable, home=home, gone=gone), encoding="utf-8")
    (home / "sudo").write_text(SUDO, encoding="utf-8")
    (home / "sudo").chmod(0o755)
    enabled = "lab.llm_stack.drift"
    playbook = root / f"playbooks/{name}.yml"
    return play(home, playbook, "-i", "hosts.yml", *options, ANSIBLE_CALLBACKS_ENABLED=enabled)


def test_a_host_without_the_account_is_told_completely_and_nothing_fails(root: Path, tmp_path: Path) -> None:
    code, told, text = drift(root, tmp_path, "", "--limit", "gpu-02")
    assert (code, told.get("verdict"), "FAILED!" in text) == (10, "drift", False), text
    assert {"account", "file", "unit-file", "not-active"} <= {each["kind"] for each in told["items"]}


def test_a_host_that_is_gone_keeps_no_other_from_being_compared(root: Path, tmp_path: Path) -> None:
    code, told, text = drift(root, tmp_path, GONE)
    assert (code, told.get("verdict")) == (4, "failed"), text
    compared = {each["host"] for each in told["items"] if each["kind"] == "unit-file"}
    assert compared == {"gpu-02"}, text
    assert {each["host"] for each in told["unchecked"]} >= {"gpu-01"}


def test_nothing_is_deployed_where_a_host_did_not_get_its_account(root: Path, tmp_path: Path) -> None:
    done = run(root, tmp_path, "deploy", GONE, "--check")
    assert done.returncode == 4, done.stdout
    told = " ".join(done.stdout.split())
    assert "Nothing was deployed: gpu-01 did not get the account that runs the stack." in told
    assert "go on without: --limit 'all:!gpu-01'." in told
    assert "lab.llm_stack.llamacpp :" not in told


def test_a_host_that_needs_no_account_of_its_own_holds_nobody_up(root: Path, tmp_path: Path) -> None:
    done = run(root, tmp_path, "deploy", ", service_user_name: ''", "--check")
    assert "did not get the account" not in done.stdout
    assert "lab.llm_stack.llamacpp : Converge" in done.stdout, done.stdout
