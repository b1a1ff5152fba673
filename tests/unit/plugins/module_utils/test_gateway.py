# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""LiteLLM's configuration: what is derived, and what the user's own settings may not say."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _litellm_keys
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan

HERE = {"here": {"groups": ["llamacpp", "litellm"]}}


def gateway(**declared: Any) -> dict[str, Any]:
    found: dict[str, Any] = plan({"hosts": HERE, **declared})["hosts"]["here"]["litellm"]
    return found


def config(**declared: Any) -> dict[str, Any]:
    found: dict[str, Any] = gateway(**declared)["config"]
    return found


def source(name: str, **more: Any) -> dict[str, Any]:
    return {"source": f"{name}.gguf", **more}


TWO = {"a": source("a", fallbacks=["b"]), "b": source("b")}


def test_a_model_is_one_deployment_with_an_explicit_address() -> None:
    assert config(models={"a": source("a")})["model_list"] == [
        {
            "model_name": "a",
            "litellm_params": {"model": "openai/a", "api_base": "http://127.0.0.1:8080/v1", "api_key": "none"},
            "model_info": {"mode": "chat", "max_input_tokens": 4096},
        }
    ]


def test_tools_are_told_in_model_info_and_never_handed_to_the_engine() -> None:
    (entry,) = config(models={"a": source("a", tools=True, tags=["x"])})["model_list"]
    assert entry["model_info"]["supports_function_calling"] is True
    assert set(entry["litellm_params"]) == {"model", "api_base", "api_key"}


def test_limits_become_those_that_hold_without_a_database() -> None:
    (entry,) = config(models={"a": source("a", limits={"rpm": 100, "tpm": 5000})})["model_list"]
    assert entry["litellm_params"]["default_api_key_rpm_limit"] == 100
    assert entry["litellm_params"]["default_api_key_tpm_limit"] == 5000


def test_an_alias_carries_the_fallbacks_of_its_model() -> None:
    """LiteLLM looks fallbacks up by the name that was asked for, not by the model behind it."""
    router = config(models=TWO, aliases={"chat": "a", "plain": "b"})["router_settings"]
    assert router == {"model_group_alias": {"chat": "a", "plain": "b"}, "fallbacks": [{"a": ["b"]}, {"chat": ["b"]}]}


def test_a_standby_is_an_alias_of_what_answers_for_it() -> None:
    """LiteLLM answers 400 to a name that has fallbacks and no deployment."""
    models = {"a": source("a", standby=True, fallbacks=["b", "c"]), "b": source("b"), "c": source("c")}
    found = config(models=models, aliases={"chat": "a"})
    assert [entry["model_name"] for entry in found["model_list"]] == ["b", "c"]
    assert found["router_settings"]["model_group_alias"] == {"a": "b", "chat": "b"}
    assert found["router_settings"]["fallbacks"] == [{"a": ["c"]}, {"chat": ["c"]}]


def test_a_standby_falls_back_to_what_its_answer_falls_back_to() -> None:
    """LiteLLM looks up the name that was asked for, and follows no chain from there to the model behind an alias."""
    models = {
        "a": source("a", standby=True, fallbacks=["b", "c"]),
        "b": source("b", fallbacks=["d", "c"]),
        "c": source("c"),
        "d": source("d"),
    }
    found = config(models=models)["router_settings"]
    assert found["model_group_alias"] == {"a": "b"}
    assert found["fallbacks"] == [{"a": ["d", "c"]}, {"b": ["d", "c"]}]


def test_an_app_has_names_of_its_own_with_its_own_limits_and_fallbacks() -> None:
    found = config(models=TWO, apps={"editor": {"models": ["a"], "timeout": 2.5, "retries": 0}})
    clones = {entry["model_name"]: entry for entry in found["model_list"] if "/" in entry["model_name"]}
    assert sorted(clones) == ["editor/a", "editor/b"]
    assert all(entry["litellm_params"]["timeout"] == 2.5 for entry in clones.values())
    assert all(entry["litellm_params"]["num_retries"] == 0 for entry in clones.values())
    assert all(entry["model_info"]["disable_background_health_check"] for entry in clones.values())
    assert {"editor/a": ["editor/b"]} in found["router_settings"]["fallbacks"]


