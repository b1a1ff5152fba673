# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application as the user writes it: its models, its patience, its limits, and where it is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field

SHARED, INSTANCE = "shared", "instance"

NAME = Field("name")
LIMITS = Field(
    "section",
    fields={
        "rpm": Field("int", "a number of requests per minute", low=1),
        "tpm": Field("int", "a number of tokens per minute", low=1),
    },
)

APP = Field(
    "section",
    fields={
        "models": Field("list", item=NAME, hint="Write the models the app uses: [first, second]."),
        "default_model": NAME,
        "aliases": Field("map", key=NAME, item=NAME, what="a mapping of aliases to models of the app"),
        "timeout": Field("number", "a number of seconds", low=0.1, high=86400),
        "retries": Field("int", "a number of retries", low=0, high=100),
        "deadline": Field("number", "a number of seconds", low=0.1, high=864000),
        "limits": LIMITS,
        "isolation": Field(choices=(SHARED, INSTANCE), what="a kind of isolation"),
        "port": Field("int", "a port", low=1024, high=65535),
    },
)


@dataclass(frozen=True)
class App:
    """A client application: the models it uses, each under a name of its own with its own time limit and retries.

    ``deadline`` is what a request may take with all its retries and fallbacks. ``aliases`` are names that hold for the
    app's own key alone.
    """

    name: str
    models: tuple[str, ...]
    default_model: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    retries: int | None = None
    deadline: float | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    isolation: str = SHARED
    port: int | None = None

    @property
    def path(self) -> str:
        """Where the user wrote it."""
        return f"llm_stack_apps.{self.name}"

    @property
    def alone(self) -> bool:
        """Whether it has a gateway process of its own."""
        return self.isolation == INSTANCE


def app(name: str, written: Mapping[str, Any]) -> App:
    """Give the app that was written."""
    return App(**{**written, "name": name, "models": tuple(written.get("models", ()))})
