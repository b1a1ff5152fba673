# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Two blue/green services in one transaction: each has its own colour, and a change of one leaves the other alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Wanted
from example_services import both, gateway
from simulated_host import SimulatedHost, check, deploy


def second(home: Path, config: str = "answer=1") -> Wanted:
    """The gateway under another name, with files and a port of its own."""

    def named(text: str) -> str:
        return text.replace("gateway", "second").replace("/example/", "/llm-stack/second/")

    found = gateway(home, config, port=4001)
    files = tuple(replace(each, path=named(each.path)) for each in found.files)
    units = tuple(
        replace(
            each,
            name=named(each.name),
            body=named(each.body),
            inputs=tuple(map(named, each.inputs)),
            environment_files=tuple(map(named, each.environment_files)),
        )
        for each in found.units
    )
    return replace(found, files=files, units=units)


def serving(host: SimulatedHost) -> list[str]:
    names = [f"{name}@{colour}.service" for name in ("gateway", "second") for colour in "ab"]
    return [name for name in names if host.unit(name).active == "active"]


def test_one_switches_while_the_other_serves_in_the_other_colour(host: SimulatedHost) -> None:
    deploy(host, both(gateway(host.home), second(host.home)))
    host.sleep(60)
    assert serving(host) == ["gateway@a.service", "second@a.service"]
    deploy(host, both(gateway(host.home, "answer=2"), second(host.home)))
    host.sleep(60)
    assert serving(host) == ["gateway@b.service", "second@a.service"]
    pid = host.unit("gateway@b.service").pid
    changed = both(gateway(host.home, "answer=2"), second(host.home, "answer=2"))
    deploy(host, changed)
    host.sleep(60)
    assert serving(host) == ["gateway@b.service", "second@b.service"]
    assert host.unit("gateway@b.service").pid == pid
    assert host.unit("second@b.service").settings["answer"] == "2"
    assert check(host, changed) == []


def test_both_switch_from_different_colours_and_read_what_is_declared(host: SimulatedHost) -> None:
    deploy(host, both(gateway(host.home), second(host.home)))
    host.sleep(60)
    deploy(host, both(gateway(host.home, "answer=2"), second(host.home)))
    host.sleep(60)
    changed = both(gateway(host.home, "answer=3"), second(host.home, "answer=3"))
    deploy(host, changed)
    host.sleep(60)
    assert serving(host) == ["gateway@a.service", "second@b.service"]
    assert {host.unit(name).settings["answer"] for name in serving(host)} == {"3"}
    assert check(host, changed) == []


def test_one_that_is_no_longer_declared_goes(host: SimulatedHost) -> None:
    deploy(host, both(gateway(host.home), second(host.home)))
    host.sleep(60)
    deploy(host, gateway(host.home))
    host.sleep(60)
    assert serving(host) == ["gateway@a.service"]
    assert not (host.home / ".config/llm-stack/second").exists()
    assert check(host, gateway(host.home)) == []
