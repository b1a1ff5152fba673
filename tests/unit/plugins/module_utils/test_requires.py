# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Whether what other steps install is in place, and when it was installed anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _release
from ansible_collections.lab.llm_stack.plugins.module_utils._requires import identities, missing_requirements
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Requirement

SHA = "0" * 64


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A program, a model, and a file that nobody may run."""
    (tmp_path / "program").write_text("#!/bin/sh\n")
    (tmp_path / "program").chmod(0o755)
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    (tmp_path / "directory").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "name", "digest", "reasons"),
    [
        pytest.param("program", "program", "", [], id="a program"),
        pytest.param("program", "model.gguf", "", ["is no executable file"], id="a file that is no program"),
        pytest.param("program", "directory", "", ["is no executable file"], id="a directory is no program"),
        pytest.param("program", "absent", "", ["is no executable file"], id="no program"),
        pytest.param("file", "model.gguf", "", [], id="a file of any content"),
        pytest.param("file", "model.gguf", "other", ["has other content than declared"], id="another file"),
        pytest.param("file", "absent", "", ["is absent"], id="no file"),
        pytest.param("file", "directory", "", ["is absent"], id="a directory is no file"),
        pytest.param("download", "absent", SHA, ["is missing"], id="no download"),
        pytest.param("download", "model.gguf", SHA, ["has not been verified yet"], id="a file that nobody verified"),
        pytest.param("environment", "absent", "d", ["is missing"], id="no environment"),
        pytest.param("release", "absent", SHA, ["is missing"], id="no release"),
        pytest.param("snapshot", "absent", SHA, ["is missing"], id="no snapshot"),
        pytest.param(
            "snapshot",
            "directory",
            SHA,
            ["is incomplete: it has no readable marker, so a run was cut short or it is not one of ours"],
            id="a folder that is no snapshot",
        ),
        pytest.param(
            "snapshot",
            "directory",
            "",
            ["is no model folder: it has no config.json"],
            id="a folder of the host that is no model",
        ),
        pytest.param(
            "preflight",
            "absent",
            "d",
            ["has not been looked at before its first start"],
            id="no record of a preflight",
        ),
        pytest.param("preflight", "model.gguf", "d", ["has no readable record"], id="a broken record"),
    ],
)
def test_a_requirement_is_met_or_says_why_not(
    installed: Path, kind: str, name: str, digest: str, reasons: list[str]
) -> None:
    path = str(installed / name)
    expected = [{"kind": kind, "path": path, "reasons": reasons}] if reasons else []
    assert missing_requirements([Requirement(kind, path, digest)]) == expected


def test_a_model_is_told_by_its_fingerprint(installed: Path) -> None:
    path = str(installed / "model.gguf")
    assert missing_requirements([Requirement("file", path, _release.fingerprint(path))]) == []


def test_a_verified_download_is_met_until_it_changes_or_another_is_declared(installed: Path) -> None:
    path = str(installed / "model.gguf")
    _release.write_note(path, SHA)
    wanted = Requirement("download", path, SHA)
    assert missing_requirements([wanted]) == []
    assert missing_requirements([Requirement("download", path, "1" * 64)])[0]["reasons"] == [
        f"is another file (sha256 {SHA}, declared {'1' * 64})"
    ]
    Path(path).write_bytes(b"GGUF, longer")
    assert missing_requirements([wanted])[0]["reasons"] == ["was changed since it was verified"]


def test_everything_missing_is_told_at_once(tmp_path: Path) -> None:
    wanted = [Requirement("program", str(tmp_path / name), "") for name in ("a", "b")]
    assert [each["path"] for each in missing_requirements(wanted)] == [str(tmp_path / "a"), str(tmp_path / "b")]


@pytest.mark.parametrize("marker", [".llm-stack-env.json", ".llm-stack-release.json"])
def test_the_identity_of_a_directory_is_its_marker(tmp_path: Path, marker: str) -> None:
    wanted = [Requirement("environment", str(tmp_path), "d")]
    before = identities(wanted)
    (tmp_path / marker).write_text(json.dumps({"created": 1}))
    made = identities(wanted)
    (tmp_path / marker).write_text(json.dumps({"created": 2}))
    assert len({str(each) for each in (before, made, identities(wanted))}) == 3


def test_the_identity_of_a_file_changes_when_it_is_replaced(installed: Path) -> None:
    wanted = [Requirement("file", str(installed / "model.gguf"), "")]
    before = identities(wanted)
    assert identities(wanted) == before
    (installed / "model.gguf").write_bytes(b"GGUF2")
    assert identities(wanted) != before
    (installed / "model.gguf").unlink()
    assert identities(wanted) == {str(installed / "model.gguf"): ""}


def test_a_record_tells_of_the_very_instance_it_was_made_for(tmp_path: Path) -> None:
    record = tmp_path / "vllm-tiny.service.json"
    record.write_text(json.dumps({"digest": "a", "verdict": "fits"}))
    assert missing_requirements([Requirement("preflight", str(record), "a")]) == []
    [missing] = missing_requirements([Requirement("preflight", str(record), "b")])
    assert missing["reasons"] == ["was looked at with another model, another engine or other settings"]


def test_what_passed_before_is_still_known_when_a_change_was_taken_back(tmp_path: Path) -> None:
    record = tmp_path / "llamacpp-tiny.service.json"
    record.write_text(json.dumps({"digest": "b", "passed": ["b", "a"]}))
    assert missing_requirements([Requirement("preflight", str(record), each) for each in "ab"]) == []
    assert len(missing_requirements([Requirement("preflight", str(record), "c")])) == 1


def test_looking_again_installs_nothing_anew(tmp_path: Path) -> None:
    """Otherwise a server would be restarted, minutes of loading, because a record was lost."""
    requirement = Requirement("preflight", str(tmp_path / "record.json"), "a")
    assert identities([requirement], missing_requirements([requirement])) == {}


def test_a_snapshot_that_was_fetched_again_is_another(tmp_path: Path) -> None:
    requirement = Requirement("snapshot", str(tmp_path), "a")
    before = identities([requirement])
    (tmp_path / ".llm-stack-model.json").write_text('{"digest": "a"}')
    assert identities([requirement]) != before
