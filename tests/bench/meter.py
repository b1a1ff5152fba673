# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What a command costs on a host of its own: CPU time of everything on it, of the controller alone, and processes.

Wall time depends on who else uses the machine, CPU time hardly does; what is compared runs in interleaved rounds.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from deployed import TALLY, WORK, run

GROUPS = Path("/sys/fs/cgroup")
SERVICES = "user.slice/user-*.slice/user@*.service/app.slice"


@dataclass(frozen=True)
class Sample:
    """One run: CPU seconds on both sides and of the controller, wall seconds, processes and threads started."""

    cpu: float
    controller: float
    wall: float
    started: int

    @property
    def managed(self) -> float:
        return self.cpu - self.controller


@dataclass
class Subject:
    """One way to do a job, with what its runs cost. ``clean`` finds in the output that nothing would change.

    ``counted``: the callback saw its modules. ``apart``: its modules are not children of the command, but of sshd.
    ``every``: it takes part in every so manieth round only, because it takes so long.
    """

    name: str
    command: list[str]
    clean: Callable[[str], bool]
    counted: bool = True
    apart: bool = False
    every: int = 1
    samples: list[Sample] = field(default_factory=list)
    modules: list[dict[str, str]] = field(default_factory=list)

    def of(self, figure: str) -> float:
        """The median of a figure over the runs."""
        return median(getattr(sample, figure) for sample in self.samples)

    def tasks(self, role: str = "") -> int:
        """Count the tasks that started a module."""
        return len({module["task"] for module in self.modules if not role or module["role"] == role})


def used(group: Path) -> float:
    """CPU seconds of a control group so far; 0 where it has just gone."""
    try:
        found = re.search(r"usage_usec (\d+)", (group / "cpu.stat").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1e6 if found else 0.0


def host_cpu() -> float:
    """CPU seconds of everything on this host so far but the deployed services, which live on beside what is measured.

    That is the controller, modules, sshd, user managers and the journal.
    """
    return used(GROUPS) - sum(map(used, GROUPS.glob(SERVICES)))


def children_cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def last_process() -> int:
    """Return the number last given to a process or thread: in a host of its own, hardly anybody else draws one."""
    return int(Path("/proc/loadavg").read_text().split()[-1])


def measure(subject: Subject) -> None:
    """Run it once more and note what that cost; a run that is not clean has measured something else."""
    TALLY.unlink(missing_ok=True)
    began, cpu, children, number = time.monotonic(), host_cpu(), children_cpu(), last_process()
    output = run(subject.command)
    wall, children = time.monotonic() - began, children_cpu() - children
    cpu, started = host_cpu() - cpu, last_process() - number
    if not subject.clean(output):
        sys.exit(f"{output}\nbench: {subject.name} found something to change. Nothing was measured.")
    tally = [json.loads(line) for line in TALLY.read_text().splitlines()] if TALLY.exists() else []
    subject.modules = [line for line in tally if "module" in line]
    modules = 0.0 if subject.apart else sum(line["cpu"] for line in tally if "module" in line)
    subject.samples.append(Sample(cpu, children - modules, wall, started))


def rounds(subjects: Sequence[Subject], count: int) -> None:
    """Measure all in turns. Before that all but the longest run once, which compiles Python files."""
    for subject in subjects:
        if subject.every == 1:
            measure(subject)
            subject.samples.clear()
    for number in range(1, 1 + count):
        for subject in subjects:
            if number % subject.every == 0:
                measure(subject)
    noted = [{"name": each.name, "samples": [asdict(sample) for sample in each.samples]} for each in subjects]
    with (WORK / "samples.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(noted) + "\n")


def unchanged(_output: str) -> bool:
    """Say whether Ansible's own counters, as the callback noted them, show no change and no failure."""
    counters = json.loads(TALLY.read_text().splitlines()[-1])
    return bool(counters["changed"] == 0 and counters["failures"] == 0)


COLUMNS = ("CPU s", "controller", "managed", "x empty", "x ours", "wall s", "module tasks", "modules", "processes")


def table(subjects: Sequence[Subject], empty: Subject, ours: Subject) -> Iterable[str]:
    """Yield the lines of a table of medians."""
    yield f"{'':22}" + "".join(f"{name:>{len(name) + 3}}" for name in COLUMNS)
    for each in subjects:
        cpu = each.of("cpu")
        sides = (
            [f"{each.of('controller'):.2f}", f"{each.of('managed'):.2f}"] if each.counted or each.apart else ["-"] * 2
        )
        ratios = [f"{cpu / empty.of('cpu'):.2f}", f"{cpu / ours.of('cpu'):.2f}"]
        counts = [str(each.tasks()), str(len(each.modules))] if each.counted else ["-"] * 2
        cells = [f"{cpu:.2f}", *sides, *ratios, f"{each.of('wall'):.1f}", *counts, f"{each.of('started'):.0f}"]
        yield f"{each.name:22}" + "".join(f"{cell:>{len(name) + 3}}" for cell, name in zip(cells, COLUMNS, strict=True))


@dataclass(frozen=True)
class Target:
    """What a figure should be, and what it was."""

    what: str
    wanted: str
    found: str
    kept: bool

    @classmethod
    def at_most(cls, what: str, limit: float, found: float, unit: str = "") -> Target:
        return cls(what, f"<= {limit:g}{unit}", f"{found:.2f}{unit}", found <= limit)

    @classmethod
    def at_least(cls, what: str, limit: float, found: float, unit: str = "") -> Target:
        return cls(what, f">= {limit:g}{unit}", f"{found:.2f}{unit}", found >= limit)


def told(targets: Iterable[Target]) -> Iterable[str]:
    yield f"{'':8}{'target':>10}{'found':>12}"
    for each in targets:
        yield f"{'kept' if each.kept else 'MISSED':8}{each.wanted:>10}{each.found:>12}  {each.what}"
