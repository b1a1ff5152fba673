# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Clients of the gateway that do not stop asking while a test does harm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from observed import Stack

ALIVE, CHAT = "/health/liveliness", "/v1/chat/completions"


@contextmanager
def unbroken(stack: Stack, *paths: str) -> Iterator[None]:
    """Ask all the time, a chat through the gateway among it, and allow no failure."""
    script = Path(__file__).with_name("asking.py").read_text(encoding="utf-8")
    client = stack.background("python3", "-c", script, *(paths or (ALIVE, CHAT)))
    assert client.stdout is not None
    assert client.stdout.readline() == "asking\n"
    try:
        yield
    finally:
        told, _none = client.communicate(timeout=120)
    seen = json.loads(told)
    assert seen["asked"] > 0
    assert seen["failed"] == []
