# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an app's key opens, under which names; refusals are files in tests/fixtures/refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan
from hypothesis import given, settings
from hypothesis import strategies as st

HERE = {"here": {"groups": ["llamacpp", "litellm"]}}
MODELS = {
    "a": {"source": "a.gguf", "fallbacks": ["b"]},
    "b": {"source": "b.gguf"},
    "idle": {"source": "i.gguf", "standby": True, "fallbacks": ["b"]},
}


def gateway(**app: Any) -> dict[str, Any]:
    declared = {"models": MODELS, "apps": {"editor": app}, "hosts": HERE}
    found: dict[str, Any] = plan(declared)["hosts"]["here"]["litellm"]
    return found


def table(**app: Any) -> dict[str, Any]:
    found: dict[str, Any] = gateway(**app)["apps"]["editor"]
    return found


@pytest.mark.parametrize(
    ("app", "models"),
    [
        pytest.param({"models": ["b"]}, ["editor/b"], id="its model"),
        pytest.param({"models": ["b", "a"]}, ["editor/b", "editor/a"], id="in the order of declaration"),
        pytest.param({"models": ["a"]}, ["editor/a"], id="not what it only falls back to"),
        pytest.param({"models": ["a", "b"]}, ["editor/a", "editor/b"], id="a fallback that it also names"),
        pytest.param({"models": ["idle"]}, ["editor/idle"], id="a model that stands by"),
    ],
)
def test_a_key_opens_the_models_that_are_named(app: dict[str, Any], models: list[str]) -> None:
    assert table(**app)["models"] == models


def test_a_fallback_is_served_and_not_opened() -> None:
    found = gateway(models=["a"])
    assert "editor/b" in found["models"]
    assert "editor/b" not in found["apps"]["editor"]["models"]
    assert {"editor/a": ["editor/b"]} in found["config"]["router_settings"]["fallbacks"]


def test_an_app_may_leave_its_own_name_out_and_call_models_otherwise() -> None:
    found = table(models=["a", "idle"], aliases={"gpt-4": "idle", "b": "a"})
    assert found["aliases"] == {"a": "editor/a", "idle": "editor/idle", "gpt-4": "editor/idle", "b": "editor/a"}


def test_the_default_is_the_first_model_unless_one_is_named() -> None:
    assert table(models=["b", "a"])["default_model"] == "editor/b"
    assert table(models=["b", "a"], default_model="a")["default_model"] == "editor/a"


def test_limits_are_given_as_they_are_and_only_those_that_are() -> None:
    assert {"rpm", "tpm"} & set(table(models=["a"])) == set()
    assert table(models=["a"], limits={"tpm": 5})["tpm"] == 5


def test_the_models_of_an_apps_own_file_are_its_own() -> None:
    params = {"model": "openai/coder", "api_base": "http://127.0.0.1:9/v1", "api_key": "none"}
    layer = {
        "name": "x",
        "app": "editor",
        "config": {"model_list": [{"model_name": "coder", "litellm_params": params}]},
    }
    declared = {"models": MODELS, "apps": {"editor": {"models": ["a"]}}, "layers": [layer], "hosts": HERE}
    found = plan(declared)["hosts"]["here"]["litellm"]["apps"]["editor"]
    assert found["models"] == ["editor/a", "editor/coder"]
    assert found["aliases"]["coder"] == "editor/coder"


NAMES = ["a", "b", "idle"]


@given(st.lists(st.sampled_from(NAMES), min_size=1, unique=True), st.booleans())
@settings(max_examples=30, deadline=None)
def test_no_key_opens_a_name_of_others_and_no_name_is_without_an_answer(models: list[str], alone: bool) -> None:
    app = {"models": models, **({"isolation": "instance"} if alone else {})}
    declared = {"models": MODELS, "apps": {"editor": app, "mail": {"models": NAMES}}, "hosts": HERE}
    found = plan(declared)["hosts"]["here"]["litellm"]
    for each in [found, *found["instances"]]:
        config = each["config"]
        served = {entry["model_name"] for entry in config["model_list"]}
        served |= set(config["router_settings"].get("model_group_alias", {}))
        for name, row in each["apps"].items():
            assert set(row["aliases"].values()) == set(row["models"])
            assert all(model.startswith(f"{name}/") and model in served for model in row["models"])
