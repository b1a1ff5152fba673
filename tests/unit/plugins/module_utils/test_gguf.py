# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers of GGUF files: what is read of good ones, and that hostile ones are refused at little cost."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._gguf import Array, Tensor, read_gguf
from ansible_collections.lab.llm_stack.plugins.module_utils._gguf_shape import shape_of
from ansible_collections.lab.llm_stack.plugins.module_utils._model_file import ModelFileError
from ansible_collections.lab.llm_stack.plugins.module_utils._model_shape import Attention
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import render
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

U8, U32, BOOL, TEXT, ARRAY, U64 = 0, 4, 7, 8, 9, 10
LAYOUTS = {U8: "<B", U32: "<I", BOOL: "<?", U64: "<Q"}


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def scalar(kind: int, value: Any) -> bytes:
    return text(value) if kind == TEXT else struct.pack(LAYOUTS[kind], value)


def key(name: str, kind: int, value: Any) -> bytes:
    return text(name) + struct.pack("<I", kind) + scalar(kind, value)


def array(name: str, kind: int, *values: Any, count: int | None = None) -> bytes:
    length = len(values) if count is None else count
    head = text(name) + struct.pack("<IIQ", ARRAY, kind, length)
    return head + b"".join(scalar(kind, each) for each in values)


def tensor(name: str, kind: int, offset: int, *shape: int) -> bytes:
    dims = b"".join(struct.pack("<Q", each) for each in shape)
    return text(name) + struct.pack("<I", len(shape)) + dims + struct.pack("<IQ", kind, offset)


def gguf(keys: list[bytes], tensors: list[bytes], data: int = 0, version: int = 3) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys)) + b"".join(keys) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + bytes(data)


def qwen(**more: int) -> list[bytes]:
    measures = {"block_count": 2, "embedding_length": 64, "attention.head_count": 4, "context_length": 512, **more}
    keys = [key("general.architecture", TEXT, "qwen2")]
    return keys + [key(f"qwen2.{name}", U32, value) for name, value in measures.items()]


GOOD = gguf([*qwen(), array("tokenizer.ggml.tokens", TEXT, "a", "b", "c")], [tensor("t", 8, 0, 64, 2)], 136)


def write(folder: Path, content: bytes, name: str = "m.gguf") -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def refusal(path: str) -> str:
    with pytest.raises(ModelFileError) as caught:
        shape_of(path, read_gguf(path))
    return render(caught.value.problems[0]).replace(path, "FILE")


def test_the_model_of_this_repository(root: Path) -> None:
    path = str(root / "models/tiny-tools.gguf")
    found = read_gguf(path)
    assert (found.version, len(found.tensors), found.weights, found.size) == (3, 27, 1075200, 1099040)
    assert found.keys["tokenizer.ggml.tokens"] == Array(809)
    assert found.tensors["token_embd.weight"] == Tensor("F16", (128, 809), 207104)
    shape = shape_of(path, found)
    assert (shape.layers, shape.context, shape.vocabulary, shape.parameters) == (2, 8192, 809, 536192)
    assert shape.attention == (Attention(2, 2, 64, 64),)


@pytest.mark.parametrize("version", [2, 3])
def test_both_versions_are_read(tmp_path: Path, version: int) -> None:
    path = write(tmp_path, gguf(qwen(), [tensor("t", 12, 0, 256)], 144, version))
    assert read_gguf(path).tensors == {"t": Tensor("Q4_K", (256,), 144)}


def test_all_parts_of_a_model_are_added_up(tmp_path: Path) -> None:
    first = write(tmp_path, gguf(qwen(), [tensor("a", 0, 0, 8)], 32), "m-00001-of-00002.gguf")
    with pytest.raises(ModelFileError, match=r"m-00002-of-00002\.gguf is not beside it"):
        read_gguf(first)
    write(tmp_path, gguf([], [tensor("b", 0, 0, 4)], 32), "m-00002-of-00002.gguf")
    assert (read_gguf(first).weights, set(read_gguf(first).tensors)) == (48, {"a", "b"})


