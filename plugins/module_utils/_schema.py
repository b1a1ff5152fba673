# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the shape of plain data against a table of fields; every departure is a problem, all are found in one walk."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest, quote


@dataclass(frozen=True)
class Field:
    """What one key may hold. ``what`` completes "is not ..." in a refusal; ``hint`` is its remedy.

    A ``section`` has the keys in ``fields``. A ``map`` has keys of the user's choice, like ``key``, and values like
    ``item``.
    A ``list`` has entries like ``item``. A ``name`` is text that can name a service and a model at the gateway.
    """

    kind: str = "any"
    what: str = ""
    hint: str = ""
    required: bool = False
    choices: tuple[object, ...] = ()
    low: float | None = None
    high: float | None = None
    key: Field | None = None
    item: Field | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
NAME_HINT = "Use letters, digits, dots, dashes and underscores, at most 100, and begin with a letter or a digit."

# Keys that hold a secret, and values that look like one. A reference to the environment is no secret.
_SECRET_KEY = re.compile(
    r"(^|_)(api_?key|master_key|key|password|passwd|secret|secret_access_key|token)$", re.IGNORECASE
)
_SECRET_VALUE = re.compile(r"^\s*sk-|://[^/@\s]*:[^/@\s]+@")


def check(value: object, spec: Field, path: str) -> Iterator[Problem]:
    """Yield every departure of a value from its field."""
    if spec.choices:
        yield from _check_choice(value, spec, path)
    else:
        yield from _CHECKS[spec.kind](value, spec, path)


