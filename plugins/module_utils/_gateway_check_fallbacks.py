# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers when a name fails: the form of fallbacks, their names, and how far LiteLLM follows them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._fallback_steps import steps
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_names import Names
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import (
    Config,
    Finding,
    as_errors,
    error,
    warning,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_keys import MAX_FALLBACKS
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest

KEYS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
_SECTIONS = ("router_settings", "litellm_settings")


def check_entry(entry: object, path: str, names: Collection[str]) -> Iterator[Problem]:
    """Check one entry of a list of fallbacks: LiteLLM reads a mapping of one name to a list of names only."""
    misshapen = list(check_shape(entry, path))
    yield from misshapen
    for name, targets in entry.items() if isinstance(entry, Mapping) and not misshapen else ():
        yield from check_name(name, path, names)
        for index, target in enumerate(targets):
            yield from check_name(_named(target), f"{path}.{name}[{index}]", names)


def check_shape(entry: object, path: str) -> Iterator[Problem]:
    """Yield a problem for an entry of a list of fallbacks that is none, whatever names it has."""
    one = isinstance(entry, Mapping) and len(entry) == 1
    if not one or not all(isinstance(value, list) for value in entry.values()):  # type: ignore[attr-defined]
        yield Problem(path, entry, "is not one name with a list of names.", "Write {name: [first, second]}.")


def check_name(name: object, path: str, names: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for a name that the gateway does not answer to; * alone stands for every name."""
    if name not in names and name != "*":
        yield Problem(path, name, "is not a name at the gateway.", nearest(str(name), names))


def _named(target: object) -> object:
    """The name in a target, which may come with settings of its own."""
    return target.get("model") if isinstance(target, Mapping) else target


def check_fallbacks(config: Config, names: Names) -> Iterator[Finding]:
    """Yield the findings about every list of fallbacks, wherever LiteLLM reads one."""
    for section, settings in zip(_SECTIONS, (config.router, config.litellm)):
        for key in KEYS:
            yield from _check_list(_list(settings.get(key)), f"{section}.{key}", names)
        for index, name in enumerate(_list(settings.get("default_fallbacks"))):
            yield from as_errors(check_name(name, f"{section}.default_fallbacks[{index}]", names))
    for key in (*KEYS, "default_fallbacks"):
        if config.router.get(key) and config.litellm.get(key):
            wrong = f"is not read, because router_settings has {key} too."
            yield error(f"litellm_settings.{key}", NOTHING, wrong, "Move its entries there.")
    yield from _check_overflows(config)
    yield from _check_chains(config)
    yield from _check_aliased(config)
    yield from _check_policies(config, names)


def _check_overflows(config: Config) -> Iterator[Finding]:
    """LiteLLM recognises an overflow by the words of the engine; those of Ollama's own API are not among them."""
    groups = config.groups()
    for index, entry in enumerate(_list(config.router.get("context_window_fallbacks"))):
        for name in entry if isinstance(entry, Mapping) else ():
            providers = {each.provider for each in groups.get(name, ())}
            if providers and providers <= {"ollama", "ollama_chat"}:
                wrong = "never come: what Ollama says of a long prompt is not taken for an overflow."
                remedy = "Write openai/ before the model, and /v1 after its address."
                yield error(f"router_settings.context_window_fallbacks[{index}].{name}", NOTHING, wrong, remedy)


def _check_policies(config: Config, names: Names) -> Iterator[Finding]:
    policies = config.router.get("model_group_retry_policy")
    for name in policies if isinstance(policies, Mapping) else ():
        yield from as_errors(check_name(name, f"router_settings.model_group_retry_policy.{name}", names))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _check_list(entries: Sequence[object], path: str, names: Names) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for index, entry in enumerate(entries):
        here = f"{path}[{index}]"
        problems = list(check_entry(entry, here, names))
        yield from as_errors(problems)
        if isinstance(entry, Mapping) and len(entry) == 1:
            ((source, targets),) = entry.items()
            first = seen.setdefault(str(source), here)
            if first != here:
                yield error(here, source, f"has fallbacks at {first} already; only those count.", "Join the two lists.")
            yield from _check_source(str(source), _list(targets), here)


def _check_source(source: str, targets: Sequence[object], path: str) -> Iterator[Finding]:
    if "*" in source and source != "*":
        wrong = "is a pattern, but fallbacks are looked up by the name that was asked for."
        yield error(path, source, wrong, "Write the names in full, or * for every name.")
    for index, target in enumerate(map(_named, targets)):
        here = f"{path}.{source}[{index}]"
        if target == source:
            yield error(here, target, "is the name itself, which has just failed.", "Name another model, or remove it.")
        elif target in list(map(_named, targets))[:index]:
            yield warning(here, target, "is named twice; LiteLLM tries it once.", "Remove one.")
        elif isinstance(target, str) and "*" in target:
            yield error(
                here, target, "is a pattern, and LiteLLM would ask for a model of this name.", "Write one name."
            )


# -- chains ----------------------------------------------------------------------------------------------------------


def _graph(config: Config) -> dict[str, list[str]]:
    """Who follows whom, where that is well-formed; the first entry for a name counts."""
    graph: dict[str, list[str]] = {}
    for entry in _list(config.router.get("fallbacks") or config.litellm.get("fallbacks")):
        for source, targets in entry.items() if isinstance(entry, Mapping) and len(entry) == 1 else ():
            names = [str(_named(each)) for each in _list(targets)]
            if "*" not in "".join([str(source), *names]):
                graph.setdefault(str(source), names)
    return graph


def _check_chains(config: Config) -> Iterator[Finding]:
    graph = _graph(config)
    told: set[frozenset[str]] = set()
    for start in graph:
        circle = _circle(start, graph)
        if circle and frozenset(circle) not in told:
            told.add(frozenset(circle))
            wrong = f"lead back to {start}: {' -> '.join([*circle, start])}. LiteLLM ends there."
            yield warning(_fallbacks_of(start, config), NOTHING, wrong, "Remove one, or leave it where that is meant.")
    yield from _check_depth(graph, config)


def _fallbacks_of(name: str, config: Config) -> str:
    """Where the fallbacks of a name stand."""
    section, settings = ("router_settings", config.router)
    if not config.router.get("fallbacks"):
        section, settings = ("litellm_settings", config.litellm)
    entries = _list(settings.get("fallbacks"))
    index = next(index for index, each in enumerate(entries) if isinstance(each, Mapping) and name in map(str, each))
    return f"{section}.fallbacks[{index}].{name}"


def _circle(start: str, graph: Mapping[str, Sequence[str]]) -> list[str]:
    """The shortest way from a name back to it, by breadth; a fallback to itself is told elsewhere."""
    ways = deque([[start]])
    visited = {start}
    while ways:
        way = ways.popleft()
        for name in graph.get(way[-1], ()):
            if name == start and len(way) > 1:
                return way
            if name not in visited:
                visited.add(name)
                ways.append([*way, name])
    return []


def _check_depth(graph: Mapping[str, Sequence[str]], config: Config) -> Iterator[Finding]:
    chosen = config.router.get("max_fallbacks", config.litellm.get("max_fallbacks"))
    limit = chosen if isinstance(chosen, int) else MAX_FALLBACKS
    for start in graph:
        lost = _lost(start, graph, limit)
        if lost:
            wrong = f"reach {lost} after {limit} steps or more, where LiteLLM stops; those of {lost} are never tried."
            remedy = "Raise router_settings.max_fallbacks, or shorten the chain."
            yield error(_fallbacks_of(start, config), NOTHING, wrong, remedy)


def _lost(start: str, graph: Mapping[str, Sequence[str]], limit: int) -> str:
    """The name whose own fallbacks come too late."""
    return next((name for name, count in steps(start, graph).items() if count >= limit), "")


def _check_aliased(config: Config) -> Iterator[Finding]:
    """LiteLLM looks fallbacks up by the name that was asked for, so an alias has not those of what it stands for."""
    graph = _graph(config)
    for alias, target in config.aliases.items():
        if target in graph and alias not in graph and not _has_default(config):
            wrong = f"has no fallbacks; those of {target} count only for requests by that name."
            remedy = f"Add {{{alias}: [{', '.join(graph[target])}]}} to fallbacks."
            yield warning(f"router_settings.model_group_alias.{alias}", NOTHING, wrong, remedy)


def _has_default(config: Config) -> bool:
    """Tell whether every name has fallbacks."""
    entries = _list(config.router.get("fallbacks") or config.litellm.get("fallbacks"))
    named = any(isinstance(each, Mapping) and "*" in each for each in entries)
    return named or bool(config.router.get("default_fallbacks") or config.litellm.get("default_fallbacks"))
