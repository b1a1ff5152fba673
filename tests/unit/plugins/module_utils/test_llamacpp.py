# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""llama.cpp's settings and sources."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._llamacpp import (
    OPTIONS,
    VARIABLES,
    Source,
    settings,
    source_of,
)

SUM = "AB" * 32


def derive(context: int = 4096, **options: Any) -> dict[str, str]:
    return settings("tiny", context, options, "127.0.0.1", 8080)


def test_the_defaults_are_closed_bounded_and_explicit() -> None:
    assert derive() == {
        "LLAMA_ARG_ALIAS": "tiny",
        "LLAMA_ARG_CACHE_RAM": "512",
        "LLAMA_ARG_CORS_ORIGINS": "localhost",
        "LLAMA_ARG_CTX_SIZE": "4096",
        "LLAMA_ARG_ENDPOINT_METRICS": "1",
        "LLAMA_ARG_ENDPOINT_SLOTS": "0",
        "LLAMA_ARG_HOST": "127.0.0.1",
        "LLAMA_ARG_N_PARALLEL": "1",
        "LLAMA_ARG_OFFLINE": "1",
        "LLAMA_ARG_PORT": "8080",
        "LLAMA_ARG_UI": "0",
    }


def test_each_request_keeps_the_whole_context() -> None:
    """An explicit number of slots divides the context, so the total is the product."""
    assert derive(context=2048, parallel=4)["LLAMA_ARG_CTX_SIZE"] == "8192"


@pytest.mark.parametrize(
    ("options", "variable", "value"),
    [
        ({"threads": 2}, "LLAMA_ARG_THREADS", "2"),
        ({"gpu_layers": 0}, "LLAMA_ARG_N_GPU_LAYERS", "0"),
        ({"flash_attn": True}, "LLAMA_ARG_FLASH_ATTN", "on"),
        ({"flash_attn": False}, "LLAMA_ARG_FLASH_ATTN", "off"),
        ({"flash_attn": "auto"}, "LLAMA_ARG_FLASH_ATTN", "auto"),
        ({"cache_ram_mib": 0}, "LLAMA_ARG_CACHE_RAM", "0"),
        ({"metrics": False}, "LLAMA_ARG_ENDPOINT_METRICS", "0"),
        ({"env": {"LLAMA_ARG_TOP_K": 40}}, "LLAMA_ARG_TOP_K", "40"),
        ({"env": {"LLAMA_ARG_JINJA": True}}, "LLAMA_ARG_JINJA", "1"),
    ],
)
def test_options_become_variables(options: dict[str, Any], variable: str, value: str) -> None:
    assert derive(**options)[variable] == value


def test_an_option_not_given_is_left_to_llamacpp() -> None:
    assert "LLAMA_ARG_N_GPU_LAYERS" not in derive()
    assert "LLAMA_ARG_FLASH_ATTN" not in derive()


def test_every_option_becomes_a_variable_that_llamacpp_knows() -> None:
    assert {option.variable for option in OPTIONS.values()} <= VARIABLES
    assert set(derive()) <= VARIABLES


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("files/tiny.gguf", Source("controller", "files/tiny.gguf", None)),
        ("../tiny.gguf", Source("controller", "../tiny.gguf", None)),
        ("/srv/tiny.gguf", Source("host", "/srv/tiny.gguf", None)),
        ("~/tiny.gguf", Source("host", "~/tiny.gguf", None)),
        ("https://example.org/tiny.gguf", Source("url", "https://example.org/tiny.gguf", None)),
    ],
)
def test_where_a_source_is(source: str, expected: Source) -> None:
    assert source_of(source, {}) == expected


def test_a_sum_is_compared_in_lower_case() -> None:
    assert source_of("/srv/tiny.gguf", {"sha256": SUM}).sha256 == SUM.lower()
