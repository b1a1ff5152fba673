# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What is remembered on a host: the manifest, the snapshot, the key of the digests."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _probe_host
from ansible_collections.lab.llm_stack.plugins.module_utils._manifest import Manifest
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    FileFound,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._state import Snapshot, State

SNAPSHOT = Snapshot(
    "2026-11-23T10:00:00Z",
    {
        "/etc/a": FileFound(b"\x00\xff text", 0o600),
        "/etc/absent": FileFound(),
        "/etc/link": FileFound(link="/etc/a"),
    },
    ("a.service",),
    ("a.service", "b.service"),
)


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(str(tmp_path / "state"), "example")


def test_a_manifest_is_read_as_it_was_written(state: State) -> None:
    assert state.manifest() == Manifest()
    left = {"a.service": {"memory": "m", "program": "p"}}
    facts = {"holder": "me", "deployed": left, "ports": {"127.0.0.1:80": "a.service"}}
    state.write_manifest({"/a": "1", "/b": "2"}, ["a.service"], facts)
    found = state.manifest()
    written = {"deployed": left, "ports": facts["ports"], "written": found.written}
    assert found == Manifest({"/a": "1", "/b": "2"}, ("a.service",), True, True, **written)
    assert found.written.endswith("Z")


def test_what_is_installed_is_noted_in_a_manifest_that_nobody_edited(state: State) -> None:
    model = {"/models/tiny.gguf": {"kind": "download"}}
    state.note_installed(model)
    assert state.manifest() == Manifest()
    state.write_manifest({"/a": "1"}, ["a.service"], {"holder": "me"})
    before = state.manifest()
    state.note_installed(model)
    assert state.manifest() == replace(before, installed=model)
    other = State(state.root, "other")
    assert (other.others(), state.others()) == (model, {})
    path = Path(state.directory) / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"download", b"ollama_model"))
    edited = path.read_bytes()
    state.note_installed(model)
    assert path.read_bytes() == edited
    assert other.others() == {}


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(
            lambda text: text.replace(b'"me"', b'"you"'),
            Manifest({"/a": "1"}, ("a.service",), ok=False, exists=True),
            id="an edited fact is noticed",
        ),
        pytest.param(
            lambda text: text.replace(b"/a", b"/home/precious"),
            Manifest({"/home/precious": "1"}, ("a.service",), ok=False, exists=True),
            id="an added path is noticed",
        ),
        pytest.param(lambda text: text[: len(text) // 2], Manifest(exists=True), id="half a manifest holds nothing"),
        pytest.param(lambda _text: b"[]", Manifest(exists=True), id="another kind of JSON holds nothing"),
        pytest.param(lambda _text: b'{"checksum": 1}', Manifest(exists=True), id="a manifest without lists"),
        pytest.param(lambda _text: b"\xff", Manifest(exists=True), id="bytes that are no text"),
    ],
)
def test_an_edited_manifest_is_not_trusted(state: State, spoil: Callable[[bytes], bytes], expected: Manifest) -> None:
    state.write_manifest({"/a": "1"}, ["a.service"], {"holder": "me"})
    path = Path(state.directory, "manifest.json")
    path.write_bytes(spoil(path.read_bytes()))
    assert replace(state.manifest(), written="") == expected


def test_a_snapshot_comes_back_as_it_was_taken(state: State) -> None:
    assert (state.snapshot(), state.interrupted()) == (None, "")
    state.write_snapshot(SNAPSHOT)
    assert (state.snapshot(), state.interrupted()) == (SNAPSHOT, "2026-11-23T10:00:00Z")
    state.drop_snapshot()
    assert (state.snapshot(), state.interrupted()) == (None, "")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"files": {"/a": 1}}', b"\xff"])
def test_a_snapshot_that_cannot_be_read_is_none(state: State, content: bytes) -> None:
    state.write_snapshot(SNAPSHOT)
    Path(state.directory, "snapshot.json").write_bytes(content)
    assert (state.snapshot(), state.interrupted()) == (None, "")


def test_records_are_private(state: State) -> None:
    state.make_salt()
    state.write_snapshot(SNAPSHOT)
    state.write_manifest({}, [], {})
    paths = [Path(state.root), *sorted(Path(state.root).rglob("*"))]
    assert {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in paths} == {
        "state": "0o700",
        "example": "0o700",
        "digest.key": "0o600",
        "snapshot.json": "0o600",
        "manifest.json": "0o600",
    }


def test_the_key_is_made_once_for_all_transactions_of_an_account(state: State) -> None:
    assert state.salt() == b""
    made = state.make_salt()
    assert (len(made), state.make_salt(), State(state.root, "other").salt()) == (32, made, made)


def test_forgetting_leaves_other_transactions_and_their_key(state: State) -> None:
    other = State(state.root, "other")
    other.write_manifest({}, [], {})
    state.make_salt()
    state.write_manifest({}, [], {})
    state.write_snapshot(SNAPSHOT)
    state.forget()
    assert sorted(os.listdir(state.root)) == ["digest.key", "other"]
    assert other.manifest().ok


def test_a_kept_file_is_moved_with_its_content_and_named_after_its_place(state: State, tmp_path: Path) -> None:
    path = tmp_path / "drop in.conf"
    path.write_bytes(b"[Service]\n")
    kept = Path(state.keep(str(path)))
    assert (path.exists(), kept.read_bytes(), kept.parent) == (False, b"[Service]\n", Path(state.directory, "removed"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d{6}Z-.*_drop in\.conf", kept.name)


def test_each_transaction_notes_the_commit_of_which_it_was_deployed(state: State) -> None:
    other = State(state.root, "other")
    state.note_source("a" * 40)
    assert (state.source(), os.path.exists(state.directory)) == ("", False)
    for each in (state, other):
        each.write_manifest({}, [], {})
        each.note_source("a" * 40)
    other.note_source("b" * 40)
    assert (state.source(), other.source()) == ("a" * 40, "b" * 40)
    other.forget()
    assert (other.source(), os.path.exists(other.directory)) == ("", False)


def test_the_commit_that_an_earlier_version_noted_for_the_account_counts_until_a_deploy(state: State) -> None:
    state.write_manifest({}, [], {})
    Path(state.root, "source").write_text("a" * 40 + "\n")
    assert state.source() == "a" * 40
    state.note_source("b" * 40)
    assert (state.source(), State(state.root, "never deployed").source()) == ("b" * 40, "")


def test_the_commit_of_a_host_is_one_that_is_not_declared_where_any_is(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_probe_host, "STATE", state.root)
    assert _probe_host.deployed_commit("a" * 40) == ""
    for name, commit in (("litellm", "a"), ("llamacpp", "b")):
        each = State(state.root, name)
        each.write_manifest({}, [], {})
        each.note_source(commit * 40)
    assert [_probe_host.deployed_commit(declared * 40) for declared in "ab"] == ["b" * 40, "a" * 40]
    State(state.root, "llamacpp").note_source("a" * 40)
    assert _probe_host.deployed_commit("a" * 40) == "a" * 40
