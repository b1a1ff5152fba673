# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What uv and pip printed in real failures, and what we make of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _uv
from ansible_collections.lab.llm_stack.plugins.module_utils._uv import Source

DEFAULT = Source()
MIRROR = Source(index_url="https://mirror.example.org/simple")
WHEELS = Source(find_links="/srv/wheels")

SOURCE_REMEDY = (
    "Set index_url to an index or mirror that this host reaches, or find_links to a directory of wheels on it."
)


@pytest.mark.parametrize(
    ("output", "source", "cause", "remedy"),
    [
        pytest.param(
            "error: Failed to fetch: https://mirror.example.org/simple/six/\n"
            "  cause: error sending request for url (https://mirror.example.org/simple/six/)\n"
            "  cause: client error (Connect)\n  cause: tcp connect error\n  cause: Connection refused (os error 111)\n",
            MIRROR,
            "the index https://mirror.example.org/simple could not be reached (Connection refused (os error 111)).",
            SOURCE_REMEDY,
            id="uv: a mirror that refuses",
        ),
        pytest.param(
            "error: Failed to fetch: https://example.org/simple/six/\n  cause: dns error\n"
            "  cause: failed to lookup address information: Name or service not known\n",
            DEFAULT,
            "the package index (https://example.org/simple/six/) could not be reached "
            "(failed to lookup address information: Name or service not known).",
            SOURCE_REMEDY,
            id="uv: the default index, which is named by its address",
        ),
        pytest.param(
            "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection "
            "broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPConnection object at 0x7f>: "
            "Failed to establish a new connection: [Errno 111] Connection refused')': /simple/six/\n"
            "ERROR: Could not find a version that satisfies the requirement six==1.17.0 (from versions: none)\n"
            "ERROR: No matching distribution found for six==1.17.0\n",
            MIRROR,
            "the index https://mirror.example.org/simple could not be reached "
            "(Failed to establish a new connection: [Errno 111] Connection refused).",
            SOURCE_REMEDY,
            id="pip: a mirror that refuses",
        ),
        pytest.param(
            "error: Failed to download `six==1.17.0`\n  cause: Hash mismatch for `six==1.17.0`\n\n"
            f"         Expected:\n           sha256:{'a' * 64}\n\n         Computed:\n           sha256:{'b' * 64}\n",
            MIRROR,
            "six==1.17.0 from the index https://mirror.example.org/simple is not the file of the lock.\n"
            f"    expected sha256 {'a' * 64}\n    found    sha256 {'b' * 64}",
            "Find out why before you install it: the source may serve a replaced file. Or make the lock again.",
            id="uv: another file than the locked one",
        ),
        pytest.param(
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated ...\n"
            "    six==1.17.0 from file:///srv/six-1.17.0-py2.py3-none-any.whl#sha256=4721 (from -r bad.txt (line 1)):\n"
            f"        Expected sha256 {'a' * 64}\n        Expected     or {'c' * 64}\n"
            f"             Got        {'b' * 64}\n",
            WHEELS,
            "six==1.17.0 from the wheel directory /srv/wheels is not the file of the lock.\n"
            f"    expected sha256 {'a' * 64} or {'c' * 64}\n    found    sha256 {'b' * 64}",
            "Find out why before you install it: the source may serve a replaced file. Or make the lock again.",
            id="pip: another file than the locked ones",
        ),
        pytest.param(
            "error: No solution found when resolving dependencies\n  cause: Because six was not found in the provided "
            "package locations and you require six==1.17.0, we can conclude that your requirements are unsatisfiable.",
            WHEELS,
            "six was not found in the wheel directory /srv/wheels.",
            "Add its wheel to the directory.",
            id="uv: a wheel that was not copied",
        ),
        pytest.param(
            "error: No solution found when resolving dependencies\n  cause: Because there is no version of six==99.0 "
            "and you require six==99.0, we can conclude that your requirements are unsatisfiable.",
            DEFAULT,
            "six==99.0 was not found in the package index.",
            "Use an index that has it, or make the lock again.",
            id="uv: a version that the index lacks",
        ),
        pytest.param(
            "ERROR: Could not find a version that satisfies the requirement uv==0.13.9 (from versions: none)\n"
            "ERROR: No matching distribution found for uv==0.13.9",
            WHEELS,
            "uv==0.13.9 was not found in the wheel directory /srv/wheels.",
            "Add its wheel to the directory.",
            id="pip: a wheel that was not copied",
        ),
        pytest.param(
            "error: Hash-checking is required, but no trusted hash was provided for: `idna`\n",
            DEFAULT,
            "the lock lacks idna, which one of its packages needs.",
            "Make the lock again with uv pip compile --generate-hashes, so that it holds the whole closure.",
            id="uv: a lock that is not closed",
        ),
        pytest.param(
            "  cause: Because llama-cpp-python==0.3.36 has no usable wheels and you require "
            "llama-cpp-python==0.3.36, we can conclude that your requirements are unsatisfiable.\n",
            DEFAULT,
            "the package index has no wheel of llama-cpp-python==0.3.36 for this interpreter and machine.",
            "Provide a wheel, or name the package in allow_source to build it on the host.",
            id="uv: only a source distribution",
        ),
        pytest.param(
            "  cause: Because the current Python version (3.9.18) does not satisfy Python>=3.10 and "
            "aiohappyeyeballs==2.7.1 depends on Python>=3.10, we can conclude that ...",
            DEFAULT,
            "Python 3.9.18 does not satisfy Python>=3.10, which aiohappyeyeballs==2.7.1 needs.",
            "Set python to an interpreter of the host that does, or make the lock for this one.",
            id="uv: an interpreter that is too old",
        ),
        pytest.param(
            "  CMake Error at CMakeLists.txt:3 (project):\n    No CMAKE_CXX_COMPILER could be found.\n",
            DEFAULT,
            "a package has to be built here, and this host has no C++ compiler.",
            "Install one (Debian: apt install g++), or provide a wheel.",
            id="uv: a build without a compiler",
        ),
        pytest.param(
            "error: failed to write to file\n  cause: No space left on device (os error 28)",
            DEFAULT,
            "no space is left on the disk.",
            "Free some space, or set root (and UV_CACHE_DIR) to a larger file system.",
            id="a full disk",
        ),
        pytest.param(
            "Using Python 3.11\n\nerror: something new\n",
            DEFAULT,
            "the installer failed:\n    | Using Python 3.11\n    | error: something new",
            "",
            id="anything else is quoted",
        ),
    ],
)
def test_explain(output: str, source: Source, cause: str, remedy: str) -> None:
    assert _uv.explain(output, source) == (cause, remedy)


