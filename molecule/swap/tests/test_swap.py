# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""One model makes way for another while clients ask for both without a pause; what fails brings the first back."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from subprocess import Popen

import pytest
import yaml
from clients import ALIVE, unbroken
from kept import ACTIVE
from observed import LOCK_HOLDER, STATE, Stack, eventually
from played import assert_clean, play, start
from swapping import converged, is_idle, starting, swap, told

SLOT = ("coder", "dolphin", "blind", "toolless")
ASKED = (ALIVE, "coder", "dolphin")
PAIR = ("left", "right")
STARTING = starting("llamacpp-dolphin.service")
MAIN_PID = "systemctl --user show --property=MainPID --value llamacpp-{}.service"


def serving(stack: Stack, slot: Iterable[str] = SLOT) -> list[str]:
    """Who of the slot runs."""
    return [name for name in slot if stack.is_serving(unit(name))]


def killing(stack: Stack, name: str) -> Popen[str]:
    """Kill the server of a model as soon as it has a process."""
    return stack.when(f'pid=$({MAIN_PID.format(name)}) && [ "$pid" != 0 ]', "kill -9 $pid && echo killed")


@contextlib.contextmanager
def unreachable(inventory: Path, host: str) -> Iterator[None]:
    """Let no new connection reach a host, and none that is kept open be used."""
    options = inventory / f"host_vars/{host}/unreachable.yml"
    options.parent.mkdir(parents=True, exist_ok=True)
    options.write_text('ansible_ssh_common_args: "-o ProxyCommand=false -o ControlPath=none"\n')
    try:
        yield
    finally:
        options.unlink()


def unit(name: str) -> str:
    return f"llamacpp-{name}.service"


def orphans(stack: Stack) -> str:
    """Engine processes of the account that belong to no unit which runs."""
    units = stack.output("systemctl --user list-units --state=active --plain --no-legend 'llamacpp-*' | cut -d' ' -f1")
    found = stack.output("pgrep --uid $(id -u) --full '^[^ ]*/bin/python [^ ]*/llama_server.py'").split()
    held = [stack.show(each)["MainPID"] for each in units.split()]
    return " ".join(pid for pid in found if pid not in held)


def chosen(inventory: Path) -> dict[str, str]:
    """What is written down, where anything is."""
    path = inventory / ACTIVE
    found: dict[str, str] = yaml.safe_load(path.read_text())["llm_stack_active"] if path.exists() else {}
    return found


def test_there_and_back_again(coder: Stack, inventory: Path) -> None:
    assert serving(coder) == ["coder"]
    for to, before in (("dolphin", "coder"), ("coder", "dolphin")):
        with unbroken(coder, *ASKED):
            played = swap(to)
        assert played.code == 0, played.output
        first, seconds, back = told(played).splitlines()
        assert first == f"{to} holds the slot card of swap now, has shown that it works, and is written down."
        assert re.fullmatch(r" +The slot served nothing for \d+\.\d s; fallbacks answered for \d+\.\d s\.", seconds)
        assert back.endswith(f"playbooks/swap.yml -e to={before}")
        assert (serving(coder), chosen(inventory), orphans(coder)) == ([to], {"card": to}, "")
        assert_clean()
        assert swap(to).changed == 0, "who serves already was swapped"
        if to == "dolphin":
            coder.reboot()
            assert eventually(lambda: serving(coder) == ["dolphin"], seconds=300), "it does not survive a reboot"
            assert eventually(coder.answers, seconds=300)


def test_a_prediction_touches_nothing(coder: Stack, inventory: Path) -> None:
    before = coder.imprint()
    played = swap("dolphin", "--check", "--diff")
    assert played.code == 0, played.output
    assert {("active", unit("coder")), ("not-active", unit("dolphin"))} <= played.items
    assert told(played).startswith("dolphin would hold the slot card of swap once it has shown:\n")
    assert (coder.imprint(), chosen(inventory)) == (before, {})


