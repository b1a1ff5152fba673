# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names that a gateway answers to: pools of deployments, patterns and aliases."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import combinations

from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import (
    Config,
    Deployment,
    Finding,
    error,
    warning,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, nearest

_ALIASES = "router_settings.model_group_alias"

# What a regular expression has and a name has not. A dot before a star counts, unless it is that of a version.
_REGEX = re.compile(r"[\[\](){}|^$\\]|\.\+|\.\?|(?<!\d)\.\*")


class Names(Collection[str]):
    """The names that are answered: those of deployments, and whatever a pattern covers."""

    def __init__(self, config: Config) -> None:
        self._exact = {each.name for each in config.deployments} | set(config.aliases)
        self._patterns = [as_pattern(each.name) for each in config.deployments if each.is_pattern]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self._exact or any(each.match(name) for each in self._patterns))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._exact))

    def __len__(self) -> int:
        return len(self._exact)


def as_pattern(name: str) -> re.Pattern[str]:
    """Give the regular expression that LiteLLM makes of a name; it matches from the start, but not to the end."""
    return re.compile(re.escape(name).replace(r"\*", "(.*)"))


def check_names(config: Config, names: Names) -> Iterator[Finding]:
    """Yield the findings about what names the gateway answers to, and with what."""
    for deployments in config.groups().values():
        yield from _check_pool(deployments)
    yield from _check_ids(config.deployments)
    for deployment in config.deployments:
        yield from _check_pattern(deployment)
    yield from _check_overlaps(config)
    yield from _check_aliases(config, names)


# -- pools -----------------------------------------------------------------------------------------------------------


def _check_pool(deployments: list[Deployment]) -> Iterator[Finding]:
    """Requests are spread over the deployments of one name, so each has to be the same model elsewhere."""
    first, *others = deployments
    for other in others:
        path = f"{other.path}.model_name"
        if _target(other) == _target(first):
            wrong = f"is the same deployment as {first.path}, which gets twice the share of requests."
            yield warning(path, other.name, wrong, "Remove one. To prefer a deployment, give it a weight.")
        elif not _same_model(first, other) and not {"order", "tags", "tag_regex"} & {*other.params, *first.params}:
            wrong = f"is also the name of {first.path}, and requests would be spread over two different models."
            yield warning(path, other.name, wrong, "Give it a name of its own, or write order: 1 and order: 2.")


def _same_model(one: Deployment, other: Deployment) -> bool:
    declared = one.info.get("base_model"), other.info.get("base_model")
    if all(declared):
        return bool(declared[0] == declared[1])
    return one.engine_model.split("/")[-1].lower() == other.engine_model.split("/")[-1].lower()


def _target(deployment: Deployment) -> tuple[str, str, str]:
    address = deployment.params.get("api_base") or deployment.params.get("base_url")
    return deployment.model, str(address), str(deployment.params.get("api_key"))


def _check_ids(deployments: Collection[Deployment]) -> Iterator[Finding]:
    owners: dict[str, str] = {}
    for each in deployments:
        identity = each.info.get("id")
        owner = owners.setdefault(str(identity), each.path) if identity is not None else each.path
        if owner != each.path:
            wrong = f"is also the id of {owner}, so their counters and cooldowns would be mixed up."
            yield error(f"{each.path}.model_info.id", identity, wrong, "Give each deployment an id of its own.")


# -- patterns --------------------------------------------------------------------------------------------------------


def _check_pattern(deployment: Deployment) -> Iterator[Finding]:
    path, name, model = f"{deployment.path}.model_name", deployment.name, deployment.model
    if _REGEX.search(name):
        wrong = "looks like a regular expression, but only * stands for something; every other character is itself."
        plain = name.replace(".*", "*")
        remedy = "List the names, or write * where anything may stand."
        yield error(path, name, wrong, remedy if _REGEX.search(plain) else f"Write {plain}.")
        return
    if deployment.is_pattern and not name.endswith("*"):
        wrong = "is not bound to the end: LiteLLM also takes names that go on after it, and drops the rest of them."
        yield warning(path, name, wrong, "End it with *, or list the names.")
    if "*" in model and model.count("*") != name.count("*"):
        wrong = f"has not as many * as the name '{name}', so LiteLLM cannot tell what to ask the engine for."
        yield error(f"{deployment.params_path}.model", model, wrong, "Write one * for each * of the name.")


def _check_overlaps(config: Config) -> Iterator[Finding]:
    patterns = {each.name: each.path for each in reversed(config.deployments) if each.is_pattern}
    for one, other in combinations(reversed(patterns), 2):
        if not _REGEX.search(one + other) and _overlap(one, other):
            longer, shorter = sorted((one, other), key=lambda each: (-len(re.escape(each)), each))
            wrong = f"covers names that '{longer}' covers too; those go to '{longer}', which is longer."
            remedy = "List the names, or leave it where that is meant."
            yield warning(f"{patterns[shorter]}.model_name", shorter, wrong, remedy)


def _overlap(one: str, other: str) -> bool:
    """Tell whether two patterns have a name in common: whether some text fits both."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return _overlap(one[1:], other) or _overlap(one, other[1:])
    if other[0] == "*":
        return _overlap(one, other[1:]) or _overlap(one[1:], other)
    return one[0] == other[0] and _overlap(one[1:], other[1:])


# -- aliases ---------------------------------------------------------------------------------------------------------


def _check_aliases(config: Config, names: Names) -> Iterator[Finding]:
    written = config.router.get("model_group_alias")
    deployed = {each.name for each in config.deployments}
    for alias, value in written.items() if isinstance(written, Mapping) else ():
        path = f"{_ALIASES}.{alias}"
        yield from _check_alias_name(str(alias), path, deployed)
        if alias in config.aliases:
            yield from _check_target(config.aliases[alias], path, config, names)
        else:
            yield error(path, value, "is not one name.", f"Write {alias}: NAME. Several names are a list of fallbacks.")


def _check_alias_name(alias: str, path: str, deployed: Collection[str]) -> Iterator[Finding]:
    if alias in deployed:
        wrong = "is also the name of a deployment, which it hides."
        yield error(path, NOTHING, wrong, "Choose another alias, or remove it.")
    if "*" in alias:
        wrong = "has a *, which stands for itself in an alias."
        yield error(path, NOTHING, wrong, "Write the alias in full, or use a pattern as model_name.")


def _check_target(target: str, path: str, config: Config, names: Names) -> Iterator[Finding]:
    deployed = {each.name for each in config.deployments}
    if target in config.aliases and target not in deployed:
        wrong = "is itself an alias, and LiteLLM follows only one."
        yield error(path, target, wrong, f"Write the name behind it: {config.aliases[target]}.")
    elif target not in names:
        yield error(path, target, "is not a name at the gateway.", nearest(target, names))
