# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the servers of llama.cpp run from: a wheel, an archive, a package or a program, and how it gets onto a host."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _release_assets
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, StackError, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._release_assets import Asset
from ansible_collections.lab.llm_stack.plugins.module_utils._role_paths import data_dir, environment

LOCK = "llm_stack_release_lock.llamacpp"
"""The variable that holds the checksums of a release, as make pin writes them."""

BUILD_FLAGS = {
    "cpu": "-DGGML_NATIVE=ON",
    "cuda": "-DGGML_CUDA=ON",
    "vulkan": "-DGGML_VULKAN=ON",
    "rocm": "-DGGML_HIP=ON",
}
"""What the Python server's library is built with, for each backend."""

SOURCE = "llama-cpp-python"


@dataclass(frozen=True)
class Install:
    """How the servers are to get onto a host, as the role's variables say it."""

    method: str
    lock: str = ""
    python: str = ""
    release: Mapping[str, Any] = field(default_factory=dict)
    release_lock: Mapping[str, Any] = field(default_factory=dict)
    release_directory: str = ""
    release_mirror: str = ""
    backend: str = "cpu"
    machine: str = "x86_64"
    toolkit: str = ""
    program: str = ""
    python_lock: str = ""
    python_backend: str = "cpu"
    python_wheel: str = ""
    """The checksum of a wheel of the Python server that was built elsewhere; without one it is built on the host."""


@dataclass(frozen=True)
class Software:
    """One server: its command without settings, and what must be there for it."""

    argv: tuple[str, ...]
    requires: tuple[Mapping[str, str], ...]
    model_variable: str
    script: str = ""
    """The launcher that the role brings along, as part of the process's inputs."""
    stops_itself: bool = True
    """Whether it ends in time by SIGTERM alone; llama-server does not while a client waits."""
    libraries: tuple[str, ...] = ()
    """Directories of shared libraries that do not lie beside the program."""
    releases: tuple[Mapping[str, Any], ...] = ()
    """Archives to unpack, as the module release takes them."""
    build: Mapping[str, Any] = field(default_factory=dict)
    """The environment of the Python server, as the module python_env takes it."""


def native(install: Install, home: str, config: str) -> Software:
    """llama-server itself, or its twin out of the wheel; raises StackError when the method lacks what it needs."""
    if install.method == "pip":
        built = environment(home, "llamacpp", install.lock, install.python)
        argv = (f"{built['path']}/bin/python", f"{config}/llama_server.py")
        return Software(argv, ({"kind": "environment", **built},), "LLAMA_ARG_MODEL", "llama_server.py")
    if install.method == "release":
        return _released(install, home)
    if not re.fullmatch(r"/[^\s\"'\\$%;]+", install.program):
        wrong = "is not the absolute path of a program, without spaces, quotes and $."
        raise StackError(
            Problem("llamacpp_program", install.program, wrong, "Write one such as /usr/bin/llama-server.")
        )
    needs = ({"kind": "program", "path": install.program},)
    return Software((install.program,), needs, "LLAMA_ARG_MODEL", stops_itself=False)


def _released(install: Install, home: str) -> Software:
    first, *others = releases(install)
    paths = [
        f"{data_dir(home, 'releases')}/{each['name']}/{each['version']}-{each['sha256'][:8]}"
        for each in (first, *others)
    ]
    return Software(
        argv=(f"{paths[0]}/{first['program']}",),
        requires=tuple(
            {"kind": "release", "path": path, "digest": each["sha256"]} for path, each in zip(paths, (first, *others))
        ),
        model_variable="LLAMA_ARG_MODEL",
        stops_itself=False,
        # Whether the archive of a runtime has a top directory is not documented.
        libraries=tuple(where for path, each in zip(paths[1:], others) for where in (path, f"{path}/{each['top']}")),
        releases=(first, *others),
    )