def test_a_model_that_does_not_start_gives_the_slot_back(coder: Stack, inventory: Path) -> None:
    with unbroken(coder, *ASKED):
        played = swap("blind")
    assert played.code != 0, played.output
    said = told(played)
    assert said.startswith("blind did not take the slot card. coder serves again, and has shown it.\n"), said
    assert "swap, while the one made way for the other: llamacpp-blind.service did not become ready: " in said
    assert "\n    Cause: The model file cannot be opened.\n" in said
    assert "/nowhere/eyes.gguf" in said
    assert "Nothing was written down: coder is still declared to hold the slot card." in said
    assert (serving(coder), chosen(inventory), orphans(coder)) == (["coder"], {}, "")
    assert_clean()


def test_a_model_that_starts_and_is_of_no_use_gives_the_slot_back(coder: Stack, inventory: Path) -> None:
    with unbroken(coder, *ASKED):
        played = swap("toolless")
    assert played.code != 0, played.output
    said = told(played)
    assert said.startswith("toolless did not take the slot card. coder serves again, and has shown it.\n"), said
    assert "swap, in the test of the model, past the gateway: " in said
    assert "cause   the chat template leaves tools out" in said
    assert (serving(coder), chosen(inventory), orphans(coder)) == (["coder"], {}, "")
    assert_clean()


def test_a_model_that_cannot_work_is_refused_while_the_other_serves(coder: Stack, inventory: Path) -> None:
    declared = yaml.safe_load((inventory / "group_vars/all/main.yml").read_text())["llm_stack_models"]
    declared["blind"]["source"] = "../cut.gguf"
    before = {each: coder.show(each)["InvocationID"] for each in (unit("coder"), coder.slot())}
    with unbroken(coder, *ASKED):
        played = play("swap", variables={"to": "blind", "llm_stack_models": declared})
    assert played.code != 0, played.output
    said = told(played)
    assert said.startswith("blind cannot take the slot card, and was refused before anything was touched.\n"), said
    assert re.search(r"/blind-\w+\.gguf is cut off: it has 4096 bytes", said), said
    assert said.endswith("\nNothing that runs was changed on any host."), said
    assert (serving(coder), chosen(inventory)) == (["coder"], {})
    assert {each: coder.show(each)["InvocationID"] for each in before} == before, "the coder or the gateway was stopped"
    assert_clean()


def test_a_server_that_is_killed_while_it_starts_gives_the_slot_back(coder: Stack, inventory: Path) -> None:
    with unbroken(coder, *ASKED):
        killer = killing(coder, "dolphin")
        played = swap("dolphin")
        assert killer.communicate(timeout=300)[0] == "killed\n"
    assert played.code != 0, played.output
    assert told(played).startswith("dolphin did not take the slot card. coder serves again, and has shown it.\n")
    assert (serving(coder), chosen(inventory), orphans(coder)) == (["coder"], {}, "")
    assert_clean()


@pytest.mark.parametrize("step", ["gateway_out", "engine", "test", "gateway_in", "routes"])
def test_a_swap_that_is_killed(coder: Stack, inventory: Path, step: str) -> None:
    """``kill -9`` of ansible-playbook as a step begins, or while the new one starts; its module on the host goes on."""
    with unbroken(coder, *ASKED):
        playing = start("swap", variables={"to": "dolphin"})
        assert eventually(lambda: f"Take the step {step}" in playing.output.read_text(), seconds=600)
        if step == "engine":
            assert coder.when(STARTING, "echo now").communicate(timeout=300)[0] == "now\n"
        playing.kill()
        assert playing.ended().code == -9
        assert eventually(lambda: is_idle(coder), seconds=300)
        assert eventually(lambda: len(serving(coder)) == 1, seconds=300), serving(coder)
        assert eventually(lambda: converged() and serving(coder) == ["coder"], seconds=600)
    assert (serving(coder), chosen(inventory), orphans(coder)) == (["coder"], {}, "")
    assert_clean()


