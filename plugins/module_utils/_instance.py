# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine is told of the models it serves; the plan has more of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Model(Protocol):
    """What is declared of a model."""

    @property
    def name(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def context(self) -> int: ...
    @property
    def tools(self) -> bool: ...
    @property
    def standby(self) -> bool: ...
    @property
    def slot(self) -> str | None: ...
    @property
    def options(self) -> Mapping[str, Mapping[str, Any]]: ...


class Instance(Protocol):
    """A model on a host, and where the process listens that serves it."""

    @property
    def model(self) -> Model: ...
    @property
    def host(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def bind(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def needs_key(self) -> bool: ...


def env_text(value: object) -> str:
    """Give a declared value as an engine reads it from its environment."""
    return ("1" if value else "0") if isinstance(value, bool) else str(value)
