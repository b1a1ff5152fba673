# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What engines really took and how long they really loaded, read from their logs and kept for the next estimate.

An entry belongs to one model, revision, set of flags, version of the engine and kind of card. What another entry of the
same model can tell all the same, it tells: the weights do not depend on the context.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import GIB, Measured

_KEPT = 200
"""Entries that stay; the oldest go."""

PATIENCE = 3
"""A start may take so many times what it took before."""

_LINES = {
    "weights": r"Model loading took ([\d.]{1,12}) GiB",
    "available": r"(?:Available KV cache memory: |(?:Explicitly|Auto) set \()([\d.]{1,12})(?: GiB|/)",
    "tokens": r"\w+ KV cache size: ([\d,]{1,24}) tokens",
    "graphs": r"Graph capturing finished in [\d.]{1,12} secs, took ([\d.]{1,12}) GiB",
    "weights_mib": r"load_tensors: +(?!CPU|\S*_Host)\S+ model buffer size = +([\d.]{1,12}) MiB",
    "compute_mib": r"context: +(?!CPU|\S*_Host)\S+ compute buffer size = +([\d.]{1,12}) MiB",
}
_START = re.compile(r"non-default args: ")

# Flags that change neither weights nor cache: where it listens, and what it is called.
_INDIFFERENT = ("host", "port", "served_model_name", "tool_call_parser", "reasoning_parser", "enable_auto_tool_choice")
# What divides or converts the weights, and what the trial run depends on besides.
_WEIGHING = (
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "dtype",
    "quantization",
    "cpu_offload_gb",
    "n_gpu_layers",
)
_TRIAL = (
    *("enforce_eager", "max_num_batched_tokens", "max_num_seqs", "limit_mm_per_prompt", "kv_cache_dtype"),
    *("ubatch", "n_parallel", "flash_attn", "ctx_size"),
)
_TEXTS = ("model", "revision", "flags", "version", "card", "weighing", "trial")


@dataclass(frozen=True)
class Observed:
    """What the log of one start tells: bytes of weights, of cache and of graphs on a card, and tokens in the cache."""

    weights: int | None = None
    available: int | None = None
    tokens: int | None = None
    graphs: int | None = None
    compute: int | None = None


@dataclass(frozen=True)
class Identity:
    """What an entry of the ledger is about. ``weighing`` and ``trial`` are digests of the flags they depend on."""

    model: str
    revision: str
    flags: str
    version: str
    card: str
    weighing: str = ""
    trial: str = ""
    cards: int = 1
    budget: int | None = None
    """Bytes of a card that the engine was allowed to take; None where it is not a share of a card."""


@dataclass(frozen=True)
class Entry:
    """One start that was observed; sizes in bytes, times in seconds."""

    identity: Identity
    weights: int | None = None
    overhead: int | None = None
    tokens: int | None = None
    used: int | None = None
    load_seconds: float | None = None
    seen: str = ""


def observed(log: str) -> Observed:
    """Read the log of a start. Where several processes report, the largest weights and the smallest cache count."""
    text = log[max((found.start() for found in _START.finditer(log)), default=0) :]
    found = {name: _numbers(pattern, text) for name, pattern in _LINES.items()}
    weights = _bytes(found["weights"], GIB) or _bytes([sum(found["weights_mib"])], 1 << 20)
    tokens = [int(each) for each in found["tokens"]]
    return Observed(
        max(weights, default=None),
        min(_bytes(found["available"], GIB), default=None),
        min(tokens, default=None),
        max(_bytes(found["graphs"], GIB), default=None),
        max(_bytes([sum(found["compute_mib"])], 1 << 20), default=None),
    )


def _numbers(pattern: str, text: str) -> list[float]:
    found = []
    for each in re.findall(pattern, text, re.ASCII):
        number = each.replace(",", "")
        if re.fullmatch(r"\d+(\.\d+)?", number, re.ASCII):
            found.append(float(number))
    return found


def _bytes(numbers: Iterable[float], unit: int) -> list[int]:
    return [int(each * unit) for each in numbers if each]


def entry_of(identity: Identity, seen: Observed, used: int | None, seconds: float | None, when: str) -> Entry:
    """Make the entry of a start; what it took beside weights and cache is what is left of what it was allowed."""
    overhead = seen.compute
    if None not in (identity.budget, seen.weights, seen.available):
        overhead = max((identity.budget or 0) - (seen.weights or 0) - (seen.available or 0), 0)
    return Entry(identity, seen.weights, overhead, seen.tokens, used, seconds, when)


