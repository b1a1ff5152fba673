# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a request may take before it fails: every try, every wait and every fallback of a LiteLLM configuration.

The rules are those of LiteLLM 1.106, read in its source and measured against a backend that never answers. A time limit
counts until the answer begins, and again between two pieces of it: an answer that keeps coming is not cut off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# What holds where nothing is set.
_TIMEOUT = 6000.0
_RETRIES = 2
_MAX_FALLBACKS = 5

# The wait before a retry doubles from the first to the longest, each with up to this much at random on top.
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 8.0
_JITTER = 0.75


@dataclass(frozen=True)
class Term:
    """One name that is tried: how often, how long each time, and all waits between and after the tries."""

    name: str
    tries: int
    timeout: float
    waits: float

    @property
    def seconds(self) -> float:
        """What this name adds."""
        return self.tries * self.timeout + self.waits

    def __str__(self) -> str:
        tries = "1 try" if self.tries == 1 else f"{self.tries} tries"
        waits = f" + {number(self.waits)} s of waits" if self.waits else ""
        return f"{tries} of {number(self.timeout)} s{waits}"


@dataclass(frozen=True)
class Bound:
    """The longest a request for a name may take, as the sum of its terms in the order they are tried."""

    name: str
    terms: tuple[Term, ...]

    @property
    def seconds(self) -> float:
        """The sum."""
        return round(sum(term.seconds for term in self.terms), 3)

    def as_dict(self) -> dict[str, Any]:
        """Give the bound as plain data."""
        terms = [
            {"name": each.name, "tries": each.tries, "timeout": each.timeout, "waits": each.waits}
            for each in self.terms
        ]
        return {"seconds": self.seconds, "terms": terms}


Deployments = Mapping[str, Sequence[Mapping[str, Any]]]
"""The litellm_params of each name's deployments."""


def deployments(config: Mapping[str, Any]) -> Deployments:
    """Sort the deployments of a configuration by name, once for all the bounds that are asked of it."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for entry in config.get("model_list", ()):
        found.setdefault(str(entry.get("model_name")), []).append(entry.get("litellm_params", {}))
    return found


def bound(name: str, config: Mapping[str, Any], deployed: Deployments | None = None) -> Bound:
    """Follow a request for a name that every backend lets wait: its own tries, then each fallback once, in order."""
    known = deployments(config) if deployed is None else deployed
    return Bound(name, tuple(_walk(name, 0, {name}, config, known)))


def number(seconds: float) -> str:
    """Write a number of seconds as people do: 5, 0.5, 7.25."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _walk(name: str, hops: int, tried: set[str], config: Mapping[str, Any], deployed: Deployments) -> Iterator[Term]:
    """Yield the terms of a name and its fallbacks. LiteLLM tries no name twice for one request.

    max_fallbacks limits how deep a chain goes, not how many fallbacks one name has.
    """
    yield _term(name, config, deployed)
    sections = (_section(config, name) for name in ("router_settings", "litellm_settings"))
    if hops >= _first(_MAX_FALLBACKS, *(each.get("max_fallbacks") for each in sections)):
        return
    for target in _fallbacks(name, hops, config):
        if target not in tried:
            tried.add(target)
            hops += 1
            yield from _walk(target, hops, tried, config, deployed)


def _fallbacks(name: str, hops: int, config: Mapping[str, Any]) -> list[str]:
    """The fallbacks of a name; those for every name count only where the name asked for has none of its own."""
    found: dict[str, list[str]] = {}
    for entry in _of_router(config, "fallbacks", []):
        found.update(entry)
    every = _of_router(config, "default_fallbacks", found.get("*", []))
    return found.get(name) or ([] if hops else every)


def _of_router(config: Mapping[str, Any], key: str, default: Any) -> Any:  # noqa: ANN401 - whatever the setting holds
    """A setting that LiteLLM takes from litellm_settings only where router_settings has none."""
    return _section(config, "router_settings").get(key) or _section(config, "litellm_settings").get(key) or default


def _term(name: str, config: Mapping[str, Any], deployed: Deployments) -> Term:
    """The tries of one name. Where it has several deployments, the slowest of them may get every try."""
    group = _group(name, config)
    params = deployed.get(group, ())
    retries = max((_retries(group, each, config) for each in params), default=_retries(group, {}, config))
    timeout = max((_timeout(each, config) for each in params), default=_timeout({}, config))
    # With a second deployment LiteLLM goes on at once.
    waits = (
        0.0 if len(params) > 1 else _waits(retries, _first(0, _section(config, "router_settings").get("retry_after")))
    )
    return Term(name, retries + 1, timeout, waits)


def _group(name: str, config: Mapping[str, Any]) -> str:
    """The name of the deployments that answer for a name, which an alias has not itself."""
    aliases = _section(config, "router_settings").get("model_group_alias") or {}
    target = aliases.get(name, name)
    return str(target.get("model", name) if isinstance(target, Mapping) else target)


def _retries(group: str, params: Mapping[str, Any], config: Mapping[str, Any]) -> int:
    """How often a failed try is repeated: at most as often as the kind of failure allows that is repeated most."""
    router, litellm = _section(config, "router_settings"), _section(config, "litellm_settings")
    retries = _first(_RETRIES, params.get("num_retries"), router.get("num_retries"), litellm.get("num_retries"))
    policy = (router.get("model_group_retry_policy") or {}).get(group) or router.get("retry_policy") or {}
    return max([int(retries), *(int(_first(0, each)) for each in policy.values())])


def _timeout(params: Mapping[str, Any], config: Mapping[str, Any]) -> float:
    """The longer limit of the two kinds of answers: whole ones, and streamed ones, which have settings of their own."""
    router = _section(config, "router_settings")
    request = _section(config, "litellm_settings").get("request_timeout")
    whole = _first(_TIMEOUT, params.get("timeout"), params.get("request_timeout"), request, router.get("timeout"))
    # LiteLLM looks at request_timeout before the deployment's own timeout only when the router has one as well.
    early = request if router.get("timeout") else None
    streamed = _first(whole, params.get("stream_timeout"), router.get("stream_timeout"), early)
    return float(max(whole, streamed))


def _waits(retries: int, shortest: float) -> float:
    """The waits between the tries, and the one that LiteLLM adds after the last. Without a retry there is none."""
    steps = range(retries + 1 if retries else 0)
    return sum(min(max(_FIRST_WAIT * 2.0**step, shortest), _LONGEST_WAIT) + _JITTER for step in steps)


def _first(default: float, *settings: object) -> float:
    """The first that is set to a number."""
    return next((each for each in settings if isinstance(each, (int, float)) and not isinstance(each, bool)), default)


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name)
    return found if isinstance(found, Mapping) else {}
