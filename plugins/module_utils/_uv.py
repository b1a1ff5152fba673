# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The command lines of uv, and of the pip that fetches uv; and what their failures mean.

The configuration files of uv are not read: what is installed must not depend on whose host it is.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError

_PASSED_ON = (
    "UV_CACHE_DIR",
    "UV_CONCURRENT_",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_HTTP_",
    "UV_INDEX",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_LINK_MODE",
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
)
"""The variables of uv that say where things come from and where they are cached; others would change what is made."""

_DROPPED = (
    "PIP_CONSTRAINT",
    "PIP_PREFIX",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
    "PYTHONHOME",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)
"""Variables of Python and pip that would put things elsewhere."""


@dataclass(frozen=True)
class Source:
    """Where packages come from: an index, a directory of wheels, or what the host has configured."""

    index_url: str = ""
    find_links: str = ""

    def __str__(self) -> str:
        if self.find_links:
            return f"the wheel directory {self.find_links}"
        return f"the index {self.index_url}" if self.index_url else "the package index"

    def uv_options(self) -> list[str]:
        if self.find_links:
            return ["--offline", "--no-index", "--find-links", self.find_links]
        return ["--default-index", self.index_url] if self.index_url else []

    def pip_options(self) -> list[str]:
        if self.find_links:
            return ["--no-index", "--find-links", self.find_links]
        return ["--index-url", self.index_url] if self.index_url else []


def venv_command(uv: str, python: str, path: str) -> list[str]:
    """Make an empty environment whose scripts find their interpreter by themselves, so that it can be renamed."""
    return [uv, "venv", *_COMMON, "--no-project", "--relocatable", "--python", python, path]


def install_command(uv: str, path: str, lock: str, source: Source, only_binary: Iterable[str]) -> list[str]:
    """Install a lock: nothing without a hash, nothing built here, and compiled now instead of at the first start."""
    binaries = [part for name in only_binary for part in ("--only-binary", name)]
    python = os.path.join(path, "bin", "python")
    command = [uv, "pip", "install", *_COMMON, "--python", python, "--require-hashes", "--compile-bytecode"]
    return [*command, *binaries, *source.uv_options(), "--requirements", lock]


_COMMON = ("--no-config", "--no-progress", "--color", "never")


