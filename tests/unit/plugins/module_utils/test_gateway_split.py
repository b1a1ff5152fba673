# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway processes of a host: what each serves, on which port, to which apps; and what it tells of itself."""

from __future__ import annotations

from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_split import deployments
from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_apps import AUTH
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan

HERE = {"here": {"groups": ["llamacpp", "litellm"]}}
TWO = {"a": {"source": "a.gguf", "fallbacks": ["b"]}, "b": {"source": "b.gguf"}}


def gateway(**declared: Any) -> dict[str, Any]:
    found: dict[str, Any] = plan({"models": TWO, "hosts": HERE, **declared})["hosts"]["here"]["litellm"]
    return found


def entries(config: dict[str, Any]) -> list[str]:
    return [entry["model_name"] for entry in config["model_list"]]


def test_an_app_of_its_own_is_cut_out_and_changes_nothing_for_the_others() -> None:
    alone = {"models": ["a"], "isolation": "instance"}
    without, beside = gateway(), gateway(apps={"editor": alone})
    assert beside["config"] == without["config"]
    (instance,) = beside["instances"]
    assert (instance["name"], instance["port"]) == ("litellm-editor", 4001)
    assert entries(instance["config"]) == ["editor/a", "editor/b"]
    assert instance["config"]["router_settings"] == {"fallbacks": [{"editor/a": ["editor/b"]}]}
    assert instance["apps"]["editor"]["models"] == ["editor/a"]


def test_the_gateway_asks_for_the_keys_of_apps_only_where_there_are_apps() -> None:
    alone, shared = {"models": ["a"], "isolation": "instance"}, {"models": ["b"]}
    for apps, expected in (({}, False), ({"editor": alone}, False), ({"editor": alone, "mail": shared}, True)):
        config = gateway(apps=apps)["config"]
        for section, keys in AUTH.items():
            assert (keys.items() <= config[section].items()) is expected
    config = gateway(apps={"editor": alone})["instances"][0]["config"]
    assert all(keys.items() <= config[section].items() for section, keys in AUTH.items())


def test_settings_of_the_user_hold_in_every_gateway_and_names_only_where_they_are() -> None:
    settings = {
        "timeout": 60,
        "default_fallbacks": ["b"],
        "context_window_fallbacks": [{"a": ["b"]}, {"editor/a": ["editor/b"]}],
        "model_group_retry_policy": {"a": {"TimeoutErrorRetries": 0}, "editor/a": {"TimeoutErrorRetries": 1}},
    }
    apps = {"editor": {"models": ["a"], "isolation": "instance"}}
    found = gateway(apps=apps, gateway={"router_settings": settings, "litellm_settings": {"drop_params": True}})
    shared, own = found["config"]["router_settings"], found["instances"][0]["config"]["router_settings"]
    assert (shared["timeout"], own["timeout"]) == (60, 60)
    assert found["instances"][0]["config"]["litellm_settings"]["drop_params"] is True
    assert (shared["default_fallbacks"], own.get("default_fallbacks")) == (["b"], None)
    assert shared["context_window_fallbacks"] == [{"a": ["b"]}]
    assert own["context_window_fallbacks"] == [{"editor/a": ["editor/b"]}]
    assert list(shared["model_group_retry_policy"]) == ["a"]
    assert list(own["model_group_retry_policy"]) == ["editor/a"]


def test_ports_are_chosen_or_the_next_ones_that_nobody_chose() -> None:
    models = {"a": {"source": "a.gguf", "llamacpp": {"port": 4002}}}
    apps = {
        name: {"models": ["a"], "isolation": "instance", **({"port": 4003} if name == "chosen" else {})}
        for name in ("one", "chosen", "two")
    }
    found = plan({"models": models, "apps": apps, "hosts": HERE})["hosts"]["here"]["litellm"]["instances"]
    ports = {each["name"]: each["port"] for each in found}
    assert ports == {"litellm-chosen": 4003, "litellm-one": 4001, "litellm-two": 4004}


def test_an_app_whose_name_begins_another_keeps_its_own() -> None:
    apps = {"ed": {"models": ["b"], "isolation": "instance"}, "editor": {"models": ["b"], "isolation": "instance"}}
    found = gateway(apps=apps)["instances"]
    assert [(each["name"], entries(each["config"])) for each in found] == [
        ("litellm-ed", ["ed/b"]),
        ("litellm-editor", ["editor/b"]),
    ]


def test_a_gateway_tells_the_deployments_of_an_alias_once_more() -> None:
    params = {"model": "openai/a", "api_base": "http://h/v1", "api_key": "none", "timeout": 5}
    config = {
        "model_list": [{"model_name": "a", "litellm_params": params}],
        "router_settings": {
            "model_group_alias": {"chat": "a", "shown": {"model": "a"}, "hid": {"model": "a", "hidden": True}}
        },
    }
    told = {"model": "openai/a", "api_base": "http://h/v1", "timeout": 5}
    assert deployments(config) == [{"name": name, **told} for name in ("a", "chat", "shown")]
