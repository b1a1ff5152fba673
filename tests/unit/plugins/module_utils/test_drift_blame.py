# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Who is to blame for a difference, and since when."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._drift_blame import attributed
from ansible_collections.lab.llm_stack.plugins.module_utils._service_plan import compare
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import FileSpec, Requirement, Wanted
from example_services import gateway, server
from simulated_host import SimulatedHost, deploy

ENV = ".config/example/server.env"


@pytest.fixture
def deployed(host: SimulatedHost) -> SimulatedHost:
    deploy(host, server(host.home))
    host.sleep(3600)
    return host


def declared_anew(host: SimulatedHost) -> Wanted:
    """The same server with another value in its configuration."""
    wanted = server(host.home)
    files = tuple(replace(file, content=file.content + b"SRV_NEW=1\n") for file in wanted.files)
    return replace(wanted, files=files)


def blames(host: SimulatedHost, wanted: Wanted) -> dict[str, str]:
    wanted, comparison, found = host.read(wanted)
    return {item["kind"]: item["blame"] for item in attributed(comparison, wanted, found)}


def test_on_a_bare_host_everything_is_the_declarations(host: SimulatedHost) -> None:
    host.lingering = False
    found = blames(host, server(host.home))
    assert set(found) == {"linger", "file", "unit-file", "not-active", "not-enabled"}
    assert set(found.values()) == {"intentional"}


def test_a_file_of_somebody_else_in_our_place_is_a_conflict(host: SimulatedHost) -> None:
    host.edit(host.home / ENV, b"mine\n")
    assert blames(host, server(host.home))["file"] == "conflict"


def edit(host: SimulatedHost) -> None:
    host.edit(host.home / ENV, b"SRV_A=other\n")


def nothing(_host: SimulatedHost) -> None:
    pass


def stop(host: SimulatedHost) -> None:
    host.systemctl("stop", "server.service")


def disable(host: SimulatedHost) -> None:
    host.systemctl("disable", "server.service")


def remove_linger(host: SimulatedHost) -> None:
    host.lingering = False


@pytest.mark.parametrize(
    ("inject", "wanted", "expected"),
    [
        pytest.param(edit, lambda host: server(host.home), {"file": "corrective"}, id="the host was edited"),
        pytest.param(stop, lambda host: server(host.home), {"not-active": "corrective"}, id="the service was stopped"),
        pytest.param(disable, lambda host: server(host.home), {"not-enabled": "corrective"}, id="it was disabled"),
        pytest.param(remove_linger, lambda host: server(host.home), {"linger": "corrective"}, id="linger went"),
        pytest.param(
            nothing,
            declared_anew,
            {"file": "intentional", "unit-file": "intentional", "stale-process": "intentional"},
            id="the declaration was changed",
        ),
        pytest.param(
            edit,
            declared_anew,
            {"file": "conflict", "unit-file": "intentional", "stale-process": "intentional"},
            id="both were changed",
        ),
        pytest.param(
            nothing,
            lambda host: replace(server(host.home), units=()),
            {"orphan-unit": "intentional", "orphan-port": "intentional"},
            id="a unit is no longer declared",
        ),
    ],
)
def test_who_is_to_blame(
    deployed: SimulatedHost,
    inject: Callable[[SimulatedHost], None],
    wanted: Callable[[SimulatedHost], Wanted],
    expected: dict[str, str],
) -> None:
    inject(deployed)
    assert blames(deployed, wanted(deployed)) == expected


def test_a_generated_key_that_was_edited_is_the_hosts_doing(host: SimulatedHost) -> None:
    deploy(host, gateway(host.home))
    host.sleep(3600)
    host.edit(host.home / ".config/example/secrets.env", b"GATEWAY_KEY=sk-rotated-by-hand\n")
    assert blames(host, gateway(host.home)) == {"unit-file": "corrective", "stale-process": "corrective"}
    assert blames(host, gateway(host.home, "answer=2"))["stale-process"] == "intentional"


def test_a_package_that_was_upgraded_is_the_hosts_doing(host: SimulatedHost) -> None:
    wanted = server(host.home, words="/usr/bin/engine")
    wanted = replace(wanted, requires=(Requirement("program", "/usr/bin/engine", ""),))
    deploy(host, wanted)
    complete, _comparison, found = host.read(wanted)
    found = replace(found, requires={"/usr/bin/engine": "another"})
    items = attributed(compare(complete, found), complete, found)
    assert {(item["kind"], item["blame"]) for item in items} == {
        ("unit-file", "corrective"),
        ("stale-process", "corrective"),
    }


def test_a_lost_manifest_is_the_hosts_doing(deployed: SimulatedHost) -> None:
    (Path(deployed.state.directory) / "manifest.json").unlink()
    assert blames(deployed, server(deployed.home)) == {"manifest": "corrective"}


def test_a_new_file_of_the_declaration_is_nobodys_edit(deployed: SimulatedHost) -> None:
    wanted = server(deployed.home)
    path = str(deployed.home / ".config/example/extra")
    wanted = replace(wanted, files=(*wanted.files, FileSpec(path, b"x\n")))
    assert blames(deployed, wanted)["file"] == "intentional"


def test_since_when_is_told_where_something_tells_it(deployed: SimulatedHost) -> None:
    edit(deployed)
    wanted, comparison, found = deployed.read(server(deployed.home))
    (item,) = attributed(comparison, wanted, found)
    assert item["since"].startswith("1970-01-01T")
    deployed.systemctl("disable", "server.service")
    wanted, comparison, found = deployed.read(server(deployed.home))
    assert [item["since"] for item in attributed(comparison, wanted, found) if item["kind"] == "not-enabled"] == [""]


def since(host: SimulatedHost, wanted: Wanted, kind: str) -> str:
    wanted, comparison, found = host.read(wanted)
    (moment,) = [item["since"] for item in attributed(comparison, wanted, found) if item["kind"] == kind]
    return moment


def at(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def test_a_process_is_stale_since_what_it_read_was_changed_and_not_since_its_start(deployed: SimulatedHost) -> None:
    edited = at(deployed.now)
    edit(deployed)
    deployed.sleep(600)
    assert since(deployed, declared_anew(deployed), "stale-process") == edited


def test_of_a_process_that_only_the_declaration_left_behind_nobody_knows_since_when(deployed: SimulatedHost) -> None:
    assert since(deployed, declared_anew(deployed), "stale-process") == ""


def test_a_process_is_stale_since_the_program_that_it_runs_was_replaced(host: SimulatedHost) -> None:
    program = host.home / "engine"
    wanted = replace(server(host.home, words=str(program)), requires=(Requirement("program", str(program), ""),))
    deploy(host, wanted)
    program.write_bytes(b"upgraded")
    complete, _comparison, found = host.read(wanted)
    found = replace(found, requires={str(program): "another"})
    items = attributed(compare(complete, found), complete, found)
    assert [item["since"] for item in items if item["kind"] == "stale-process"] == [at(program.stat().st_ctime)]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("server.service.d/mine.conf", "extra-dropin"), (".llm-stack-1.tmp", "leftover")],
    ids=["a drop-in", "a temporary file"],
)
def test_a_file_of_nobody_is_there_since_it_was_changed_last(deployed: SimulatedHost, name: str, kind: str) -> None:
    path = deployed.unit_dir / name
    deployed.edit(path, b"[Service]\n")
    assert since(deployed, server(deployed.home), kind) == at(path.stat().st_ctime)
