# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Every kind of drift: made on a host, found as exactly these items and nothing else, mended by the next deploy."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _service_read
from ansible_collections.lab.llm_stack.plugins.module_utils._service_decide import OTHER_PROGRAM, unit_digest
from ansible_collections.lab.llm_stack.plugins.module_utils._service_plan import compare
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    FileSpec,
    Found,
    Requirement,
    UnitSpec,
    Wanted,
)
from example_services import both, gateway, server
from simulated_host import Killed, SimulatedHost, check, deploy, simulated_host

ENV = "~/.config/example/server.env"
UNITS = "~/.config/systemd/user"
KEY = "~/.config/example/secrets.env"
Row = tuple[str, str, str]


def declared(host: SimulatedHost) -> Wanted:
    return both(server(host.home), gateway(host.home))


@pytest.fixture
def deployed(host: SimulatedHost) -> SimulatedHost:
    """Both examples, deployed a while ago."""
    deploy(host, declared(host))
    host.sleep(3600)
    host.calls.clear()
    return host


def rows(host: SimulatedHost, wanted: Wanted) -> list[Row]:
    """Kind, subject and actual state of each difference."""
    _wanted, comparison, _found = host.read(wanted)
    return [(item.kind, item.subject.replace(f"{host.home}/", "~/"), item.actual) for item in comparison.items]


def at(host: SimulatedHost, path: str) -> Path:
    return host.home / path.removeprefix("~/")


def test_an_unchanged_host_shows_nothing_however_often_it_is_asked(deployed: SimulatedHost) -> None:
    before = deployed.picture()
    assert [check(deployed, declared(deployed)) for _ in range(20)] == [[]] * 20
    assert deploy(deployed, declared(deployed)) is None
    assert (deployed.picture(), deployed.calls) == (before, [])


def test_a_bare_host_is_predicted_completely(host: SimulatedHost) -> None:
    host.lingering = False
    assert rows(host, server(host.home)) == [
        ("linger", "llm", "does not linger"),
        ("file", ENV, "absent"),
        ("unit-file", f"{UNITS}/server.service", "absent"),
        ("not-active", "server.service", "inactive, dead"),
        ("not-enabled", "server.service", "unknown to the manager"),
    ]
    deploy(host, server(host.home))
    assert (rows(host, server(host.home)), host.lingering) == ([], True)


def touched(host: SimulatedHost) -> None:
    host.edit(at(host, ENV), at(host, ENV).read_bytes())
    os.utime(at(host, f"{UNITS}/server.service"))


def edited_config(host: SimulatedHost) -> None:
    host.edit(at(host, ENV), b"SRV_A=other\n")


def edited_config_with_its_time_set_back(host: SimulatedHost) -> None:
    times = at(host, ENV).stat()
    host.edit(at(host, ENV), b"SRV_A=other\n")
    os.utime(at(host, ENV), ns=(times.st_atime_ns, times.st_mtime_ns))


def removed_config(host: SimulatedHost) -> None:
    at(host, ENV).unlink()


def opened_config(host: SimulatedHost) -> None:
    at(host, ENV).chmod(0o644)


def masked(host: SimulatedHost) -> None:
    at(host, f"{UNITS}/gateway@b.service").unlink()
    at(host, f"{UNITS}/gateway@b.service").symlink_to("/dev/null")


def edited_unit(host: SimulatedHost) -> None:
    path = at(host, f"{UNITS}/server.service")
    host.edit(path, path.read_bytes().replace(b"/usr/bin/serve", b"/usr/bin/other"))


def edited_unit_after_a_reload(host: SimulatedHost) -> None:
    edited_unit(host)
    host.systemctl("daemon-reload")


def edited_unit_and_restarted(host: SimulatedHost) -> None:
    edited_unit_after_a_reload(host)
    host.systemctl("restart", "server.service")
    host.sleep(60)


def edited_config_and_restarted(host: SimulatedHost) -> None:
    host.edit(at(host, ENV), b"port=8080\n")
    host.systemctl("restart", "server.service")
    host.sleep(60)


def edited_config_just_before_a_restart(host: SimulatedHost) -> None:
    host.edit(at(host, ENV), b"port=8080\nSRV_A=1\n")
    host.now -= 0.9  # the kernel counts in ticks, so a file may look a little younger than the process that read it
    host.systemctl("restart", "server.service")
    host.now += 60


