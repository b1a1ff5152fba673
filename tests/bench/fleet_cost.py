#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What a clean check costs with 1, 10 and 50 engine hosts behind one gateway, and what each further host adds.

The hosts are accounts of this machine, reached over ssh (see accounts.py), each with one engine, one model and a user
manager. The engines are stand-ins; the gateway is real. Both sides of all hosts are in the figures.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import stack
from accounts import ADDRESSES, FLEET, member
from deployed import DEPLOY, playbook, run
from meter import Subject, Target, rounds, told, unchanged

SIZES = (1, 10, FLEET)
PORT = 6000
PROGRAM = "/usr/local/bin/llama-server"
GATEWAY = member(0)


def host(number: int) -> dict[str, Any]:
    """The variables of one host."""
    own = {"llm_stack_address": ADDRESSES.format(number + 1), "llm_stack_instance_key": f"sk-bench-{number:024}"}
    return {**stack.over_ssh(member(number)), **own}


def fleet(size: int) -> str:
    """The inventory of a gateway and so many engine hosts, each with a model of its own."""
    names = [member(number) for number in range(1, size + 1)]
    hosts = {GATEWAY: stack.over_ssh(GATEWAY), **{name: host(number) for number, name in enumerate(names, 1)}}
    source = f"{stack.MODELS_FOLDER}/tiny-tools.gguf"
    models = {f"m-{name}": {"source": source, "engine": "llamacpp", "hosts": [name]} for name in names}
    return stack.inventory(
        f"fleet-{size}",
        hosts,
        {"litellm": [GATEWAY], "llamacpp": names},
        llm_stack_models=models,
        llm_stack_gateway={"port": PORT},
        llamacpp_method="existing",
        llamacpp_program=PROGRAM,
    )


def measured(size: int, count: int) -> tuple[Subject, Subject]:
    """Deploy a fleet, then measure an empty play over its hosts and a clean check."""
    inventory = fleet(size)
    forks = ("--forks", "10")
    run(playbook(DEPLOY, *forks, inventory=inventory))
    empty = Subject(
        f"empty play, {size}",
        playbook("tests/bench/empty.yml", "--check", *forks, inventory=inventory),
        unchanged,
        apart=True,
    )
    ours = Subject(f"ours, {size}", playbook(DEPLOY, "--check", *forks, inventory=inventory), unchanged, apart=True)
    rounds((empty, ours), count)
    return empty, ours


def table(found: dict[int, tuple[Subject, Subject]]) -> list[str]:
    columns = ("hosts", "empty play", "CPU s", "controller", "managed", "wall s", "module tasks")
    lines = ["".join(f"{name:>{len(name) + 3}}" for name in columns)]
    for size, (empty, ours) in found.items():
        figures = [
            f"{empty.of('cpu'):.2f}",
            *(f"{ours.of(each):.2f}" for each in ("cpu", "controller", "managed", "wall")),
        ]
        cells = [f"{size} + 1", *figures, str(len(ours.modules))]
        lines.append("".join(f"{cell:>{len(name) + 3}}" for cell, name in zip(cells, columns, strict=True)))
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what further hosts cost.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    options = parser.parse_args()
    found = {size: measured(size, options.rounds) for size in options.sizes}
    print(f"\nA clean check of a gateway and 1, 10, 50 engine hosts over ssh; medians of {options.rounds} rounds;")
    print(f"load {os.getloadavg()[0]:.1f}. The hosts are accounts of one machine with stand-ins for engines.\n")
    print("\n".join(table(found)))
    few, many = min(found), max(found)
    ours = {size: each[1] for size, each in found.items()}
    must = [
        Target(
            f"modules started with {size} + 1 hosts",
            f"= {size + 1}",
            str(len(each.modules)),
            len(each.modules) == size + 1,
        )
        for size, each in ours.items()
    ]
    further = (ours[many].of("cpu") - ours[few].of("cpu")) / (many - few)
    half = (ours[many].of("controller") - ours[few].of("controller")) / (many - few)
    targets = [
        Target.at_most("CPU of each further host with its model, both sides", 0.6, further, " s"),
        Target.at_most("CPU of each further host with its model, controller", 0.6, half, " s"),
    ]
    print("\n" + "\n".join(told([*must, *targets])))
    return 0 if all(each.kept for each in must) else 1


if __name__ == "__main__":
    sys.exit(main())
