# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The cheap proofs that every clean check makes: an environment, a release and a file are still what was installed."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _marker, _python_env, _release

DIGEST = "0123456789ab"
SHA256 = "a" * 64
POISONED = "holds litellm_init.pth, the mark of a malicious LiteLLM release; treat this account's secrets as stolen"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A directory that looks like an environment with two distributions and one harmless .pth file."""
    path = tmp_path / DIGEST
    site = path / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    for name in ("litellm-1.106.2.dist-info", "six-1.17.0.dist-info", "litellm"):
        (site / name).mkdir()
    (site / "_virtualenv.pth").touch()
    (path / "bin").mkdir()
    interpreter = tmp_path / "python3.11"
    shutil.copy(os.path.realpath(sys.executable), interpreter)
    (path / "bin" / "python").symlink_to(interpreter)
    note = {"digest": DIGEST, "interpreter": str(interpreter), "created": "2026-11-22", **_python_env.scan(str(path))}
    _marker.complete(str(path), _python_env.MARKER, note)
    return path


def site_of(path: Path) -> Path:
    return path / "lib" / "python3.11" / "site-packages"


def test_an_untouched_environment_is_the_declared_one(environment: Path) -> None:
    assert _python_env.verify_environment(str(environment), DIGEST) == []
    assert _python_env.identity(str(environment)) == f"{DIGEST} 2026-11-22"


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        pytest.param(shutil.rmtree, ["is missing"], id="removed"),
        pytest.param(
            lambda path: (path / _python_env.MARKER).unlink(),
            ["is incomplete: it has no readable marker, so a run was cut short or it is not one of ours"],
            id="no marker",
        ),
        pytest.param(
            lambda path: (path / _python_env.MARKER).write_text("{"),
            ["is incomplete: it has no readable marker, so a run was cut short or it is not one of ours"],
            id="a marker cut short",
        ),
        pytest.param(
            lambda path: (path.parent / "python3.11").unlink(),
            ["has lost its interpreter {parent}/python3.11"],
            id="the interpreter is gone",
        ),
        pytest.param(
            lambda path: (
                (path.parent / "python3.11").rename(path.parent / "python3.13"),
                (path.parent / "python3.11").symlink_to("python3.13"),
            ),
            ["was made for the interpreter {parent}/python3.11, which is now {parent}/python3.13"],
            id="the distribution moved to another Python",
        ),
        pytest.param(
            lambda path: (site_of(path) / "six-1.17.0.dist-info").rename(site_of(path) / "six-1.18.0.dist-info"),
            [
                "has lost the distribution six-1.17.0",
                "holds the distribution six-1.18.0, which the lock did not install",
            ],
            id="a distribution in another version",
        ),
        pytest.param(
            lambda path: (site_of(path) / "evil.pth").touch(),
            ["holds the start-up file evil.pth, which the lock did not install"],
            id="a file that runs at every start",
        ),
        pytest.param(
            lambda path: (site_of(path) / "litellm_init.pth").touch(),
            [
                "holds the start-up file litellm_init.pth, which the lock did not install",
                POISONED,
            ],
            id="the mark of the poisoned releases",
        ),
    ],
)
def test_what_was_changed_in_an_environment(
    environment: Path, change: Callable[[Path], object], reasons: list[str]
) -> None:
    change(environment)
    expected = [reason.format(parent=environment.parent) for reason in reasons]
    assert _python_env.verify_environment(str(environment), DIGEST) == expected


def test_an_environment_of_another_lock(environment: Path) -> None:
    assert _python_env.verify_environment(str(environment), "ffffffffffff") == [
        f"was made from another lock (digest {DIGEST}, declared ffffffffffff)"
    ]


def test_a_poisoned_environment_is_never_clean_even_when_the_lock_brought_it(environment: Path) -> None:
    (site_of(environment) / "litellm_init.pth").touch()
    note = _marker.read(str(environment), _python_env.MARKER) or {}
    _marker.complete(str(environment), _python_env.MARKER, {**note, **_python_env.scan(str(environment))})
    assert _python_env.verify_environment(str(environment), DIGEST) == [POISONED]


def test_the_proof_of_a_large_environment_takes_milliseconds(environment: Path) -> None:
    for number in range(300):
        (site_of(environment) / f"package{number}-1.0.dist-info").mkdir()
    note = _marker.read(str(environment), _python_env.MARKER) or {}
    _marker.complete(str(environment), _python_env.MARKER, {**note, **_python_env.scan(str(environment))})
    begin = time.process_time()
    for _ in range(10):
        assert _python_env.verify_environment(str(environment), DIGEST) == []
    assert (time.process_time() - begin) / 10 < 0.02


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """An unpacked release: a program, a library, a link and a nested file."""
    path = tmp_path / "b1-aaaaaaaa"
    (path / "share").mkdir(parents=True)
    (path / "server").write_bytes(b"program")
    (path / "server").chmod(0o755)
    (path / "lib.so.1").write_bytes(b"library")
    (path / "lib.so").symlink_to("lib.so.1")
    (path / "share" / "licence").write_bytes(b"text")
    _marker.complete(str(path), _release.MARKER, {"sha256": SHA256, "files": _release.scan(str(path))})
    return path


def test_an_untouched_release_is_the_declared_one(release: Path) -> None:
    assert _release.verify_release(str(release), SHA256) == []


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        pytest.param(shutil.rmtree, ["is missing"], id="removed"),
        pytest.param(
            lambda path: (path / _release.MARKER).unlink(),
            ["is incomplete: it has no readable marker, so a run was cut short or it is not one of ours"],
            id="no marker",
        ),
        pytest.param(lambda path: (path / "share/licence").unlink(), ["has lost share/licence"], id="a file is gone"),
        pytest.param(
            lambda path: (path / "extra.so").touch(), ["holds extra.so, which is not in the archive"], id="a file more"
        ),
        pytest.param(
            lambda path: (path / "server").chmod(0o644),
            ["holds server as a file of 7 bytes, unpacked was a program of 7 bytes"],
            id="a program that cannot be run",
        ),
        pytest.param(
            lambda path: (path / "lib.so.1").write_bytes(b""),
            ["holds lib.so.1 as a file of 0 bytes, unpacked was a file of 7 bytes"],
            id="an emptied file",
        ),
        pytest.param(
            lambda path: ((path / "lib.so").unlink(), (path / "lib.so").symlink_to("/usr/lib/x")),
            ["holds lib.so as a link to /usr/lib/x, unpacked was a link to lib.so.1"],
            id="a link that leads elsewhere",
        ),
    ],
)
def test_what_was_changed_in_a_release(release: Path, change: Callable[[Path], object], reasons: list[str]) -> None:
    change(release)
    assert _release.verify_release(str(release), SHA256) == reasons


def test_a_release_of_another_archive(release: Path) -> None:
    assert _release.verify_release(str(release), "b" * 64) == [
        f"was unpacked from another archive (sha256 {SHA256}, declared {'b' * 64})"
    ]


def test_a_file_is_proven_by_what_was_noted_when_it_arrived(tmp_path: Path) -> None:
    model = tmp_path / "tiny.gguf"
    assert _release.verify_file(str(model), SHA256) == ["is missing"]
    model.write_bytes(b"GGUF" * 1000)
    assert _release.verify_file(str(model), SHA256) == ["has not been verified yet"]
    _release.write_note(str(model), SHA256)
    assert _release.verify_file(str(model), SHA256) == []
    assert _release.verify_file(str(model), "b" * 64) == [f"is another file (sha256 {SHA256}, declared {'b' * 64})"]
    model.write_bytes(b"GGUF" * 999 + b"XXXX")
    assert _release.verify_file(str(model), SHA256) == ["was changed since it was verified"]


@pytest.mark.parametrize("size", [0, 1, 65536, 1 << 20, (1 << 20) + 1, 5_000_003])
def test_a_fingerprint_reads_the_start_the_end_and_at_most_a_mebibyte(size: int) -> None:
    offsets = _release.sample_offsets(size)
    assert len(offsets) <= _release.SAMPLES
    assert all(0 <= offset < max(size, 1) for offset in offsets)
    if size:
        assert offsets[0] == 0
        assert max(offset + _release.SAMPLE_SIZE for offset in offsets) >= size


def test_a_fingerprint_tells_contents_and_sizes_apart(tmp_path: Path) -> None:
    path = tmp_path / "model"
    seen = set()
    for content in (b"", b"a", b"b", b"a" * 70_000, b"a" * 69_999 + b"b"):
        path.write_bytes(content)
        seen.add(_release.fingerprint(str(path)))
    assert len(seen) == 5


def test_a_fingerprint_does_not_change_between_versions_of_this_code(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"GGUF")
    assert _release.fingerprint(str(tmp_path / "model")) == hashlib.sha256(b"4\nGGUF").hexdigest()