def identity_of(
    model: str, revision: str, settings: Mapping[str, Any], version: str, card: str, cards: int, budget: int | None
) -> Identity:
    """Name a start."""
    flags = {name: value for name, value in settings.items() if name not in _INDIFFERENT}
    weighing = {name: settings[name] for name in _WEIGHING if name in settings}
    trial = {name: settings[name] for name in _TRIAL if name in settings}
    digests = (_digest(flags), _digest(weighing), _digest(trial))
    return Identity(model, revision, digests[0], version, card, digests[1], digests[2], cards, budget)


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12]


def matching(entries: Sequence[Entry], identity: Identity) -> Entry | None:
    """The newest entry of exactly this start."""
    wanted = _key(identity)
    return next((each for each in reversed(entries) if _key(each.identity) == wanted), None)


def _key(identity: Identity) -> tuple[str, ...]:
    return identity.model, identity.revision, identity.flags, identity.version, identity.card


def _near(entries: Sequence[Entry], identity: Identity) -> list[Entry]:
    """Entries of the same weights on the same kind of card, the newest first, those of the same version before."""
    same = [
        each
        for each in reversed(entries)
        if (each.identity.model, each.identity.revision) == (identity.model, identity.revision)
        and (each.identity.card, each.identity.weighing) == (identity.card, identity.weighing)
    ]
    return sorted(same, key=lambda each: each.identity.version != identity.version)


def correction(entries: Sequence[Entry], identity: Identity) -> Measured | None:
    """What earlier starts tell of this one: all of it, or of a near one what does not depend on the difference."""
    exact = matching(entries, identity)
    if exact and exact.weights is not None:
        return Measured(exact.weights, exact.overhead, identity.cards, f"measured on {exact.seen[:10]}")
    for each in _near(entries, identity):
        if each.weights is not None:
            same_trial = each.identity.trial == identity.trial
            when = f"measured on {each.seen[:10]} with other settings or vLLM {each.identity.version}"
            return Measured(each.weights, each.overhead if same_trial else None, identity.cards, when)
    return None


def start_timeout(entries: Sequence[Entry], identity: Identity, default: int) -> int:
    """Seconds that a start may take: three times what such a start took, and never less than the default."""
    exact = matching(entries, identity)
    near = [each for each in (exact, *_near(entries, identity)) if each and each.load_seconds]
    return max(default, math.ceil(PATIENCE * (near[0].load_seconds or 0))) if near else default


def added(entries: Sequence[Entry], entry: Entry) -> list[Entry]:
    """Put an entry at the end, in place of an older one of the same start. What it lacks, the older one tells."""
    older = matching(entries, entry.identity)
    kept = {each.name: getattr(older, each.name) for each in fields(Entry)} if older else {}
    new = {each.name: getattr(entry, each.name) for each in fields(Entry)}
    merged = Entry(**{**kept, **{name: value for name, value in new.items() if value is not None}})
    return [*(each for each in entries if _key(each.identity) != _key(entry.identity)), merged][-_KEPT:]


def dump(entries: Sequence[Entry]) -> bytes:
    """Write the ledger as a file has it."""
    return json.dumps({"format": 1, "entries": [asdict(each) for each in entries]}, indent=1).encode() + b"\n"


def load(content: bytes) -> list[Entry]:
    """Read the ledger; entries that somebody edited beyond recognition are left out."""
    try:
        written = json.loads(content)["entries"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    found = (_entry(each) for each in written) if isinstance(written, list) else ()
    return [each for each in found if each]


def _entry(written: object) -> Entry | None:
    values = dict(written) if isinstance(written, dict) else {}
    identity = identity_from(values.pop("identity", None))
    known = {each.name for each in fields(Entry)} - {"identity"}
    if identity is None or not values.keys() <= known or not isinstance(values.get("seen", ""), str):
        return None
    numbers = [value for name, value in values.items() if name != "seen" and value is not None]
    fine = all(isinstance(each, (int, float)) and not isinstance(each, bool) and each >= 0 for each in numbers)
    return Entry(identity, **values) if fine else None


def identity_from(written: object) -> Identity | None:
    """Read an identity as a file has it."""
    if not isinstance(written, dict) or not written.keys() <= {each.name for each in fields(Identity)}:
        return None
    texts = [written.get(name, "") for name in _TEXTS]
    budget = written.get("budget")
    if not all(isinstance(each, str) for each in texts) or not isinstance(written.get("cards", 1), int):
        return None
    if "model" not in written or not (budget is None or isinstance(budget, int)):
        return None
    return Identity(**dict(zip(_TEXTS, texts)), cards=written.get("cards", 1), budget=budget)
