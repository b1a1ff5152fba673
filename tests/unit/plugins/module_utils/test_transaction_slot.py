# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Two servers that want the same card: one makes way for the other, whatever happens in between one of them serves."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Wanted
from ansible_collections.lab.llm_stack.plugins.module_utils._transaction import ChangeError
from example_services import both, server, slot
from simulated_host import Killed, SimulatedHost, check, deploy, simulated_host

A, B = "a.service", "b.service"
Declare = Callable[[Path], Wanted]
MOST_EFFECTS = 60


def first(home: Path) -> Wanted:
    return slot(home, "a", "b")


def second(home: Path) -> Wanted:
    return slot(home, "b", "a")


def broken(home: Path) -> Wanted:
    return slot(home, "b", "a", settings="boot=exit log=xyz")


@pytest.fixture
def deployed(host: SimulatedHost) -> SimulatedHost:
    """The first of the two serves, since a while."""
    deploy(host, first(host.home))
    host.sleep(3600)
    host.calls.clear()
    return host


def test_the_first_is_gone_before_the_second_starts(deployed: SimulatedHost) -> None:
    transaction = deploy(deployed, second(deployed.home))
    assert deployed.calls == [
        "reset-failed b.servic[e]",
        "show-environment",
        f"start {B}",
        f"stop {A}",
        f"enable {B}",
        f"disable {A}",
    ]
    assert (list(deployed.processes()), check(deployed, second(deployed.home))) == ([B], [])
    assert transaction is not None
    # It drained for 5 s, and the other needed 0.4 s from then on.
    assert (transaction.outages.seconds, transaction.ready) == ({"gpu": 5.4}, {B: 0.4})


def test_there_and_back_again_ends_where_it_began(deployed: SimulatedHost) -> None:
    before = deployed.picture()[1:]
    deploy(deployed, second(deployed.home))
    deploy(deployed, first(deployed.home))
    assert (deployed.picture()[1:], check(deployed, first(deployed.home))) == (before, [])


def test_a_first_deploy_has_no_outage(host: SimulatedHost) -> None:
    transaction = deploy(host, first(host.home))
    assert transaction is not None
    assert transaction.outages.seconds == {}


@pytest.mark.parametrize(
    ("settings", "said", "outage"),
    [
        pytest.param("boot=exit log=xyz", "it exited with code 1 after 0.4 s", 6.1, id="it exits at once"),
        pytest.param("boot=late-exit", "it became ready and then it exited with code 1", 7.1, id="it exits later"),
        pytest.param("boot=never", "it gave no sign of being ready within 10 s", 21.0, id="it never becomes ready"),
        pytest.param("boot=unready", "its readiness check failed after 0.4 s", 6.1, id="its readiness check fails"),
    ],
)
def test_when_the_second_does_not_come_up_the_first_is_back(
    deployed: SimulatedHost, settings: str, said: str, outage: float
) -> None:
    deploy(deployed, slot(deployed.home, "a", "b"))
    before = deployed.picture()[1:]
    with pytest.raises(ChangeError) as caught:
        deploy(deployed, slot(deployed.home, "b", "a", settings=settings))
    assert str(caught.value).startswith(f"{B} did not become ready: {said}.")
    assert re.search(rf"\n{A} is serving again \(ready after \d\.\d s\)\. The .* was not applied\.$", str(caught.value))
    deployed.sleep(60)
    assert (deployed.picture()[1:], check(deployed, first(deployed.home))) == (before, [])
    assert caught.value.outage["gpu"] == pytest.approx(outage, abs=0.7)


def test_a_process_that_cannot_be_ended_keeps_the_slot_closed(deployed: SimulatedHost) -> None:
    deployed.orphans[A] = [4712]
    with pytest.raises(ChangeError) as caught:
        deploy(deployed, second(deployed.home))
    assert str(caught.value).splitlines()[:2] == [
        "a.service was stopped, but pid 4712 (serve) of llm of a.service is still there after 30 s.",
        "    What it holds, such as the memory of a card, is not free. End it, then run this again.",
    ]
    assert list(deployed.processes()) == [A]


