# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers of weights: what is read of whole files, and what is said of those that are not whole or not weights."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._model_file import ModelFileError
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import render
from ansible_collections.lab.llm_stack.plugins.module_utils._safetensors import (
    INDEX,
    Tensor,
    index_size,
    read_header,
    read_weights,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

AGAIN = "Delete it and fetch it again; compare its SHA-256 sum with the one its publisher names."
ONE = {"a": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}}


def packed(header: dict[str, Any] | bytes, data: int) -> bytes:
    written = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(written).to_bytes(8, "little") + written + bytes(data)


def tensor(size: int, begin: int = 0) -> dict[str, Any]:
    return {"dtype": "U8", "shape": [size], "data_offsets": [begin, begin + size]}


def refusal(path: Path) -> str:
    with pytest.raises(ModelFileError) as caught:
        read_header(str(path))
    return render(caught.value.problems[0]).replace(str(path), "FILE")


def test_a_header_gives_name_type_shape_and_size(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(packed({"__metadata__": {"format": "pt"}, **ONE}, 12))
    assert read_header(str(path)) == {"a": Tensor("BF16", (2, 3), 12)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", f"FILE: is empty.\n    {AGAIN}", id="empty"),
        pytest.param(
            packed(ONE, 7),
            "FILE: is cut off: it has 81 bytes, and its header speaks of 86.",
            id="the weights end early",
        ),
        pytest.param(
            packed(ONE, 12)[:20],
            "FILE: is cut off: it has 20 bytes, and its header speaks of 74.",
            id="the header ends",
        ),
        pytest.param(packed(ONE, 15), "FILE: has 3 bytes more than its header speaks of.", id="longer than it should"),
        pytest.param(
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
            "FILE: is a pointer of Git LFS, not the file it stands for.\n    Run git lfs pull in that folder.",
            id="a pointer of Git LFS",
        ),
        pytest.param(
            b"\n<!DOCTYPE html><html><title>Sign in",
            "FILE: is an HTML page: what was fetched is an answer for people, such as a login page.",
            id="an HTML page",
        ),
        pytest.param(b'{"error":"Repository not found"}', "FILE: is the error message of a server", id="an error"),
        pytest.param(b"PK\x03\x04" + bytes(60), "FILE: is a ZIP archive, as PyTorch writes it.", id="a PyTorch file"),
        pytest.param(bytes(64), "FILE: is not a safetensors file.", id="zeros, as a preallocated download leaves"),
        pytest.param(packed(b"{nope", 0), "FILE: is not readable: its header is not JSON", id="no JSON"),
        pytest.param(packed(b'{"a":' * 9999, 0), "FILE: is not readable: its header is not JSON", id="nested deeply"),
        pytest.param(
            packed(b'{"a":' + b"9" * 40 + b"}", 0), "FILE: is not readable: its header is not JSON", id="huge"
        ),
        pytest.param(
            packed({"a": {"dtype": "F32"}}, 0),
            "FILE: is not readable: its header has no type, shape and place for 'a'.",
            id="an entry without a place",
        ),
        pytest.param(
            packed({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, 4),
            "FILE: is not readable: type, shape and place of 'a' contradict each other.",
            id="a size that is not that of the shape",
        ),
        pytest.param(
            packed({"a": tensor(4), "b": tensor(4, 2)}, 6),
            "FILE: is not readable: its tensors overlap or leave a gap at byte 4.",
            id="tensors that overlap",
        ),
    ],
)
def test_what_is_not_whole_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert refusal(path).startswith(message)


def test_a_header_whose_length_looks_like_another_format_is_read(tmp_path: Path) -> None:
    """The first bytes of a file are a number, and may be those that begin a gzip file."""
    path = tmp_path / "model.safetensors"
    header = json.dumps(ONE).encode()
    path.write_bytes(packed(header + b" " * (0x8B1F - len(header)), 12))
    assert set(read_header(str(path))) == {"a"}


def test_a_link_to_a_removed_blob_is_an_unfinished_download(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.symlink_to(tmp_path / "blobs" / "gone")
    wrong = "is a link to a file that is not there: the download is not finished, or its blob was removed."
    assert refusal(path) == f"FILE: {wrong}\n    Fetch the model again."


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == "FILE: is not a file.\n    Name the file itself."


class TestFolder:
    def write(self, folder: Path, *names: str, indexed: bool = True) -> None:
        for name in names:
            (folder / name).write_bytes(packed({name: tensor(8)}, 8))
        if indexed:
            index = {"metadata": {"total_size": 16}, "weight_map": {name: name for name in names}}
            (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")

    def refused(self, folder: Path) -> str:
        with pytest.raises(ModelFileError) as caught:
            read_weights(str(folder))
        return render(caught.value.problems[0]).replace(str(folder), "FOLDER")

    def test_all_shards_are_added_up(self, tmp_path: Path) -> None:
        self.write(tmp_path, "a.safetensors", "b.safetensors")
        weights = read_weights(str(tmp_path))
        assert weights is not None
        assert (weights.size, weights.size_by_type(), len(weights.files)) == (16, {"U8": 16}, 2)

    def test_files_that_the_index_does_not_name_do_not_count(self, tmp_path: Path) -> None:
        self.write(tmp_path, "a.safetensors")
        self.write(tmp_path, "other.safetensors", indexed=False)
        weights = read_weights(str(tmp_path))
        assert weights is not None
        assert weights.files == ("a.safetensors",)

    def test_of_two_copies_the_consolidated_one_is_loaded(self, tmp_path: Path) -> None:
        self.write(tmp_path, "model.safetensors")
        self.write(tmp_path, "consolidated.safetensors", indexed=False)
        weights = read_weights(str(tmp_path))
        assert weights is not None
        assert weights.files == ("consolidated.safetensors",)

    def test_consolidated_weights_alone_are_weights(self, tmp_path: Path) -> None:
        self.write(tmp_path, "consolidated-00001-of-00002.safetensors", indexed=False)
        wrong = "lacks consolidated-00002-of-00002.safetensors of the 2 files of its weights."
        assert self.refused(tmp_path).startswith(f"FOLDER: {wrong}")
        self.write(tmp_path, "consolidated-00002-of-00002.safetensors", indexed=False)
        weights = read_weights(str(tmp_path))
        assert weights is not None
        assert (weights.size, len(weights.files)) == (16, 2)

    def test_a_missing_shard_is_named(self, tmp_path: Path) -> None:
        self.write(tmp_path, "a.safetensors", "b.safetensors")
        (tmp_path / "b.safetensors").unlink()
        assert self.refused(tmp_path) == (
            "FOLDER: lacks b.safetensors of the 2 files of its weights.\n"
            "    Fetch the missing files; what is there already need not be fetched again."
        )

    def test_the_names_of_shards_tell_how_many_there_are(self, tmp_path: Path) -> None:
        self.write(tmp_path, "model-00001-of-00003.safetensors", indexed=False)
        wrong = "lacks model-00002-of-00003.safetensors and 1 more of the 3 files of its weights."
        assert self.refused(tmp_path).startswith(f"FOLDER: {wrong}")

    def test_an_index_of_another_revision_is_refused(self, tmp_path: Path) -> None:
        self.write(tmp_path, "a.safetensors")
        index = {"weight_map": {"a.safetensors": "a.safetensors", "lost": "a.safetensors"}}
        (tmp_path / INDEX).write_text(json.dumps(index), encoding="utf-8")
        wrong = "names 1 tensors that its files do not hold, 'lost' for one."
        assert self.refused(tmp_path).startswith(f"FOLDER/{INDEX}: {wrong}")

    def test_an_index_cannot_name_files_elsewhere(self, tmp_path: Path) -> None:
        (tmp_path / INDEX).write_text('{"weight_map": {"a": "../b.safetensors"}}', encoding="utf-8")
        assert self.refused(tmp_path).startswith(f"FOLDER/{INDEX}: is not readable: its weight_map")

    def test_an_index_alone_tells_the_size(self, tmp_path: Path) -> None:
        self.write(tmp_path, "a.safetensors")
        assert index_size(str(tmp_path)) is None
        (tmp_path / "a.safetensors").unlink()
        assert (read_weights(str(tmp_path)), index_size(str(tmp_path))) == (None, 16)

    def test_a_folder_without_weights_has_none(self, tmp_path: Path) -> None:
        assert (read_weights(str(tmp_path)), index_size(str(tmp_path))) == (None, None)


WHOLE = packed({"a": tensor(8), "b": tensor(8, 8)}, 16)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, len(WHOLE) - 1), change=st.binary(max_size=9), end=st.integers(0, len(WHOLE)))
def test_a_broken_file_is_read_or_refused(tmp_path: Path, place: int, change: bytes, end: int) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes((WHOLE[:place] + change + WHOLE[place + len(change) :])[: end or None])
    with contextlib.suppress(ModelFileError):
        assert sum(each.size for each in read_header(str(path)).values()) <= path.stat().st_size


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just([0, 8]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["a", "dtype", "shape", "data_offsets", "__metadata__"]), inner, max_size=4
            )
        ),
    )
)
def test_any_json_is_read_or_refused(tmp_path: Path, header: Any) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(packed(json.dumps(header).encode(), 8))
    with contextlib.suppress(ModelFileError):
        assert all(each.size <= 8 for each in read_header(str(path)).values())