def secrets(value: object, path: str, by_key: bool) -> Iterator[Problem]:
    """Yield a problem for each secret in plain text; the problem does not show it.

    ``by_key`` also judges by the key. It is off where keys are names of the user's choice.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if by_key and _SECRET_KEY.search(str(key)) and _is_literal(inner) and not _is_reference(key, inner):
                yield _secret(f"{path}.{key}")
            else:
                yield from secrets(inner, f"{path}.{key}", by_key)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from secrets(inner, f"{path}[{index}]", by_key)
    elif isinstance(value, str) and _SECRET_VALUE.search(value):
        yield _secret(path)


def is_secret(key: str, value: object) -> bool:
    """Tell whether a value is a secret in plain text, by its key or by what it looks like."""
    if isinstance(value, str) and _SECRET_VALUE.search(value):
        return True
    return _SECRET_KEY.search(key) is not None and _is_literal(value)


def _is_reference(key: object, value: object) -> bool:
    """Tell the name of a secret, in capitals, from a secret."""
    return key == "key" and re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", str(value)) is not None


def _secret(path: str) -> Problem:
    reason = "What is declared is shown in plans, diffs and reports."
    return Problem(path, NOTHING, "holds a secret in plain text.", f"{reason}\n{_where_secrets_go(path)}")


def _where_secrets_go(path: str) -> str:
    if path.endswith(".master_key"):
        return "Remove it: the role makes this key on the host, in a file that only its user can read."
    if "_settings." in path or path.startswith("llm_stack_layers"):
        return "Write os.environ/NAME, and put NAME into the environment of the gateway."
    if path.startswith("llm_stack_models.") and path.endswith(".key"):
        return "Put it into llm_stack_secrets, from a vault, and write its name in capitals here, such as OPENAI."
    return "Remove it. The key of instances that listen on the network is llm_stack_instance_key, from a vault."


def unless_secret(problems: list[Problem], hidden: list[Problem]) -> list[Problem]:
    """Put the secrets first, and drop each other problem that would show one or restate it."""
    paths = [problem.path for problem in hidden]
    return hidden + [each for each in problems if not any(covers(each.path, path) for path in paths)]


def covers(path: str, secret: str) -> bool:
    """Tell whether a problem at one path may show the value at another."""
    return path == secret or (secret.startswith(path) and secret[len(path)] in ".[")


def _is_literal(value: object) -> bool:
    """Tell text or a number from a reference to the environment, from nothing and from a nested value."""
    if isinstance(value, str):
        return bool(value) and not value.startswith("os.environ/")
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_choice(value: object, spec: Field, path: str) -> Iterator[Problem]:
    if any(type(value) is type(choice) and value == choice for choice in spec.choices):
        return
    names = [str(quote(choice)).strip("'") for choice in spec.choices]
    known = nearest(value, names) if isinstance(value, str) else f"Known: {', '.join(names)}."
    yield Problem(path, value, f"is not {spec.what or 'one of the choices'}.", spec.hint or known)


def _check_any(value: object, spec: Field, path: str) -> Iterator[Problem]:
    if value is None:
        yield Problem(
            path, value, f"is not {spec.what or 'a value'}.", spec.hint or "Write a value, or remove the key."
        )


def _check_text(value: object, spec: Field, path: str) -> Iterator[Problem]:
    if not isinstance(value, str):
        remedy = spec.hint or "Write text, or remove the key."
        if isinstance(value, (int, float)):
            remedy = f'Write "{quote(value)}", in quotes.'
        yield Problem(path, value, f"is not {spec.what or 'text'}.", remedy)
    elif not value.strip():
        yield Problem(path, value, "is empty.", spec.hint or "Write a value, or remove the key.")
    elif any(ord(character) < 32 or ord(character) == 127 for character in value):
        yield Problem(path, value, "holds a line break or another control character.", "Write it on one line.")


def _check_name(value: object, spec: Field, path: str) -> Iterator[Problem]:
    problems = list(_check_text(value, spec, path))
    yield from problems
    if isinstance(value, str) and not problems and not NAME.fullmatch(value):
        yield Problem(path, value, "cannot be the name of a service and of a model at the gateway.", NAME_HINT)


def _check_bool(value: object, spec: Field, path: str) -> Iterator[Problem]:
    if isinstance(value, bool):
        return
    words = {"yes": "true", "true": "true", "on": "true", "no": "false", "false": "false", "off": "false"}
    word = words.get(str(value).strip().lower())
    remedy = f"Write {word}, without quotes." if word else "Write true or false."
    yield Problem(path, value, f"is not {spec.what or 'true or false'}.", remedy)


def _check_int(value: object, spec: Field, path: str) -> Iterator[Problem]:
    if isinstance(value, bool) or not isinstance(value, int):
        yield Problem(path, value, f"is not {spec.what or 'a whole number'}.", _as_number(value, spec, whole=True))
    else:
        yield from _check_bounds(value, spec, path)


def _check_number(value: object, spec: Field, path: str) -> Iterator[Problem]:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        yield Problem(path, value, f"is not {spec.what or 'a number'}.", _as_number(value, spec, whole=False))
    else:
        yield from _check_bounds(value, spec, path)


def _as_number(value: object, spec: Field, whole: bool) -> str:
    """Suggest the number that stands in the text, if one does and it may be written."""
    found = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*(\S.*)?", str(value)) if isinstance(value, (str, float)) else None
    if found and _is_unit(found.group(2), spec):
        number = float(found.group(1))
        if (not whole or number == int(number)) and _within(number, spec):
            return f"Write {int(number) if number == int(number) else number}."
    return spec.hint or _bounds(spec)


def _is_unit(word: str | None, spec: Field) -> bool:
    """Tell whether the text after a number says what the number counts anyway, so that it can be left out."""
    if not word or (word.strip() in ("s", "sec") and "seconds" in spec.what):
        return True
    return re.search(rf"\b{re.escape(word.strip())}$", spec.what) is not None


def _check_bounds(value: float, spec: Field, path: str) -> Iterator[Problem]:
    if not _within(value, spec):
        yield Problem(path, value, "is out of range.", spec.hint or _bounds(spec))


def _within(value: float, spec: Field) -> bool:
    return (spec.low is None or value >= spec.low) and (spec.high is None or value <= spec.high)


def _bounds(spec: Field) -> str:
    what = spec.what or "a number"
    if spec.low is not None and spec.high is not None:
        return f"Write {what} from {spec.low:g} to {_plain(spec.high)}."
    return f"Write {what}." if spec.low is None else f"Write {what}, at least {spec.low:g}."


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _check_list(value: object, spec: Field, path: str) -> Iterator[Problem]:
    if not isinstance(value, (list, tuple)):
        single = isinstance(value, str) and value.strip()
        remedy = f"Write [{value}]." if single else spec.hint or "Write a list: [first, second]."
        yield Problem(path, value, f"is not {spec.what or 'a list'}.", remedy)
        return
    for index, entry in enumerate(value):
        yield from check(entry, spec.item or Field(), f"{path}[{index}]")


def _check_map(value: object, spec: Field, path: str) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        remedy = spec.hint or "Write key: value below it."
        yield Problem(path, value, f"is not {spec.what or 'a mapping of keys to values'}.", remedy)
        return
    for key, inner in value.items():
        if spec.key:
            yield from check(key, spec.key, f"{path}.{key}")
        yield from check(inner, spec.item or Field(), f"{path}.{key}")


def _check_section(value: object, spec: Field, path: str) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        known = f"Known: {', '.join(sorted(spec.fields))}."
        yield Problem(path, value, f"is not {spec.what or 'a mapping of keys to values'}.", spec.hint or known)
        return
    for key, inner in value.items():
        if key in spec.fields:
            yield from check(inner, spec.fields[key], f"{path}.{key}")
        else:
            yield Problem(f"{path}.{key}", NOTHING, "is not a known key.", nearest(str(key), spec.fields))
    for key, below in spec.fields.items():
        if below.required and key not in value:
            yield Problem(f"{path}.{key}", NOTHING, "is missing.", below.hint)


_CHECKS: Mapping[str, Callable[[object, Field, str], Iterator[Problem]]] = {
    "any": _check_any,
    "text": _check_text,
    "name": _check_name,
    "bool": _check_bool,
    "int": _check_int,
    "number": _check_number,
    "list": _check_list,
    "map": _check_map,
    "section": _check_section,
}
