# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the header of a GGUF file says: its keys and its tensors. The weights are never read.

The file may come from anywhere, so every count is held against what is left of the file before anything is read, and
only what an estimate needs is kept: of a vocabulary its length, of a long text its beginning.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Union

from ansible_collections.lab.llm_stack.plugins.module_utils._model_file import (
    AGAIN,
    opened,
    refuse,
    refuse_cut,
    refuse_disguise,
)

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_ALIGNMENT = 32

# Far above any published file: the longest vocabulary has under 300,000 words, the largest model under 3,000 tensors.
_MAX_KEYS = 1 << 16
_MAX_TENSORS = 1 << 16
_MAX_TEXTS = 1 << 22
_MAX_NAME = 1 << 10
_KEPT_TEXT = 1 << 16
_KEPT_ITEMS = 1 << 12
_KEPT_BYTES = 1 << 24

_TEXT, _ARRAY = 8, 9
_SCALARS: Mapping[int, str] = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd"))

# Types of tensors: number, name, how many numbers make a block, and the bytes of one.
_TYPE_TABLE = """
0 F32 1 4        9 Q8_1 32 36     17 IQ2_XS 256 74    25 I16 1 2
1 F16 1 2       10 Q2_K 256 84    18 IQ3_XXS 256 98   26 I32 1 4
2 Q4_0 32 18    11 Q3_K 256 110   19 IQ1_S 256 50     27 I64 1 8
3 Q4_1 32 20    12 Q4_K 256 144   20 IQ4_NL 32 18     28 F64 1 8
6 Q5_0 32 22    13 Q5_K 256 176   21 IQ3_S 256 110    29 IQ1_M 256 56
7 Q5_1 32 24    14 Q6_K 256 210   22 IQ2_S 256 82     30 BF16 1 2
8 Q8_0 32 34    15 Q8_K 256 292   23 IQ4_XS 256 136   34 TQ1_0 256 54
39 MXFP4 32 17  16 IQ2_XXS 256 66 24 I8 1 1           35 TQ2_0 256 66
"""
_TYPES: Mapping[int, tuple[str, int, int]] = {
    int(number): (name, int(block), int(size))
    for number, name, block, size in re.findall(r"(\d+) (\w+) (\d+) (\d+)", _TYPE_TABLE)
}

_SPLIT = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})\.gguf")


@dataclass(frozen=True)
class Array:
    """A list of the header. ``items`` is None where it is long or holds texts: then only its length is known."""

    count: int
    items: tuple[float, ...] | None = None


Value = Union[str, float, Array]


@dataclass(frozen=True)
class Tensor:
    """One tensor: the name of its type, its shape, and how many bytes it takes; None where the type is not known."""

    kind: str
    shape: tuple[int, ...]
    size: int | None

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        product = 1
        for each in self.shape:
            product *= each
        return product


@dataclass(frozen=True)
class Gguf:
    """The header of a model, and how many bytes its file has, or all files of a model in parts."""

    version: int
    keys: Mapping[str, Value]
    tensors: Mapping[str, Tensor]
    size: int

    @property
    def weights(self) -> int:
        """The bytes of all tensors; those of the files where a type is not known, which is a little more."""
        sizes = [each.size for each in self.tensors.values()]
        return self.size if None in sizes else sum(each for each in sizes if each is not None)


def read_gguf(path: str) -> Gguf:
    """Read a model from its file, or from all its parts where the file is one of several."""
    found = _SPLIT.fullmatch(os.path.basename(path))
    if found is None:
        return read_header(path)
    folder = os.path.dirname(path)
    names = [f"{found['stem']}-{n:05d}-of-{found['total']}.gguf" for n in range(1, int(found["total"]) + 1)]
    for name in names:
        if not os.path.exists(os.path.join(folder, name)):
            refuse(path, f"is one of {len(names)} parts of a model, and {name} is not beside it.", "Fetch it too.")
    parts = [read_header(os.path.join(folder, name)) for name in names]
    if not parts:
        refuse(path, "is called part of a model of no parts.", "Rename it.")
    tensors = {name: tensor for part in parts for name, tensor in part.tensors.items()}
    return Gguf(parts[0].version, parts[0].keys, tensors, sum(part.size for part in parts))


def read_header(path: str) -> Gguf:
    """Read the header of one file, and hold it against the length of the file."""
    with opened(path) as (source, size):
        reader = _Reader(path, source, size)
        version, tensors, keys = reader.preamble()
        values = reader.keys(keys)
        places = reader.tensors(tensors)
        _check_places(path, size, reader.position, _alignment(path, values), places)
    return Gguf(version, values, {name: tensor for name, (tensor, _offset) in places.items()}, size)


def _alignment(path: str, values: Mapping[str, Value]) -> int:
    value = values.get("general.alignment", _ALIGNMENT)
    if not isinstance(value, int) or not 1 <= value <= 1 << 20 or value & (value - 1):
        refuse(path, "is not readable: its alignment is not a power of two.", AGAIN)
    return value


