# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""How the roles name things: paths below the home of the stack's account, and addresses with a port.

``home`` may be ``~``, which the host resolves.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._requirements import environment_digest


def config_dir(home: str, role: str) -> str:
    """A role's configuration."""
    return f"{home}/.config/llm-stack/{role}"


def data_dir(home: str, kind: str) -> str:
    """What is installed: ``envs``, ``releases`` or ``models``."""
    return f"{home}/.local/share/llm-stack/{kind}"


def environment(home: str, role: str, lock: str, python: str, build: Mapping[str, str] | None = None) -> dict[str, str]:
    """The Python environment that a lock makes on a host: the same path before and after it exists."""
    digest = environment_digest(lock, python, build)
    return {"path": f"{data_dir(home, 'envs')}/{role}/{digest}", "digest": digest}


def specifier(path: str, home: str) -> str:
    """The same path as systemd writes it: %h stands for the account's home."""
    escaped = path.replace("%", "%%")
    return escaped.replace(home, "%h", 1) if path.startswith(f"{home}/") else escaped


def join_port(address: str, port: int) -> str:
    """An address and a port as systemd and URLs write them, IPv6 in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def controller_path(directory: str, model: Mapping[str, Any]) -> str:
    """Where a model's file is on the controller; empty where it comes from elsewhere."""
    return os.path.join(directory, model["source"]["path"]) if model["source"]["origin"] == "controller" else ""
