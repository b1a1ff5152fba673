# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Whatever happened to a host, one deploy brings it to the declaration, and what check predicts is what differs."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._service_decide import unit_digest
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import FileSpec, Found, Requirement, Wanted
from ansible_collections.lab.llm_stack.plugins.module_utils._transaction import ChangeError
from example_services import both, gateway, server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulated_host import Killed, SimulatedHost, check, deploy, simulated_host

UNITS = ("server.service", "gateway.socket", "gateway@a.service", "gateway@b.service")
ETC = ".config/example"
FILES = (
    f"{ETC}/server.env",
    f"{ETC}/a/config",
    f"{ETC}/b/config",
    *(f".config/systemd/user/{name}" for name in UNITS),
    f".config/systemd/user/{UNITS[0]}.d/x.conf",
    ".config/systemd/user/gateway@.service.d/x.conf",
)
Act = Callable[[SimulatedHost], None]

units = st.sampled_from(UNITS)
paths = st.sampled_from(FILES)
# Who removes the unit of a colour leaves its link in default.target.wants, which counts again with the next unit.
removable = paths.filter(lambda path: "gateway@" not in path or path.endswith(".conf"))
declarations = st.builds(
    lambda settings, config: lambda home: both(server(home, settings), gateway(home, config)),
    st.sampled_from(["SRV_A=1", "SRV_A=2", "SRV_A=2 drain=40"]),
    st.sampled_from(["answer=1", "answer=2 drain=40", "answer=3"]),
)
refused = st.sampled_from(
    [
        lambda home: both(server(home, "SRV_A=9 boot=exit"), gateway(home, "answer=9")),
        lambda home: both(server(home, "SRV_A=9"), gateway(home, "boot=never", port=4001)),
    ]
)


def systemctl(*arguments: str) -> Act:
    def act(host: SimulatedHost) -> None:
        with contextlib.suppress(Exception):  # a person may try what the manager refuses
            host.systemctl(*arguments)

    return act


def sleep(seconds: float) -> Act:
    return lambda host: host.sleep(seconds)


def edit(path: str) -> Act:
    comment = b"[Service]\nEnvironment=EXTRA=1\n"

    def act(host: SimulatedHost) -> None:
        file = host.home / path
        host.edit(file, (file.read_bytes() if file.exists() else b"") + comment)

    return act


def remove(path: str) -> Act:
    return lambda host: (host.home / path).unlink(missing_ok=True)


def kill(name: str) -> Act:
    return lambda host: host.kill(name) if host.unit(name).pid else None


def killed_deploy(declare: Callable[[Path], Wanted], effects: int) -> Act:
    def act(host: SimulatedHost) -> None:
        host.fuse = effects
        with contextlib.suppress(Killed, ChangeError):
            deploy(host, declare(host.home))
        host.revive()

    return act


events = st.one_of(
    st.builds(edit, paths),
    st.builds(remove, removable),
    st.builds(kill, units),
    st.builds(systemctl, st.sampled_from(["start", "stop", "restart", "enable", "disable"]), units),
    st.builds(systemctl, st.just("daemon-reload")),
    st.builds(sleep, st.sampled_from([0.1, 2.1, 60])),
    st.builds(killed_deploy, st.one_of(declarations, refused), st.integers(0, 40)),
    st.just(SimulatedHost.reboot),
)


@contextlib.contextmanager
def bare_host() -> Iterator[SimulatedHost]:
    with tempfile.TemporaryDirectory() as home, simulated_host(Path(home)) as host:
        yield host


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(acts=st.lists(events, max_size=8), declare=declarations)
def test_one_deploy_brings_any_host_to_the_declaration(acts: list[Act], declare: Callable[[Path], Wanted]) -> None:
    with bare_host() as host:
        deploy(host, declare(host.home))
        for act in acts:
            act(host)
        host.sleep(60)
        deploy(host, declare(host.home))
        host.sleep(60)
        assert check(host, declare(host.home)) == []
        assert len(host.processes()) == 3
        host.reboot()
        assert check(host, declare(host.home)) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(acts=st.lists(events, max_size=6), declare=declarations, bad=refused)
def test_a_refused_change_leaves_something_serving_that_one_deploy_makes_right(
    acts: list[Act], declare: Callable[[Path], Wanted], bad: Callable[[Path], Wanted]
) -> None:
    with bare_host() as host:
        deploy(host, declare(host.home))
        for act in acts:
            act(host)
        host.sleep(60)
        with pytest.raises(ChangeError):
            deploy(host, bad(host.home))
        host.sleep(60)
        deploy(host, declare(host.home))
        host.sleep(60)
        assert check(host, declare(host.home)) == []


@settings(max_examples=50, deadline=None)
@given(
    change=st.sampled_from(["body", "input", "undeclared input", "requirement", "identity", "salt"]),
    text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20),
)
def test_the_digest_changes_with_each_thing_that_a_process_reads(change: str, text: str) -> None:
    home = Path("/home/llm")
    wanted = server(home, words="%h/venv/bin/python")
    spec = replace(wanted.units[0], inputs=(*wanted.units[0].inputs, "/etc/other"))
    wanted = replace(wanted, requires=(Requirement("environment", "/home/llm/venv", "digest"),))
    found = Found(salt=b"salt", requires={"/home/llm/venv": "1"})
    before = unit_digest(wanted, spec, found)
    if change == "body":
        spec = replace(spec, body=spec.body + text)
    elif change == "input":
        wanted = replace(wanted, files=(replace(wanted.files[0], content=wanted.files[0].content + text.encode()),))
    elif change == "undeclared input":
        found = replace(found, files={"/etc/other": replace(found.file("/etc/other"), content=text.encode())})
    elif change == "requirement":
        wanted = replace(wanted, requires=(Requirement("environment", "/home/llm/venv", "digest" + text),))
    elif change == "identity":
        found = replace(found, requires={"/home/llm/venv": "1" + text})
    else:
        found = replace(found, salt=b"salt" + text.encode())
    assert unit_digest(wanted, spec, found) != before


def test_the_digest_ignores_what_the_process_does_not_read() -> None:
    wanted = server(Path("/home/llm"))
    other = replace(
        wanted,
        files=(*wanted.files, FileSpec("/home/llm/unrelated", b"x")),
        requires=(Requirement("file", "/home/llm/other.gguf", "d"),),
    )
    found = Found(salt=b"salt")
    assert unit_digest(wanted, wanted.units[0], found) == unit_digest(other, other.units[0], found)
