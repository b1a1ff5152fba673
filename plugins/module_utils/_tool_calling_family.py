# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What a row of the table of model families says; the rows are in _tool_calling_table.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NATIVE, DEGRADED, NONE = "native", "degraded", "none"

DOCS = "documentation of vLLM 0.33"
RECIPES = "recipes of vLLM 0.33"
SOURCES = "sources of vLLM 0.33"
INFERRED = "inferred from the model's template"

# When to serve a template that ships with the role instead of the model's own.
INSTEAD = "instead"
"""Always: the model's own does not fit the parser."""
IMPROVES = "improves"
"""Unless the model's own renders no tools: then the model is a tune that was made without them."""
LACKING = "lacking"
"""Only where the model's own renders no tools; many copies of the model lost them."""


@dataclass(frozen=True)
class Family:
    """One row. ``binds``: it was observed in answers, so no file of the model can show better."""

    name: str
    pattern: str
    parser: str | None
    reasoning: str | None
    source: str
    verdict: str = NATIVE
    caveat: str = ""
    template: str | None = None
    ship: str = IMPROVES
    settings: Mapping[str, str] = field(default_factory=dict)
    binds: bool = False
    never_thinks: bool = False


def weak(
    name: str, pattern: str, parser: str, source: str, caveat: str, template: str | None = None, ship: str = IMPROVES
) -> Family:
    return Family(name, pattern, parser, None, source, DEGRADED, caveat, template, ship, binds=True)


def none(name: str, pattern: str, source: str, caveat: str, reasoning: str | None = None) -> Family:
    return Family(name, pattern, None, reasoning, source, NONE, caveat)


def template_file(name: str) -> str:
    return f"tool_chat_template_{name}.jinja"


UNTRAINED = "It was not trained to call tools."
NO_PARSER = "vLLM has no parser for its calls."