def pip_command(path: str, lock: str, source: Source) -> list[str]:
    """Install a lock by the pip of the environment at path."""
    command = [os.path.join(path, "bin", "python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command += ["--retries", "2"]
    return [*command, "--require-hashes", "--only-binary", ":all:", *source.pip_options(), "--requirement", lock]


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for uv and pip: the host's own, without what would change the result."""
    kept = {
        name: value
        for name, value in base.items()
        if name not in _DROPPED and (not name.startswith("UV_") or name.startswith(_PASSED_ON))
    }
    certificates = {"UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true"}
    return {**certificates, **kept, "UV_PYTHON_DOWNLOADS": "never", "LC_ALL": "C.UTF-8"}


def run(command: Sequence[str], timeout: float, variables: Mapping[str, str] | None = None) -> None:
    """Run a command and everything it starts, at most timeout seconds long; raise what it said when it fails."""
    with subprocess.Popen(
        command,
        env={**environment(os.environ), **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509  this process has one thread
    ) as process:
        try:
            output, _none = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise CommandTimeout(f"{os.path.basename(command[0])} did not end within {timeout:g} s.") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise CommandFailed(output.decode(errors="replace"))


def _die_with_parent() -> None:
    """Let the kernel end this process with the one that started it: nobody may write where the next run sweeps."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


_PR_SET_PDEATHSIG = 1


class CommandFailed(Exception):
    """A command ended with an error; str() is what it printed."""


class CommandTimeout(Exception):
    """A command was ended because it took too long; str() says so."""


def explain(output: str, source: Source) -> tuple[str, str]:
    """Turn what uv or pip printed into a cause and a remedy."""
    for pattern, tell in _FAILURES:
        match = re.search(pattern, output, re.DOTALL | re.IGNORECASE)
        if match:
            return tell(match, source)
    lines = [line for line in output.strip().splitlines() if line.strip()]
    return "the installer failed:\n" + "\n".join(f"    | {line}" for line in lines[-12:]), ""


def _mismatch(match: re.Match[str], source: Source) -> tuple[str, str]:
    expected = re.findall(r"(?:sha\d+[: ])?([0-9a-f]{64,})", match["expected"])
    listed = f"sha256 {' or '.join(expected)}" if len(expected) < 4 else f"one of the {len(expected)} of the lock"
    cause = f"{match['what']} from {source} is not the file of the lock."
    cause += f"\n    expected {listed}\n    found    sha256 {match['found']}"
    return cause, "Find out why before you install it: the source may serve a replaced file. Or make the lock again."


def _unreachable(match: re.Match[str], source: Source) -> tuple[str, str]:
    reasons = re.findall(r"cause: (.+)", match.string) or re.findall(r"broken by '.*?: ([^']+)'", match.string)
    where = str(source) if source.index_url else f"{source} ({match['url']})"
    reason = f" ({reasons[-1].strip()})" if reasons else ""
    return f"{where} could not be reached{reason}.", _REMEDY_SOURCE


_REMEDY_SOURCE = (
    "Set index_url to an index or mirror that this host reaches, or find_links to a directory of wheels on it."
)


def _old_python(match: re.Match[str], _source: Source) -> tuple[str, str]:
    cause = f"Python {match['version']} does not satisfy Python{match['needs']}, which {match['what']} needs."
    return cause, "Set python to an interpreter of the host that does, or make the lock for this one."


def _no_wheel(match: re.Match[str], source: Source) -> tuple[str, str]:
    cause = f"{source} has no wheel of {match['what']} for this interpreter and machine."
    return cause, "Provide a wheel, or name the package in allow_source to build it on the host."


def _absent(match: re.Match[str], source: Source) -> tuple[str, str]:
    cause = f"{match['what']} was not found in {source}."
    remedy = (
        "Add its wheel to the directory." if source.find_links else "Use an index that has it, or make the lock again."
    )
    return cause, remedy


def _incomplete(match: re.Match[str], _source: Source) -> tuple[str, str]:
    cause = f"the lock lacks {match['what']}, which one of its packages needs."
    return cause, "Make the lock again with uv pip compile --generate-hashes, so that it holds the whole closure."


def _no_compiler(_match: re.Match[str], _source: Source) -> tuple[str, str]:
    cause = "a package has to be built here, and this host has no C++ compiler."
    return cause, "Install one (Debian: apt install g++), or provide a wheel."


def _full(_match: re.Match[str], _source: Source) -> tuple[str, str]:
    return "no space is left on the disk.", "Free some space, or set root (and UV_CACHE_DIR) to a larger file system."


_Teller = Callable[["re.Match[str]", Source], "tuple[str, str]"]

_FAILURES: tuple[tuple[str, _Teller], ...] = (
    (r"No space left on device", _full),
    (r"No CMAKE_(?:C|CXX)_COMPILER could be found|CMAKE_C(?:XX)?_COMPILER not set", _no_compiler),
    (
        r"Hash mismatch for `(?P<what>[^`]+)`\s+Expected:(?P<expected>.*?)Computed:\s+sha256:(?P<found>[0-9a-f]+)",
        _mismatch,
    ),
    (
        r"DO NOT MATCH THE HASHES.*?\n\s+(?P<what>\S+==\S+).*?(?P<expected>Expected .*?)Got\s+(?P<found>[0-9a-f]+)",
        _mismatch,
    ),
    (r"Failed to fetch: `?(?P<url>[^\s`]+)", _unreachable),
    (r"connection broken by '(?P<reason>.*?)': (?P<url>\S+)", _unreachable),
    (r"Python version \((?P<version>[^)]+)\) does not satisfy Python(?P<needs>\S+) and (?P<what>\S+)", _old_python),
    (r"no trusted hash was provided for: `?(?P<what>[^\s`]+)", _incomplete),
    (r"hashes are required.*?\n\s+(?P<what>[\w.-]+(?:[=><!~]\S+)?) from", _incomplete),
    (r"(?P<what>[\w.-]+==\S+) has no (?:usable )?wheels", _no_wheel),
    (r"(?P<what>[\w.-]+(?:==\S+)?) was not found in", _absent),
    (r"there is no version of (?P<what>[\w.-]+==\S+)", _absent),
    (r"(?:No matching distribution found for|that satisfies the requirement) (?P<what>\S+)", _absent),
)


def failure(what: str, error: Exception, source: Source, state: str) -> InstallError:
    """Word a failed installation: what was attempted, why it failed, what to change, and what is in place now."""
    if isinstance(error, CommandTimeout):
        cause, remedy = f"{error}", "Raise timeout, or use a mirror that is nearer."
    else:
        cause, remedy = explain(str(error), source)
    lines = [f"{what} was not installed: {cause}", *([f"    {remedy}"] if remedy else []), f"    {state}"]
    return InstallError("\n".join(lines))