def test_a_neighbour_that_comes_or_goes_restarts_nothing(deployed: SimulatedHost) -> None:
    process = deployed.units[A].pid
    for wanted in (slot(deployed.home, "a", "b", "c"), slot(deployed.home, "a")):
        deployed.sleep(60)
        deploy(deployed, wanted)
        assert (deployed.units[A].pid, check(deployed, wanted)) == (process, [])


def test_two_that_ran_beside_each_other_become_a_slot_without_a_restart(host: SimulatedHost) -> None:
    deploy(host, both(server(host.home, "SRV_A=1", 8080, "a"), server(host.home, "SRV_A=1", 8081, "b")))
    host.sleep(60)
    process = host.units[A].pid
    files = both(server(host.home, "SRV_A=1", 8080, "a"), server(host.home, "SRV_A=1", 8081, "b")).files
    wanted = replace(first(host.home), files=files)
    deploy(host, wanted)
    assert (host.units[A].pid, list(host.processes()), check(host, wanted)) == (process, [A], [])


def test_what_is_no_longer_declared_leaves_the_slot_first(deployed: SimulatedHost) -> None:
    wanted = slot(deployed.home, "c")
    deploy(deployed, wanted)
    assert (list(deployed.processes()), check(deployed, wanted)) == (["c.service"], [])


def test_a_changed_declaration_comes_with_the_swap(deployed: SimulatedHost) -> None:
    wanted = slot(deployed.home, "b", "a", settings="SRV_A=7")
    deploy(deployed, wanted)
    assert (deployed.units[B].environ["SRV_A"], check(deployed, wanted)) == ("7", [])


# -- killed ---------------------------------------------------------------------------------------------------------


def killed_runs(root: Path, before: Declare, change: Declare) -> Iterator[tuple[int, SimulatedHost]]:
    """For each effect of a change: a host on which a run was killed there."""
    for effects in range(MOST_EFFECTS):
        home = root / str(effects)
        home.mkdir()
        with simulated_host(home) as host:
            deploy(host, before(home))
            host.sleep(3600)
            host.fuse = effects
            try:
                with contextlib.suppress(ChangeError):
                    deploy(host, change(home))
            except Killed:
                host.revive()
                yield effects, host
                continue
        break
    else:
        pytest.fail("the change never ended")
    assert effects > 5


def serving(host: SimulatedHost) -> list[str]:
    return list(host.processes())


def test_a_killed_swap_leaves_one_that_serves_without_any_help(tmp_path: Path) -> None:
    for effects, host in killed_runs(tmp_path, first, second):
        host.sleep(60)
        assert (effects, len(serving(host))) == (effects, 1)


def test_a_killed_swap_leaves_one_that_serves_after_a_reboot(tmp_path: Path) -> None:
    for effects, host in killed_runs(tmp_path, first, second):
        host.reboot()
        host.sleep(60)
        assert (effects, len(serving(host))) == (effects, 1)


@pytest.mark.parametrize("change", [second, broken])
@pytest.mark.parametrize(("then", "serves"), [(first, A), (second, B)])
def test_whatever_is_declared_after_a_killed_swap_serves_alone(
    tmp_path: Path, change: Declare, then: Declare, serves: str
) -> None:
    for effects, host in killed_runs(tmp_path, first, change):
        host.sleep(60)
        deploy(host, then(host.home))
        host.sleep(60)
        assert (effects, serving(host), check(host, then(host.home))) == (effects, [serves], [])
        assert (host.state.interrupted(), [name for name in host.files() if name.endswith(".tmp")]) == ("", [])


def test_a_run_that_is_killed_while_it_brings_the_first_back_leaves_it_serving(tmp_path: Path) -> None:
    """The order to start it also stops the second, so there is no moment at which neither of them is on its way."""
    for effects, host in killed_runs(tmp_path, first, broken):
        tried, restored = f"start {B}" in host.calls, f"restart {A}" in host.calls
        host.sleep(60)
        if restored or not tried:
            assert (effects, serving(host)) == (effects, [A])
        assert f"stop {B}" not in host.calls or restored


def test_the_second_killed_while_it_starts_brings_the_first_back(deployed: SimulatedHost) -> None:
    with pytest.raises(ChangeError, match="it was ended by signal 9"):
        deploy(deployed, slot(deployed.home, "b", "a", settings="boot=killed"))
    assert serving(deployed) == [A]
