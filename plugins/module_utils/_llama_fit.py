# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What llama.cpp itself says that a model takes, by its program llama-fit-params, which loads no weights."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import Measured

PROGRAM = "llama-fit-params"
_MIB = 1 << 20
_ROW = re.compile(r"^(\S{1,40}) +(\d{1,9}) +(\d{1,9}) +(\d{1,9}) *$", re.MULTILINE | re.ASCII)

Ask = Callable[[Sequence[str], Mapping[str, str]], str]
"""Runs a command with further variables, and returns what it printed."""


def ask(server: str, model: str, settings: Mapping[str, Any], run: Ask) -> Measured | None:
    """Ask the program that lies beside a server about a model with these settings; None where there is none."""
    program = os.path.join(os.path.dirname(server), PROGRAM)
    if not os.access(program, os.X_OK):
        return None
    variables = {f"LLAMA_ARG_{name.upper()}": str(value) for name, value in settings.items()}
    return parse(run([program, "--fit-print", "on"], {**variables, "LLAMA_ARG_MODEL": model}))


def parse(text: str) -> Measured | None:
    """Read rows of device, model, context and compute in MiB; the host's row counts where there is no other."""
    rows = [(found[1], int(found[2]), int(found[4])) for found in _ROW.finditer(text)]
    cards = [row for row in rows if row[0] != "Host"] or rows
    if not cards:
        return None
    weights, compute = sum(row[1] for row in cards) * _MIB, sum(row[2] for row in cards) * _MIB
    return Measured(weights, compute, 1, f"as {PROGRAM} says")