def releases(install: Install) -> list[dict[str, Any]]:
    """Give the archives to unpack, the server's first: the one that the user names, or those that the lock has."""
    if install.release:
        problems = list(_release_problems(install.release))
        if problems:
            raise StackError(problems)
        explicit = {"program": "llama-server", "strip_top": True, "why": "as llamacpp_release says", **install.release}
        return [{"name": "llamacpp", **explicit}]
    locked = _release_assets.locked(install.release_lock, "llamacpp", LOCK)
    choice = _release_assets.choose_llamacpp(
        list(locked), install.machine, install.backend, f"{LOCK}.assets", install.toolkit
    )
    server = {"name": "llamacpp", "program": "llama-server", "strip_top": True, "why": choice.why}
    runtime = {"name": "llamacpp-runtime", "strip_top": False, "why": f"beside {choice.asset.name}"}
    runtime["top"] = f"llama-{install.release_lock['tag']}"
    return [
        {**server, **_archive(install, choice.asset, locked)},
        *({**runtime, **_archive(install, each, locked)} for each in choice.companions),
    ]


def _archive(install: Install, asset: Asset, locked: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Where an archive of the lock comes from, what proves it, and what it needs of the host."""
    entry = locked[asset.name]
    problems = list(_entry_problems(entry, f"{LOCK}.assets.{asset.name}", str(install.release_lock["tag"])))
    if problems:
        raise StackError(problems)
    found = {"version": str(install.release_lock["tag"]), "sha256": entry["sha256"]}
    found.update(machine=asset.machine, glibc=asset.glibc)
    if install.release_directory:
        return {**found, "src": os.path.join(install.release_directory, asset.name)}
    url = f"{install.release_mirror.rstrip('/')}/{asset.name}" if install.release_mirror else entry["url"]
    return {**found, "url": url}


def _entry_problems(entry: Mapping[str, Any], path: str, tag: str) -> Iterator[Problem]:
    if not re.fullmatch(r"[0-9a-f]{64}", str(entry.get("sha256", ""))):
        remedy = _release_assets.unlocked("llamacpp", tag)
        yield Problem(f"{path}.sha256", entry.get("sha256", NOTHING), "is not the checksum of an archive.", remedy)
    if not re.match(r"https?://.", str(entry.get("url", ""))):
        remedy = _release_assets.unlocked("llamacpp", tag)
        yield Problem(f"{path}.url", entry.get("url", NOTHING), "is not the address of an archive.", remedy)


def _release_problems(release: Mapping[str, Any]) -> Iterator[Problem]:
    """What an archive lacks to be pinned; a checksum that nobody published is never invented."""
    patterns = {"version": r"[\w.+-]+", "url": r"https?://.+", "sha256": r"[0-9a-f]{64}"}
    remedies = {
        "version": "Write the version that the archive holds.",
        "url": "Write the address of the archive, of the publisher or of a mirror, or src, a file on the controller.",
        "sha256": "Write the checksum that the publisher states, as 64 hexadecimal digits.",
    }
    for name in sorted(set(release) - {*patterns, "src", "program", "strip_top"}):
        yield Problem(
            f"llamacpp_release.{name}",
            NOTHING,
            "is not a known key.",
            nearest(name, [*patterns, "src", "program", "strip_top"]),
        )
    for name, pattern in patterns.items():
        if name == "url" and release.get("src"):
            continue
        if not re.fullmatch(pattern, str(release.get(name, ""))):
            wrong = "does not pin the archive of the method release."
            yield Problem(f"llamacpp_release.{name}", release.get(name, NOTHING), wrong, remedies[name])


def python(install: Install, home: str, config: str) -> Software:
    """The server of llama-cpp-python, built on the host from the locked source, or out of a wheel that was given."""
    build: dict[str, str] = {} if install.python_wheel else {"CMAKE_ARGS": BUILD_FLAGS[install.python_backend]}
    lock = with_wheel(install.python_lock, install.python_wheel) if install.python_wheel else install.python_lock
    built = environment(home, "llamacpp-python", lock, install.python, build)
    return Software(
        (f"{built['path']}/bin/python", f"{config}/llama_python_server.py"),
        ({"kind": "environment", **built},),
        "LLAMA_PYTHON_MODEL",
        "llama_python_server.py",
        build={"requirements": lock, "build": build, "allow_source": [SOURCE] if build else []},
    )


def with_wheel(lock: str, sha256: str) -> str:
    """Put the checksum of a wheel in the place of that of the source, which then is not built."""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        remedy = "Write the 64 digits that sha256sum prints for the wheel."
        raise StackError(Problem("llamacpp_python_wheel", sha256, "is not a SHA-256 sum.", remedy))
    pinned = re.compile(rf"^({re.escape(SOURCE)}==[^\s\\]+).*?(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
    return pinned.sub(rf"\1 --hash=sha256:{sha256}\n", lock)
