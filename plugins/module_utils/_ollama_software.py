# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What an Ollama server runs from: its publisher's archive or a program that is there, and what stands against it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_settings, _release_assets
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._role_paths import data_dir

LOCK = "llm_stack_release_lock.ollama"
"""The variable that holds the checksums of a release, as make pin writes them."""


@dataclass(frozen=True)
class Install:
    """How the server is to get onto a host and what it may do, as the role's variables say it."""

    method: str
    release: Mapping[str, Any] = field(default_factory=dict)
    release_lock: Mapping[str, Any] = field(default_factory=dict)
    release_directory: str = ""
    release_mirror: str = ""
    machine: str = "x86_64"
    backend: str = "cpu"
    program: str = ""
    accepted: Sequence[str] = ()


def check(wanted: Install) -> Iterator[Problem]:
    """Yield what stands against the software; what the lock lacks shows when an archive is chosen."""
    yield from _ollama_settings.check_accepted(wanted.accepted, "ollama_accept_vulnerabilities")
    if wanted.method == "existing":
        if not re.fullmatch(r"/[^\s\"'\\$%;]+", wanted.program):
            wrong = "is not the absolute path of a program, without spaces, quotes and $."
            yield Problem("ollama_program", wanted.program, wrong, "Write one such as /usr/bin/ollama.")
        return
    if wanted.backend == "rocm":
        wrong = "needs a second archive that is unpacked over the first, which this version cannot do."
        yield Problem(
            "ollama_backend", "rocm", wrong, "Install Ollama with ROCm yourself, and set the method existing."
        )
    version = wanted.release.get("version") if wanted.release else wanted.release_lock.get("tag")
    path = "ollama_release.version" if wanted.release else f"{LOCK}.tag"
    if version:
        yield from _ollama_settings.check_version(str(version), wanted.accepted, path)
    yield from _check_release(wanted.release)


def _check_release(release: Mapping[str, Any]) -> Iterator[Problem]:
    """What an archive lacks to be pinned; a checksum that nobody published is never invented."""
    patterns = {"version": r"[\w.+-]+", "url": r"https?://.+", "sha256": r"[0-9a-f]{64}"}
    remedies = {
        "version": "Write the version that the archive holds.",
        "url": "Write the address of the archive, of the publisher or of a mirror, or src, a file on the controller.",
        "sha256": "Write the checksum of sha256sum.txt of the same release, as 64 hexadecimal digits.",
    }
    for name, pattern in patterns.items() if release else ():
        if not (name == "url" and release.get("src")) and not re.fullmatch(pattern, str(release.get(name, ""))):
            wrong = "does not pin the archive of the method release."
            yield Problem(f"ollama_release.{name}", release.get(name, NOTHING), wrong, remedies[name])


def software(wanted: Install, home: str) -> dict[str, Any]:
    """The program, what must be there for it, and the archives to unpack."""
    if wanted.method == "existing":
        need = {"kind": "program", "path": wanted.program}
        return {"program": wanted.program, "requires": [need], "releases": [], "version": ""}
    archive = _archive(wanted)
    path = f"{data_dir(home, 'releases')}/ollama/{archive['version']}-{archive['sha256'][:8]}"
    return {
        "program": f"{path}/bin/ollama",
        "requires": [{"kind": "release", "path": path, "digest": archive["sha256"]}],
        "releases": [archive],
        "version": archive["version"],
    }


def _archive(wanted: Install) -> dict[str, Any]:
    """The archive to unpack: the one that the user names, or that of the lock."""
    if wanted.release:
        given = {"why": "as ollama_release says", **wanted.release}
        return {"name": "ollama", "strip_top": False, **given, "version": _plain(str(given["version"]))}
    locked = _release_assets.locked(wanted.release_lock, "ollama", LOCK)
    choice = _release_assets.choose_ollama(list(locked), wanted.machine, wanted.backend, f"{LOCK}.assets")
    entry, tag = locked[choice.asset.name], str(wanted.release_lock["tag"])
    problems = list(_check_entry(entry, f"{LOCK}.assets.{choice.asset.name}", tag))
    if problems:
        raise StackError(problems)
    found = {"name": "ollama", "strip_top": False, "version": _plain(tag), "machine": choice.asset.machine}
    found.update(sha256=entry["sha256"], why=choice.why)
    if wanted.release_directory:
        return {**found, "src": os.path.join(wanted.release_directory, choice.asset.name)}
    mirror = wanted.release_mirror.rstrip("/")
    return {**found, "url": f"{mirror}/{choice.asset.name}" if mirror else entry["url"]}


def _check_entry(entry: Mapping[str, Any], path: str, tag: str) -> Iterator[Problem]:
    remedy = _release_assets.unlocked("ollama", tag)
    if not re.fullmatch(r"[0-9a-f]{64}", str(entry.get("sha256", ""))):
        yield Problem(f"{path}.sha256", entry.get("sha256", NOTHING), "is not the checksum of an archive.", remedy)
    if not re.match(r"https?://.", str(entry.get("url", ""))):
        yield Problem(f"{path}.url", entry.get("url", NOTHING), "is not the address of an archive.", remedy)


def _plain(tag: str) -> str:
    return tag[1:] if tag.startswith("v") else tag
