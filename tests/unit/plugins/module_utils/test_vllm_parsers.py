# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Which parsers an installed vLLM registers, read without importing it."""

from __future__ import annotations

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_parsers import TOOL_REGISTRY, known, registered
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("source", "names"),
    [
        pytest.param(
            f'{TOOL_REGISTRY} = {{"hermes": ("a", "B"), "xlam": ("c", "D")}}', {"hermes", "xlam"}, id="a mapping"
        ),
        pytest.param(
            f'import torch\n{TOOL_REGISTRY}: dict[str, tuple] = {{"hermes": 1}}', {"hermes"}, id="with a type"
        ),
        pytest.param(f"{TOOL_REGISTRY} = {{}}", set(), id="an empty mapping"),
        pytest.param(
            f'{TOOL_REGISTRY} = {{"hermes": 1, **OTHERS, 7: 2}}', {"hermes"}, id="what is no literal name is left out"
        ),
        pytest.param(f"{TOOL_REGISTRY} = load()", None, id="computed, so unknown"),
        pytest.param("", None, id="another file"),
        pytest.param("def (", None, id="not Python"),
        pytest.param("\0", None, id="not even text"),
    ],
)
def test_the_registry_is_read_from_the_source(source: str, names: set[str] | None) -> None:
    assert registered(source, TOOL_REGISTRY) == names


@given(st.text())
def test_any_source_gives_names_or_nothing(source: str) -> None:
    found = registered(source, TOOL_REGISTRY)
    assert found is None or all(isinstance(name, str) for name in found)


def test_versions_are_known_with_and_without_their_build() -> None:
    newer, older = known("0.33.0"), known("0.32.0+cpu")
    assert newer is not None
    assert older is not None
    assert newer.tool - older.tool == {"beam", "muse", "musespark1x", "step5"}
    assert known("0.11.0") is None
