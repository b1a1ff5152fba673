# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Hash-locked requirement texts: what they pin, what is wrong with them, and the digest that names what they make.

A lock says which bytes are installed, never where they come from: an index, a file or an address in it is refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem, StackError

DEFAULT_PYTHON = "/usr/bin/python3"

POISONED: Mapping[str, tuple[str, ...]] = {"litellm": ("1.82.7", "1.82.8")}
"""Releases published with stolen credentials in March 2026; mirrors and caches may still hold them."""

_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?P<extras>\[[^\]]*\])?\s*"
    r"==\s*(?P<version>[^\s;,*=]+)\s*(?:;\s*(?P<marker>.*))?"
)
_HASH = re.compile(r"\s--hash(?:=|\s+)(?P<hash>\S*)")
_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_VERSION = re.compile(
    r"v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)[-_.]?(?:(?P<pre>a|b|rc|alpha|beta|c|pre|preview)[-_.]?(?P<n>\d*))?"
    r"(?:[-_.]?(?:post|rev|r)[-_.]?(?P<post>\d*)|-(?P<implicit>\d+))?(?:[-_.]?dev[-_.]?(?P<dev>\d*))?(?:\+[a-z0-9._-]+)?",
    re.IGNORECASE,
)
_PRE = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@")
"""The user name and password of an address: never shown."""

_ADDRESS_REMEDY = (
    "Where packages come from is the business of the host: set index_url or find_links,\n"
    "and make the lock with uv pip compile --no-emit-index-url."
)
_HASH_REMEDY = "Make the lock with uv pip compile --generate-hashes."
_OTHER_VERSION = "Pin another version and make the lock again."

VersionKey = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Pin:
    """One line of a lock: a distribution in exactly one version, with the hashes of its files."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    line: int

    def __str__(self) -> str:
        return f"{self.name}=={self.version}" + (f" ; {self.marker}" if self.marker else "")


def checked(text: str, deny: Mapping[str, Iterable[str]], floor: Mapping[str, str]) -> tuple[Pin, ...]:
    """Return the pins of a lock, or raise every reason to refuse it at once."""
    pins, problems = parse(text)
    problems += [*repeated(pins), *denied(pins, deny), *below(pins, floor)]
    if not pins and not problems:
        problems.append(Problem("requirements", text, "pins nothing.", "Give the text of a lock file made by uv."))
    if problems:
        raise StackError(sorted(problems, key=lambda problem: _line_of(problem.path)))
    return tuple(pins)


def environment_digest(text: str, python: str = DEFAULT_PYTHON, build: Mapping[str, str] | None = None) -> str:
    """Name the environment that a lock makes with this interpreter and these variables of a build: 12 hex digits.

    Comments, order and the spelling of names do not count; versions, markers, hashes and the interpreter do.
    """
    pins = checked(text, {}, {})
    lines = sorted(f"{pin} {' '.join(pin.hashes)}" for pin in pins)
    lines += [f"{name}={value}" for name, value in sorted((build or {}).items())]
    return hashlib.sha256("\n".join([python, *lines]).encode()).hexdigest()[:12]


def parse(text: str) -> tuple[list[Pin], list[Problem]]:
    """Split a lock into its pins and the reasons why other lines cannot be one."""
    pins: list[Pin] = []
    problems: list[Problem] = []
    for number, line in logical_lines(text):
        result = _parse_line(number, line)
        if isinstance(result, Pin):
            pins.append(result)
        else:
            problems.append(result)
    return pins, problems


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each requirement with the number of its first line, without comments, continuations joined."""
    parts: list[str] = []
    first = 0
    for number, raw in enumerate(text.splitlines(), start=1):
        # Nearly all of the thousands of lines are hashes, and every clean check reads them.
        line = re.sub(r"(^|\s)#.*$", "", raw).rstrip() if "#" in raw else raw.rstrip()
        first = first if parts else number
        parts.append(line[:-1] if line.endswith("\\") else line)
        if not line.endswith("\\"):
            yield from _joined(first, parts)
            parts = []
    yield from _joined(first, parts)


def _joined(number: int, parts: list[str]) -> Iterator[tuple[int, str]]:
    line = " ".join(part.strip() for part in parts).strip()
    if line:
        yield number, line


