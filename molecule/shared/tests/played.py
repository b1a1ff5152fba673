# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Run the project's playbooks and take their results as values."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[3]
LONGEST_RUN = 900
Variables = Mapping[str, object]
ON_THE_CONTROLLER = frozenset(
    f"ansible.builtin.{name}"
    for name in ("assert", "debug", "include_role", "include_tasks", "meta", "set_fact", "validate_argument_spec")
)
"""Actions that start nothing on a host; every other one starts a module there."""


@dataclass(frozen=True)
class Step:
    """The result of one task on one host."""

    task: str
    action: str
    status: str
    answer: dict[str, Any]

    def parts(self) -> Iterable[dict[str, Any]]:
        """The answer of the module, or of each turn of a loop."""
        return self.answer.get("results") or [self.answer]


@dataclass(frozen=True)
class Played:
    """A playbook that has ended."""

    code: int
    output: str
    steps: tuple[Step, ...]

    @property
    def items(self) -> set[tuple[str, str]]:
        """Kind and subject of every difference that any module reported; no module tells one of them twice."""
        found: set[tuple[str, str]] = set()
        for part in self._parts():
            told = [(item["kind"], item["subject"]) for item in part.get("items") or ()]
            assert len(told) == len({*told}), f"told more than once: {told}"
            found |= {*told}
        return found

    @property
    def blocks(self) -> dict[str, str]:
        """The blocks of ``--diff``, each before and after under its header."""
        found: dict[str, str] = {}
        for part in self._parts():
            for block in _listed(part.get("diff")):
                header = str(block.get("after_header") or block.get("before_header"))
                found[header] = found.get(header, "") + f"{block.get('before')}\n->\n{block.get('after')}\n"
        return found

    @property
    def changed(self) -> int:
        """How many tasks say that they changed something."""
        return sum(bool(step.answer.get("changed")) for step in self.steps)

    @property
    def module_tasks(self) -> list[str]:
        """The tasks that started a module on the host, each as often as it did."""
        return [step.action for step in self.steps if step.action not in ON_THE_CONTROLLER]

    @property
    def message(self) -> str:
        """What the tasks that failed say."""
        failed = [step for step in self.steps if step.status != "ok"]
        parts = [part for step in failed for part in step.parts() if part is step.answer or part.get("failed")]
        return "\n".join(str(part.get("msg")) for part in parts)

    def _parts(self) -> Iterable[dict[str, Any]]:
        return (part for step in self.steps for part in step.parts())


def _listed(diff: object) -> list[dict[str, Any]]:
    blocks = diff if isinstance(diff, list) else [diff]
    return [block for block in blocks if isinstance(block, dict)]


@dataclass
class Playing:
    """A playbook that runs, as the leader of a process group of its own."""

    process: subprocess.Popen[bytes]
    output: Path
    results: Path

    def ended(self) -> Played:
        """Wait for the end, however it comes."""
        self.process.wait(timeout=LONGEST_RUN)
        output, lines = (path.read_text(encoding="utf-8") for path in (self.output, self.results))
        records = [json.loads(line) for line in lines.splitlines()]
        steps = tuple(Step(r["task"], r["action"], r["status"], r["answer"]) for r in records)
        shutil.rmtree(self.output.parent)
        return Played(self.process.returncode, output, steps)

    def kill(self) -> None:
        """End ansible-playbook without a word, as ``kill -9`` does."""
        self.process.kill()


def start(playbook: str, *options: str, variables: Variables | None = None) -> Playing:
    """Begin to run a playbook of the project with further variables."""
    directory = Path(tempfile.mkdtemp())
    output, results = directory / "output", directory / "results"
    results.touch()
    command = ["ansible-playbook", "--inventory", os.environ["MOLECULE_INVENTORY_FILE"], *options]
    command += ["--extra-vars", json.dumps(variables or {}), str(PROJECT / f"playbooks/{playbook}.yml")]
    environment = {key: value for key, value in os.environ.items() if key != "ANSIBLE_FORCE_COLOR"}
    environment["ANSIBLE_CALLBACK_PLUGINS"] = str(PROJECT / "molecule/shared/callback_plugins")
    environment |= {
        "ANSIBLE_CALLBACKS_ENABLED": "results,lab.llm_stack.drift,lab.llm_stack.validate",
        "TASK_RESULTS": str(results),
    }
    # Into a file: a pipe that nobody reads while the test does something else would stop the run.
    with output.open("wb") as told:
        process = subprocess.Popen(
            command, env=environment, stdout=told, stderr=subprocess.STDOUT, start_new_session=True
        )
    return Playing(process, output, results)


def play(playbook: str, *options: str, variables: Variables | None = None) -> Played:
    """Run a playbook of the project to its end."""
    return start(playbook, *options, variables=variables).ended()


def deploy(variables: Variables | None = None) -> Played:
    """Deploy, which must work."""
    played = play("deploy", variables=variables)
    assert played.code == 0, played.output
    return played


def refused(variables: Variables | None = None) -> str:
    """Deploy, which must fail, and return what it says."""
    played = play("deploy", variables=variables)
    assert played.code != 0, played.output
    return played.message or played.output


def check(variables: Variables | None = None) -> Played:
    """Predict a deployment, which must work."""
    played = play("deploy", "--check", "--diff", variables=variables)
    assert played.code == 0, played.output
    return played


def assert_clean(variables: Variables | None = None) -> None:
    """A check finds nothing to do."""
    played = check(variables)
    assert (played.items, played.changed) == (set(), 0), played.output