def stopped(host: SimulatedHost) -> None:
    host.systemctl("stop", "server.service")


def failed(host: SimulatedHost) -> None:
    unit = host.units["server.service"]
    unit.active, unit.sub, unit.result, unit.pid, unit.bound = "failed", "failed", "exit-code", 0, None


def restart_loop(host: SimulatedHost) -> None:
    host.kill("server.service")


def disabled(host: SimulatedHost) -> None:
    host.systemctl("disable", "server.service")


def other_variable(host: SimulatedHost) -> None:
    host.units["server.service"].environ["SRV_B"] = "2"


def variable_of_the_manager(host: SimulatedHost) -> None:
    host.environ.update(SRV_B="2", HOME_OF_OTHERS="3")
    host.systemctl("restart", "server.service")
    host.sleep(60)


def code_of_others_by_the_manager(host: SimulatedHost) -> None:
    host.environ.update(PYTHONPATH="/tmp/evil")
    host.systemctl("restart", "server.service")
    host.sleep(60)


def started_by_hand(host: SimulatedHost) -> None:
    host.units["server.service"].environ.pop("LLM_STACK_DIGEST")


def other_digest(host: SimulatedHost) -> None:
    host.units["server.service"].environ["LLM_STACK_DIGEST"] = "0" * 16


def memory_of_another_unit(host: SimulatedHost) -> None:
    unit = host.units["server.service"]
    unit.text = (unit.text or "").replace("LLM_STACK_DIGEST=", "LLM_STACK_DIGEST=0")


def edited_unit_put_back_after_a_reload(host: SimulatedHost) -> None:
    before = at(host, f"{UNITS}/server.service").read_bytes()
    edited_unit_after_a_reload(host)
    host.edit(at(host, f"{UNITS}/server.service"), before)


def edited_unit_put_back_after_a_restart(host: SimulatedHost) -> None:
    before = at(host, f"{UNITS}/server.service").read_bytes()
    edited_unit_and_restarted(host)
    host.edit(at(host, f"{UNITS}/server.service"), before)
    host.systemctl("daemon-reload")


def drop_in(host: SimulatedHost) -> None:
    host.edit(at(host, f"{UNITS}/server.service.d/90-mine.conf"), b"[Service]\nEnvironment=EXTRA=1\n")


def unit_that_hides_ours(host: SimulatedHost) -> None:
    host.edit(at(host, f"{UNITS}.control/server.service"), b"[Service]\nExecStart=/usr/bin/other\n")
    host.edit(at(host, f"{UNITS}.control/strange.service"), b"[Service]\nExecStart=/usr/bin/other\n")


def drop_in_after_a_reload(host: SimulatedHost) -> None:
    drop_in(host)
    host.systemctl("daemon-reload")


def deaf(host: SimulatedHost) -> None:
    host.units["server.service"].bound = None


def no_linger(host: SimulatedHost) -> None:
    host.lingering = False


def edited_manifest(host: SimulatedHost) -> None:
    path = Path(host.state.directory) / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"a test", b"a tset"))


def removed_manifest(host: SimulatedHost) -> None:
    (Path(host.state.directory) / "manifest.json").unlink()


def open_directory(host: SimulatedHost) -> None:
    Path(host.state.root).chmod(0o777)
    at(host, "~/.config").chmod(0o775)  # an account's own business


def leftover(host: SimulatedHost) -> None:
    host.edit(at(host, f"{UNITS}/.llm-stack-1.tmp"), b"half")


def other_colour_runs_too(host: SimulatedHost) -> None:
    host.systemctl("start", "gateway@b.service")
    host.sleep(60)


def both_colours_enabled(host: SimulatedHost) -> None:
    host.systemctl("enable", "gateway@b.service")


def other_colour_serves(host: SimulatedHost) -> None:
    host.systemctl("stop", "gateway@a.service")
    host.systemctl("start", "gateway@b.service")
    host.sleep(60)


def edited_config_of_the_idle_colour(host: SimulatedHost) -> None:
    host.edit(at(host, "~/.config/example/b/config"), b"answer=other\n")


def idle_colour_enabled_and_gone(host: SimulatedHost) -> None:
    host.systemctl("enable", "gateway@b.service")
    at(host, f"{UNITS}/gateway@b.service").unlink()
    host.systemctl("daemon-reload")


def lost_key(host: SimulatedHost) -> None:
    at(host, KEY).unlink()


