# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checker of LiteLLM configurations reads and gives: the place, the configuration in parts, the findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem, count, nearest, render

ERROR = "error"
WARNING = "warning"
REFERENCE = "os.environ/"


@dataclass(frozen=True)
class Finding(Problem):
    """A problem of a configuration. An error is refused by LiteLLM or served wrongly; a warning may be meant."""

    level: str = ERROR


@dataclass(frozen=True)
class Place:
    """What is known of where a configuration is to run. What depends on something that is not known is a warning.

    ``environment`` has the variables that are set, ``packages`` the modules that Python finds there. ``hosts`` are
    those that requests may be sent to, loopback always; the name of a provider stands for its cloud.
    """

    environment: frozenset[str] | None = None
    hosts: frozenset[str] | None = None
    packages: frozenset[str] | None = None
    workers: int = 1

    def has_variable(self, name: str) -> bool:
        """Tell whether a variable is known to be set."""
        return name in (self.environment or ())


@dataclass(frozen=True)
class Duplicate:
    """A key that a mapping in the file has more than once."""

    path: str
    lines: tuple[int, ...]


@dataclass(frozen=True)
class Deployment:
    """One well-formed entry of model_list."""

    path: str
    name: str
    model: str
    params: Mapping[str, Any]
    info: Mapping[str, Any]

    @property
    def params_path(self) -> str:
        """Where its parameters stand."""
        return f"{self.path}.litellm_params"

    @property
    def provider(self) -> str:
        """The provider that is named, as a setting or before the first slash; empty where none is."""
        named = self.params.get("custom_llm_provider")
        return named if isinstance(named, str) else self.model.partition("/")[0] if "/" in self.model else ""

    @property
    def engine_model(self) -> str:
        """The name of the model at its engine."""
        prefix = f"{self.provider}/"
        return self.model[len(prefix) :] if self.model.startswith(prefix) else self.model

    @property
    def is_pattern(self) -> bool:
        """Tell whether its name stands for many."""
        return "*" in self.name


@dataclass(frozen=True)
class Config:
    """A configuration in its parts. What is malformed was told by whoever read it, and is left out here."""

    whole: Mapping[str, Any]
    deployments: Sequence[Deployment] = ()
    router: Mapping[str, Any] = field(default_factory=dict)
    litellm: Mapping[str, Any] = field(default_factory=dict)
    general: Mapping[str, Any] = field(default_factory=dict)

    def groups(self) -> dict[str, list[Deployment]]:
        """The deployments behind each name."""
        found: dict[str, list[Deployment]] = {}
        for deployment in self.deployments:
            found.setdefault(deployment.name, []).append(deployment)
        return found

    @property
    def aliases(self) -> dict[str, str]:
        """The well-formed aliases."""
        written = self.router.get("model_group_alias")
        found = written.items() if isinstance(written, Mapping) else ()
        plain = {alias: value.get("model") if isinstance(value, Mapping) else value for alias, value in found}
        return {alias: target for alias, target in plain.items() if isinstance(alias, str) and isinstance(target, str)}


def error(path: str, found: object, wrong: str, remedy: str) -> Finding:
    """Make an error."""
    return Finding(path, found, wrong, remedy, ERROR)


def warning(path: str, found: object, wrong: str, remedy: str) -> Finding:
    """Make a warning."""
    return Finding(path, found, wrong, remedy, WARNING)


def graded(certain: bool, path: str, found: object, wrong: str, remedy: str) -> Finding:
    """Make an error of what is certain, and else a warning."""
    return Finding(path, found, wrong, remedy, ERROR if certain else WARNING)


def as_errors(problems: Iterable[Problem]) -> Iterator[Finding]:
    """Take problems over as errors."""
    for each in problems:
        yield Finding(each.path, each.found, each.wrong, each.remedy)


def is_reference(value: object) -> bool:
    """Tell whether LiteLLM takes a value from the environment."""
    return isinstance(value, str) and value.startswith(REFERENCE)


def words(text: str) -> frozenset[str]:
    """The words of a table."""
    return frozenset(text.split())


def likely(name: object, names: Iterable[str]) -> str:
    """Ask whether the one near name was meant; empty where none is near."""
    text = nearest(str(name), names)
    return text if text.startswith("Did you mean") else ""


def render_finding(finding: Finding) -> str:
    """Lay out one finding: its level, then as every problem."""
    return f"{finding.level:<7}  {render(finding)}"


def tally(findings: Sequence[Finding]) -> str:
    """Count the findings: '2 errors and 1 warning'."""
    errors = sum(each.level == ERROR for each in findings)
    parts = [count(errors, "error")] if errors else []
    parts += [count(len(findings) - errors, "warning")] if len(findings) > errors else []
    return " and ".join(parts) or "no errors and no warnings"