def test_a_type_of_tensor_that_is_not_known_makes_the_file_the_bound(tmp_path: Path) -> None:
    path = write(tmp_path, gguf(qwen(), [tensor("t", 99, 0, 8)], 32))
    assert read_gguf(path).weights == read_gguf(path).size


@pytest.mark.parametrize(
    ("keys", "attention"),
    [
        pytest.param(qwen(), (Attention(2, 4, 16, 16),), id="as many heads are kept as there are"),
        pytest.param(qwen(**{"attention.head_count_kv": 2}), (Attention(2, 2, 16, 16),), id="grouped heads"),
        pytest.param(
            qwen(**{"attention.key_length": 128, "attention.value_length": 64}),
            (Attention(2, 4, 128, 64),),
            id="heads of a size of their own",
        ),
        pytest.param(
            [*qwen(), array("qwen2.attention.head_count_kv", U32, 1, 2)],
            (Attention(1, 1, 16, 16), Attention(1, 2, 16, 16)),
            id="a number for each layer",
        ),
        pytest.param(
            qwen(**{"attention.sliding_window": 32}),
            (Attention(2, 4, 16, 16, at_most=True),),
            id="a window, and no word about which layers have it",
        ),
        pytest.param(
            [
                *qwen(**{"attention.sliding_window": 32}),
                array("qwen2.attention.sliding_window_pattern", BOOL, True, False),
            ],
            (Attention(1, 4, 16, 16), Attention(1, 4, 16, 16, window=32)),
            id="a window in the first layer",
        ),
        pytest.param(
            qwen(**{"attention.kv_lora_rank": 512}), (Attention(2, 4, 16, 16, at_most=True),), id="latent attention"
        ),
    ],
)
def test_what_each_layer_keeps(tmp_path: Path, keys: list[bytes], attention: tuple[Attention, ...]) -> None:
    path = write(tmp_path, gguf(keys, []))
    assert shape_of(path, read_gguf(path)).attention == attention


def test_layers_without_heads_keep_a_state(tmp_path: Path) -> None:
    keys = [*qwen(**{"ssm.state_size": 16}), array("qwen2.attention.head_count_kv", U32, 0, 2)]
    shape = shape_of("m", read_gguf(write(tmp_path, gguf(keys, []))))
    assert (shape.state_layers, sum(group.layers for group in shape.attention)) == (1, 1)


