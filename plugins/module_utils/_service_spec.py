# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From the service module's parameters to the declaration it compares with."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._env import references
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    DIGEST_MARK,
    HOME_MARK,
    FileSpec,
    Port,
    Requirement,
    UnitSpec,
    Wanted,
)

UNIT_NAME = re.compile(r"[A-Za-z0-9:_.\\-]+@?\.(service|socket|timer)")


class SpecError(Exception):
    """Parameters that contradict each other; str() lists every reason."""


def wanted_from(params: Mapping[str, Any]) -> Wanted:
    """Build the declaration; raise SpecError with all reasons at once."""
    problems = list(_problems(params))
    if problems:
        raise SpecError(
            "\n".join([f"Transaction {params['name']} cannot be carried out. Nothing was changed.", *problems])
        )
    return Wanted(
        name=params["name"],
        home=params["home"],
        unit_dir=f"{params['home']}/.config/systemd/user",
        files=tuple(_file(entry, params["home"]) for entry in params["files"]),
        units=tuple(_unit(entry) for entry in params["units"]),
        requires=tuple(map(_requirement, params["requires"])),
    )


def _requirement(entry: Mapping[str, Any]) -> Requirement:
    more = {key: entry.get(key) or "" for key in ("server", "file")}
    return Requirement(entry["kind"], entry["path"], entry["digest"], **more)


def _file(entry: Mapping[str, Any], home: str) -> FileSpec:
    mode, generate = int(entry["mode"], 8), tuple(entry["generate"].items())
    content = _content(entry).replace(HOME_MARK.encode(), home.encode())
    return FileSpec(entry["path"], content, mode, _is_secret(entry), generate)


def _content(entry: Mapping[str, Any]) -> bytes:
    content = entry["secret_content"] if entry["secret_content"] is not None else entry["content"]
    return (content or "").encode()


def _is_secret(entry: Mapping[str, Any]) -> bool:
    return bool(entry["secret"] or entry["secret_content"] is not None or entry["generate"])


def _unit(entry: Mapping[str, Any]) -> UnitSpec:
    return UnitSpec(
        name=entry["name"],
        body=entry["content"],
        enabled=entry["enabled"],
        started=entry["state"] == "started",
        inputs=tuple(map(_path, entry["inputs"])),
        environment_files=tuple(map(_path, entry["environment_files"])),
        watch=tuple(entry["watch"]),
        listens=tuple(_port(text) for text in entry["listens"]),
        blue_green=entry["blue_green"],
        slot=entry.get("slot") or "",
        ready_timeout=entry["ready_timeout"],
        settle=entry["settle"],
    )


def _path(path: str) -> str:
    return os.path.expanduser(path)


def _port(text: str) -> Port:
    address, _colon, number = text.rpartition(":")
    return Port(_canonical(address), int(number))


def _canonical(address: str) -> str:
    """Give an address in the form in which the kernel's table is read; raise OSError where it is none."""
    plain = address.strip("[]")
    family = socket.AF_INET6 if ":" in plain else socket.AF_INET
    return socket.inet_ntop(family, socket.inet_pton(family, plain))


def _closes(line: str) -> bool:
    """Whether every quote of a line is closed; within quotes of one kind, the other one is a plain character."""
    with contextlib.suppress(ValueError):
        shlex.split(line)
        return True
    return False


def _is_port(text: str) -> bool:
    address, _colon, number = text.rpartition(":")
    with contextlib.suppress(OSError, UnicodeError):
        return bool(_canonical(address)) and number.isdigit() and 0 < int(number) < 65536
    return False


