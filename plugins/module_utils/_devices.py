# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The cards of a host and who holds their memory, as nvidia-smi or rocm-smi tell it.

A value that a driver does not tell is None, never 0. What cannot be read, such as a line that is cut off, is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Run = Callable[[Sequence[str]], str]
"""Runs a command and returns what it printed; empty where there is no such program."""

_MIB = 1 << 20
_FIELDS = ("index", "uuid", "memory.total", "memory.used", "memory.free", "driver_version")
# The first query needs a driver of 2021; older ones refuse it whole and answer the second.
_QUERIES = ((*_FIELDS, "compute_cap", "mig.mode.current"), _FIELDS)
_VISIBLE = {"cuda": ("CUDA_VISIBLE_DEVICES",), "rocm": ("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")}


@dataclass(frozen=True)
class Device:
    """A card. ``total`` is what programs can have of it, in bytes; ``capability`` is CUDA's, such as (8, 6)."""

    index: int
    uuid: str
    name: str
    total: int | None
    used: int | None
    driver: str = ""
    capability: tuple[int, int] | None = None
    divided: bool = False
    """Whether it is divided into parts (MIG), of which these numbers say nothing."""


@dataclass(frozen=True)
class Holding:
    """What a process holds of a card, in bytes; ``card`` is its uuid, empty where that is not told."""

    pid: int
    card: str
    size: int | None


@dataclass(frozen=True)
class Cards:
    """All cards of a host, in the order of their driver, and what processes hold of them."""

    devices: tuple[Device, ...] = ()
    holdings: tuple[Holding, ...] = ()


def read_cards(backend: str, run: Run) -> Cards:
    """Ask the driver's own program; no cards where there is no such program, or it does not see any."""
    if backend == "rocm":
        return _read_rocm(run)
    return _read_nvidia(run) if backend == "cuda" else Cards()


def visible(cards: Cards, backend: str, environment: Mapping[str, str]) -> tuple[Device, ...] | None:
    """The cards that a process sees, in its own order; None where its variable names something else, as MIG parts."""
    chosen = next((environment[name] for name in _VISIBLE.get(backend, ()) if name in environment), None)
    if chosen is None:
        return cards.devices
    found = []
    for word in filter(None, (each.strip() for each in chosen.split(","))):
        named = [each for each in cards.devices if word == str(each.index) or (len(word) > 4 and _is(each, word))]
        if len(named) != 1:
            return None
        found += named
    return tuple(found)


def _is(device: Device, word: str) -> bool:
    return bool(device.uuid) and device.uuid.startswith(word)


# -- nvidia-smi -------------------------------------------------------------------------------------------------------


def _read_nvidia(run: Run) -> Cards:
    devices = next((found for fields in _QUERIES if (found := _ask(run, fields))), ())
    holdings = run(_query("compute-apps", ("gpu_uuid", "pid", "used_memory"))) if devices else ""
    return Cards(devices, parse_holdings(holdings))


def _ask(run: Run, fields: Sequence[str]) -> tuple[Device, ...]:
    # The name stands last: it is the only field that may hold a comma.
    return parse_devices(run(_query("gpu", (*fields, "name"))), fields)


def _query(what: str, fields: Sequence[str]) -> list[str]:
    return ["nvidia-smi", f"--query-{what}={','.join(fields)}", "--format=csv,noheader,nounits"]


def parse_devices(text: str, fields: Sequence[str] = _QUERIES[0]) -> tuple[Device, ...]:
    """Read the answer to a query for these fields and then the name."""
    rows = (line.split(", ", len(fields)) for line in text.splitlines())
    found = (_device(dict(zip((*fields, "name"), row))) for row in rows if len(row) == len(fields) + 1)
    return tuple(sorted((each for each in found if each), key=lambda each: each.index))


def _device(row: Mapping[str, str]) -> Device | None:
    index = _number(row["index"])
    if index is None:
        return None
    free, used = _mebibytes(row["memory.free"]), _mebibytes(row["memory.used"])
    # What the driver keeps for itself is in memory.total, and no program gets it.
    both = free + used if free is not None and used is not None else None
    return Device(
        index,
        row["uuid"].strip(),
        row["name"].strip(),
        both or _mebibytes(row["memory.total"]),
        used,
        row["driver_version"].strip(),
        _capability(row.get("compute_cap", "")),
        row.get("mig.mode.current", "").strip() == "Enabled",
    )


def parse_holdings(text: str) -> tuple[Holding, ...]:
    """Read lines of card, process and MiB."""
    rows = (line.split(", ") for line in text.splitlines())
    found = (
        Holding(pid, row[0].strip(), _mebibytes(row[2]))
        for row in rows
        if len(row) == 3 and (pid := _number(row[1])) is not None
    )
    return tuple(found)


def _number(text: str) -> int | None:
    found = re.fullmatch(r"\s*(\d{1,18})\s*", text, re.ASCII)
    return int(found[1]) if found else None


def _mebibytes(text: str) -> int | None:
    number = _number(text)
    return None if number is None else number * _MIB


def _capability(text: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"\s*(\d{1,3})\.(\d{1,3})\s*", text, re.ASCII)
    return (int(found[1]), int(found[2])) if found else None


# -- rocm-smi ---------------------------------------------------------------------------------------------------------


def _read_rocm(run: Run) -> Cards:
    facts = ["rocm-smi", "--showmeminfo", "vram", "--showproductname", "--showdriverversion", "--json"]
    devices = parse_rocm_devices(run(facts))
    return Cards(devices, parse_rocm_holdings(run(["rocm-smi", "--showpids", "--json"]), devices) if devices else ())


def parse_rocm_devices(text: str) -> tuple[Device, ...]:
    """Read the cards from rocm-smi's JSON, which warnings may precede."""
    parsed = _json(text)
    driver = str(_section(parsed, "system").get("Driver version", ""))
    found = (_rocm_device(name, _section(parsed, name), driver) for name in parsed)
    return tuple(sorted((each for each in found if each), key=lambda each: each.index))


def _rocm_device(name: str, facts: Mapping[str, Any], driver: str) -> Device | None:
    index = re.fullmatch(r"card(\d{1,3})", name, re.ASCII)
    if index is None:
        return None
    total, used = (_number(str(facts.get(f"VRAM Total {part}", ""))) for part in ("Memory (B)", "Used Memory (B)"))
    series = next((facts[key] for key in ("Card Series", "Card series", "Card Model") if key in facts), "AMD card")
    return Device(int(index[1]), name, str(series)[:80], total, used, driver)


def parse_rocm_holdings(text: str, devices: Sequence[Device]) -> tuple[Holding, ...]:
    """Read what processes hold; of which card is told by nothing, so with several the size is not known."""
    return tuple(_rocm_holdings(_section(_json(text), "system"), devices))


def _rocm_holdings(entries: Mapping[str, Any], devices: Sequence[Device]) -> Iterator[Holding]:
    for key, value in entries.items():
        pid, fields = re.fullmatch(r"PID(\d{1,10})", key, re.ASCII), str(value).split(",")
        if pid and len(fields) >= 3:
            one = len(devices) == 1
            yield Holding(int(pid[1]), devices[0].uuid if one else "", _number(fields[2]) if one else None)


def _json(text: str) -> Mapping[str, Any]:
    try:
        parsed = json.loads(text[text.index("{") :])
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _section(parsed: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parsed.get(name)
    return found if isinstance(found, dict) else {}