def test_an_app_without_limits_leaves_those_of_the_gateway() -> None:
    found = config(models={"a": source("a")}, apps={"editor": {"models": ["a"]}})
    (clone,) = (entry for entry in found["model_list"] if entry["model_name"] == "editor/a")
    assert set(clone["litellm_params"]) == {"model", "api_base", "api_key"}


def test_a_chain_longer_than_litellm_follows_raises_its_limit() -> None:
    models = {f"m{i}": source(f"m{i}", fallbacks=[f"m{i + 1}"] if i < 6 else []) for i in range(7)}
    assert config(models=models)["router_settings"]["max_fallbacks"] == 6
    assert "max_fallbacks" not in config(models=TWO)["router_settings"]
    chosen = config(models=models, gateway={"router_settings": {"max_fallbacks": 3}})
    assert chosen["router_settings"]["max_fallbacks"] == 3


def test_the_users_settings_stand_above_ours_and_nothing_is_dropped() -> None:
    written = {
        "router_settings": {"num_retries": 2, "timeout": 120, "retry_policy": {"TimeoutErrorRetries": 1}},
        "litellm_settings": {"disable_hf_tokenizer_download": False, "drop_params": True},
        "general_settings": {"background_health_checks": True, "database_url": "os.environ/DATABASE_URL"},
    }
    found = config(models={"a": source("a")}, gateway=written)
    for section, values in written.items():
        assert values.items() <= found[section].items()
    assert found["general_settings"]["master_key"] == "os.environ/LITELLM_MASTER_KEY"


def test_no_tokenizer_is_fetched_from_the_network() -> None:
    assert config(models={"a": source("a")})["litellm_settings"] == {"disable_hf_tokenizer_download": True}


def test_nobody_works_on_a_request_that_nobody_waits_for() -> None:
    assert config(models={"a": source("a")})["general_settings"]["cancel_on_disconnect"] is True
    written = {"general_settings": {"cancel_on_disconnect": False}}
    assert config(models={"a": source("a")}, gateway=written)["general_settings"]["cancel_on_disconnect"] is False


def test_the_expected_names_are_those_litellm_lists() -> None:
    found = gateway(models=TWO, aliases={"chat": "a"}, apps={"editor": {"models": ["b"]}})
    assert found["models"] == ["a", "b", "chat", "editor/b"]
    assert found["deployments"] == 3


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"context_window_fallbacks": [{"a": ["b"]}]}, id="models"),
        pytest.param({"context_window_fallbacks": [{"chat": ["editor/b"]}]}, id="an alias and the name of an app"),
        pytest.param({"default_fallbacks": ["b"]}, id="a default"),
        pytest.param({"model_group_retry_policy": {"a": {"TimeoutErrorRetries": 0}}}, id="a policy"),
        pytest.param({"allowed_fails": 1, "disable_cooldowns": True}, id="failures counted without a consequence"),
    ],
)
def test_settings_may_name_whatever_the_gateway_serves(settings: dict[str, Any]) -> None:
    apps = {"editor": {"models": ["b"]}}
    found = config(models=TWO, aliases={"chat": "a"}, apps=apps, gateway={"router_settings": settings})
    assert settings.items() <= found["router_settings"].items()


def test_failures_may_be_counted_where_each_model_has_a_second_instance() -> None:
    hosts = {
        name: {"groups": ["llamacpp"], "address": f"192.0.2.{number}", "has_instance_key": True}
        for number, name in enumerate(["one", "two"], start=1)
    }
    hosts["gw"] = {"groups": ["litellm"]}
    found = plan({"models": {"a": source("a")}, "hosts": hosts, "gateway": {"router_settings": {"allowed_fails": 2}}})
    assert found["hosts"]["gw"]["litellm"]["config"]["router_settings"] == {"allowed_fails": 2}


def test_the_lists_of_settings_have_the_ones_everybody_uses() -> None:
    assert _litellm_keys.ROUTER_SETTINGS["num_retries"] == "int"
    assert _litellm_keys.ROUTER_SETTINGS["timeout"] == "number"
    assert _litellm_keys.LITELLM_SETTINGS["drop_params"] == "bool"
    assert _litellm_keys.LITELLM_SETTINGS["callbacks"] == "list"
    assert _litellm_keys.GENERAL_SETTINGS["health_check_interval"] == "int"
