# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""How a start ended, in words; a server that systemd ended because its check failed exited with no code."""

from __future__ import annotations

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._readiness import _ending
from ansible_collections.lab.llm_stack.plugins.module_utils._service_read import _unit


@pytest.mark.parametrize(
    ("result", "code", "status", "words"),
    [
        pytest.param("exit-code", "1", "3", "it exited with code 3", id="the server itself"),
        pytest.param(
            "exit-code", "2", "15", "its readiness check failed", id="its check, after which systemd ended it"
        ),
        pytest.param("signal", "2", "9", "it was ended by signal 9", id="somebody else"),
        pytest.param("timeout", "2", "15", "it exceeded the unit's own time limit", id="systemd, for its slowness"),
    ],
)
def test_the_ending_is_told_as_it_was(result: str, code: str, status: str, words: str) -> None:
    assert (
        _ending(_unit({"Id": "x.service", "Result": result, "ExecMainCode": code, "ExecMainStatus": status})) == words
    )
