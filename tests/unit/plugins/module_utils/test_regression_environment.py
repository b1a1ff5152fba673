# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A variable that somebody gave the whole user manager reaches every process that starts later."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from example_services import server
from simulated_host import SimulatedHost, Unit, check, deploy


@pytest.fixture
def inherited(host: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables of the simulated manager, changed by ``systemctl --user set-environment``."""
    variables = {"HOME": str(host.home)}
    systemctl: Callable[..., str] = host.systemctl
    own_environment: Callable[[Unit], dict[str, str]] = host._environment

    def with_environment(verb: str, *words: str) -> str:
        if verb == "show-environment":
            return "".join(f"{name}={value}\n" for name, value in variables.items())
        if verb == "unset-environment":
            for name in words:
                variables.pop(name, None)
            return ""
        return systemctl(verb, *words)

    monkeypatch.setattr(host, "systemctl", with_environment)
    monkeypatch.setattr(host, "_environment", lambda unit: {**variables, **own_environment(unit)})
    return variables


def test_a_variable_of_the_manager_is_found_in_the_process_and_mended_for_good(
    host: SimulatedHost, inherited: dict[str, str]
) -> None:
    wanted = server(host.home)
    deploy(host, wanted)
    inherited["SRV_B"] = "7"
    host.kill("server.service")
    host.sleep(30)
    assert check(host, wanted) == [("stale-process", "server.service")]
    deploy(host, wanted)
    assert (check(host, wanted), "SRV_B" in inherited) == ([], False)


def test_a_variable_that_no_service_of_ours_reads_stays(host: SimulatedHost, inherited: dict[str, str]) -> None:
    inherited.update(EDITOR="vi", SRV_A="2")
    deploy(host, server(host.home))
    assert inherited == {"HOME": str(host.home), "EDITOR": "vi"}