def no_colour_runs(host: SimulatedHost) -> None:
    host.systemctl("stop", "gateway@a.service")


def no_socket(host: SimulatedHost) -> None:
    host.systemctl("stop", "gateway.socket")


STALE = "stale-process"
DRIFT: list[object] = [
    pytest.param(touched, [], id="a touched file is no drift"),
    pytest.param(edited_config, [("file", ENV, "other content")], id="a config edited after the start is only a file"),
    pytest.param(
        edited_config_with_its_time_set_back, [("file", ENV, "other content")], id="a time set back hides no edit"
    ),
    pytest.param(removed_config, [("file", ENV, "absent")], id="a removed config is written again"),
    pytest.param(opened_config, [("file", ENV, "mode 0644")], id="a secret file that others can read"),
    pytest.param(
        masked,
        [("unit-file", f"{UNITS}/gateway@b.service", "a link to /dev/null")],
        id="a masked unit is described, not followed",
    ),
    pytest.param(
        edited_unit, [("unit-file", f"{UNITS}/server.service", "other content")], id="a unit edited after the start"
    ),
    pytest.param(
        edited_unit_after_a_reload,
        [("unit-file", f"{UNITS}/server.service", "other content")],
        id="a unit edited and reloaded, but not yet restarted",
    ),
    pytest.param(
        edited_unit_and_restarted,
        [
            ("unit-file", f"{UNITS}/server.service", "other content"),
            (STALE, "server.service", "it has read server.service as edited on the host"),
        ],
        id="a process that was started from an edited unit",
    ),
    pytest.param(
        edited_config_and_restarted,
        [
            ("file", ENV, "other content"),
            (
                STALE,
                "server.service",
                "it has read server.env as edited on the host; its environment has another SRV_A",
            ),
        ],
        id="a process that has read an edited config",
    ),
    pytest.param(
        edited_config_just_before_a_restart,
        [("file", ENV, "other content"), (STALE, "server.service", "it has read server.env as edited on the host")],
        id="an edit and a start within one tick count as read",
    ),
    pytest.param(stopped, [("not-active", "server.service", "inactive, dead")], id="a stopped service"),
    pytest.param(failed, [("not-active", "server.service", "failed (exit-code)")], id="a failed service"),
    pytest.param(
        restart_loop, [(STALE, "server.service", "it waits to be restarted")], id="a service between two attempts"
    ),
    pytest.param(disabled, [("not-enabled", "server.service", "disabled")], id="a service that will not start at boot"),
    pytest.param(
        other_variable,
        [(STALE, "server.service", "its environment has another SRV_B")],
        id="a watched variable that nobody declared",
    ),
    pytest.param(
        variable_of_the_manager,
        [(STALE, "server.service", "its environment has another SRV_B")],
        id="a watched variable that the manager hands down",
    ),
    pytest.param(
        code_of_others_by_the_manager,
        [(STALE, "server.service", OTHER_PROGRAM)],
        id="a variable of the manager that puts other code under a program",
    ),
    pytest.param(
        started_by_hand,
        [(STALE, "server.service", "it was not started from its unit")],
        id="a process that somebody started in the unit's place",
    ),
    pytest.param(
        other_digest, [(STALE, "server.service", "what it runs from changed")], id="a process of an older run"
    ),
    pytest.param(
        memory_of_another_unit,
        [("daemon-reload", "server.service", "the manager holds another version")],
        id="a manager that has not read the unit",
    ),
    pytest.param(
        edited_unit_put_back_after_a_reload,
        [("daemon-reload", "server.service", "the manager holds another version")],
        id="a manager that holds an edit that is no longer on disk",
    ),
    pytest.param(
        edited_unit_put_back_after_a_restart,
        [(STALE, "server.service", OTHER_PROGRAM)],
        id="a process of an edit that is neither on disk nor in memory any more",
    ),
    pytest.param(
        drop_in,
        [("extra-dropin", f"{UNITS}/server.service.d/90-mine.conf", "changes a unit of ours")],
        id="a drop-in that waits for the next reload",
    ),
    pytest.param(
        unit_that_hides_ours,
        [("extra-dropin", f"{UNITS}.control/server.service", "changes a unit of ours")],
        id="a unit file that systemd prefers to ours, from the next reload on",
    ),
    pytest.param(
        drop_in_after_a_reload,
        [
            (STALE, "server.service", "it may run with 90-mine.conf"),
            ("extra-dropin", f"{UNITS}/server.service.d/90-mine.conf", "changes a unit of ours"),
        ],
        id="a drop-in that the manager knows",
    ),
    pytest.param(
        deaf, [(STALE, "server.service", "nobody listens on 127.0.0.1:8080")], id="a server that lost its port"
    ),
    pytest.param(no_linger, [("linger", "llm", "does not linger")], id="an account that lost its linger"),
    pytest.param(edited_manifest, [("manifest", "manifest", "edited")], id="an edited manifest"),
    pytest.param(removed_manifest, [("manifest", "manifest", "absent")], id="a lost manifest"),
    pytest.param(
        open_directory,
        [("open-directory", "~/.local/state/llm-stack", "mode 0777")],
        id="a directory of ours in which anybody may put files",
    ),
    pytest.param(
        leftover,
        [("leftover", f"{UNITS}/.llm-stack-1.tmp", "a temporary file of a killed run")],
        id="a temporary file of a killed run",
    ),
    pytest.param(
        other_colour_runs_too, [("active", "gateway@b.service", "active")], id="both colours run and are fresh"
    ),
    pytest.param(both_colours_enabled, [("enabled", "gateway@b.service", "enabled")], id="the idle colour is enabled"),
    pytest.param(
        other_colour_serves,
        [("not-enabled", "gateway@b.service", "disabled"), ("enabled", "gateway@a.service", "enabled")],
        id="the other colour serves: it is kept, and enabled in its place",
    ),
    pytest.param(
        edited_config_of_the_idle_colour,
        [("file", "~/.config/example/b/config", "other content")],
        id="an edited config of the idle colour restarts nothing",
    ),
    pytest.param(
        idle_colour_enabled_and_gone,
        [("unit-file", f"{UNITS}/gateway@b.service", "absent")],
        id="the idle colour is gone from the disk",
    ),
    pytest.param(
        no_colour_runs,
        [("not-active", "gateway@a.service", "inactive, dead")],
        id="no colour runs: the enabled one starts",
    ),
    pytest.param(
        no_socket,
        [
            ("not-active", "gateway.socket", "inactive, dead"),
            ("not-active", "gateway@a.service", "inactive, dead"),
        ],
        id="a stopped socket took its service with it",
    ),
]


