# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model on several hosts: when LiteLLM turns away from one of them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan


def spread(router: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a gateway with the model a on two hosts and b on one of them."""
    hosts = {
        name: {"groups": ["llamacpp"], "address": f"192.0.2.{number}", "has_instance_key": True}
        for number, name in enumerate(["one", "two"], start=1)
    }
    hosts["gw"] = {"groups": ["litellm"]}
    models = {"a": {"source": "a.gguf"}, "b": {"source": "b.gguf", "hosts": ["one"]}}
    gateway = {"router_settings": router}
    found: dict[str, Any] = plan({"models": models, "hosts": hosts, "gateway": gateway})["hosts"]["gw"]["litellm"]
    return dict(found["config"])


def counted(found: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(entry["model_name"], entry["model_info"].get("allowed_fails")) for entry in found["model_list"]]


def test_one_failure_turns_requests_to_the_other_instances_where_there_are_any() -> None:
    assert counted(spread({})) == [("a", 0), ("a", 0), ("b", None)]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"allowed_fails": 2, "disable_cooldowns": True}, id="a number"),
        pytest.param(
            {"allowed_fails_policy": {"TimeoutErrorAllowedFails": 2}, "disable_cooldowns": True}, id="a policy"
        ),
    ],
)
def test_who_counts_failures_is_not_overruled_at_each_deployment(settings: dict[str, Any]) -> None:
    found = spread(settings)
    assert counted(found) == [("a", None), ("a", None), ("b", None)]
    assert found["router_settings"] == settings