def test_a_lock_with_many_hashes_does_not_flood_the_message() -> None:
    expected = "\n".join(f"sha256:{digit * 64}" for digit in "0123456789")
    output = f"Hash mismatch for `uv==1`\n\n Expected:\n{expected}\n\n Computed:\n sha256:{'f' * 64}"
    assert _uv.explain(output, DEFAULT)[0].splitlines()[1] == "    expected one of the 10 of the lock"


def test_a_failure_tells_what_why_what_to_do_and_what_is_in_place() -> None:
    error = _uv.CommandFailed("Hash-checking is required, but no trusted hash was provided for: `idna`")
    assert str(_uv.failure("The environment litellm", error, DEFAULT, "0123456789ab stays current.")) == (
        "The environment litellm was not installed: the lock lacks idna, which one of its packages needs.\n"
        "    Make the lock again with uv pip compile --generate-hashes, so that it holds the whole closure.\n"
        "    0123456789ab stays current."
    )


def test_the_host_decides_where_from_but_not_what() -> None:
    base = {
        "PATH": "/bin",
        "UV_CACHE_DIR": "/c",
        "UV_HTTP_TIMEOUT": "5",
        "UV_INDEX_URL": "https://mirror.example.org/simple",
        "UV_CONSTRAINT": "/etc/x",
        "UV_PYTHON_DOWNLOADS": "automatic",
        "PIP_USER": "1",
        "PYTHONPATH": "/x",
        "VIRTUAL_ENV": "/y",
    }
    assert _uv.environment(base) == {
        "PATH": "/bin",
        "UV_CACHE_DIR": "/c",
        "UV_HTTP_TIMEOUT": "5",
        "UV_INDEX_URL": "https://mirror.example.org/simple",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_SYSTEM_CERTS": "true",
        "UV_NATIVE_TLS": "true",
        "LC_ALL": "C.UTF-8",
    }


def test_with_a_wheel_directory_no_network_is_used() -> None:
    command = _uv.install_command("uv", "/env", "/lock", WHEELS, [":all:"])
    assert command[-6:] == ["--offline", "--no-index", "--find-links", "/srv/wheels", "--requirements", "/lock"]
    assert {"--require-hashes", "--only-binary", "--no-config"} <= set(command)


def test_a_command_that_hangs_is_ended_with_everything_it_started() -> None:
    script = "import subprocess, sys, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"
    begin = time.monotonic()
    with pytest.raises(_uv.CommandTimeout, match=r"did not end within 0.5 s"):
        _uv.run([sys.executable, "-c", script], 0.5)
    assert time.monotonic() - begin < 10


def test_what_a_failed_command_printed_is_kept() -> None:
    with pytest.raises(_uv.CommandFailed, match="why"):
        _uv.run([sys.executable, "-c", "import sys; sys.exit('why')"], 30)


def test_a_command_ends_with_the_run_that_started_it(tmp_path: Path) -> None:
    """A run that is killed leaves no installer behind that would go on writing."""
    note = tmp_path / "pid"
    child = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    runner = (
        "import sys; from ansible_collections.lab.llm_stack.plugins.module_utils import _uv; "
        f"_uv.run([sys.executable, '-c', {child!r}], 60)"
    )
    killed = subprocess.Popen([sys.executable, "-c", runner], env=_with_path())
    _wait(lambda: note.exists() and note.read_text())
    killed.kill()
    killed.wait()
    _wait(lambda: _state(int(note.read_text())) in ("Z", ""))


def _with_path() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def _state(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _wait(condition: Callable[[], object], seconds: float = 20) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.05)