def _check_places(path: str, size: int, header: int, step: int, places: Mapping[str, tuple[Tensor, int]]) -> None:
    """Refuse a file that ends before its last tensor does."""
    start = -(-header // step) * step
    ends = [start + offset + (tensor.size or 0) for tensor, offset in places.values()]
    if max(ends, default=0) > size:
        refuse_cut(path, size, max(ends))


class _Reader:
    """Reads forward through a header, and knows what is left of the file and what may still be kept."""

    def __init__(self, path: str, source: BinaryIO, size: int) -> None:
        self.path = path
        self.position = 0
        self._source = source
        self._size = size
        self._kept = 0
        self._texts = 0

    def preamble(self) -> tuple[int, int, int]:
        """Give the version, the number of tensors and the number of keys."""
        start = self._source.read(64)
        if start[:4] != _MAGIC:
            refuse_disguise(self.path, start)
            refuse(self.path, "is not a GGUF file.", AGAIN)
        self._source.seek(4)
        self.position = 4
        version = self._count("I")
        if version not in _VERSIONS:
            self._refuse_version(version)
        return version, self._count("Q", _MAX_TENSORS), self._count("Q", _MAX_KEYS)

    def keys(self, count: int) -> dict[str, Value]:
        """Read all keys with their values."""
        values: dict[str, Value] = {}
        for _index in range(count):
            name = self._name(values)
            values[name] = self._value(self._count("I"))
        return values

    def tensors(self, count: int) -> dict[str, tuple[Tensor, int]]:
        """Read what all tensors are, and where in the file."""
        found: dict[str, tuple[Tensor, int]] = {}
        for _index in range(count):
            name = self._name(found)
            shape = tuple(self._count("Q") for _index in range(self._count("I", 8)))
            tensor = self._tensor(name, shape, self._count("I"))
            found[name] = tensor, self._count("Q")
        return found

    def _tensor(self, name: str, shape: tuple[int, ...], kind: int) -> Tensor:
        if kind not in _TYPES:
            return Tensor(f"type {kind}", shape, None)
        label, block, size = _TYPES[kind]
        tensor = Tensor(label, shape, None)
        if (shape[0] if shape else 1) % block:
            self._refuse(f"the rows of {name[:80]!r} are not made of blocks of {block}")
        return Tensor(label, shape, tensor.elements // block * size)

    def _name(self, known: Mapping[str, object]) -> str:
        length = self._count("Q", _MAX_NAME)
        self._keep(length)
        name = self._take(length).decode("utf-8", "replace")
        if name in known:
            self._refuse(f"{name[:80]!r} is in it twice")
        return name

    def _value(self, kind: int) -> Value:
        if kind == _ARRAY:
            return self._array(self._count("I"), self._count("Q"))
        if kind == _TEXT:
            return self._text()
        return self._scalar(self._layout(kind))

    def _text(self) -> str:
        """Read a text, and keep its beginning."""
        length = self._count("Q")
        kept = min(length, _KEPT_TEXT)
        self._keep(kept)
        text = self._take(kept).decode("utf-8", "replace")
        self._skip(length - kept)
        return text

    def _array(self, kind: int, count: int) -> Array:
        if kind == _TEXT:
            return self._texts_of(count)
        layout = self._layout(kind)
        size = struct.calcsize("<" + layout)
        self._need(count * size)
        if count > _KEPT_ITEMS:
            self._skip(count * size)
            return Array(count)
        self._keep(count * 32)
        return Array(count, tuple(struct.unpack(f"<{count}{layout}", self._take(count * size))))

    def _texts_of(self, count: int) -> Array:
        """Walk over a list of texts, each of which takes eight bytes at least."""
        self._need(count * 8)
        self._texts += count
        if self._texts > _MAX_TEXTS:
            self._refuse(f"it holds more than {_MAX_TEXTS} texts")
        for _index in range(count):
            self._skip(self._count("Q"))
        return Array(count)

    def _layout(self, kind: int) -> str:
        if kind not in _SCALARS:
            what = "lists within lists" if kind == _ARRAY else f"values of type {kind}"
            self._refuse(f"it holds {what}, which GGUF version 3 does not have")
        return _SCALARS[kind]

    def _scalar(self, layout: str) -> float:
        size = struct.calcsize("<" + layout)
        return struct.unpack("<" + layout, self._take(size))[0]  # type: ignore[no-any-return]

    def _count(self, layout: str, limit: int | None = None) -> int:
        number = int(self._scalar(layout))
        if limit is not None and number > limit:
            self._refuse(f"a count is {number}, and more than {limit} are not read")
        return number

    def _take(self, length: int) -> bytes:
        self._need(length)
        content = self._source.read(length)
        self.position += length
        if len(content) != length:
            refuse(self.path, "became shorter while it was read.", "Try again when it is complete.")
        return content

    def _skip(self, length: int) -> None:
        self._need(length)
        if length < 1 << 16:
            self._take(length)
        else:
            self._source.seek(length, os.SEEK_CUR)
            self.position += length

    def _need(self, length: int) -> None:
        if length > self._size - self.position:
            refuse_cut(self.path, self._size, self.position + length)

    def _keep(self, length: int) -> None:
        self._kept += length
        if self._kept > _KEPT_BYTES:
            self._refuse("it holds more text than any model has")

    def _refuse_version(self, version: int) -> None:
        if int.from_bytes(version.to_bytes(4, "little"), "big") in _VERSIONS:
            refuse(self.path, "is made for machines of big-endian byte order.", "Fetch the little-endian file.")
        known = " and ".join(str(each) for each in _VERSIONS)
        refuse(self.path, f"is GGUF version {version}; versions {known} are read.", "Convert the model anew.")

    def _refuse(self, why: str) -> None:
        refuse(self.path, f"is not readable: {why}.", AGAIN)
