# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What settings need and may not have: a database, a licence, a package, a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import (
    Config,
    Finding,
    Place,
    as_errors,
    error,
    graded,
    likely,
    warning,
    words,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_keys import (
    CACHE_TYPES,
    CALLBACKS,
    LICENSED,
    LICENSED_CALLBACKS,
    LITELLM_VERSION,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field, check

_DATABASE: Mapping[str, frozenset[str]] = {
    "general_settings": words("""
        allow_requests_on_db_unavailable apply_user_budget_to_team_keys custom_key_generate custom_key_policy
        custom_key_update database_connection_pool_limit database_connection_timeout default_team_disabled
        maximum_spend_logs_retention_interval maximum_spend_logs_retention_period spend_report_frequency
        store_model_in_db store_prompts_in_spend_logs supported_db_objects use_redis_transaction_buffer
        """),
    "litellm_settings": words("""
        budget_duration budget_reset_time default_internal_user_params default_key_generate_params
        default_max_internal_user_budget default_soft_budget default_team_params default_team_settings
        internal_user_budget_duration key_generation_settings max_budget max_end_user_budget max_end_user_budget_id
        max_internal_user_budget max_ui_session_budget max_user_budget store_audit_logs upperbound_key_generate_params
        validate_end_user_id_in_db
        """),
}
_LISTS = ("callbacks", "success_callback", "failure_callback")
_CACHE_TYPE = Field(choices=tuple(sorted(CACHE_TYPES)), what="a kind of cache")
_REFUSED = ("allowed_ips", "enforced_params")


def check_needs(config: Config, place: Place) -> Iterator[Finding]:
    """Yield the findings about settings that do nothing, or keep LiteLLM from starting, for want of something else."""
    yield from _check_database(config, place)
    yield from _check_licence(config, place)
    yield from _check_callbacks(config, place)
    yield from _check_custom_auth(config)
    yield from _check_cache(config, place)
    if config.whole.get("include"):
        wrong = "adds files that are not checked here, and a section of theirs replaces the whole one of this file."
        yield warning("include", NOTHING, wrong, "Merge them into this file.")


def _check_database(config: Config, place: Place) -> Iterator[Finding]:
    if config.general.get("database_url"):
        wrong = "makes LiteLLM start only with a database, prisma and its engine, which is fetched from the network."
        yield warning("general_settings.database_url", NOTHING, wrong, "Remove it, unless keys and budgets are needed.")
        return
    if place.has_variable("DATABASE_URL"):
        return
    for section, settings in (("general_settings", config.general), ("litellm_settings", config.litellm)):
        for key in sorted(_DATABASE[section] & set(settings)):
            if settings[key]:
                wrong = "does nothing without a database, and general_settings.database_url names none."
                yield error(f"{section}.{key}", NOTHING, wrong, "Remove it.")


def _check_licence(config: Config, place: Place) -> Iterator[Finding]:
    if config.general.get("litellm_license") or place.has_variable("LITELLM_LICENSE"):
        return
    for key in sorted(LICENSED & set(config.general)):
        if config.general[key]:
            effect = "LiteLLM does not start with it" if key in _REFUSED else "LiteLLM ignores it or refuses requests"
            yield _unlicensed(f"general_settings.{key}", f"{effect}.")
    if config.whole.get("worker_registry"):
        yield _unlicensed("worker_registry", "LiteLLM does not start with it.")
    for path, name in _callbacks(config):
        if name in LICENSED_CALLBACKS:
            yield _unlicensed(path, f"LiteLLM does not start with {name}.")
    for deployment in config.deployments:
        if deployment.params.get("max_file_size_mb") is not None:
            yield _unlicensed(f"{deployment.params_path}.max_file_size_mb", "LiteLLM refuses uploads to this model.")


def _unlicensed(path: str, effect: str) -> Finding:
    return error(path, NOTHING, f"needs an enterprise licence; without one {effect}", "Remove it.")


def _callbacks(config: Config) -> Iterator[tuple[str, str]]:
    """Each callback that is named, with its path."""
    for key in _LISTS:
        value = config.litellm.get(key)
        if isinstance(value, str) and key == "callbacks":
            yield f"litellm_settings.{key}", value
        for index, name in enumerate(value if isinstance(value, list) else ()):
            if isinstance(name, str):
                yield f"litellm_settings.{key}[{index}]", name


def _check_callbacks(config: Config, place: Place) -> Iterator[Finding]:
    own = config.whole.get("callback_settings")
    for path, name in _callbacks(config):
        if name == "prometheus":
            yield from _check_prometheus(path, place)
        if path == "litellm_settings.callbacks" and "." not in name:
            yield error(path, name, "is taken for a module of Python, because it is no list.", f"Write [{name}].")
        elif "." not in name and name not in CALLBACKS and not (isinstance(own, Mapping) and name in own):
            wrong = f"is no callback of LiteLLM {LITELLM_VERSION}."
            yield error(path, name, wrong, likely(name, CALLBACKS) or "A function of your own is MODULE.NAME.")


def _check_prometheus(path: str, place: Place) -> Iterator[Finding]:
    if "prometheus_client" not in (place.packages or ()):
        wrong = "needs the package prometheus_client, without which LiteLLM does not start."
        yield graded(place.packages is not None, path, "prometheus", wrong, "Add it to the gateway's environment.")


def _check_custom_auth(config: Config) -> Iterator[Finding]:
    if config.general.get("custom_auth"):
        common = config.general.get("custom_auth_run_common_checks") is True
        if not common or config.litellm.get("enable_post_custom_auth_checks") is not True:
            wrong = "decides alone: LiteLLM does not check the models and limits that it gives a key."
            remedy = (
                "Set general_settings.custom_auth_run_common_checks and"
                " litellm_settings.enable_post_custom_auth_checks to true."
            )
            yield warning("general_settings.custom_auth", config.general["custom_auth"], wrong, remedy)


def _check_cache(config: Config, place: Place) -> Iterator[Finding]:
    params = config.litellm.get("cache_params")
    if config.litellm.get("cache") is not True:
        return
    if isinstance(params, Mapping) and params:
        yield from as_errors(check(params.get("type", "redis"), _CACHE_TYPE, "litellm_settings.cache_params.type"))
    elif not any(place.has_variable(name) for name in ("REDIS_HOST", "REDIS_URL")):
        path = "litellm_settings.cache"
        wrong = "means Redis unless cache_params says otherwise, and nothing says where that is."
        yield graded(place.environment is not None, path, True, wrong, "Add cache_params: {type: local}.")