def test_a_module_that_is_killed_leaves_one_that_serves(coder: Stack, inventory: Path) -> None:
    """``kill -9`` of the module on the host, between the stop of the one and the readiness of the other."""
    with unbroken(coder, *ASKED):
        killer = coder.when(f"{STARTING} && pid=$({LOCK_HOLDER}) && kill -0 $pid", "kill -9 $pid && echo killed")
        played = swap("dolphin")
        assert killer.communicate(timeout=300)[0] == "killed\n"
        assert played.code != 0, played.output
        # The playbook learns of it at once and brings the coder back.
        assert eventually(lambda: serving(coder) == ["coder"], seconds=300)
    assert (chosen(inventory), orphans(coder)) == ({}, "")
    assert coder.output(f"find {STATE} -name snapshot.json") == ""
    assert_clean()


def test_two_hosts_go_the_same_way(coder: Stack, far: Stack, inventory: Path) -> None:
    for to in reversed(PAIR):
        with unbroken(coder, ALIVE, *PAIR):
            played = swap(to)
        assert played.code == 0, played.output
        said = told(played)
        assert said.startswith(f"{to} holds the slot pair of swap and swap-far now, has shown that it works,"), said
        assert [serving(host, PAIR) for host in (coder, far)] == [[to], [to]]
        assert (chosen(inventory), orphans(coder), orphans(far)) == ({"pair": to}, "", "")
    assert_clean()


def test_what_fails_on_one_host_brings_the_model_before_back_on_both(coder: Stack, far: Stack, inventory: Path) -> None:
    with unbroken(coder, ALIVE, *PAIR):
        killer = killing(far, "right")
        played = swap("right")
        assert killer.communicate(timeout=300)[0] == "killed\n"
    assert played.code != 0, played.output
    said = told(played)
    assert said.startswith("right did not take the slot pair. left serves again, and has shown it.\n"), said
    assert "\nswap-far, while the one made way for the other: llamacpp-right.service did not become ready: " in said
    assert "\nswap, " not in said, said
    assert [serving(host, PAIR) for host in (coder, far)] == [["left"], ["left"]]
    assert (chosen(inventory), orphans(coder), orphans(far)) == ({}, "", "")
    assert_clean()


def test_a_host_that_cannot_be_reached_leaves_the_others_untouched(coder: Stack, far: Stack, inventory: Path) -> None:
    running = [(coder, unit("left")), (far, unit("left")), (coder, coder.slot())]
    before = [host.show(each)["InvocationID"] for host, each in running]
    with unreachable(inventory, "swap-far"), unbroken(coder, ALIVE, *PAIR):
        played = swap("right")
    assert played.code != 0, played.output
    assert told(played) == (
        "right cannot take the slot pair, because a host does not answer. Nothing was touched.\n"
        "swap-far, before anything was touched: it does not answer\n"
        "Nothing that runs was changed on any host."
    )
    assert "TASK [Take the step preflight]" in played.output
    assert re.findall(r"TASK \[Take the step (?!preflight)", played.output) == []
    assert ([host.show(each)["InvocationID"] for host, each in running], chosen(inventory)) == (before, {})
    assert_clean()


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("dolfin", "to: 'dolfin' is no model that shares a slot.\n    Did you mean 'dolphin'?"),
        ("tiny", "to: 'tiny' has no slot in which it could take over."),
    ],
)
def test_who_cannot_take_over_is_refused_before_anything_is_asked(coder: Stack, to: str, words: str) -> None:
    began = time.monotonic()
    played = swap(to)
    assert played.code != 0
    assert words in played.output.replace("\\n", "\n"), played.output
    assert [step for step in played.steps if step.action not in ("set_fact", "ansible.builtin.set_fact")] == []
    assert time.monotonic() - began < 60
    assert serving(coder) == ["coder"]