def _parse_line(number: int, line: str) -> Pin | Problem:
    where = f"requirements[{number}]"
    hashes = [match["hash"] for match in _HASH.finditer(line)]
    requirement = _HASH.sub("", line).strip()
    if "://" in requirement or " @ " in requirement:
        return Problem(where, _CREDENTIALS.sub("", requirement), "names an address.", _ADDRESS_REMEDY)
    if requirement.startswith("-"):
        return Problem(where, requirement.split()[0], "is an option; a lock holds only pinned names.", _ADDRESS_REMEDY)
    match = _PIN.fullmatch(requirement)
    if not match:
        return Problem(where, requirement, "is not pinned to one version.", "Write name==version; uv pip compile does.")
    if not _VERSION.fullmatch(match["version"]):
        return Problem(
            where, match["version"], f"is not a version of {match['name']}.", "Write it as the index has it."
        )
    name = normalised(match["name"])
    if not hashes:
        return Problem(where, f"{name}=={match['version']}", "has no hash.", _HASH_REMEDY)
    wrong = [each for each in hashes if not _is_hash(each)]
    if wrong:
        return Problem(where, wrong[0], f"is not a hash of {name}.", "Write --hash=sha256: and 64 hexadecimal digits.")
    return Pin(name, match["version"], " ".join((match["marker"] or "").split()), tuple(sorted(hashes)), number)


def repeated(pins: Iterable[Pin]) -> Iterator[Problem]:
    """Yield a problem for a name that is pinned twice under the same marker: which one counts would be luck."""
    seen: dict[tuple[str, str], Pin] = {}
    for pin in pins:
        other = seen.setdefault((pin.name, pin.marker), pin)
        if other is not pin:
            wrong = f"is pinned again; line {other.line} pins {other.version}."
            yield Problem(f"requirements[{pin.line}]", str(pin), wrong, "Remove one of them.")


def denied(pins: Iterable[Pin], deny: Mapping[str, Iterable[str]]) -> Iterator[Problem]:
    """Yield a problem for each pin of a release that must never be installed."""
    for pin in pins:
        for name, versions in deny.items():
            if normalised(name) == pin.name and version_key(pin.version) in map(version_key, versions):
                wrong = "is on the deny list (a release known to be malicious or unfit)."
                yield Problem(f"requirements[{pin.line}]", f"{pin.name}=={pin.version}", wrong, _OTHER_VERSION)


def below(pins: Iterable[Pin], floor: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a problem for each pin that is older than the oldest version we accept."""
    lowest = {normalised(name): version for name, version in floor.items()}
    for pin in pins:
        minimum = lowest.get(pin.name)
        if minimum is not None and version_key(pin.version) < version_key(minimum):
            wrong = f"is below the floor {minimum}."
            yield Problem(f"requirements[{pin.line}]", f"{pin.name}=={pin.version}", wrong, _OTHER_VERSION)


def normalised(name: str) -> str:
    """Spell a distribution's name the way the index does."""
    return re.sub(r"[-_.]+", "-", name).lower()


def version_key(version: str) -> VersionKey:
    """Return what orders versions: development before pre-release before release before post-release."""
    match = _VERSION.fullmatch(version.strip())
    if not match:
        raise StackError(
            Problem("version", version, "is not a version.", "Write it as the index has it, such as 1.2.3.")
        )
    release = [int(part) for part in match["release"].split(".")]
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    post = match["post"] if match["post"] is not None else match["implicit"]
    return ((int(match["epoch"] or 0),), tuple(release), _pre_key(match, post), _post_key(post), _dev_key(match["dev"]))


def _pre_key(match: re.Match[str], post: str | None) -> tuple[int, ...]:
    if match["pre"]:
        return (_PRE[match["pre"].lower()], int(match["n"] or 0))
    return (-1,) if match["dev"] is not None and post is None else (3,)


def _post_key(post: str | None) -> tuple[int, ...]:
    return (-1,) if post is None else (int(post or 0),)


def _dev_key(dev: str | None) -> tuple[int, ...]:
    return (1,) if dev is None else (0, int(dev or 0))


def _is_hash(text: str) -> bool:
    kind, _colon, digits = text.partition(":")
    return len(digits) == _LENGTHS.get(kind, -1) and not digits.strip("0123456789abcdef")


def _line_of(path: str) -> int:
    number = re.search(r"\[(\d+)\]", path)
    return int(number[1]) if number else 0
