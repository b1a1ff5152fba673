#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What it costs to learn that nothing has changed on a host with four roles and twelve models.

Ours beside an empty play, bare modules, plain tasks and pyinfra, over the connection `local` and over ssh; and what
each further model adds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import stack
from accounts import WIDE
from deployed import DATA, DEPLOY, ENVIRONMENT, PROJECT, STATE, WORK, files, playbook, run, units
from meter import Subject, Target, rounds, table, told, unchanged

MODELS, MANY_MODELS = 12, 24
PLAIN_EVERY = 3
PARTS = {"local": "Connection local", "ssh": "Over ssh", "far": "Over ssh, 20 ms away"}
SHIFT = 1000
"""How far the ports of the second stack are from those of the first."""
INSTALLED = ("envs/*/current/bin/python", "releases/*/*/bin/ollama", "models/*.gguf", "models/*/*/config.json")


def no_proposal(output: str) -> bool:
    """Say whether a dry run of pyinfra lists every operation and proposes nothing for any: two columns of dashes."""
    job = json.loads(Path(ENVIRONMENT["BENCH_JOB"]).read_text(encoding="utf-8"))
    rows = re.findall(r"^ {4}\S+ +- +- *$", output, re.MULTILINE)
    return len(rows) == len(job["files"]) + len(job["units"])


def describe_job() -> None:
    """Write down what the roles have deployed, for the ways that do the same without them."""
    desired = WORK / "desired"
    shutil.rmtree(desired, ignore_errors=True)
    desired.mkdir(mode=0o700)
    entries = []
    for number, path in enumerate(files()):
        source = desired / f"{number:02}-{path.name}"
        shutil.copy(path, source)
        entries.append({"path": str(path), "source": str(source), "mode": f"{path.stat().st_mode & 0o777:04o}"})
    ollama = [str(path) for path in Path("~/.ollama/models/manifests").expanduser().rglob("*") if path.is_file()]
    installed = [str(path) for pattern in INSTALLED for path in DATA.glob(pattern)]
    installed += [*ollama, *map(str, (STATE / "preflight").glob("*.json"))]
    environments = [str(path) for path in DATA.glob("envs/*/current/bin/python")]
    listens = [{"host": "127.0.0.1", "port": port} for port in stack.ports(MODELS)]
    job = {"files": entries, "installed": installed, "environments": environments, "units": units(), "listens": listens}
    Path(ENVIRONMENT["BENCH_JOB"]).write_text(json.dumps(job, indent=1), encoding="utf-8")


def local_subjects(inventory: str) -> list[Subject]:
    job = f"@{ENVIRONMENT['BENCH_JOB']}"
    pyinfra = [f"{WORK}/pyinfra/bin/pyinfra", "@local", "--dry", str(PROJECT / "tests/bench/pyinfra_deploy.py")]
    plain = playbook("tests/bench/plain.yml", "--check", "--extra-vars", job, inventory=inventory)
    return [
        Subject("empty play", playbook("tests/bench/empty.yml", "--check", inventory=inventory), unchanged),
        Subject("four bare modules", playbook("tests/bench/bare.yml", "--check", inventory=inventory), unchanged),
        Subject("this collection", playbook(DEPLOY, "--check", inventory=inventory), unchanged),
        Subject("plain tasks", plain, unchanged, every=PLAIN_EVERY),
        Subject("pyinfra", pyinfra, no_proposal, counted=False),
    ]


def pyinfra_over_ssh(port: int) -> Subject:
    command = [f"{WORK}/pyinfra/bin/pyinfra", "127.0.0.1", "--dry", "--user", "deploy", "--port", str(port)]
    command += ["--key", str(stack.KEY), str(PROJECT / "tests/bench/pyinfra_deploy.py")]
    return Subject("pyinfra", command, no_proposal, counted=False, apart=True)


def over_ssh(name: str, inventory: str, path: str = DEPLOY) -> Subject:
    return Subject(name, playbook(path, "--check", inventory=inventory), unchanged, apart=True)


