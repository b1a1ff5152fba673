# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A deployed stack as the tests of all scenarios see it: its account, its services and its gateway."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testinfra.backend.base import CommandResult
from testinfra.host import Host

PROJECT = Path(__file__).parents[3]
GATEWAY = "http://127.0.0.1:4000"
SLOTS = ("litellm@a.service", "litellm@b.service")
TO_THE_ALIAS = {"model": "chat", "max_tokens": 60}
CONFIG = ".config/llm-stack"
UNITS = ".config/systemd/user"
STATE = ".local/state/llm-stack"
DATA = ".local/share/llm-stack"
LOCK_HOLDER = f"sed -n 's/.*\"pid\": \\([0-9]*\\).*/\\1/p' {STATE}/lock"
"""Prints the process id of the module that changes services."""


def eventually(probe: Callable[[], bool], seconds: float) -> bool:
    """Say whether ``probe`` becomes true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return answer


@dataclass(frozen=True)
class Stack:
    """One host, seen as the account that owns its stack."""

    host: Host
    name: str
    account: str

    def run(self, command: str, *words: str) -> CommandResult:
        """Run a command as the stack's account, within reach of its user manager; each ``%s`` is a quoted word."""
        line = f"export XDG_RUNTIME_DIR=/run/user/$(id -u) && cd && {command}"
        if self.host.user().name == self.account:
            return self.host.run(line, *words)
        with self.host.sudo(self.account):
            return self.host.run(line, *words)

    def output(self, command: str, *words: str) -> str:
        """Return what a command prints; a failure fails the test with all that was said."""
        result = self.run(command, *words)
        assert result.rc == 0, result
        return str(result.stdout).strip()

    def home(self, path: str) -> str:
        """Return a path below the account's home as the modules write it."""
        return f"{self.host.user(self.account).home}/{path}"

    def root(self, command: str) -> str:
        """Run a command as the host's administrator."""
        return engine(["tools/podman", "exec", self.container, "sh", "-c", command]).strip()

    def background(self, *command: str) -> subprocess.Popen[str]:
        """Start a command as the stack's account beside the test, which talks to it by pipes."""
        runtime = f"XDG_RUNTIME_DIR=/run/user/{self.host.user(self.account).uid}"
        inside = ["exec", "--interactive", "--user", self.account, "--env", runtime, "--workdir", self.home(".")]
        podman = [str(PROJECT / "tools/podman"), *inside, self.container, *command]
        return subprocess.Popen(podman, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def when(self, condition: str, strike: str) -> subprocess.Popen[str]:
        """Wait on the host for a condition, as fast as a shell can look, and run a command at once."""
        return self.background("sh", "-c", f"until {condition}; do sleep 0.01; done; {strike}")

    @property
    def container(self) -> str:
        return f"llmstack-{self.name}"

    def show(self, unit: str) -> dict[str, str]:
        """Return the properties of a unit."""
        lines = self.output("systemctl --user show %s", unit).splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def is_serving(self, unit: str) -> bool:
        """Say whether a unit is active; with readiness in the unit, that means it serves."""
        return self.show(unit)["ActiveState"] == "active"

    def journal(self) -> str:
        """Return the last lines that the stack's services wrote since the boot."""
        units = "--unit 'llamacpp-*' --unit 'vllm-*' --unit 'litellm*'"
        return str(self.run(f"journalctl --user --quiet --no-pager --boot --lines=80 {units}").stdout)

    def slot(self) -> str:
        """Return the one gateway unit that is active."""
        active = [unit for unit in SLOTS if self.is_serving(unit)]
        assert len(active) == 1, f"{self.name}: active of {SLOTS} are {active}"
        return active[0]

    def enabled_gateways(self) -> list[str]:
        """Return the gateway units that start at boot; between two runs that is the serving one."""
        return [unit for unit in SLOTS if self.show(unit)["UnitFileState"] == "enabled"]

    def services(self) -> tuple[str, str]:
        """Return the engine's unit and the gateway's."""
        return ("llamacpp-tiny.service", self.slot())

    def request(self, path: str, body: Mapping[str, object] | None = None) -> CommandResult:
        """Ask the gateway on the host itself, with the stack's own key."""
        secrets = ". ~/.config/llm-stack/litellm/secrets.env"
        curl = (
            "curl --silent --show-error --fail-with-body --no-buffer --max-time 60"
            " --header 'Content-Type: application/json'"
            ' --header "Authorization: Bearer $LITELLM_MASTER_KEY"'
        )
        if body is None:
            return self.run(f"{secrets} && {curl} %s", GATEWAY + path)
        return self.run(f"{secrets} && {curl} --data %s %s", json.dumps(body), GATEWAY + path)

    def chat(self, body: Mapping[str, object]) -> dict[str, Any]:
        """Return the answer to a chat request in one piece."""
        result = self.request("/v1/chat/completions", {**TO_THE_ALIAS, **body})
        assert result.rc == 0, result
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer

    def stream(self, body: Mapping[str, object]) -> list[dict[str, Any]]:
        """Return the chunks of a streamed answer, which must be ended as the protocol asks."""
        result = self.request("/v1/chat/completions", {**TO_THE_ALIAS, "stream": True, **body})
        assert result.rc == 0, result
        events = [line.removeprefix("data: ") for line in result.stdout.splitlines() if line.startswith("data: ")]
        assert events[-1] == "[DONE]", result
        return [json.loads(event) for event in events[:-1]]

    def answers(self) -> bool:
        """Say whether a chat gets any answer."""
        body = {**TO_THE_ALIAS, "messages": [{"role": "user", "content": "hello"}]}
        return bool(self.request("/v1/chat/completions", body).rc == 0)

    def imprint(self) -> str:
        """Return what a write or restart would alter: names, modes and times of files but the lock, and who runs."""
        places = f"{CONFIG} {UNITS} {STATE} {DATA} ! -path {STATE}/lock"
        files = f"find {places} '(' -type d -printf '%p %m\\n' -o -printf '%p %m %s %T@ %C@ %l\\n' ')' | sort"
        properties = "--property=Id,ActiveState,UnitFileState,InvocationID,MainPID"
        units = "'litellm@a.service' 'litellm@b.service' litellm.socket 'llamacpp-*'"
        assert eventually(self.is_settled, seconds=60), self.journal()
        return self.output(f"{files} && systemctl --user show {properties} {units}")

    def is_settled(self) -> bool:
        """Say whether the user manager has nothing left to do: no gateway drains, and no service waits to restart."""
        changing = "systemctl --user list-units --plain --no-legend --state=activating,deactivating,reloading"
        # Between the end of a service and its restart there is no job.
        return "No jobs" in self.output("systemctl --user list-jobs") and self.output(changing) == ""

    def reboot(self) -> None:
        """Restart the container: systemd shuts all services down and boots again."""
        engine(["tools/podman", "restart", "--time=60", self.container])
        engine(["tools/hosts/start", self.container, os.environ["MOLECULE_EPHEMERAL_DIRECTORY"] + "/key"])


def engine(command: list[str]) -> str:
    """Run one of the project's own commands and return what it prints."""
    done = subprocess.run(
        [PROJECT / command[0], *command[1:]], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout
