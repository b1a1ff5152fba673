# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A deploy that is killed, whenever: nothing stays down meanwhile, the next one converges and cleans up."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from clients import ALIVE, CHAT, unbroken
from observed import LOCK_HOLDER, STATE, Stack, eventually
from played import Variables, assert_clean, play, start

pytestmark = pytest.mark.only_in("default")

INSTALLER = "pgrep --oldest --uid $(id -u) --full '^[^ ]*uv pip install'"


@dataclass(frozen=True)
class Moment:
    """When to strike: a shell condition on the host, IDLE being the side of the gateway that takes over."""

    comes: str
    module: str = LOCK_HOLDER
    """A command that prints the process id of the module that is at work."""

    @property
    def condition(self) -> str:
        return f"kill -0 $({self.module}) 2> /dev/null && {self.comes}"


def state_of_the_new_gateway(state: str) -> str:
    return f'[ "$(systemctl --user show --property=ActiveState --value litellm@IDLE.service)" = {state} ]'


INSTALLING = Moment("true", module=f"ps -o ppid= -p $({INSTALLER}) 2> /dev/null")
WRITING = Moment(f"[ -e {STATE}/llamacpp/snapshot.json ]")
STARTING = Moment(state_of_the_new_gateway("activating"))
BOTH_SERVE = Moment(state_of_the_new_gateway("active"))


def watch(stack: Stack, moment: Moment, strike: str) -> subprocess.Popen[str]:
    """Wait on the host for the moment, and strike."""
    (idle,) = {"a", "b"} - {unit.partition("@")[2][0] for unit in stack.enabled_gateways()}
    return stack.when(moment.condition.replace("IDLE", idle), strike)


def the_module(stack: Stack, moment: Moment, changes: Variables) -> None:
    """``kill -9`` of the process on the host that does the work."""
    watcher = watch(stack, moment, f"kill -9 $({moment.module}) && echo killed")
    played = play("deploy", variables=changes)
    assert watcher.communicate(timeout=60)[0] == "killed\n", played.output
    assert played.code != 0, played.output


def the_playbook(stack: Stack, moment: Moment, changes: Variables) -> None:
    """``kill -9`` of ansible-playbook; its module on the host does not notice and goes on."""
    watcher = watch(stack, moment, "echo now")
    playing = start("deploy", variables=changes)
    assert watcher.communicate(timeout=60)[0] == "now\n"
    playing.kill()
    assert playing.ended().code == -9


def converges(changes: Variables) -> bool:
    """Deploy again; only what is left of the killed run may still be in the way, and then it says so."""
    played = play("deploy", variables=changes)
    if played.code:
        assert played.message.startswith("Another run is changing this account's services: "), played.output
        assert played.message.endswith("Or wait for it to end. Nothing was changed.")
    return played.code == 0


Blow = tuple[Callable[[Stack, Moment, Variables], None], Moment]


@pytest.mark.parametrize(
    ("blows", "changes", "prepare", "always"),
    [
        pytest.param(
            [(the_module, INSTALLING), (the_playbook, INSTALLING)],
            {},
            "rm -r $(readlink -f .local/share/llm-stack/envs/llamacpp/current)",
            # An engine that is installed anew restarts.
            [ALIVE],
            id="while the engine is installed",
        ),
        pytest.param(
            [(the_playbook, WRITING)],
            {"llamacpp_ready_timeout": 290},
            "true",
            [ALIVE],
            id="while the engine's files are written",
        ),
        pytest.param(
            [(the_module, STARTING), (the_playbook, STARTING)],
            {"litellm_drain_timeout": 590},
            "true",
            [ALIVE, CHAT],
            id="while the new gateway starts",
        ),
        pytest.param(
            [(the_module, BOTH_SERVE)],
            {"litellm_drain_timeout": 580},
            "true",
            [ALIVE, CHAT],
            id="while both gateways serve",
        ),
    ],
)
def test_killed(faulty: Stack, blows: list[Blow], changes: Variables, prepare: str, always: list[str]) -> None:
    faulty.output(prepare)
    with unbroken(faulty, *always):
        for kill, moment in blows:
            kill(faulty, moment, changes)
        assert eventually(lambda: converges(changes), seconds=60)
        assert faulty.answers()
    assert_clean(changes)
    # What a run keeps only while it runs.
    assert faulty.output("find .config .local -name '.llm-stack-*.tmp' -o -name snapshot.json -o -name '*.part'") == ""
    assert faulty.output("systemctl --user --failed --plain --no-legend") == ""
