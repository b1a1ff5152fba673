#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Change the configuration of a gateway that is in use, several times, and see what its users notice: nothing.

Real LiteLLM, real llama.cpp, real playbook. Only the long stream comes from a stand-in, because the embedded model
answers in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from deployed import CONFIG, DEPLOY, PROJECT, TALLY, WORK, playbook, run, systemctl
from gateway_load import Answer, Gateway, Load, Stream

INTERVAL = 0.25
HEAD_START = 3.0
"""Seconds of stream and load before a change begins."""
SLOTS = ("litellm@a.service", "litellm@b.service")
MODEL, SLOW_MODEL = "tiny", "slow-stream"


@dataclass(frozen=True)
class Switch:
    """One change: from which instance to which, when, and what happened meanwhile."""

    before: str
    after: str
    began: float
    ended: float
    answers: list[Answer]
    stream: Stream

    def faults(self) -> Iterator[str]:
        """Yield everything that a user would have noticed, and every reason why this was no test."""
        yield from (answer.error for answer in self.answers if answer.error)
        if self.stream.error:
            yield f"the stream: {self.stream.error}"
        if self.before == self.after:
            yield f"nothing was switched: {self.after} served before and after"
        if self.stream.ended < self.ended:
            yield "the stream ended before the change was through; give it more --stream-seconds"


@contextmanager
def slow_engine() -> Iterator[str]:
    """Run the stand-in, and yield its base address."""
    command = [sys.executable, "tests/stand_ins/slow_stream.py", str(INTERVAL)]
    with subprocess.Popen(command, cwd=PROJECT, text=True, stdout=subprocess.PIPE) as engine:
        try:
            yield engine.stdout.readline().strip() if engine.stdout else ""
        finally:
            engine.terminate()


def deploy(api_base: str, timeout: int) -> int:
    """Deploy with this router timeout and the stand-in as one more deployment; return how many tasks changed."""
    engine = {"model": f"openai/{SLOW_MODEL}", "api_base": api_base, "api_key": "none"}
    extra = {
        "llm_stack_gateway": {"router_settings": {"timeout": timeout}},
        "bench_models": {"model_list": [{"model_name": SLOW_MODEL, "litellm_params": engine}]},
        "litellm_config": "{{ llm_stack_plan.hosts[inventory_hostname].litellm.config"
        " | combine(bench_models, list_merge='append') }}",
    }
    path = WORK / "switch.json"
    path.write_text(json.dumps(extra), encoding="utf-8")
    TALLY.unlink(missing_ok=True)
    run(playbook(DEPLOY, "--extra-vars", f"@{path}"))
    return int(json.loads(TALLY.read_text(encoding="utf-8").splitlines()[-1])["changed"])


def serving() -> str:
    """Return the instance that takes new requests: the enabled one, for the other may still be draining."""
    return next((slot for slot in SLOTS if systemctl("is-enabled", slot) == "enabled"), "none")


def the_gateway() -> Gateway:
    secrets = (CONFIG / "llm-stack/litellm/secrets.env").read_text(encoding="utf-8")
    key = re.search(r'^LITELLM_MASTER_KEY="?([^"\n]+)', secrets, re.MULTILINE)
    if not key:
        sys.exit("bench: secrets.env holds no LITELLM_MASTER_KEY. Nothing was measured.")
    return Gateway("127.0.0.1", 4000, key[1])


def switch(number: int, api_base: str, load: Load, tokens: int) -> Switch:
    """Begin a stream, change the configuration, and wait until the stream has ended."""
    stream = Stream(load.gateway, SLOW_MODEL, tokens)
    first, before = len(load.answers), serving()
    stream.start()
    time.sleep(HEAD_START)
    began = time.monotonic()
    changed = deploy(api_base, 600 + number)
    ended = time.monotonic()
    if not changed:
        sys.exit("bench: the deploy changed nothing, so there was no switch. Nothing was measured.")
    after = serving()
    stream.thread.join()
    return Switch(before, after, began, ended, load.answers[first:], stream)


def report(switches: list[Switch]) -> Iterator[str]:
    yield f"{'from':20}{'to':20}{'deploy s':>8}{'requests':>10}{'failed':>8}{'median s':>10}{'slowest s':>11}  stream"
    for each in switches:
        seconds = [answer.seconds for answer in each.answers]
        failed = sum(bool(answer.error) for answer in each.answers)
        chunks = len(each.stream.text.split())
        yield (
            f"{each.before:20}{each.after:20}{each.ended - each.began:8.1f}{len(seconds):10}{failed:8}"
            f"{median(seconds):10.3f}{max(seconds):11.2f}"
            f"  {chunks} of {each.stream.tokens} chunks, {each.stream.ended - each.ended:.0f} s beyond the deploy"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description="Change the gateway's configuration under load.")
    parser.add_argument("--switches", type=int, default=3)
    parser.add_argument("--rate", type=float, default=5.0, help="requests per second")
    parser.add_argument("--stream-seconds", type=float, default=40.0)
    options = parser.parse_args()
    with slow_engine() as api_base:
        deploy(api_base, 600)
        load = Load(the_gateway(), MODEL, options.rate)
        with load.running():
            tokens = int(options.stream_seconds / INTERVAL)
            switches = [switch(number, api_base, load, tokens) for number in range(1, options.switches + 1)]
    faults = sorted({fault for each in switches for fault in each.faults()})
    print(f"{options.switches} configuration changes, {options.rate:g} requests per second, one long stream each:\n")
    print("\n".join(report(switches)), end="\n\n")
    print("\n".join(f"FAIL  {fault}" for fault in faults) or "pass  no request failed, every stream arrived whole")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
