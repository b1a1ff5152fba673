# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""One of two hosts with the same model dies while the model is in use; whoever uses it must not notice.

LiteLLM learns of a death by a try that fails. From that moment the dead one is in cooldown, and the request that found
out is tried again: so no request may fail at all, neither before the cooldown nor in it. When it ends, after 5 s, the
next request finds out anew. A host that vanishes answers nothing: a request finds out when its time limit is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import pytest
from fleet import Client, Watched, address, engine_killed, host, unplugged
from gateway_load import Load
from observed import Stack, eventually

RATE = 10.0
COOLDOWN = 5.0
TIMEOUT = 5.0
"""The time limit of the app whose requests these are."""


class Use:
    """Requests of an app all the time, and what became of them."""

    def __init__(self, client: Client, victim: Stack) -> None:
        self.gateway = Watched(client)
        self.load = Load(self.gateway, "tiny", RATE)
        self.victim = f"//{address(victim)}:"

    def errors(self) -> list[str]:
        return [answer.error for answer in self.load.answers if answer.error]

    def retried(self, since: float) -> bool:
        """Whether a request since then met the dead one and was tried again."""
        return any(each.retries for each in self.gateway.seen if each.at > since)

    def victims(self, since: float) -> int:
        """How many answers since then came from the victim."""
        return sum(self.victim in each.engine for each in self.gateway.seen if each.at > since)


@pytest.mark.parametrize(
    ("fault", "slowest"),
    [
        pytest.param(engine_killed, 2.0, id="its engine is killed"),
        pytest.param(unplugged, 2 * TIMEOUT + 2.0, id="it vanishes from the network"),
    ],
)
def test_no_request_fails_when_one_of_two_hosts_dies(
    apps: Mapping[str, Client], fault: Callable[[Stack], AbstractContextManager[None]], slowest: float
) -> None:
    victim = host("gw-llama-2")
    use = Use(apps["steady"], victim)
    with use.load.running():
        assert eventually(lambda: use.victims(since=0) > 0, seconds=3 * COOLDOWN), "it was never asked"
        with fault(victim):
            dead = time.monotonic()
            time.sleep(2 * COOLDOWN + 1)
            assert use.victims(since=dead + 1) == 0, "it was not dead"
            assert use.retried(since=dead - 1), "nobody met it dead"
        alive = time.monotonic()
        assert eventually(lambda: use.victims(since=alive) > 0, seconds=TIMEOUT + 2 * COOLDOWN), "it never came back"
    assert use.errors() == []
    assert max(answer.seconds for answer in use.load.answers) < slowest
