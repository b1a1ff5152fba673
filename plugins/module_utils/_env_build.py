# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Building virtual environments: compare the declaration with the host, then build beside what is there and switch."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.lab.llm_stack.plugins.module_utils import _files, _install, _marker, _python_env, _uv
from ansible_collections.lab.llm_stack.plugins.module_utils._address import unfit_address
from ansible_collections.lab.llm_stack.plugins.module_utils._install import Shelf
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem, StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._python_env import verify_environment
from ansible_collections.lab.llm_stack.plugins.module_utils._requirements import (
    DEFAULT_PYTHON,
    POISONED,
    Pin,
    checked,
    environment_digest,
    normalised,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Item


@dataclass(frozen=True)
class Wanted:
    """The declaration of one environment."""

    name: str
    requirements: str
    root: str
    uv_requirements: str
    python: str = DEFAULT_PYTHON
    uv: str = ""
    index_url: str = ""
    find_links: str = ""
    deny: Mapping[str, Sequence[str]] = field(default_factory=dict)
    floor: Mapping[str, str] = field(default_factory=dict)
    allow_source: Sequence[str] = ()
    build: Mapping[str, str] = field(default_factory=dict)
    in_use: Sequence[str] = ()
    keep: int = 1
    timeout: float = 900.0

    @property
    def source(self) -> _uv.Source:
        return _uv.Source(self.index_url, self.find_links)

    @property
    def shelf(self) -> Shelf:
        return Shelf(os.path.join(self.root, self.name), "environment", "[0-9a-f]{12}", _python_env.MARKER)

    @property
    def uv_shelf(self) -> Shelf:
        """Where the uv that we fetch lives: beside the environments, shared by all of them."""
        return Shelf(os.path.join(os.path.dirname(self.root), "uv"), "environment", "[0-9a-f]{12}", _python_env.MARKER)


@dataclass(frozen=True)
class Comparison:
    """What has to be done on the host, and what it needs for that."""

    digest: str
    pins: tuple[Pin, ...]
    items: tuple[Item, ...]
    build: bool
    fetch_uv: bool
    surplus: tuple[str, ...]


def compare(wanted: Wanted, state: str = "present") -> Comparison:
    """Read the host and return what differs; raise every reason why the declaration cannot be carried out."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", wanted.name):
        raise StackError(
            Problem("name", wanted.name, "cannot name a directory.", "Use letters, digits and . _ - only.")
        )
    return _compare_absent(wanted) if state == "absent" else _compare_present(wanted)


def _compare_present(wanted: Wanted) -> Comparison:
    pins = checked(wanted.requirements, _denied(wanted.deny), wanted.floor)
    digest = environment_digest(wanted.requirements, wanted.python, wanted.build)
    shelf = wanted.shelf
    reasons = verify_environment(shelf.path(digest), digest)
    uv_reasons = verify_uv(wanted) if reasons and not wanted.uv else []
    surplus = shelf.surplus(digest, wanted.keep, wanted.in_use)
    items = [*_install.items(shelf, digest, reasons, surplus)]
    if uv_reasons:
        uv_path = wanted.uv_shelf.path(uv_digest(wanted))
        items.insert(0, Item("uv", uv_path, "uv, which makes environments", uv_reasons[0]))
    problems = list(unfit(wanted, bool(uv_reasons))) if reasons else []
    if problems:
        raise StackError(problems)
    return Comparison(digest, pins, tuple(items), bool(reasons), bool(uv_reasons), tuple(surplus))


def _denied(deny: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Add the releases that are known to be malicious; a user's list never takes one off."""
    denied = {normalised(name): list(versions) for name, versions in deny.items()}
    for name, versions in POISONED.items():
        denied[name] = [*denied.get(name, []), *versions]
    return denied


def uv_digest(wanted: Wanted) -> str:
    return environment_digest(wanted.uv_requirements, wanted.python)


def verify_uv(wanted: Wanted) -> list[str]:
    """Return why there is no uv of ours."""
    digest = uv_digest(wanted)
    return verify_environment(wanted.uv_shelf.path(digest), digest)


def unfit(wanted: Wanted, needs_pip: bool) -> Iterator[Problem]:
    """Yield what is missing on this host to build the environment; nothing was changed yet."""
    if not _executable(wanted.python):
        remedy = "Install one (Debian: apt install python3 python3-venv), or name another."
        yield Problem("python", wanted.python, "is no interpreter on this host.", remedy)
    elif needs_pip and not _has_ensurepip(wanted.python):
        remedy = "Debian and Ubuntu keep it apart: apt install python3-venv\nOr set uv to a uv of the host."
        yield Problem("python", wanted.python, "has no ensurepip, which is needed to fetch uv.", remedy)
    if wanted.uv and not _executable(wanted.uv):
        yield Problem("uv", wanted.uv, "is no program on this host.", "Remove the option to let uv be fetched.")
    if wanted.find_links and not os.path.isdir(wanted.find_links):
        yield Problem("find_links", wanted.find_links, "is no directory on this host.", "Copy the wheels there first.")
    yield from unfit_address("index_url", wanted.index_url, ("https", "http"))


def _executable(path: str) -> bool:
    return bool(shutil.which(path))


def _has_ensurepip(python: str) -> bool:
    return subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode == 0


def apply(wanted: Wanted, comparison: Comparison) -> None:
    """Carry out the comparison: build beside what is there, switch, and remove what nobody needs."""
    shelf = wanted.shelf
    if not comparison.digest:
        _install.clear(shelf, comparison.surplus, wanted.timeout)
        return
    with _install.locked(shelf.directory, wanted.timeout):
        _files.sweep_temporary(shelf.directory)
        # A run that had the lock before this one may have made it already.
        if comparison.build and verify_environment(shelf.path(comparison.digest), comparison.digest):
            uv = wanted.uv or fetch_uv(wanted)
            build(wanted, comparison, uv)
        _install.make_current(shelf, comparison.digest)
        _install.remove_versions(shelf, comparison.surplus)


def fetch_uv(wanted: Wanted) -> str:
    """Return the path of our uv, fetched by pip into an environment of its own where it is not there yet."""
    shelf, digest = wanted.uv_shelf, uv_digest(wanted)
    checked(wanted.uv_requirements, {}, {})
    with _install.locked(shelf.directory, wanted.timeout):
        _files.sweep_temporary(shelf.directory)
        if verify_uv(wanted):
            with _install.workplace(shelf) as path:
                _make(wanted, path, digest, _fetching(wanted, path), "uv")
                _install.publish(shelf, path, digest)
    return os.path.join(shelf.path(digest), "bin", "uv")


def build(wanted: Wanted, comparison: Comparison, uv: str) -> None:
    """Build the environment under another name and rename it into place when it is complete."""
    shelf, digest = wanted.shelf, comparison.digest
    with _install.workplace(shelf) as path:
        _make(wanted, path, digest, _building(wanted, comparison, path, uv), f"The environment {wanted.name}")
        _install.publish(shelf, path, digest)


def _fetching(wanted: Wanted, path: str) -> list[list[str]]:
    lock = os.path.join(path, "requirements.txt")
    return [[wanted.python, "-m", "venv", path], _uv.pip_command(path, lock, wanted.source)]


def _building(wanted: Wanted, comparison: Comparison, path: str, uv: str) -> list[list[str]]:
    lock = os.path.join(path, "requirements.txt")
    names = sorted({pin.name for pin in comparison.pins} - set(map(normalised, wanted.allow_source)))
    only_binary = names if wanted.allow_source else [":all:"]
    return [
        _uv.venv_command(uv, wanted.python, path),
        # What uv has in its cache may have been built with other variables; it does not tell them apart.
        [*_uv.install_command(uv, path, lock, wanted.source, only_binary), *(["--no-cache"] if wanted.build else [])],
    ]


def _make(wanted: Wanted, path: str, digest: str, commands: list[list[str]], what: str) -> None:
    """Run the two commands that make an environment, prove the result and mark it as complete."""
    text = wanted.uv_requirements if what == "uv" else wanted.requirements
    state = (
        f"{wanted.shelf.current()} stays the current environment." if wanted.shelf.current() else "Nothing was changed."
    )
    try:
        _uv.run(commands[0], wanted.timeout)
        _files.write_atomic(os.path.join(path, "requirements.txt"), text.encode(), 0o644)
        _uv.run(commands[1], wanted.timeout, {} if what == "uv" else wanted.build)
    except (_uv.CommandFailed, _uv.CommandTimeout) as error:
        raise _uv.failure(what, error, wanted.source, state) from None
    _marker.complete(path, _python_env.MARKER, _note(path, digest, text))
    reasons = verify_environment(path, digest)
    if reasons:
        raise _install.InstallError(f"{what} was not installed: it {'; it '.join(reasons)}.\n    {state}")


def _note(path: str, digest: str, text: str) -> dict[str, object]:
    return {
        "digest": digest,
        "interpreter": os.path.realpath(os.path.join(path, "bin", "python")),
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "pins": sorted(map(str, checked(text, {}, {}))),
        **_python_env.scan(path),
    }


def _compare_absent(wanted: Wanted) -> Comparison:
    """Return what goes when no environment of this name is wanted any more; those in use stay."""
    surplus = wanted.shelf.removable(wanted.in_use)
    return Comparison("", (), tuple(_install.removals(wanted.shelf, surplus)), False, False, tuple(surplus))


def diff(wanted: Wanted, comparison: Comparison) -> list[dict[str, str]]:
    """Show what is pinned now and what will be; nothing where the current environment stays as it is."""
    shelf = wanted.shelf
    current = shelf.current()
    if not any(item.kind in ("environment", "current-link") for item in comparison.items):
        return []
    reasons = [
        f"({item.actual})" for item in comparison.items if item.kind == "environment" and current == comparison.digest
    ]
    before = [*(_python_env.pins_of(shelf.path(current)) if current else []), *reasons]
    return [
        {
            "before_header": f"{shelf.directory}/{current or '(none)'}",
            "after_header": shelf.path(comparison.digest),
            "before": _lines(before),
            "after": _lines(sorted(map(str, comparison.pins))),
        }
    ]


def _lines(texts: Sequence[str]) -> str:
    return "".join(f"{text}\n" for text in texts)


def worded(wanted: Wanted, error: Exception) -> str:
    """Word a failure: ours say everything themselves, one of the operating system needs what was attempted."""
    if not isinstance(error, OSError):
        return str(error)
    return (
        f"The environment {wanted.name} was not completed: "
        f"{error.filename or wanted.shelf.directory}: {error.strerror or error}.\n"
        "    Make the path writable for the account, or set root to one that is. The current environment is unchanged."
    )