def ssh_subjects(inventory: str, wide: str) -> list[Subject]:
    return [
        over_ssh("empty play", inventory, "tests/bench/empty.yml"),
        over_ssh(f"ours, {MODELS} models", inventory),
        over_ssh(f"ours, {MANY_MODELS} models", wide),
        pyinfra_over_ssh(stack.SSH_PORT),
    ]


def far_subjects(inventory: str) -> list[Subject]:
    return [
        over_ssh("empty play", inventory, "tests/bench/empty.yml"),
        over_ssh(f"ours, {MODELS} models", inventory),
        pyinfra_over_ssh(stack.FAR_PORT),
    ]


def structure(ours: Subject) -> Iterable[Target]:
    """What does not depend on the machine, so that missing it fails."""
    for role in stack.ROLES:
        tasks = ours.tasks(f"lab.llm_stack.{role}")
        yield Target(f"module tasks of the role {role}", "= 1", str(tasks), tasks == 1)
    yield Target("module tasks in all", f"= {len(stack.ROLES)}", str(ours.tasks()), ours.tasks() == len(stack.ROLES))


def local_targets(subjects: list[Subject]) -> Iterable[Target]:
    empty, bare, ours, plain, _pyinfra = subjects
    yield from structure(ours)
    floor = bare.of("cpu") / empty.of("cpu")
    both = f"CPU of a clean check, both sides, in empty plays (four modules that do nothing take {floor:.2f})"
    yield Target.at_most("CPU of a clean check, controller, in empty plays", 3, ours.of("controller") / empty.of("cpu"))
    yield Target.at_most(both, 3, ours.of("cpu") / empty.of("cpu"))
    if plain.samples:
        yield Target.at_least("CPU of plain tasks, in ours", 5, plain.of("cpu") / ours.of("cpu"))


def ssh_targets(subjects: list[Subject]) -> Iterable[Target]:
    _empty, few, many, pyinfra = subjects
    yield Target.at_least("wall time of pyinfra over ssh, in ours", 3, pyinfra.of("wall") / few.of("wall"))
    further = (many.of("cpu") - few.of("cpu")) / (MANY_MODELS - MODELS)
    yield Target.at_most("CPU of each further model, both sides", 30, 1000 * further, " ms")


def far_targets(subjects: list[Subject]) -> Iterable[Target]:
    _empty, ours, pyinfra = subjects
    yield Target.at_least("wall time of pyinfra, 20 ms away, in ours", 3, pyinfra.of("wall") / ours.of("wall"))


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what a clean check costs.")
    parser.add_argument("--rounds", type=int, default=6, help="plain tasks take part in each third one")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), help="how the host is reached")
    options = parser.parse_args()
    stack.pack()
    local = stack.whole("local", stack.LOCAL, MODELS)
    near = stack.whole("ssh", stack.over_ssh("deploy"), MODELS)
    far = stack.whole("far", stack.over_ssh("deploy", stack.FAR_PORT), MODELS)
    wide = stack.whole("wide", stack.over_ssh(WIDE), MANY_MODELS, SHIFT)
    for inventory in (local, *([wide] if "ssh" in options.only else [])):
        run(playbook(DEPLOY, inventory=inventory))
    describe_job()
    parts = {
        "local": (local_subjects(local), local_targets),
        "ssh": (ssh_subjects(near, wide), ssh_targets),
        "far": (far_subjects(far), far_targets),
    }
    print(f"A clean check of four roles with {MODELS} models on one host; medians of {options.rounds} rounds in turns,")
    print(f"of plain tasks {options.rounds // PLAIN_EVERY}. CPU time of everything but the deployed services.")
    missed = False
    for part in options.only:
        subjects, targets = parts[part]
        rounds(subjects, options.rounds)
        ours = next(each for each in subjects if each.name.startswith(("this", "ours")))
        print(f"\n{PARTS[part]}; load {os.getloadavg()[0]:.1f}:")
        print("\n".join(table([each for each in subjects if each.samples], subjects[0], ours)))
        found = list(targets(subjects))
        print("\n" + "\n".join(told(found)), flush=True)
        missed = missed or any(not each.kept for each in found if each.wanted.startswith("="))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
