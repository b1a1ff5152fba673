# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The stacks that are measured: inventories of four roles, and what stands in for engines that are too heavy.

LiteLLM and llama.cpp are real. In the place of vLLM and Ollama are the stand-ins of tests/stand_ins, in an environment
with as many distributions and a release of the same shape as the real ones: what a clean check looks at is the same,
only the processes are light.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deployed import PROJECT, WORK

sys.path.insert(0, str(PROJECT / "tests/stand_ins"))
import ollama_archive
import vllm_wheels

ENGINES = ("llamacpp", "ollama", "vllm")
ROLES = ("vllm", "llamacpp", "ollama", "litellm")
PYTHON = "/usr/bin/python3"
ARCHIVE = "ollama-linux-amd64.tgz"
MODELS_FOLDER = os.path.relpath(PROJECT / "models", WORK / "inventories/any")
"""As users write it: models on the controller, beside the inventory."""
KEY = Path("~/.ssh/bench").expanduser()
SSH_PORT, FAR_PORT = 2222, 2223
"""The sshd of this machine, and the same one 20 ms away, there and back (far_away.py)."""
FIRST_PORTS = {"litellm": 4000, "vllm": 8001, "llamacpp": 8080, "ollama": 11434}


def pack() -> None:
    """Make the releases and wheels of the stand-ins, once; uv's wheel is there already."""
    wheels = WORK / "wheels"
    lock = (PROJECT / "roles/vllm/files/requirements-cuda.txt").read_text(encoding="utf-8")
    (wheels / "requirements.txt").write_text(vllm_wheels.pack(lock, wheels), encoding="utf-8")
    sha256 = ollama_archive.pack("0.35.0", WORK / ARCHIVE)
    asset = {"url": f"http://127.0.0.1:9/{ARCHIVE}", "size": (WORK / ARCHIVE).stat().st_size, "sha256": sha256}
    release = {"tag": "v0.35.0", "repository": "stand-in", "assets": {ARCHIVE: asset}}
    (WORK / "release.json").write_text(json.dumps(release), encoding="utf-8")


def model(engine: str, shift: int, place: int) -> dict[str, Any]:
    """One model of an engine. Ports are given where several stacks share a machine; ``place`` counts its engine's."""
    port = FIRST_PORTS[engine] + shift + place
    if engine == "vllm":
        options = {"port": port, "enforce_eager": True, "env": {"VLLM_CPU_KVCACHE_SPACE": "1"}, "accept": ["memory"]}
        return {"source": f"{MODELS_FOLDER}/tiny-tools-hf", "engine": engine, "context": 1024, engine: options}
    own = {"llamacpp": {"port": port, "threads": 1}} if engine == "llamacpp" else {}
    return {"source": f"{MODELS_FOLDER}/tiny-tools.gguf", "engine": engine, "context": 2048 + place, **own}


def models(count: int, shift: int = 0) -> dict[str, Any]:
    """Declare so many models, of each engine as many."""
    kinds = [(ENGINES[number % 3], number // 3) for number in range(count)]
    return {f"{engine}-{place}": model(engine, shift, place) for engine, place in kinds}


def ports(count: int) -> list[int]:
    """Where a stack of so many models listens."""
    own = [FIRST_PORTS[engine] + number // 3 for number in range(count) if (engine := ENGINES[number % 3]) != "ollama"]
    return [FIRST_PORTS["litellm"], FIRST_PORTS["ollama"], *own]


def stack(count: int, shift: int = 0) -> dict[str, Any]:
    """The variables of one whole stack of four roles on one host."""
    return {
        "llm_stack_models": models(count, shift),
        "llm_stack_gateway": {"port": FIRST_PORTS["litellm"] + shift},
        "llm_stack_ollama": {"port": FIRST_PORTS["ollama"] + shift},
        "llm_stack_release_lock": {"ollama": json.loads((WORK / "release.json").read_text(encoding="utf-8"))},
        "ollama_release_directory": str(WORK),
        "vllm_backend": "cpu",
        "vllm_requirements": str(WORK / "wheels/requirements.txt"),
        "vllm_find_links": str(WORK / "wheels"),
    }


def over_ssh(account: str, port: int = SSH_PORT) -> dict[str, Any]:
    """How an account of this machine is reached as if it were another host."""
    return {
        "ansible_connection": "ssh",
        "ansible_host": "127.0.0.1",
        "ansible_port": port,
        "ansible_user": account,
        "ansible_ssh_private_key_file": str(KEY),
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
    }


LOCAL: Mapping[str, Any] = {"ansible_connection": "local"}


def inventory(name: str, hosts: Mapping[str, Mapping[str, Any]], groups: Mapping[str, list[str]], **shared: Any) -> str:
    """Write an inventory and return its path; YAML reads JSON."""
    path = WORK / "inventories" / name / "hosts.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    members = {group: {"hosts": dict.fromkeys(names)} for group, names in groups.items()}
    common = {"ansible_python_interpreter": PYTHON, **shared}
    content = {
        "all": {"hosts": {name: dict(each) for name, each in hosts.items()}, "vars": common, "children": members}
    }
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    os.chmod(path, 0o600)
    return str(path)


def whole(name: str, connection: Mapping[str, Any], count: int, shift: int = 0) -> str:
    """The inventory of one host with all four roles."""
    return inventory(name, {"host": connection}, {role: ["host"] for role in ROLES}, **stack(count, shift))
