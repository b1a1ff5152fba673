# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The gateway's configuration changes while it is in use; its users notice nothing, whether the change works or not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import pytest
from fleet import Client, Watched
from gateway_load import Load, Stream
from observed import Stack
from played import deploy, refused

RATE = 5.0
INTERVAL = 0.25
STREAM_SECONDS = 40
"""Longer than a change takes on a busy machine."""

# A fault that only LiteLLM itself finds: it logs it, leaves the deployment out and starts with the others.
DROPPED = {
    "model_name": "dropped",
    "litellm_params": {"model": "openai/ok", "api_base": "http://127.0.0.1:9000/v1", "api_key": "none"},
    "model_info": {"updated_at": "some day"},
}
WITH_DROPPED = {
    "dropped": {"model_list": [DROPPED]},
    "litellm_config": "{{ llm_stack_plan.hosts[inventory_hostname].litellm.config"
    " | combine(dropped, list_merge='append') }}",
}


@pytest.fixture
def load(apps: Mapping[str, Client]) -> Iterator[Load]:
    """Short requests of an app as long as the test runs."""
    load = Load(Watched(apps["steady"]), "tiny", RATE)
    with load.running():
        time.sleep(1)
        yield load


def errors(load: Load) -> list[str]:
    """What went wrong so far, once it is sure that there was something to go wrong."""
    assert len(load.answers) > 10 * RATE, "too few requests to be called a load"
    return [answer.error for answer in load.answers if answer.error]


@pytest.fixture(scope="module", autouse=True)
def restored() -> Iterator[None]:
    """Whatever was declared here, the scenario's own declaration holds afterwards."""
    yield
    deploy()


def test_a_configuration_that_lacks_a_deployment_never_serves(gw: Stack, load: Load) -> None:
    before = gw.slot()
    said = refused(WITH_DROPPED)
    assert "Cause: LiteLLM does not serve every declared deployment.\n" in said
    assert "gateway.py: LiteLLM left out dropped (1 of 1)" in said
    assert said.endswith(f"; {before} kept serving. The declaration was not applied."), said
    assert gw.slot() == before
    assert errors(load) == []


def test_a_change_is_not_noticed_and_a_long_answer_is_finished(gw: Stack, load: Load) -> None:
    stream = Stream(load.gateway, "counting", int(STREAM_SECONDS / INTERVAL))
    stream.start()
    before = gw.slot()
    changed = deploy({"llm_stack_gateway": {"router_settings": {"retry_after": 1}}})
    ended = time.monotonic()
    assert changed.items, "nothing was changed"
    assert gw.slot() != before
    stream.thread.join()
    assert stream.error == ""
    assert stream.ended > ended, "the answer was over before the change was"
    assert errors(load) == []
