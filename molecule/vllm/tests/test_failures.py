# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Every start of tests/live/vllm_cases.py that fails, as a deploy that replaces a server which serves.

Half an hour, so it is not a part of the scenario: tests/live/vllm_failures runs it. Every finding of the preflight is
accepted, since what it would have refused is what shall be seen here.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from engine import GREETING, UNIT, Engine
from observed import Stack
from played import assert_clean, refused

PROJECT = Path(__file__).parents[3]
sys.path[:0] = [str(PROJECT / "tests/live"), str(PROJECT / "playbooks/collections")]

from ansible_collections.lab.llm_stack.plugins.module_utils._boot_failures import _TABLE
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import CODES
from vllm_cases import CASES, FOLDER, GOOD, Case, change_file

pytestmark = pytest.mark.live

# What harms the host would harm the server that comes back, and what harms a process is no declaration. A folder that
# is not there is refused when the model is fetched, whatever is accepted.
REPLACED = [case for case in CASES if not (case.healthy or case.before or case.at or "model" in case.settings)]


def instance_of(case: Case) -> dict[str, object]:
    """Return the instance as the plan would write it, if the plan let it pass."""
    settings = {**GOOD, **case.settings}
    del settings["model"]
    return {
        "name": "tiny",
        "port": 8001,
        "source": {"origin": "host", "path": FOLDER},
        "settings": {name: value for name, value in settings.items() if value is not None},
        "env": case.environment,
        "accept": sorted(CODES),
    }


def as_pattern(sentence: str) -> str:
    """Return what a sentence of the table looks like, whatever the log put into it."""
    return ".+".join(re.escape(part) for part in re.split(r"\\g<\w+>", sentence))


@pytest.mark.parametrize("case", REPLACED, ids=lambda case: case.log)
def test_what_served_serves_again_and_the_cause_is_told(stack: Stack, engine: Engine, case: Case) -> None:
    model = stack.home("models/tiny")
    stack.output("rm -rf %s && mkdir -p %s && cp .local/share/llm-stack/models/tiny/*/* %s/", *[model] * 3)
    for name, change in case.files.items():
        change_file(stack.output, f"{model}/{name}", change)
    message = refused({"vllm_instances": [instance_of(case)]})
    assert message.startswith(f"{UNIT} did not become ready: it exited with code {case.status}"), message
    (row,) = (row for row in _TABLE if row.name == case.cause)
    assert re.search(f"\n    Cause: {as_pattern(row.means)}\n", message), message
    assert re.search(f"\n    {as_pattern(row.remedy)}\n", message), message
    assert f"\n{UNIT} is serving again (ready after " in message
    assert engine.chat(messages=GREETING)["message"]["content"] == "Hello from the tiny test model."
    assert_clean()
