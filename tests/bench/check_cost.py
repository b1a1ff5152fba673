#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What it costs to learn that nothing has changed: ours, beside an empty play, bare modules, plain tasks and pyinfra.

All run on the same host, over the connection `local`, in interleaved rounds, so that a busy machine is busy for
all of them. CPU time counts everything a command starts, the modules included, and the user manager that answers them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from deployed import CONFIG, DATA, DEPLOY, ENVIRONMENT, PROJECT, TALLY, WORK, files, listens, playbook, run, units

CPU_BUDGET = 2.5
"""How many empty plays a clean check of both roles may cost the controller.

The managed side is in the table and not in this budget: two modules that do nothing already cost two empty plays there
and here together, which no collection can change.
"""
ROLES = ("lab.llm_stack.llamacpp", "lab.llm_stack.litellm")
WIDTHS = (7, 6, 11, 8, 10, 8, 8, 8, 8, 11)
UNCOUNTED = (2, 3, 7, 8)
"""Columns that only Ansible's own counting can fill."""
MANAGER = Path(f"/sys/fs/cgroup/user.slice/user-{os.getuid()}.slice/user@{os.getuid()}.service/init.scope/cpu.stat")


@dataclass(frozen=True)
class Sample:
    """One run: CPU seconds in all and of them on the managed side, wall seconds, processes and threads started."""

    cpu: float
    managed: float
    wall: float
    started: int

    @property
    def controller(self) -> float:
        return self.cpu - self.managed


@dataclass
class Subject:
    """One way to do the job, with what its runs cost. ``clean`` finds in the output that nothing would change;
    ``counted`` says whether the callback saw its modules.
    """

    name: str
    command: list[str]
    clean: Callable[[str], bool]
    counted: bool = True
    samples: list[Sample] = field(default_factory=list)
    modules: list[dict[str, str]] = field(default_factory=list)

    def of(self, figure: str) -> list[float]:
        return [getattr(sample, figure) for sample in self.samples]

    def tasks(self, role: str = "") -> int:
        """Count the tasks that started a module."""
        return len({module["task"] for module in self.modules if not role or module["role"] == role})


def manager_cpu() -> float:
    """Return the CPU seconds of the user manager so far; 0 where its control group is not to be seen."""
    found = re.search(r"usage_usec (\d+)", MANAGER.read_text()) if MANAGER.exists() else None
    return int(found[1]) / 1e6 if found else 0.0


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def last_process() -> int:
    """Return the number last given to a process or thread: in a host of its own, hardly anybody else draws one."""
    return int(Path("/proc/loadavg").read_text().split()[-1])


def measure(subject: Subject) -> None:
    """Run it once more and note what that cost; a run that is not clean has measured something else."""
    TALLY.unlink(missing_ok=True)
    began, cpu, manager, number = time.monotonic(), children_cpu(), manager_cpu(), last_process()
    output = run(subject.command)
    wall, cpu, manager = time.monotonic() - began, children_cpu() - cpu, manager_cpu() - manager
    started = last_process() - number
    if not subject.clean(output):
        sys.exit(f"{output}\nbench: {subject.name} found something to change. Nothing was measured.")
    tally = [json.loads(line) for line in TALLY.read_text().splitlines()] if TALLY.exists() else []
    subject.modules = [line for line in tally if "module" in line]
    managed = manager + sum(line["cpu"] for line in tally if "module" in line)
    subject.samples.append(Sample(cpu + manager, managed, wall, started))


def unchanged(_output: str) -> bool:
    """Say whether Ansible's own counters, as the callback noted them, show no change and no failure."""
    counters = json.loads(TALLY.read_text().splitlines()[-1])
    return counters["changed"] == 0 and counters["failures"] == 0


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
    for path in files():
        source = desired / str(path.relative_to(CONFIG)).replace("/", "-")
        shutil.copy(path, source)
        entries.append({"path": str(path), "source": str(source), "mode": f"{path.stat().st_mode & 0o777:04o}"})
    installed = [str(path) for pattern in ("envs/*/current/bin/python", "models/*.gguf") for path in DATA.glob(pattern)]
    job = {"files": entries, "installed": installed, "units": units(), "listens": listens()}
    Path(ENVIRONMENT["BENCH_JOB"]).write_text(json.dumps(job, indent=1), encoding="utf-8")


