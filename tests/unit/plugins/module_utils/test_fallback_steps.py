# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How LiteLLM counts fallbacks; every case was asked of LiteLLM 1.106.2, with servers that all answer 500."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._fallback_steps import needed, steps
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check import check_config
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import ERROR
from ansible_collections.lab.llm_stack.plugins.module_utils._plan import plan


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        pytest.param({"a": "bc"}, {"a": 0}, id="a list needs one step, however long it is"),
        pytest.param({"a": "b", "b": "c"}, {"a": 0, "b": 1}, id="a chain needs one for each link"),
        pytest.param({"a": "cb", "b": "d"}, {"a": 0, "b": 2}, id="who stands before another in a list counts"),
        pytest.param({"a": "cb", "c": "b", "b": "d"}, {"a": 0, "c": 1, "b": 2}, id="the deep way is gone first"),
        pytest.param({"a": "cb", "b": "c"}, {"a": 0}, id="where all were tried before, nothing is left out"),
        pytest.param({"a": "b", "b": "a"}, {"a": 0}, id="a circle ends"),
    ],
)
def test_the_names_counted_before_the_fallbacks_of_each(graph: Mapping[str, str], expected: dict[str, int]) -> None:
    assert steps("a", graph) == expected


def test_as_many_steps_are_needed_as_the_farthest_start_has() -> None:
    assert needed({"a": "b", "b": "c", "c": "d"}) == 3
    assert needed({}) == 0


def test_a_plan_is_never_refused_for_its_own_fallbacks() -> None:
    """Three levels of short lists are more than LiteLLM follows by itself."""
    fallbacks = {"a": "d e b", "b": "g h c", "c": "f", **dict.fromkeys("defgh", "")}
    models = {name: {"source": f"{name}.gguf", "fallbacks": to.split()} for name, to in fallbacks.items()}
    planned = plan({"models": models, "hosts": {"here": {"groups": ["llamacpp", "litellm"]}}})
    config = planned["hosts"]["here"]["litellm"]["config"]
    assert config["router_settings"]["max_fallbacks"] == 7
    assert [finding for finding in check_config(config) if finding.level == ERROR] == []
