# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A llama-server that is answering stops in time: what runs may finish, the rest is cut off, and nothing has failed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from llama import PORTS, unit
from observed import Stack

# Each asks for so many tokens, whatever the model would say; one server answers two at a time.
CLIENTS = """
import json, sys, threading, urllib.request
def ask():
    body = {"model": "tiny", "prompt": "Hello", "max_tokens": int(sys.argv[2]), "ignore_eos": True, "stream": True}
    request = urllib.request.Request(sys.argv[1], json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            done.append(b"[DONE]" in answer.read())
    except Exception:
        done.append(False)
done = []
threads = [threading.Thread(target=ask) for _ in range(int(sys.argv[3]))]
for each in threads:
    each.start()
slots = sys.argv[1].replace("v1/completions", "slots")
while not done and not any(slot["is_processing"] for slot in json.load(urllib.request.urlopen(slots))):
    pass
print("asking", flush=True)
for each in threads:
    each.join()
print(json.dumps(done))
"""


@pytest.fixture(autouse=True)
def started_again(stack: Stack) -> Iterator[None]:
    yield
    stack.output(f"systemctl --user start {unit('tiny')}")


@contextmanager
def asked(stack: Stack, tokens: int, clients: int) -> Iterator[list[bool]]:
    """Have so many clients wait for an answer; afterwards the list says of each whether it got one to its end."""
    url = f"http://127.0.0.1:{PORTS['tiny']}/v1/completions"
    running = stack.background("python3", "-c", CLIENTS, url, str(tokens), str(clients))
    assert running.stdout is not None
    assert running.stdout.readline() == "asking\n"
    done: list[bool] = []
    yield done
    told, _none = running.communicate(timeout=120)
    done += json.loads(told)


def stopped(stack: Stack) -> tuple[float, dict[str, str]]:
    """Stop the server and return how long that took, and what the unit is like then."""
    begin = time.monotonic()
    stack.output(f"systemctl --user stop {unit('tiny')}")
    return time.monotonic() - begin, stack.show(unit("tiny"))


def test_what_it_is_answering_is_finished_first(stack: Stack) -> None:
    # Three rounds of two, which a busy machine ends within the 10 s that they are granted.
    with asked(stack, tokens=800, clients=6) as done:
        took, state = stopped(stack)
    assert done == [True] * 6
    assert (state["ActiveState"], state["Result"]) == ("inactive", "success")
    assert took < 14


def test_what_would_take_too_long_is_cut_off(stack: Stack) -> None:
    with asked(stack, tokens=2000, clients=100) as done:
        took, state = stopped(stack)
    assert not all(done)
    assert (state["ActiveState"], state["Result"]) == ("inactive", "success")
    assert 9 < took < 20


def test_it_is_the_same_for_a_restart(stack: Stack) -> None:
    with asked(stack, tokens=2000, clients=100):
        begin = time.monotonic()
        stack.output(f"systemctl --user restart {unit('tiny')}")
        took = time.monotonic() - begin
    assert took < 20
    assert stack.is_serving(unit("tiny"))
