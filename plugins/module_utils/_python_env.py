# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Virtual environments that are exactly what a lock says, and the cheap proof that one still is.

An environment lives at ``ROOT/NAME/DIGEST`` and is never changed: another lock makes another directory beside it.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping

from ansible_collections.lab.llm_stack.plugins.module_utils import _marker

MARKER = ".llm-stack-env.json"

POISON_PTH = "litellm_init.pth"
"""What the malicious LiteLLM releases left behind: a file that runs at every start of Python."""


def verify_environment(path: str, digest: str) -> list[str]:
    """Return why the environment at path is not the one with this digest; nothing when it is.

    Reads one small file and two directories, so that every clean check can afford it.
    """
    if not os.path.isdir(path):
        return ["is missing"]
    noted = _marker.read(path, MARKER)
    if noted is None:
        return ["is incomplete: it has no readable marker, so a run was cut short or it is not one of ours"]
    if noted.get("digest") != digest:
        return [f"was made from another lock (digest {noted.get('digest')}, declared {digest})"]
    interpreter = os.path.realpath(os.path.join(path, "bin", "python"))
    if not os.path.exists(interpreter):
        return [f"has lost its interpreter {noted.get('interpreter')}"]
    if interpreter != noted.get("interpreter"):
        return [f"was made for the interpreter {noted.get('interpreter')}, which is now {interpreter}"]
    return list(_differences(noted, scan(path)))


def identity(path: str) -> str:
    """Return what tells one making of the environment at path from the next; nothing where it is not complete."""
    noted = _marker.read(path, MARKER)
    return "" if noted is None else f"{noted.get('digest')} {noted.get('created')}"


def scan(path: str) -> dict[str, object]:
    """List what is installed at path: distributions, and the .pth files that run at every start."""
    places = sorted(glob.glob(os.path.join(glob.escape(path), "lib", "python*", "site-packages")))
    names = sorted(os.listdir(places[0])) if places else []
    return {
        "distributions": [name[: -len(".dist-info")] for name in names if name.endswith(".dist-info")],
        "pth": [name for name in names if name.endswith(".pth")],
    }


def _differences(noted: Mapping[str, object], found: Mapping[str, object]) -> Iterator[str]:
    for key, noun in (("distributions", "the distribution"), ("pth", "the start-up file")):
        before, now = set(_texts(noted.get(key))), set(_texts(found.get(key)))
        yield from (f"has lost {noun} {name}" for name in sorted(before - now))
        yield from (f"holds {noun} {name}, which the lock did not install" for name in sorted(now - before))
    if POISON_PTH in _texts(found.get("pth")):
        yield f"holds {POISON_PTH}, the mark of a malicious LiteLLM release; treat this account's secrets as stolen"


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def pins_of(path: str) -> list[str]:
    """Return what the environment at path was made from, for a comparison by people."""
    noted = _marker.read(path, MARKER)
    return [] if noted is None else _texts(noted.get("pins"))
