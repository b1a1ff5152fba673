# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A stack like that of the field report, well and broken, as the tests of reports need it: tests/fixtures/reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import Verdict, result
from ansible_collections.lab.llm_stack.plugins.module_utils._report import Facts, report
from ansible_collections.lab.llm_stack.plugins.module_utils._report_source import source_of

FOLDER = Path(__file__).resolve().parents[1] / "fixtures/reports"
WRITTEN: Mapping[str, Any] = yaml.safe_load((FOLDER / "stack.yml").read_text())
FIRST, LAST, EVENING = "2025-10-22T18:52:00Z", "2025-10-23T18:52:00Z", "2025-10-24T00:10:00Z"


@cache
def stack() -> Mapping[str, Any]:
    """The plan of the stack as it once was, so that these reports do not change with the plan."""
    found: Mapping[str, Any] = json.loads((FOLDER / "plan.json").read_text())
    return found


def well(check: Mapping[str, Any]) -> dict[str, Any]:
    """What a probe says of a promise that is kept."""
    return result(check, Verdict("pass", WRITTEN["evidence"].get(check["check"], "well")), 0.25).as_dict()


def all_well() -> list[dict[str, Any]]:
    return [well(check) for check in stack()["checklist"]]


def evening() -> list[dict[str, Any]]:
    """What it says when the gateway is down: of its own checks it can make none."""
    found = []
    for each in all_well():
        behind = each["host"] == "gw-01" and each["check"] != "unit_active"
        nothing = {"state": "skipped", "evidence": "needs this first: the gateway answers", "seconds": 0.0}
        told = WRITTEN["broken"].get(each["id"], nothing if behind else {})
        if each["host"] not in WRITTEN["silent"]:
            found.append({**each, **told})
    return found


@cache
def healthy() -> dict[str, Any]:
    """The report of a good day, the second of two."""
    settings = WRITTEN["settings"]
    before = report(stack(), Facts(FIRST, all_well(), settings=settings))
    return report(stack(), Facts(LAST, all_well(), settings=settings, previous=before))


@cache
def broken() -> dict[str, Any]:
    """The report of the evening, after that."""
    facts = Facts(
        EVENING,
        evening(),
        silent=WRITTEN["silent"],
        drift=WRITTEN["drift"],
        settings=WRITTEN["settings"],
        source=source_of(WRITTEN["source"], WRITTEN["deployed"]),
        previous=healthy(),
    )
    return report(stack(), facts)


HOSTILE = "<img src=x onerror=alert(1)>\"'`| [a](javascript:alert(1)) **b** <!-- ]]> & {{ 1 }} \u202e\x00\n# c"


def hostile(text: str = HOSTILE) -> dict[str, Any]:
    """A report into which others have written whatever they could."""
    found = [{**each, "evidence": text, "cause": text, "remedy": text, "state": "fail"} for each in all_well()]
    found.append({**found[0], "id": text, "host": text, "title": text, "model": text, "check": text})
    settings = [{**each, "value": text, "place": text, "file": text, "layer": text} for each in WRITTEN["settings"]]
    settings[0] = {**settings[0], "overrode": [{"value": text, "layer": text, "place": text}]}
    drift = [dict.fromkeys(("host", "kind", "subject", "expected", "actual", "remedy"), text)]
    source = {"commit": text, "branch": text, "changed": [text], "deployed": {text: f"{text}."}}
    renamed = _renamed(stack(), text)
    return report(renamed, Facts(text, found, drift=drift, settings=settings, source=source, previous=healthy()))


def _renamed(value: Any, text: str) -> Any:
    """The plan with a model of a hostile name; the real plan refuses it, and a report trusts nobody."""
    if isinstance(value, str):
        return text if value == "tiny" else value
    if isinstance(value, Mapping):
        return {_renamed(key, text): _renamed(each, text) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, text) for each in value]
    return value
