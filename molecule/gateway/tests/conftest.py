# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Fixtures for the tests of one gateway with several apps and two hosts behind it."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
# What all scenarios share, and the load of the measurements.
sys.path[:0] = [str(PROJECT / "molecule/shared/tests"), str(PROJECT / "tests/bench")]

from fleet import APART_PORT, GATEWAY_PORT, SCRIPTED_PORT, Client, Scripted, host, tunnels
from observed import Stack

APPS = ("busy", "patient", "quick", "steady", "wordy")


@pytest.fixture(scope="session")
def gw() -> Stack:
    """The host of the gateway."""
    return host("gw")


@pytest.fixture(scope="session")
def ports(gw: Stack) -> Iterator[list[int]]:
    with tunnels(gw, GATEWAY_PORT, SCRIPTED_PORT, APART_PORT) as near:
        yield near


@pytest.fixture(scope="session")
def operator(gw: Stack, ports: list[int]) -> Client:
    """Whoever has the operators' key."""
    return Client(ports[0], gw.output(". .config/llm-stack/litellm/secrets.env && echo $LITELLM_MASTER_KEY"))


@pytest.fixture(scope="session")
def apps(gw: Stack, ports: list[int]) -> Mapping[str, Client]:
    """Each app with what its own file tells it."""
    keys = {app: gw.output(f". .config/llm-stack/apps/{app}.env && echo $OPENAI_API_KEY") for app in APPS}
    return {app: Client(ports[0], key) for app, key in keys.items()}


@pytest.fixture(scope="session")
def apart(gw: Stack, ports: list[int]) -> Client:
    """The app with a gateway of its own."""
    return Client(ports[2], gw.output(". .config/llm-stack/apps/apart.env && echo $OPENAI_API_KEY"))


@pytest.fixture
def scripted(ports: list[int]) -> Scripted:
    """The scripted engine, which has forgotten all calls."""
    engine = Scripted(Client(ports[1]))
    engine.forget()
    return engine


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the gateway's journal beside a failure: what went wrong is rarely in the assertion."""
    report = yield
    if report.when == "call" and report.failed:
        report.sections.append(("journal of the gateway", "\n".join(host("gw").journal().splitlines()[-30:])))
    return report