HUGE = 1 << 62


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "FILE: is empty.", id="empty"),
        pytest.param(b"<html>", "FILE: is an HTML page", id="a page"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", "FILE: is a pointer of Git LFS", id="a pointer"),
        pytest.param(bytes(99), "FILE: is not a GGUF file.", id="zeros"),
        pytest.param(b"GGUF", "FILE: is cut off: it has 4 bytes, and its header speaks of 8.", id="four bytes"),
        pytest.param(gguf([], [], version=1), "FILE: is GGUF version 1; versions 2 and 3 are read.", id="too old"),
        pytest.param(b"GGUF" + struct.pack(">I", 3), "FILE: is made for machines of big-endian", id="big-endian"),
        pytest.param(
            GOOD[:-1],
            f"FILE: is cut off: it has {len(GOOD) - 1} bytes, and its header speaks of {len(GOOD)}.",
            id="one byte short",
        ),
        pytest.param(
            b"GGUF" + struct.pack("<IQQ", 3, HUGE, 0),
            "FILE: is not readable: a count is 4611686018427387904",
            id="tensors",
        ),
        pytest.param(b"GGUF" + struct.pack("<IQQ", 3, 0, HUGE), "FILE: is not readable: a count is", id="keys"),
        pytest.param(gguf([array("a", U64, count=HUGE)], []), "FILE: is cut off", id="a list longer than the file"),
        pytest.param(gguf([array("a", TEXT, count=HUGE)], []), "FILE: is cut off", id="as many texts"),
        pytest.param(
            gguf([text("a") + struct.pack("<IIQ", ARRAY, ARRAY, 1)], []),
            "FILE: is not readable: it holds lists within lists",
            id="a list of lists",
        ),
        pytest.param(
            gguf([text("a") + struct.pack("<I", 77)], []), "FILE: is not readable: it holds values", id="type"
        ),
        pytest.param(
            gguf([key("a", U8, 1), key("a", U8, 2)], []), "FILE: is not readable: 'a' is in it twice.", id="twice"
        ),
        pytest.param(
            gguf([key("general.alignment", U32, 0)], []), "FILE: is not readable: its alignment", id="alignment 0"
        ),
        pytest.param(gguf(qwen(), [tensor("t", 8, 0, 33)], 99), "FILE: is not readable: the rows of 't'", id="rows"),
        pytest.param(gguf(qwen(), [tensor("t", 0, HUGE, 1)], 99), "FILE: is cut off", id="a tensor far away"),
        pytest.param(gguf(qwen(), [tensor("t", 0, 0, *[HUGE] * 8)], 99), "FILE: is cut off", id="a tensor too large"),
        pytest.param(gguf([], []), "FILE: does not say what general.architecture is.", id="no architecture"),
        pytest.param(
            gguf(qwen()[:2], []), "FILE: cannot be judged: qwen2.embedding_length is missing.", id="a key is missing"
        ),
        pytest.param(
            gguf([*qwen()[:1], key("qwen2.block_count", U64, HUGE)], []),
            "FILE: cannot be judged: qwen2.block_count is '4611686018427387904'.",
            id="layers without end",
        ),
    ],
)
def test_what_is_not_whole_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    assert refusal(write(tmp_path, content)).startswith(message)


def read_anything(path: str) -> None:
    """Read a file that may be anything; nothing but the error of its own may come, and no more than the file holds."""
    with contextlib.suppress(ModelFileError):
        found = read_gguf(path)
        assert found.weights <= found.size * max(len(found.tensors), 1)
        shape_of(path, found)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, len(GOOD) - 1), change=st.binary(max_size=17), end=st.integers(0, len(GOOD)))
@example(place=0, change=b"", end=len(GOOD))
def test_a_broken_file_is_read_or_refused(tmp_path: Path, place: int, change: bytes, end: int) -> None:
    read_anything(write(tmp_path, (GOOD[:place] + change + GOOD[place + len(change) :])[:end]))


NUMBERS = st.integers(0, 64) | st.sampled_from([1 << 16, 1 << 31, 1 << 32, HUGE, (1 << 64) - 1])
PIECES = st.one_of(
    st.binary(max_size=24),
    st.builds(lambda number: struct.pack("<Q", number), NUMBERS),
    st.builds(lambda kind: struct.pack("<I", kind), st.integers(0, 40)),
    st.builds(text, st.sampled_from(["", "general.architecture", "a.block_count", "a", "t"])),
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tensors=NUMBERS, keys=NUMBERS, pieces=st.lists(PIECES, max_size=30))
def test_any_content_is_read_or_refused(tmp_path: Path, tensors: int, keys: int, pieces: list[bytes]) -> None:
    read_anything(write(tmp_path, b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + b"".join(pieces)))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(gguf([array("a", TEXT, *[""] * 400_000)], []), id="a long vocabulary"),
        pytest.param(gguf([key("a", TEXT, "x" * 20_000_000)], []), id="a long text"),
        pytest.param(gguf([array("a", U8, *[1] * 10_000_000)], []), id="a long list of numbers"),
        pytest.param(gguf([key(f"{n}" + "k" * 1000, TEXT, "v" * 1000) for n in range(20_000)], []), id="many keys"),
    ],
)
def test_little_memory_is_taken_whatever_a_file_holds(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content)
    tracemalloc.start()
    try:
        read_anything(path)
        assert tracemalloc.get_traced_memory()[1] < 48 << 20
    finally:
        tracemalloc.stop()