def subjects() -> list[Subject]:
    job = f"@{ENVIRONMENT['BENCH_JOB']}"
    pyinfra = [f"{WORK}/pyinfra/bin/pyinfra", "@local", "--dry", str(PROJECT / "tests/bench/pyinfra_deploy.py")]
    return [
        Subject("empty play", playbook("tests/bench/empty.yml", "--check"), unchanged),
        Subject("two bare modules", playbook("tests/bench/two_modules.yml", "--check"), unchanged),
        Subject("this collection", playbook(DEPLOY, "--check"), unchanged),
        Subject("plain tasks", playbook("tests/bench/plain.yml", "--check", "--extra-vars", job), unchanged),
        Subject("pyinfra", pyinfra, no_proposal, counted=False),
    ]


def table(measured: list[Subject]) -> Iterable[str]:
    """Yield the lines of the table; ratios are those of the medians."""
    empty, _bare, ours = (median(subject.of("cpu")) for subject in measured[:3])
    yield f"{'':17}{'CPU s':^32}{'ratio of medians':>18}{'wall s':>8}{'module':>8}{'module':>8}{'processes':>11}"
    columns = ("median", "min", "controller", "managed", "to empty", "to ours", "median", "tasks", "starts", "started")
    yield f"{'':17}" + "".join(f"{name:>{width}}" for name, width in zip(columns, WIDTHS, strict=True))
    for subject in measured:
        cpu = median(subject.of("cpu"))
        figures = [cpu, min(subject.of("cpu")), *(median(subject.of(side)) for side in ("controller", "managed"))]
        figures += [cpu / empty, cpu / ours, median(subject.of("wall"))]
        cells = [f"{figure:.2f}" for figure in figures]
        cells += [str(subject.tasks()), str(len(subject.modules)), str(int(min(subject.of("started"))))]
        if not subject.counted:
            cells = [cell if place not in UNCOUNTED else "-" for place, cell in enumerate(cells)]
        yield f"{subject.name:17}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True))


def verdicts(measured: list[Subject]) -> Iterable[tuple[bool, str]]:
    """Yield each budget with whether it is kept."""
    empty, _bare, ours = measured[:3]
    for role in ROLES:
        yield ours.tasks(role) == 1, f"{role} starts the module of 1 task: {ours.tasks(role)}"
    yield ours.tasks() == len(ROLES), f"a clean check starts the modules of {len(ROLES)} tasks: {ours.tasks()}"
    ratio = median(ours.of("controller")) / median(empty.of("controller"))
    both = median(ours.of("cpu")) / median(empty.of("cpu"))
    yield (
        ratio <= CPU_BUDGET,
        f"a clean check costs the controller at most {CPU_BUDGET} empty plays: {ratio:.2f} (both sides: {both:.2f})",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what a clean check costs.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--own-host", action="store_true", help="nothing else runs where this runs")
    options = parser.parse_args()
    run(playbook(DEPLOY))
    describe_job()
    measured = subjects()
    for _round in range(1 + options.rounds):
        for subject in measured:
            measure(subject)
    for subject in measured:
        del subject.samples[0]  # the first run compiled Python files that the others found compiled
    print(f"A clean check of the embedded stack, {options.rounds} interleaved rounds; load {os.getloadavg()[0]:.1f}.")
    print("CPU time: of all that a command starts, and of the user manager; processes: with threads.\n")
    print("\n".join(table(measured)), end="\n\n")
    results = list(verdicts(measured))
    for kept, text in results:
        print(f"{'pass' if kept else 'FAIL'}  {text}")
    return 0 if all(kept for kept, _text in results) else 1


if __name__ == "__main__":
    sys.exit(main())
