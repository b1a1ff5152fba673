# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What may happen to a simulated host, and declarations that it may get: strategies for the tests of properties."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Wanted
from ansible_collections.lab.llm_stack.plugins.module_utils._transaction import ChangeError
from example_services import both, gateway, server
from hypothesis import strategies as st
from simulated_host import Killed, SimulatedHost, deploy, simulated_host

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
