# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file of a release fits a host, read from its name as the publishers of llama.cpp and Ollama write it.

A name tells the machine and the backend. The C library that a build needs is known of some builds only; of the others
nothing is claimed, and a wrong one shows at the first start, after which the previous version serves again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, StackError, nearest

MACHINES = ("x86_64", "aarch64", "s390x")
"""As ``uname -m`` prints them."""

BACKENDS = ("cpu", "vulkan", "cuda", "rocm")

_MACHINE_WORDS = {"x64": "x86_64", "amd64": "x86_64", "arm64": "aarch64", "s390x": "s390x"}

# llama-b11669-bin-ubuntu-cuda-12.8-x64.tar.gz; others of the release are for other systems, or no programs.
_LLAMACPP = re.compile(
    r"(?P<runtime>cudart-)?llama-(?P<tag>.+?)-bin-ubuntu-(?:(?P<backend>vulkan|cuda|rocm)-)?"
    r"(?:(?P<toolkit>\d+(?:\.\d+)*)-)?(?P<machine>x64|arm64|s390x)\.(?:tar\.gz|zip)"
)
# ollama-linux-amd64-rocm.tar.zst; the file without a backend brings those for CUDA and Vulkan along.
_OLLAMA = re.compile(r"ollama-linux-(?P<machine>amd64|arm64)(?:-(?P<backend>rocm))?\.(?:tar\.zst|tgz)")

# The systems that llama.cpp's releases are built on: Ubuntu 22.04 for x64 without a card, 24.04 for CUDA.
_LLAMACPP_GLIBC = {("cpu", "x86_64"): "2.35", ("cuda", "x86_64"): "2.39", ("cuda", "aarch64"): "2.39"}


@dataclass(frozen=True)
class Asset:
    """One file of a release for Linux; ``part`` is ``program``, or ``runtime`` for what a program needs beside it."""

    name: str
    machine: str
    backend: str
    toolkit: str = ""
    """Version of what the backend was built with, such as 12.8."""
    glibc: str = ""
    """The oldest C library that it runs with; empty where that is not known."""
    part: str = "program"


@dataclass(frozen=True)
class Choice:
    """The file to install, those that go with it, and why."""

    asset: Asset
    companions: tuple[Asset, ...]
    why: str


def llamacpp_asset(name: str) -> Asset | None:
    """Read the name of a file of llama.cpp's releases; None for what is no build for Linux that this stack can use."""
    found = _LLAMACPP.fullmatch(name)
    if not found:
        return None
    machine, backend = _MACHINE_WORDS[found["machine"]], found["backend"] or "cpu"
    part = "runtime" if found["runtime"] else "program"
    glibc = "" if found["runtime"] else _LLAMACPP_GLIBC.get((backend, machine), "")
    return Asset(name, machine, backend, found["toolkit"] or "", glibc, part)


def ollama_asset(name: str) -> Asset | None:
    """Read the name of a file of Ollama's releases; the one for ROCm is an addition to the one without a backend."""
    found = _OLLAMA.fullmatch(name)
    if not found:
        return None
    rocm = bool(found["backend"])
    return Asset(
        name, _MACHINE_WORDS[found["machine"]], found["backend"] or "cpu", part="runtime" if rocm else "program"
    )


def choose_llamacpp(names: Collection[str], machine: str, backend: str, path: str, toolkit: str = "") -> Choice:
    """Choose the build for a machine and a backend; raises StackError, at ``path``, where the release has none."""
    assets = [each for each in map(llamacpp_asset, sorted(names)) if each]
    programs = [each for each in assets if each.part == "program" and each.machine == machine]
    fitting = [each for each in programs if each.backend == backend and toolkit in ("", each.toolkit)]
    if not fitting:
        raise StackError(list(_no_build(programs, machine, backend, path, toolkit)))
    chosen = min(fitting, key=lambda each: _version(each.toolkit))
    companions = [
        each
        for each in assets
        if each.part == "runtime" and (each.machine, each.toolkit) == (machine, chosen.toolkit) and chosen.toolkit
    ]
    return Choice(chosen, tuple(companions), _why(chosen, fitting))


def choose_ollama(names: Collection[str], machine: str, backend: str, path: str) -> Choice:
    """Choose Ollama's archive for a machine, and for ROCm the one to unpack over it."""
    assets = [each for each in map(ollama_asset, sorted(names)) if each and each.machine == machine]
    programs = [each for each in assets if each.part == "program"]
    additions = [each for each in assets if each.part == "runtime" and each.backend == backend]
    if not programs or (backend == "rocm" and not additions):
        raise StackError(list(_no_build(programs and assets, machine, backend, path, "")))
    inside = {"cuda": ", CUDA inside", "vulkan": ", Vulkan inside", "rocm": ", ROCm beside it"}.get(backend, "")
    return Choice(programs[0], tuple(additions), f"for {machine}{inside}")


def _no_build(programs: Collection[Asset], machine: str, backend: str, path: str, toolkit: str) -> Iterator[Problem]:
    """Say which of the three wishes has no answer, and what there is."""
    backends = sorted({each.backend for each in programs})
    toolkits = sorted({each.toolkit for each in programs if each.backend == backend and each.toolkit}, key=_version)
    if not programs:
        yield Problem(path, NOTHING, f"has no build for Linux on {machine}.", _OTHER)
    elif backend not in backends:
        remedy = f"Backends of this release for {machine}: {', '.join(backends)}.\n{_OTHER}"
        yield Problem(path, NOTHING, f"has no build with {backend} for {machine}.", remedy)
    else:
        yield Problem(
            path, NOTHING, f"has no build with {backend} {toolkit} for {machine}.", nearest(toolkit, toolkits)
        )


_OTHER = "Pin another release, or use another method."


def _why(chosen: Asset, fitting: Collection[Asset]) -> str:
    words = [f"for {chosen.machine}", f"with {chosen.backend}{f' {chosen.toolkit}' if chosen.toolkit else ''}"]
    if len(fitting) > 1:
        others = sorted((each.toolkit for each in fitting if each is not chosen), key=_version)
        words.append(f"the oldest beside {', '.join(others)}, since it runs with the most drivers")
    return ", ".join(words + ([f"needs glibc {chosen.glibc}"] if chosen.glibc else []))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def unlocked(engine: str, tag: str = "TAG") -> str:
    """The remedy for a release without a checksum: nobody's is invented."""
    return f"Run make pin RELEASE={engine} TAG={tag}: it writes the checksums that the publisher states into the lock."


def locked(lock: Mapping[str, object], engine: str, path: str) -> Mapping[str, Mapping[str, object]]:
    """Give the files of a release's lock, or raise StackError with what it lacks to be one."""
    assets = lock.get("assets")
    if not lock.get("tag") or not isinstance(assets, Mapping) or not assets:
        wrong = "pins no release, and the method release installs nothing without a checksum."
        raise StackError(Problem(path, NOTHING, wrong, unlocked(engine)))
    return assets