@pytest.mark.parametrize(("inject", "expected"), DRIFT)
def test_drift(deployed: SimulatedHost, inject: Callable[[SimulatedHost], None], expected: list[Row]) -> None:
    inject(deployed)
    assert rows(deployed, declared(deployed)) == expected
    assert (deploy(deployed, declared(deployed)) is None) == (expected == [])
    deployed.sleep(30)
    assert rows(deployed, declared(deployed)) == []


@pytest.mark.parametrize(
    ("inject", "restarted"),
    [
        pytest.param(edited_config, False, id="a config edited after the start"),
        pytest.param(edited_unit, False, id="a unit edited after the start"),
        pytest.param(opened_config, False, id="a mode"),
        pytest.param(memory_of_another_unit, False, id="a stale memory of the manager"),
        pytest.param(disabled, False, id="enablement"),
        pytest.param(removed_manifest, False, id="a lost manifest"),
        pytest.param(edited_config_and_restarted, True, id="a process that has read an edit"),
        pytest.param(other_digest, True, id="a process of an older run"),
        pytest.param(other_variable, True, id="a strange variable"),
    ],
)
def test_only_what_the_process_needs_restarts_it(
    deployed: SimulatedHost, inject: Callable[[SimulatedHost], None], restarted: bool
) -> None:
    inject(deployed)
    process = deployed.units["server.service"].pid
    deploy(deployed, declared(deployed))
    assert (deployed.units["server.service"].pid != process) == restarted
    assert deployed.units["gateway@a.service"].active == "active"


def test_a_variable_that_the_unit_itself_sets_is_nothing_strange(host: SimulatedHost) -> None:
    wanted = server(host.home)
    unit = wanted.units[0]
    body = unit.body.replace("[Service]\n", '[Service]\nEnvironment="SRV_MODEL=/a model" SRV_X=1\n')
    wanted = replace(wanted, units=(replace(unit, body=body),))
    deploy(host, wanted)
    assert host.units["server.service"].environ["SRV_MODEL"] == "/a model"
    assert check(host, wanted) == []


