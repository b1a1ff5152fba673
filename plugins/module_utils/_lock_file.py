# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The files in which an inventory keeps what its models and releases are pinned to: their shape and their text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field
from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot import is_plain

MODELS, RELEASES = "llm_stack_model_lock", "llm_stack_release_lock"

_SIZE = Field("int", "a number of bytes", low=0, high=1 << 50)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_WIDTH = 120

MODEL_LOCK = Field(
    "map",
    key=Field("name"),
    what="a mapping of models to what they are pinned to",
    item=Field(
        "section",
        hint="Run make pin MODEL=NAME.",
        fields={
            "repo": Field("text", required=True, hint="Run make pin MODEL=NAME."),
            "revision": Field("text", required=True, hint="Run make pin MODEL=NAME."),
            "evidence": Field("map"),
            "files": Field(
                "map",
                item=Field(
                    "section",
                    fields={"size": _SIZE, "sha256": Field("text"), "blob": Field("text")},
                ),
            ),
        },
    ),
)

RELEASE_LOCK = Field(
    "section",
    what="a mapping of releases to what they are pinned to",
    fields={
        name: Field(
            "section",
            hint=f"Run make pin RELEASE={name} TAG=...",
            fields={
                "tag": Field("text", required=True, hint=f"Run make pin RELEASE={name} TAG=..."),
                "repository": Field("text"),
                "assets": Field(
                    "map",
                    item=Field(
                        "section",
                        fields={
                            "url": Field("text", required=True),
                            "size": _SIZE,
                            "sha256": Field("text", required=True, hint=f"Run make pin RELEASE={name} TAG=..."),
                            "hashed_here": Field("bool"),
                        },
                    ),
                ),
            },
        )
        for name in ("llamacpp", "ollama")
    },
)


def check_pins(written: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each commit and checksum that is none; ``written`` has the variables without their prefix."""
    for name, entry in _sections(written.get("model_lock")):
        path, again = f"{MODELS}.{name}", f"Run make pin MODEL={name}."
        yield from _digits(entry, "revision", _COMMIT, f"{path}.revision", again)
        for file, noted in _sections(entry.get("files")):
            if not is_plain(file):
                yield Problem(f"{path}.files.{file}", NOTHING, "leaves the model's folder.", again)
            yield from _digits(noted, "sha256", _SHA256, f"{path}.files.{file}.sha256", again)
            yield from _digits(noted, "blob", _COMMIT, f"{path}.files.{file}.blob", again)
    for name, entry in _sections(written.get("release_lock")):
        again = f"Run make pin RELEASE={name} TAG={entry.get('tag', 'TAG')}."
        for asset, noted in _sections(entry.get("assets")):
            yield from _digits(noted, "sha256", _SHA256, f"{RELEASES}.{name}.assets.{asset}.sha256", again)


def _sections(value: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the entries that are mappings; the others are refused for their shape."""
    for name, entry in value.items() if isinstance(value, Mapping) else ():
        if isinstance(entry, Mapping):
            yield str(name), entry


def _digits(entry: Mapping[str, Any], key: str, pattern: re.Pattern[str], path: str, remedy: str) -> Iterator[Problem]:
    value = entry.get(key)
    if isinstance(value, str) and value.strip() and not pattern.fullmatch(value):
        length = 64 if pattern is _SHA256 else 40
        yield Problem(path, value, f"is not {length} digits of 0-9 and a-f.", remedy)


def merged(variable: str, existing: object, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Put an entry beside those that a lock has; raise StackError where the file holds anything else."""
    if existing is not None and (not isinstance(existing, Mapping) or set(existing) - {variable}):
        wrong = f"holds more than {variable}, which would be lost."
        raise StackError(Problem(variable, NOTHING, wrong, "Move the rest to another file beside it."))
    before = existing.get(variable) if isinstance(existing, Mapping) else {}
    return {**(before if isinstance(before, Mapping) else {}), name: dict(entry)}


def render(variable: str, entries: Mapping[str, Any]) -> str:
    """Write a lock: sorted, so that a second run changes nothing; raise StackError for what Ansible would carry out.

    Ansible takes text in braces for a template wherever it stands, and these texts come from strangers.
    """
    _refuse_templates(entries, variable)
    head = [
        "---",
        "# SPDX-License-Identifier: GPL-3.0-or-later",
        "# Written by make pin; run it again instead of editing this.",
    ]
    return "\n".join([*head, f"{variable}:", *_block(entries, 1)]) + "\n"


def _refuse_templates(value: object, path: str) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _refuse_templates(str(key), path)
            _refuse_templates(inner, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _refuse_templates(inner, path)
    elif isinstance(value, str) and re.search(r"\{[{%#]|[%#}]\}", value):
        wrong = "holds a template, which Ansible would carry out."
        raise StackError(Problem(path, value, wrong, "Do not use what publishes such a name."))


def _block(entries: Mapping[str, Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for key, value in sorted(entries.items()):
        line = f"{indent}{_key(key)}: {_flow(value)}"
        nested = isinstance(value, Mapping) and any(isinstance(inner, Mapping) for inner in value.values())
        if nested or (isinstance(value, Mapping) and value and len(line) > _WIDTH):
            yield f"{indent}{_key(key)}:"
            yield from _block(value, depth + 1)
        else:
            yield line


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)}: {_flow(inner)}" for key, inner in sorted(value.items())) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


_WORDS = re.compile(r"(?i)(y|n|yes|no|on|off|true|false|null|none)")


def _scalar(value: object) -> str:
    """Write a value so that every reader of YAML takes it for what it is: text in quotes."""
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    """Write a key, bare where nothing but text is possible."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*", name) and not _WORDS.fullmatch(name)
    return name if plain else _scalar(name)