def _problems(params: Mapping[str, Any]) -> Iterator[str]:
    for index, entry in enumerate(params["files"]):
        if not re.fullmatch(r"0?[0-7]{3}", entry["mode"]):
            yield f"files[{index}].mode: '{entry['mode']}' is no octal permission such as \"0600\"."
        elif _gives_away(int(entry["mode"], 8)):
            meant = f"{int(entry['mode']):04o}"
            yield (
                f"files[{index}].mode: '{entry['mode']}' gives others more than the owner. In quotes, YAML does not "
                f'take it for a number: "{meant}".'
            )
        if entry["content"] is None and entry["secret_content"] is None and not entry["generate"]:
            yield f"files[{index}]: {entry['path']} has no content. Give content, template or src."
    yield from _reference_problems(params["files"])
    yield from _duplicates("files", [entry["path"] for entry in params["files"]])
    yield from _duplicates("units", [entry["name"] for entry in params["units"]])
    yield from _slot_problems([entry for entry in params["units"] if entry.get("slot")])
    for index, entry in enumerate(params["units"]):
        yield from _unit_problems(f"units[{index}]", entry)


def _gives_away(mode: int) -> bool:
    """Whether a mode is none that somebody wants, but what YAML makes of an octal number without quotes."""
    owner = mode >> 6
    return not owner & 4 or bool((mode >> 3 | mode) & 7 & ~owner)


def _reference_problems(files: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A reason for each ``@secret:NAME@`` that not exactly one file generates, or that a diff would show."""
    generated = [name for entry in files for name in entry["generate"]]
    for index, entry in enumerate(files):
        for name in references(_content(entry)):
            where = f"files[{index}]: {entry['path']} refers to @secret:{name}@,"
            if not _is_secret(entry):
                yield f"{where} but is not secret. Set secret: true."
            elif generated.count(name) != 1:
                known = ", ".join(sorted(set(generated))) or "none"
                yield f"{where} which {generated.count(name)} files generate, not one. Generated here: {known}."


def _unit_problems(where: str, entry: Mapping[str, Any]) -> Iterator[str]:
    name, coloured = entry["name"], str(entry["blue_green"]).lower()
    if not UNIT_NAME.fullmatch(name):
        yield f"{where}.name: '{name}' is no name of a service, socket or timer unit."
    if ("@." in name) != entry["blue_green"]:
        yield f"{where}.name: '{name}' and blue_green: {coloured} do not fit; name@.service has colours."
    if not entry["content"]:
        yield f"{where}: {name} has no content. Give content or template."
    elif DIGEST_MARK not in entry["content"] and not name.endswith(".timer"):
        line = f"Environment=LLM_STACK_DIGEST={DIGEST_MARK}"
        yield f"{where}: {name} lacks the line {line}, without which a stale process is invisible."
    for line in (line for line in (entry["content"] or "").splitlines() if line.startswith("Environment=")):
        if not _closes(line):
            yield f"{where}: {name} has an open quote in: {line}"
    for text in (text for text in entry["listens"] if not _is_port(text)):
        yield f"{where}.listens: '{text}' is no address and port such as 127.0.0.1:8080."


def _slot_problems(units: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A reason for each unit that would run beside another one of its slot: the manager has to know, also at boot."""
    for slot in sorted({entry["slot"] for entry in units}):
        started = [entry["name"] for entry in units if entry["slot"] == slot and entry["state"] == "started"]
        if len(started) > 1:
            yield f"units: {' and '.join(started)} are to run in the slot {slot}, which holds one. Stop all but one."
    for entry in units:
        name, slot = entry["name"], entry["slot"]
        if entry["blue_green"]:
            yield f"units: {name} has the slot {slot} and blue_green: true, which runs two of it. Keep one of them."
        for other in (other for other in units if other["slot"] == slot and other["name"] != name):
            if f"Conflicts={other['name']}" not in _lines(entry):
                yield f"units: {name} lacks the line Conflicts={other['name']}, which is in the same slot {slot}."
            if name < other["name"] and not _ordered(entry, other):
                yield (
                    f"units: neither {name} nor {other['name']} of the slot {slot} has the line After= with the other, "
                    "so one would start while the other stops."
                )


def _ordered(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    pairs = ((one, other["name"]), (other, one["name"]))
    return any(f"{key}={name}" in _lines(entry) for entry, name in pairs for key in ("After", "Before"))


def _lines(entry: Mapping[str, Any]) -> list[str]:
    return str(entry["content"] or "").splitlines()


def _duplicates(where: str, names: list[str]) -> Iterator[str]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{where}: '{name}' is declared twice."