def test_a_timer_is_kept_like_any_unit(host: SimulatedHost) -> None:
    body = "[Timer]\nOnCalendar=hourly\n\n[Install]\nWantedBy=timers.target\n"
    job = FileSpec(f"{host.unit_dir}/job.service", b"[Service]\nType=oneshot\nExecStart=/bin/job\n")
    wanted = Wanted("example", str(host.unit_dir), (job,), (UnitSpec("job.timer", body),))
    deploy(host, wanted)
    assert (host.units["job.timer"].active, check(host, wanted)) == ("active", [])
    host.systemctl("stop", "job.timer")
    assert rows(host, wanted) == [("not-active", "job.timer", "inactive, dead")]
    deploy(host, wanted)
    anew = replace(wanted, units=(UnitSpec("job.timer", body.replace("hourly", "daily")),))
    assert [kind for kind, _subject, _actual in rows(host, anew)] == ["unit-file"]
    deploy(host, anew)
    assert (rows(host, anew), "OnCalendar=daily" in (host.units["job.timer"].text or "")) == ([], True)
    deploy(host, replace(wanted, files=(), units=()))
    assert not list(host.unit_dir.glob("job.*"))


def test_an_enabled_unit_that_should_not_start_at_boot_is_disabled(deployed: SimulatedHost) -> None:
    wanted = declared(deployed)
    wanted = replace(wanted, units=(replace(wanted.units[0], enabled=False), *wanted.units[1:]))
    assert rows(deployed, wanted) == [("enabled", "server.service", "enabled")]
    deploy(deployed, wanted)
    assert (rows(deployed, wanted), deployed.units["server.service"].active) == ([], "active")


def test_a_service_on_standby_is_stopped_and_left_in_peace(deployed: SimulatedHost) -> None:
    wanted = declared(deployed)
    standby = replace(wanted.units[0], enabled=False, started=False)
    wanted = replace(wanted, units=(standby, *wanted.units[1:]))
    assert rows(deployed, wanted) == [("active", "server.service", "active"), ("enabled", "server.service", "enabled")]
    deploy(deployed, wanted)
    assert rows(deployed, wanted) == []
    assert deployed.units["server.service"].active == "inactive"


def test_a_stranger_on_the_port_is_named_and_never_fought(host: SimulatedHost) -> None:
    host.strangers["0.0.0.0", 8080] = "eve"
    items = [item for item in host.read(server(host.home))[1].items if item.kind == "foreign-port-owner"]
    assert [(item.subject, item.expected, item.actual, item.remedy) for item in items] == [
        ("127.0.0.1:8080", "held by server.service", "pid 4711 (python3) of eve", "stop it, or declare another port")
    ]


def test_a_stranger_on_the_port_of_a_service_on_standby_is_told_and_in_nobodys_way(deployed: SimulatedHost) -> None:
    wanted = declared(deployed)
    standby = replace(wanted.units[0], enabled=False, started=False)
    wanted = replace(wanted, units=(standby, *wanted.units[1:]))
    deploy(deployed, wanted)
    deployed.strangers["0.0.0.0", 8080] = "eve"
    _wanted, comparison, _found = deployed.read(wanted)
    assert comparison.items == ()
    assert [(item.kind, item.subject, item.expected) for item in comparison.told] == [
        ("foreign-port-owner", "127.0.0.1:8080", "free until server.service is to serve")
    ]


def test_a_killed_run_is_told_with_its_time(deployed: SimulatedHost) -> None:
    deployed.fuse = 3
    with pytest.raises(Killed):
        deploy(deployed, both(server(deployed.home, "SRV_A=2"), gateway(deployed.home)))
    deployed.revive()
    kind, subject, actual = next(row for row in rows(deployed, declared(deployed)) if row[0] == "interrupted-run")
    assert (kind, subject) == ("interrupted-run", "transaction")
    assert re.fullmatch(r"a run of 20\S+Z was killed before it ended", actual)


def test_what_is_no_longer_declared_is_pruned(deployed: SimulatedHost) -> None:
    alone = gateway(deployed.home)
    assert rows(deployed, alone) == [
        ("orphan-unit", "server.service", "left by an earlier run"),
        ("orphan-port", "127.0.0.1:8080", "held by server.service"),
        ("orphan-file", ENV, "left by an earlier run"),
    ]
    deploy(deployed, alone)
    assert rows(deployed, alone) == []
    assert [unit for unit in deployed.processes() if "server" in unit] == []
    assert [path for path in (ENV, f"{UNITS}/server.service") if at(deployed, path).exists()] == []


