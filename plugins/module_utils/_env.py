# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Environment files as systemd reads them (``EnvironmentFile=``), and values that are generated once."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

TOKEN_BYTES = 24
"""Entropy of a generated value in bytes: 192 bits, 32 characters of URL-safe base64."""


def read_environment(content: bytes | None) -> dict[str, str]:
    """Read the assignments of an environment file.

    Understands what this collection writes: one ``NAME=value`` a line, comments, and values in double quotes with
    backslash escapes.
    """
    values: dict[str, str] = {}
    # Not splitlines(), which knows more ends of lines than systemd does.
    for line in (content or b"").decode("utf-8", "replace").split("\n"):
        name, separator, value = line.partition("=")
        if separator and not line.lstrip().startswith(("#", ";")):
            values[name.strip()] = _unquote(value.strip())
    return values


_REFERENCE = re.compile(rb"@secret:(\w+)@")


def references(content: bytes) -> list[str]:
    """The names that a text refers to as ``@secret:NAME@``, in their order."""
    return [name.decode() for name in _REFERENCE.findall(content)]


def resolved(content: bytes, values: Mapping[str, str]) -> bytes:
    """Put the values in the places of their ``@secret:NAME@``."""
    return _REFERENCE.sub(lambda found: values[found.group(1).decode()].encode(), content)


def generated_content(base: bytes, current: bytes | None, generate: Mapping[str, str]) -> bytes:
    """Return the base text with a value for each generated name: the one on the host, else a new one.

    ``generate`` maps a variable's name to the prefix of its value, such as ``sk-``.
    """
    kept = read_environment(current)
    lines = [
        f"{name}={kept.get(name) or prefix + secrets.token_urlsafe(TOKEN_BYTES)}" for name, prefix in generate.items()
    ]
    head = base if not base or base.endswith(b"\n") else base + b"\n"
    return head + "".join(f"{line}\n" for line in lines).encode()


def _unquote(value: str) -> str:
    if len(value) < 2 or value[0] != value[-1] or value[0] not in "\"'":
        return value
    inner = value[1:-1]
    if value[0] == "'":
        return inner
    plain, escaped = [], False
    for character in inner:
        if not escaped and character == "\\":
            escaped = True
            continue
        plain.append(character)
        escaped = False
    return "".join(plain)
