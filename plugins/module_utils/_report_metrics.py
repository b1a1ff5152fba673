# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as metrics for Prometheus, to be picked up by the textfile collector of node_exporter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, PASS, WARN
from ansible_collections.lab.llm_stack.plugins.module_utils._report_escape import label
from ansible_collections.lab.llm_stack.plugins.module_utils._report_rows import STANDBY

Sample = tuple[Mapping[str, object], float]
Metric = tuple[str, str, Sequence[Sample]]


def textfile(data: Mapping[str, Any]) -> str:
    """Lay out the metrics. A check that could not be made has no value, so an alert on it cannot be silenced by it."""
    return "".join(text for name, help_text, samples in _metrics(data) for text in _metric(name, help_text, samples))


def _metrics(data: Mapping[str, Any]) -> Iterator[Metric]:
    yield "llm_stack_report_timestamp_seconds", "When the report was made.", [({}, _stamp(data["generated"]))]
    states = [({"state": state}, float(number)) for state, number in data["counts"].items()]
    yield "llm_stack_checks", "Checks of the last report by their state.", states
    checked = [row for row in data["checklist"] if row["state"] in (PASS, WARN, FAIL)]
    yield "llm_stack_check_ok", "Whether a promise is kept.", [(_labels(row), _ok(row)) for row in checked]
    running = [each for each in data["services"] if each["state"] != STANDBY]
    up = [({"host": each["host"], "service": each["name"], "engine": each["engine"]}, _ok(each)) for each in running]
    yield "llm_stack_service_up", "Whether a service that should run is well.", up
    yield from _of_models(data["models"])
    yield "llm_stack_issues", "Issues of the last report by severity.", list(_issues(data["issues"]))


def _of_models(models: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    every = [({"model": each["name"]}, each) for each in models]
    yield (
        "llm_stack_model_ok",
        "Whether a model answers by its public name.",
        [(name, _ok(each)) for name, each in every],
    )
    promised = [(name, float(each["tools"] == "certified")) for name, each in every if each["tools"] != "not promised"]
    yield "llm_stack_model_tools_certified", "Whether a model that was promised to call tools does.", promised
    measured = [(name, each["seconds"]) for name, each in every if each["seconds"] is not None]
    yield "llm_stack_model_answer_seconds", "How long a short answer took through the gateway.", measured


def _ok(each: Mapping[str, Any]) -> float:
    return float(each["state"] in (PASS, WARN))


def _labels(row: Mapping[str, Any]) -> Mapping[str, object]:
    return {
        "host": row["host"],
        "check": row["check"],
        "id": row["id"],
        **({"model": row["model"]} if row["model"] else {}),
    }


def _issues(issues: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
    found = [each["severity"] for each in issues]
    for severity in ("critical", "high", "medium", "low"):
        yield {"severity": severity}, float(found.count(severity))


def _stamp(generated: str) -> float:
    try:
        found = datetime.fromisoformat(generated.replace("Z", "+00:00"))
    except ValueError:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()


def _metric(name: str, help_text: str, samples: Iterable[Sample]) -> Iterator[str]:
    found = list(samples)
    if not found:
        return
    yield f"# HELP {name} {help_text}\n# TYPE {name} gauge\n"
    for labels, value in found:
        inside = ",".join(f'{key}="{label(each)}"' for key, each in labels.items())
        yield f"{name}{{{inside}}} {value:.15g}\n" if inside else f"{name} {value:.15g}\n"