def test_without_prune_nothing_undeclared_is_touched(deployed: SimulatedHost) -> None:
    wanted, _comparison, found = deployed.read(gateway(deployed.home))
    comparison = compare(wanted, found, prune=False)
    assert (comparison.items, comparison.orphan_units, comparison.orphan_files) == ((), (), ())


def test_a_lost_key_is_made_anew_and_the_gateway_switches_to_it(deployed: SimulatedHost) -> None:
    lost_key(deployed)
    assert [row[:2] for row in rows(deployed, declared(deployed))] == [
        ("file", KEY),
        ("unit-file", f"{UNITS}/gateway@a.service"),
        ("unit-file", f"{UNITS}/gateway@b.service"),
        (STALE, "gateway@a.service"),
    ]
    deploy(deployed, declared(deployed))
    assert rows(deployed, declared(deployed)) == []
    assert deployed.units["gateway@b.service"].environ["GATEWAY_KEY"].startswith("sk-")


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        pytest.param("server.service", ["server.service.d"], id="a plain name"),
        pytest.param(
            "vllm-my-model.service",
            ["vllm-my-model.service.d", "vllm-.service.d", "vllm-my-.service.d"],
            id="each beginning that ends with a dash",
        ),
        pytest.param("gateway@b.service", ["gateway@b.service.d", "gateway@.service.d"], id="a colour"),
    ],
)
def test_the_folders_whose_drop_ins_change_a_unit(unit: str, expected: list[str]) -> None:
    assert [*_service_read._folders(unit)] == expected


def test_what_only_an_administrator_can_remove_is_told_and_left(
    deployed: SimulatedHost, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    etc = tmp_path_factory.mktemp("etc")
    monkeypatch.setattr(_service_read, "ADMINISTRATORS", str(etc))
    path = etc / "server.service.d/slow.conf"
    deployed.edit(path, b"[Service]\nCPUQuota=10%\n")
    deployed.edit(etc / "service.d/policy.conf", b"[Service]\nNice=5\n")
    comparison = deployed.read(declared(deployed))[1]
    assert comparison.items == ()
    assert [(item.kind, item.subject, item.actual) for item in comparison.told] == [
        ("foreign-dropin", str(path), "changes a unit of ours")
    ]
    assert deploy(deployed, declared(deployed)) is None
    assert path.exists()


def test_a_required_thing_that_was_installed_anew_makes_its_service_stale(host: SimulatedHost) -> None:
    wanted = replace(
        server(host.home, words="%h/venv/bin/python"), requires=(Requirement("environment", f"{host.home}/venv", "d"),)
    )
    deploy(host, wanted)
    assert check(host, wanted) == []
    _wanted, _comparison, found = host.read(wanted)
    later = replace(found, requires={f"{host.home}/venv": "2"})
    assert [item.kind for item in compare(wanted, later).items] == ["unit-file", "stale-process"]


@pytest.mark.parametrize(
    ("path", "written"),
    [("/srv/50%/tiny.gguf", "/srv/50%%/tiny.gguf"), ('/srv/"x"/tiny.gguf', '/srv/\\"x\\"/tiny.gguf')],
    ids=["a percent sign", "quotes"],
)
def test_what_a_unit_names_with_escaped_characters_is_what_it_runs_from(
    host: SimulatedHost, path: str, written: str
) -> None:
    wanted = replace(server(host.home, words=written), requires=(Requirement("file", path, ""),))
    [spec] = wanted.units
    digests = {unit_digest(wanted, spec, Found(salt=b"salt", requires={path: text})) for text in ("1", "2")}
    assert len(digests) == 2


def test_the_directories_of_an_account_that_is_called_like_ours_are_its_own(tmp_path: Path) -> None:
    with simulated_host(tmp_path / "llm-stack") as host:
        wanted = server(host.home)
        deploy(host, wanted)
        for name in ("", ".config", ".config/systemd", ".config/systemd/user"):
            (host.home / name).chmod(0o775)
        assert check(host, wanted) == []
        Path(host.state.root).chmod(0o775)
        assert check(host, wanted) == [("open-directory", "~/.local/state/llm-stack")]
