# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Names of models, the note of what was made, and the proof that reads manifests and asks no server."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_names as names
from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_record as record
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_record import Note

WANTED = {"name": "team/tiny:v1", "source": "tiny:1b", "parameters": {"num_ctx": 2048}, "capabilities": ["tools"]}


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("tiny", "tiny:latest"),
        ("tiny:1b", "tiny:1b"),
        ("library/tiny:1b", "tiny:1b"),
        ("registry.ollama.ai/library/tiny:1b", "tiny:1b"),
        ("team/tiny", "team/tiny:latest"),
        ("mirror.lan:5000/team/tiny:v1", "mirror.lan:5000/team/tiny:v1"),
        ("hf.co/org/model-GGUF:Q4_K_M", "hf.co/org/model-GGUF:Q4_K_M"),
        ("127.0.0.1:5000/library/tiny:v1", "127.0.0.1:5000/library/tiny:v1"),
    ],
)
def test_names_as_the_server_lists_them(text: str, short: str) -> None:
    assert names.short(text) == short
    assert names.key(text.upper()) == names.key(text)


@pytest.mark.parametrize("text", ["", "bad name", "-tiny", "a/b/c/d", "tiny:", "tiny@sha256", "a" * 81, "http://x/y"])
def test_what_is_no_name(text: str) -> None:
    assert names.parse(text) is None


def test_a_declaration_has_one_identity_however_it_is_written() -> None:
    same = {**WANTED, "name": "Team/Tiny:v1", "insecure": False, "store": None, "system": "", "state": "latest"}
    assert record.identity(same) == record.identity(WANTED)
    for key, value in (
        ("parameters", {"num_ctx": 4096}),
        ("system", "Be brief."),
        ("capabilities", []),
        ("source", "x"),
    ):
        assert record.identity({**WANTED, key: value}) != record.identity(WANTED)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A folder of models with team/tiny:v1, and the note that it was made of WANTED."""
    blob = tmp_path / "models/blobs/sha256-aa"
    manifest = tmp_path / "models/manifests/registry.ollama.ai/team/tiny/v1"
    content = json.dumps({"config": {"digest": "sha256:aa", "size": 4}, "layers": None})
    for path, text in ((blob, "four"), (manifest, content)):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    note = Note(record.identity(WANTED), hashlib.sha256(content.encode()).hexdigest())
    record.save({"team/tiny:v1": note}, str(tmp_path / "models.json"))
    return tmp_path


def reasons(store: Path, name: str = "team/tiny:v1") -> list[str]:
    path = record.manifest_path(str(store / "models"), name)
    return record.verify(path, record.identity(WANTED), str(store / "models.json"))


def test_what_was_made_is_proven(store: Path) -> None:
    assert reasons(store) == []


def test_a_name_is_found_whatever_its_case(store: Path) -> None:
    assert reasons(store, "Team/TINY:V1") == []


def test_what_is_not_there(store: Path) -> None:
    assert reasons(store, "team/other:v1") == ["is not at the server"]


def test_a_blob_that_was_cut_or_lost(store: Path) -> None:
    blob = store / "models/blobs/sha256-aa"
    blob.write_text("cut")
    assert reasons(store) == ["has a blob of 3 bytes in place of 4: sha256:aa"]
    blob.unlink()
    assert reasons(store) == ["has lost its blob sha256:aa"]


def test_another_model_of_the_same_name(store: Path) -> None:
    (store / "models/manifests/registry.ollama.ai/team/tiny/v1").write_text("{}")
    assert reasons(store) == ["is another model than the one that was verified"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"models": []}', '{"models": {"team/tiny:v1": {"x": 1}}}'])
def test_a_record_that_was_edited_proves_nothing(store: Path, text: str) -> None:
    (store / "models.json").write_text(text)
    assert reasons(store) == ["was never verified"]
