# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as metrics for Prometheus, to be picked up by the textfile collector of node_exporter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._checks import PASS, WARN
from ansible_collections.lab.llm_stack.plugins.module_utils._report_escape import label
from ansible_collections.lab.llm_stack.plugins.module_utils._report_rows import STANDBY

Sample = tuple[Mapping[str, object], float]


def textfile(data: Mapping[str, Any]) -> str:
    """Lay out the metrics. A check that could not be made has no value, so an alert on it cannot be silenced by it."""
    return "".join(text for name, help_text, samples in _metrics(data) for text in _metric(name, help_text, samples))


def _metrics(data: Mapping[str, Any]) -> Iterator[tuple[str, str, list[Sample]]]:
    rows, models = data["checklist"], data["models"]
    yield "llm_stack_report_timestamp_seconds", "When the report was made.", [({}, _stamp(data["generated"]))]
    yield (
        "llm_stack_checks",
        "Checks of the last report by their state.",
        [({"state": state}, number) for state, number in data["counts"].items()],
    )
    yield (
        "llm_stack_check_ok",
        "Whether a promise is kept.",
        [(_labels(row), float(row["state"] in (PASS, WARN))) for row in rows if row["state"] in (PASS, WARN, "fail")],
    )
    yield (
        "llm_stack_service_up",
        "Whether a service that should run is well.",
        [
            (
                {"host": each["host"], "service": each["name"], "engine": each["engine"]},
                float(each["state"] in (PASS, WARN)),
            )
            for each in data["services"]
            if each["state"] != STANDBY
        ],
    )
    yield (
        "llm_stack_model_ok",
        "Whether a model answers by its public name.",
        [({"model": each["name"]}, float(each["state"] in (PASS, WARN))) for each in models],
    )
    yield (
        "llm_stack_model_tools_certified",
        "Whether a model that was promised to call tools does.",
        [
            ({"model": each["name"]}, float(each["tools"] == "certified"))
            for each in models
            if each["tools"] != "not promised"
        ],
    )
    yield (
        "llm_stack_model_answer_seconds",
        "How long a short answer took through the gateway.",
        [({"model": each["name"]}, each["seconds"]) for each in models if each["seconds"] is not None],
    )
    yield "llm_stack_issues", "Issues of the last report by severity.", list(_issues(data["issues"]))


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
