# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The unit of one vLLM instance: what it runs, what it waits for, and whom it does not run beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._quoting import systemd_argv
from ansible_collections.lab.llm_stack.plugins.module_utils._role_paths import join_port, specifier

START_MARGIN = 30
"""Seconds that systemd grants beyond the scripts of the unit, so that their own words reach the journal."""

PATIENCE = 3
"""How many times as long as asked for ready.py waits at most, for an instance that was measured to start slowly."""

STOP_MARGIN = 30
"""Seconds from the end of the drain until systemd kills what is left."""

DEFAULT_SHARE = 0.92
"""The share of a card that vLLM takes where nobody says otherwise."""

SCRIPTS = ("ready.py", "wait_memory.py")

Instance = Mapping[str, Any]


@dataclass(frozen=True)
class Timeouts:
    """Seconds: for memory to come free, for the server to be ready, and for requests to end when it stops."""

    memory: int
    ready: int
    drain: int


@dataclass(frozen=True)
class Where:
    """What all instances of a host share: the folders of their configuration and of vLLM, and how long things take."""

    config: str
    built: str
    home: str
    backend: str
    timeouts: Timeouts


def unit_of(instance: Instance, placed: Sequence[Instance], where: Where) -> dict[str, Any]:
    """Declare the unit of one instance among those of its host."""
    config, home, timeouts = where.config, where.home, where.timeouts
    name, address = instance["name"], join_port(instance["bind"], instance["port"])
    environment_files = [f"{config}/{name}.env", *([f"{config}/secrets.env"] if instance.get("needs_key") else [])]
    template = [f"{config}/chat_templates/{template_of(instance)}"] if template_of(instance) else []
    start = timeouts.memory + PATIENCE * timeouts.ready + START_MARGIN
    argv = _commands(instance, f"http://{address}", where)
    variables = {
        **{key: _line(words, home) for key, words in argv.items()},
        **_relations(instance, placed),
        "name": name,
        "path": specifier(f"{where.built}/bin", home),
        "environment_files": [specifier(path, home) for path in environment_files],
        "start_timeout": start,
        "stop_timeout": timeouts.drain + STOP_MARGIN,
    }
    return {
        "name": instance["unit"],
        "template": "instance.service.j2",
        "vars": {"unit": variables},
        # Not the scripts: a server that runs has no use for a new one, and loading it again takes minutes.
        "inputs": [f"{config}/{name}.yaml", *environment_files, *template],
        "environment_files": environment_files,
        "watch": ["VLLM_"],
        "listens": [address],
        "state": "stopped" if instance.get("standby") else "started",
        "enabled": not instance.get("standby"),
        "slot": instance.get("slot") or "",
        "ready_timeout": start,
    }


def _relations(instance: Instance, placed: Sequence[Instance]) -> dict[str, list[str]]:
    """Whom a unit stops when it starts; one order for each two of a slot is enough, and two would be a circle."""
    others = beside(instance, placed)
    return {"conflicts": others, "after": [each for each in others if each < instance["unit"]]}


def _commands(instance: Instance, url: str, where: Where) -> dict[str, list[str]]:
    """The three commands of a unit: before the start, the server, and until it is ready."""
    config, timeouts = where.config, where.timeouts
    served = str(instance["settings"].get("served-model-name", instance["name"]))
    wait = ["/usr/bin/python3", f"{config}/wait_memory.py", *_memory(instance, where.backend), str(timeouts.memory)]
    ready = ["/usr/bin/python3", f"{config}/ready.py", url, served, instance["folder"], str(timeouts.ready)]
    # As a module: the environment may have been built under another name, which its scripts would remember.
    server = [f"{where.built}/bin/python", "-m", "vllm.entrypoints.cli.main", "serve"]
    return {
        "wait_argv": wait,
        "argv": [*server, "--config", f"{config}/{instance['name']}.yaml"],
        "ready_argv": [*ready, instance["record"]],
    }


def _memory(instance: Instance, backend: str) -> list[str]:
    """What has to be free before the start, as wait_memory.py takes it: a share of some cards, or GiB of the host."""
    settings = instance["settings"]
    if backend == "cpu":
        return ["cpu", str((instance.get("env") or {}).get("VLLM_CPU_KVCACHE_SPACE", 0)), "1"]
    cards = int(settings.get("tensor-parallel-size", 1)) * int(settings.get("pipeline-parallel-size", 1))
    return [backend, str(settings.get("gpu-memory-utilization", DEFAULT_SHARE)), str(cards)]


def beside(instance: Instance, placed: Sequence[Instance]) -> list[str]:
    """The units that must be gone before this one starts: those of its slot, in which one serves at a time."""
    slot = instance.get("slot")
    same = (each["unit"] for each in placed if slot and each.get("slot") == slot)
    return sorted({*same, *(instance.get("conflicts") or ())} - {instance["unit"]})


def template_of(instance: Instance) -> str:
    """The chat template of the collection that an instance is served with; empty where it has its own."""
    return (instance.get("tool_calling") or {}).get("chat_template") or ""


def _line(argv: Sequence[str], home: str) -> str:
    """A command line of a unit; in the words that begin with the home, %h stands for it."""
    return " ".join(_word(word, home) for word in argv)


def _word(word: str, home: str) -> str:
    inside = word.startswith(f"{home}/")
    # The first word of a command has to be a path, so one that is none stands in its place.
    quoted = systemd_argv(["/", word[len(home) :] if inside else word])[2:]
    if not inside:
        return quoted
    return f'"%h{quoted[1:]}' if quoted.startswith('"') else f"%h{quoted}"
