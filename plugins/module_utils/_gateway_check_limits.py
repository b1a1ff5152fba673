# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rates, retries, cooldowns and timeouts: limits that do not limit, and settings that undo each other."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import (
    Config,
    Deployment,
    Finding,
    Place,
    error,
    graded,
    warning,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_keys import ALLOWED_FAILS
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING

_ENFORCE = "enforce_model_rate_limits"
_COUNTING = ("usage-based-routing", "usage-based-routing-v2")
_PER_KEY = ("default_api_key_rpm_limit", "default_api_key_tpm_limit")
_RATES = ("rpm", "tpm")


def check_limits(config: Config, place: Place) -> Iterator[Finding]:
    """Yield the findings about limits of every kind."""
    groups = config.groups()
    for deployment in config.deployments:
        yield from _check_rates(deployment, config, len(groups[deployment.name]))
        yield from _check_retries(deployment, config)
    yield from _check_workers(config, place)
    yield from _check_cooldowns(config)
    yield from _check_timeouts(config)


def _checks(config: Config) -> list[object]:
    found = config.router.get("optional_pre_call_checks")
    return found if isinstance(found, list) else []


def _check_rates(deployment: Deployment, config: Config, pool: int) -> Iterator[Finding]:
    if _ENFORCE in _checks(config) or config.router.get("routing_strategy") in _COUNTING:
        return
    for key in _RATES:
        if key in deployment.params:
            what = "only weighs this deployment against the others of its name" if pool > 1 else "limits nothing"
            remedy = f"For a limit, add router_settings.optional_pre_call_checks: [{_ENFORCE}]."
            yield graded(pool == 1, f"{deployment.params_path}.{key}", deployment.params[key], f"{what}.", remedy)


def _check_workers(config: Config, place: Place) -> Iterator[Finding]:
    """Each worker counts for itself, unless they share Redis."""
    if place.workers < 2 or _has_redis(config, place):
        return
    for deployment in config.deployments:
        for key in (*_PER_KEY, *(_RATES if _ENFORCE in _checks(config) else ())):
            if key in deployment.params:
                wrong = f"counts in each of {place.workers} workers, so {place.workers} times as much gets through."
                remedy = "Run one worker, or set router_settings.redis_host."
                yield error(f"{deployment.params_path}.{key}", deployment.params[key], wrong, remedy)


def _has_redis(config: Config, place: Place) -> bool:
    named = {"redis_host", "redis_url"} & set(config.router) or "coordination_redis" in config.general
    return bool(named) or any(place.has_variable(name) for name in ("REDIS_HOST", "REDIS_URL"))


def _check_retries(deployment: Deployment, config: Config) -> Iterator[Finding]:
    path = deployment.params_path
    if "max_retries" in deployment.params:
        certain = "num_retries" not in deployment.params
        wrong = "is a setting of the OpenAI client, which the router turns off; it retries as num_retries says."
        yield graded(certain, f"{path}.max_retries", deployment.params["max_retries"], wrong, "Write num_retries.")
    if "num_retries" in deployment.params and config.router.get("retry_policy"):
        wrong = "is undone by router_settings.retry_policy, which counts for every model."
        remedy = "Write router_settings.model_group_retry_policy for the models that need one."
        yield error(f"{path}.num_retries", deployment.params["num_retries"], wrong, remedy)


def _check_cooldowns(config: Config) -> Iterator[Finding]:
    """LiteLLM spares a single deployment, unless the router has been told how many failures are too many."""
    single = sorted(name for name, found in config.groups().items() if len(found) == 1)
    if config.router.get("disable_cooldowns") is True or not single:
        return
    unsaid = (None, config.litellm.get("allowed_fails", ALLOWED_FAILS))
    for key in ("allowed_fails", "allowed_fails_policy"):
        if config.router.get(key) not in unsaid:
            wrong = f"would shut models with one deployment off after failures: {', '.join(single)}."
            remedy = "Remove it, give each a second deployment, or set router_settings.disable_cooldowns: true."
            yield error(f"router_settings.{key}", NOTHING, wrong, remedy)


def _check_timeouts(config: Config) -> Iterator[Finding]:
    if config.router.get("timeout") is not None or config.litellm.get("request_timeout") is not None:
        return
    endless = sorted(
        {each.name for each in config.deployments if not {"timeout", "request_timeout"} & set(each.params)}
    )
    if endless:
        names = ", ".join(endless[:4]) + (", ..." if len(endless) > 4 else "")
        wrong = f"is missing, so a request may hang for 6000 seconds: {names}."
        yield warning("router_settings.timeout", NOTHING, wrong, "Write a number of seconds, such as 120.")
