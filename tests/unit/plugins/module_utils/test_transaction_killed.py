# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""kill -9 at every single effect of a run, a half-written file included: whatever comes next ends well."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Wanted
from ansible_collections.lab.llm_stack.plugins.module_utils._transaction import ChangeError
from example_services import both, gateway, server
from simulated_host import Killed, SimulatedHost, check, deploy, simulated_host

Declare = Callable[[Path], Wanted]
MOST_EFFECTS = 60
KEY = "sk-given"
MANIFEST = ".local/state/llm-stack/example/manifest.json"


def stack(home: Path, settings: str, config: str, **changes: object) -> Wanted:
    return both(server(home, settings, **changes), gateway(home, config, KEY))


def old(home: Path) -> Wanted:
    return stack(home, "SRV_A=1", "answer=1")


def new(home: Path) -> Wanted:
    return stack(home, "SRV_A=2", "answer=2")


def broken(home: Path) -> Wanted:
    return stack(home, "SRV_A=3 boot=exit", "answer=3")


def late_broken(home: Path) -> Wanted:
    return stack(home, "SRV_A=3", "answer=3 boot=never")


def renamed(home: Path) -> Wanted:
    return stack(home, "SRV_A=1", "answer=1", name="other", port=8081)


def killed_runs(
    root: Path, before: Declare | None, change: Declare
) -> Iterator[tuple[int, SimulatedHost, tuple[object, ...]]]:
    """For each effect of a change: a host on which a run was killed there, and what it looked like before."""
    for effects in range(MOST_EFFECTS):
        home = root / str(effects)
        home.mkdir()
        with simulated_host(home) as host:
            if before:
                deploy(host, before(home))
                host.sleep(3600)
            picture = host.picture()
            host.fuse = effects
            try:
                deploy(host, change(home))
            except Killed:
                host.revive()
                yield effects, host, picture
                continue
        break
    else:
        pytest.fail("the change never ended")
    assert effects > 10


def temporary(host: SimulatedHost) -> list[str]:
    return [name for name in host.files() if name.endswith(".tmp")]


@pytest.mark.parametrize(
    ("before", "change"),
    [
        pytest.param(None, old, id="a first deploy"),
        pytest.param(old, new, id="a change"),
        pytest.param(old, renamed, id="a renamed service"),
    ],
)
def test_the_next_run_converges(tmp_path: Path, before: Declare | None, change: Declare) -> None:
    for _effects, host, _picture in killed_runs(tmp_path, before, change):
        host.sleep(60)
        deploy(host, change(host.home))
        host.sleep(60)
        assert (check(host, change(host.home)), temporary(host), host.state.interrupted()) == ([], [], "")


def test_a_check_names_what_is_left_and_each_service_is_the_old_one_or_the_new(tmp_path: Path) -> None:
    for effects, host, _picture in killed_runs(tmp_path, old, new):
        host.sleep(60)
        left = check(host, new(host.home))
        for name in temporary(host):
            assert ("leftover", f"~/{name}") in left, effects
        if host.state.interrupted():
            assert ("interrupted-run", "transaction") in left, effects
        elif not temporary(host):
            # Before its first effect nothing was done, after its last one everything.
            assert left == [] or effects < 2, effects
        running = [unit for unit in host.units.values() if unit.active == "active" and unit.pid]
        values = {each.settings.get("SRV_A") or each.settings["answer"] for each in running}
        assert values <= {"1", "2"}, effects


def test_the_next_run_converges_also_after_a_reboot(tmp_path: Path) -> None:
    for _effects, host, _picture in killed_runs(tmp_path, old, new):
        host.reboot()
        deploy(host, new(host.home))
        host.sleep(60)
        assert (check(host, new(host.home)), temporary(host)) == ([], [])


def test_taking_the_change_back_converges_too(tmp_path: Path) -> None:
    for _effects, host, _picture in killed_runs(tmp_path, old, new):
        host.sleep(60)
        deploy(host, old(host.home))
        host.sleep(60)
        assert (check(host, old(host.home)), temporary(host)) == ([], [])


@pytest.mark.parametrize("change", [broken, late_broken])
def test_a_next_run_that_fails_returns_to_what_served_before_the_killed_one(tmp_path: Path, change: Declare) -> None:
    for _effects, host, _picture in killed_runs(tmp_path, old, new):
        host.sleep(60)
        with pytest.raises(ChangeError, match=r"The declaration was not applied\.$"):
            deploy(host, change(host.home))
        host.sleep(60)
        deploy(host, old(host.home))  # mends what no restore touches: temporary files of the killed run
        assert (check(host, old(host.home)), temporary(host)) == ([], [])
        assert {unit.settings.get("SRV_A") for unit in host.units.values() if unit.name == "server.service"} == {"1"}


def test_a_restore_is_as_exact_after_a_killed_run_as_without_one(tmp_path: Path) -> None:
    for _effects, host, (files, _processes, enabled) in killed_runs(tmp_path, old, new):
        host.sleep(60)
        with contextlib.suppress(ChangeError):
            deploy(host, broken(host.home))
        host.sleep(60)
        kept = {name: entry for name, entry in host.files().items() if name not in temporary(host)}
        # A run that was killed after its last word had completed; its manifest stays.
        kept[MANIFEST] = files[MANIFEST]
        assert (kept, host.enabled) == (files, enabled)
        assert sorted(host.processes()) == ["gateway.socket", "gateway@a.service", "server.service"]


def test_something_serves_at_every_moment_of_a_killed_change_of_the_gateway(tmp_path: Path) -> None:
    runs = killed_runs(tmp_path, lambda home: gateway(home, key=KEY), lambda home: gateway(home, "answer=2", KEY))
    for effects, host, _picture in runs:
        serving = [name for name in host.processes() if name.startswith("gateway@")]
        assert (effects, serving) != (effects, [])


def test_a_killed_first_deploy_can_be_removed(tmp_path: Path) -> None:
    for _effects, host, _picture in killed_runs(tmp_path, None, old):
        left = [name for name in host.files() if "/.local/state/" not in f"/{name}"]
        known = {*host.state.manifest().files, *(host.state.snapshot().files if host.state.snapshot() else {})}
        assert [name for name in left if str(host.home / name) not in known and name not in temporary(host)] == []
