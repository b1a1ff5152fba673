# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus is to ask and when it is to call: scrape targets and alert rules, from the plan alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Plan = Mapping[str, Any]
_MADE = "---\n# Made by lab.llm_stack from the plan; made anew by each report."
_KEYS = "/etc/prometheus/llm-stack"
# An app that waits longer than this is not waiting for an answer.
_LONG = 600.0
_OLD = 26 * 3600


@dataclass(frozen=True)
class Target:
    """One address with metrics; ``key`` names the file with the key it asks for, on the host of Prometheus."""

    job: str
    address: str
    labels: Mapping[str, str]
    key: str = ""


def targets(plan: Plan) -> Iterator[Target]:
    """Yield what has metrics and is meant to run: vLLM, which asks for no key here, and llama.cpp, which does.

    Ollama and the server of llama-cpp-python have no metrics; LiteLLM has none without a package of its own.
    """
    for host, parts in sorted(plan["hosts"].items()):
        for engine in ("vllm", "llamacpp"):
            for each in parts.get(engine, {}).get("instances", ()):
                if each["standby"] or each.get("server") == "python":
                    continue
                key = f"{_KEYS}/{host}.key" if engine == "llamacpp" and each["needs_key"] else ""
                labels = {"host": host, "engine": engine, "model": each["model"]}
                yield Target(f"llm-stack-{engine}", f"{each['bind']}:{each['port']}", labels, key)


def scrape(plan: Plan) -> str:
    """Give a file for Prometheus's scrape_config_files."""
    found = list(targets(plan))
    jobs: dict[tuple[str, str], list[Target]] = {}
    for each in found:
        jobs.setdefault((each.job, each.key), []).append(each)
    lines = [_MADE]
    if any(each.address.startswith("127.") for each in found):
        lines.append("# Addresses that begin with 127. are reached by a Prometheus on their own host only.")
    lines.append("scrape_configs:" if jobs else "scrape_configs: []")
    for (job, key), mine in jobs.items():
        lines += _job(job if not key else f"{job}-{mine[0].labels['host']}", key, mine)
    return "\n".join([*lines, ""])


def _job(name: str, key: str, mine: list[Target]) -> Iterator[str]:
    yield f"  - job_name: {json.dumps(name)}"
    if key:
        yield "    # The llm_stack_instance_key of that host, in a file that only Prometheus reads."
        yield f"    authorization: {{credentials_file: {json.dumps(key)}}}"
    yield "    static_configs:"
    for each in mine:
        yield f"      - targets: [{json.dumps(each.address)}]"
        yield f"        labels: {json.dumps(dict(each.labels))}"


def alerts(plan: Plan) -> str:
    """Give a file of alert rules: for the stack's own results, for its engines, and for the limits of its apps."""
    rules = [*_own(), *_of_engines(plan), *_of_apps(plan)]
    lines = [_MADE, "groups:", "  - name: llm-stack", "    rules:"]
    for rule in rules:
        lines += _rule(*rule)
    return "\n".join([*lines, ""])


def _rule(name: str, expression: str, wait: str, severity: str, summary: str) -> Iterator[str]:
    yield f"      - alert: {name}"
    yield f"        expr: {json.dumps(expression)}"
    yield f"        for: {wait}"
    yield f"        labels: {{severity: {severity}}}"
    yield f"        annotations: {{summary: {json.dumps(summary)}}}"


Rule = tuple[str, str, str, str, str]


def _own() -> Iterator[Rule]:
    old = f"time() - llm_stack_report_timestamp_seconds > {_OLD}"
    yield "LlmStackReportOld", old, "5m", "warning", "No report of the stack for more than a day: its timer may be off."
    gateway = 'llm_stack_check_ok{check=~"gateway_alive|gateway_key"} == 0'
    yield "LlmStackGatewayBroken", gateway, "0m", "critical", "On {{ $labels.host }} this is not kept: {{ $labels.id }}"
    others = 'llm_stack_check_ok{check!~"gateway_alive|gateway_key"} == 0'
    yield "LlmStackPromiseBroken", others, "0m", "warning", "On {{ $labels.host }} this is not kept: {{ $labels.id }}"
    down = "llm_stack_service_up == 0"
    yield "LlmStackServiceDown", down, "0m", "critical", "{{ $labels.service }} on {{ $labels.host }} is not well."
    unseen = f"time() - llm_stack_drift_last_check_timestamp_seconds > {_OLD}"
    yield "LlmStackDriftOld", unseen, "5m", "warning", "No look for drift for more than a day: its timer may be off."
    drift, told = "llm_stack_drift_items > 0", "{{ $labels.host }} is not as declared: {{ $labels.kind }}"
    yield "LlmStackDrift", drift, "0m", "warning", told
    tools = "llm_stack_model_tools_certified == 0"
    yield "LlmStackToolsLost", tools, "0m", "warning", "{{ $labels.model }} was promised to call tools and does not."


def _of_engines(plan: Plan) -> Iterator[Rule]:
    jobs = {each.job for each in targets(plan)}
    if jobs:
        down = 'up{job=~"llm-stack-.+"} == 0'
        yield (
            "LlmStackEngineDown",
            down,
            "5m",
            "critical",
            "{{ $labels.model }} on {{ $labels.host }} gives no metrics.",
        )
    if "llm-stack-vllm" in jobs:
        full, queue = "vllm:kv_cache_usage_perc > 0.95", "vllm:num_requests_waiting > 0"
        yield "LlmStackCacheFull", full, "10m", "warning", "The KV cache of {{ $labels.model }} is full: requests wait."
        yield "LlmStackRequestsWait", queue, "10m", "warning", "Requests for {{ $labels.model }} wait for room."
    if "llm-stack-llamacpp" in jobs:
        queue = "llamacpp:requests_deferred > 0"
        yield "LlmStackRequestsDeferred", queue, "10m", "warning", "Requests for {{ $labels.model }} wait for a slot."


def _of_apps(plan: Plan) -> Iterator[Rule]:
    """Yield a rule where a short answer takes more than half of what an app waits for it."""
    for app, models in sorted(plan.get("summary", {}).get("latency", {}).items()):
        for model, bound in sorted(models.items()):
            limit = bound["terms"][0]["timeout"] if bound.get("terms") else _LONG
            if limit < _LONG:
                slow = f"llm_stack_model_answer_seconds{{model={json.dumps(model)}}} > {limit / 2:g}"
                told = f"{app} waits {limit:g} s for {model}, and a short answer takes more than half of that."
                # Two braces begin a template of Prometheus.
                told = told.replace("{{", "{ {")
                yield "LlmStackSlowForApp", slow, "0m", "warning", told
