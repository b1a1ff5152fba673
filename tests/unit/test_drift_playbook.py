# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What drift.yml asks of a host, by the plan of an example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

HOST = "workstation"
ONE, OTHER = {"host": HOST, "units": ["x.service"]}, {"host": "other", "units": ["y.service"]}
CHECKLIST = [
    {"id": "active", "check": "unit_active", **ONE},
    {"id": "up", "check": "unit_uptime", **ONE},
    {"id": "chat", "check": "chat_content", "host": HOST},
    {"id": "there", "check": "unit_uptime", **OTHER},
]


def trusted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: trusted(each) for key, each in value.items()}
    return [trusted(each) for each in value] if isinstance(value, list) else _text(value)


def _text(value: object) -> object:
    return trust_as_template(value) if isinstance(value, str) else value


@pytest.fixture
def asked(root: Path) -> list[dict[str, Any]]:
    """The checks of the play that asks, of that host."""
    plays = yaml.safe_load((root / "playbooks/drift.yml").read_text())
    (play,) = [play for play in plays if play["name"] == "Ask what answers"]
    variables = {**trusted(play["vars"]), "llm_stack_plan": {"checklist": CHECKLIST}, "inventory_hostname": HOST}
    checks = trusted(play["tasks"][0]["lab.llm_stack.probe"]["checks"])
    found: list[dict[str, Any]] = list(Templar(loader=DataLoader(), variables=variables).template(checks))
    return found


def test_a_service_that_ends_again_and_again_is_looked_for_and_no_model_is_asked(asked: list[dict[str, Any]]) -> None:
    assert asked == [CHECKLIST[0], {**CHECKLIST[1], "by_itself": True}]
