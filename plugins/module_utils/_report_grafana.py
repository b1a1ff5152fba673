# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dashboard for Grafana, from the plan: how the stack is, and what the engines that it has are doing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._report_prometheus import Plan, targets

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_TALL, _WIDE = 8, 24
Panel = dict[str, Any]


def dashboard(plan: Plan) -> str:
    """Give it as Grafana imports it."""
    panels = [{**each, "id": number} for number, each in enumerate(_placed(list(_panels(plan))), 1)]
    board = {
        "title": "LLM stack",
        "uid": "llm-stack",
        "tags": ["llm-stack"],
        "schemaVersion": 39,
        "timezone": "browser",
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Source"}]
        },
        "panels": panels,
    }
    return json.dumps(board, indent=2, sort_keys=True) + "\n"


def _panels(plan: Plan) -> Iterator[Panel]:
    yield _stat("Promises not kept", "sum(llm_stack_checks{state=~'fail|unchecked'}) or vector(0)", 1)
    yield _stat("Critical issues", "llm_stack_issues{severity='critical'}", 1)
    yield _stat("Age of the report", "time() - llm_stack_report_timestamp_seconds", 93600, unit="s")
    yield _table("What is not kept", "llm_stack_check_ok == 0")
    yield _lines("Short answers through the gateway", [("llm_stack_model_answer_seconds", "{{model}}")], unit="s")
    yield _lines("Promises", [("llm_stack_checks", "{{state}}")])
    jobs = {each.job for each in targets(plan)}
    if "llm-stack-vllm" in jobs:
        running = [
            ("vllm:num_requests_running", "{{model}} running"),
            ("vllm:num_requests_waiting", "{{model}} waiting"),
        ]
        yield _lines("vLLM: requests", running)
        yield _lines("vLLM: KV cache in use", [("vllm:kv_cache_usage_perc", "{{model}}")], unit="percentunit")
        yield _lines("vLLM: tokens a second", [("rate(vllm:generation_tokens_total[5m])", "{{model}}")])
    if "llm-stack-llamacpp" in jobs:
        running = [
            ("llamacpp:requests_processing", "{{model}} running"),
            ("llamacpp:requests_deferred", "{{model}} waiting"),
        ]
        yield _lines("llama.cpp: requests", running)
        yield _lines("llama.cpp: tokens a second", [("rate(llamacpp:tokens_predicted_total[5m])", "{{model}}")])


def _panel(kind: str, title: str, queries: Sequence[tuple[str, str]], **options: object) -> Panel:
    asked = [
        {"refId": chr(65 + index), "expr": expression, "legendFormat": legend, "datasource": _SOURCE}
        for index, (expression, legend) in enumerate(queries)
    ]
    return {"type": kind, "title": title, "datasource": _SOURCE, "targets": asked, **options}


def _stat(title: str, expression: str, bad: float, unit: str = "none") -> Panel:
    steps = [{"color": "green", "value": None}, {"color": "red", "value": bad}]
    defaults = {"unit": unit, "thresholds": {"mode": "absolute", "steps": steps}}
    return _panel("stat", title, [(expression, "")], fieldConfig={"defaults": defaults, "overrides": []})


def _lines(title: str, queries: Sequence[tuple[str, str]], unit: str = "short") -> Panel:
    return _panel("timeseries", title, queries, fieldConfig={"defaults": {"unit": unit, "min": 0}, "overrides": []})


def _table(title: str, expression: str) -> Panel:
    panel = _panel("table", title, [(expression, "")])
    panel["targets"][0].update(format="table", instant=True)
    hidden = dict.fromkeys(("Time", "Value", "__name__", "instance", "job"), True)
    panel["transformations"] = [{"id": "organize", "options": {"excludeByName": hidden}}]
    return panel


def _placed(panels: list[Panel]) -> Iterator[Panel]:
    """Yield the panels in their places: small numbers in one row, the others by two."""
    small = [each for each in panels if each["type"] == "stat"]
    width = _WIDE // max(len(small), 1)
    for index, each in enumerate(small):
        yield {**each, "gridPos": {"x": index * width, "y": 0, "w": width, "h": 4}}
    for index, each in enumerate(each for each in panels if each["type"] != "stat"):
        yield {**each, "gridPos": {"x": (index % 2) * 12, "y": 4 + (index // 2) * _TALL, "w": 12, "h": _TALL}}
