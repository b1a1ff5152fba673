# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the headers of safetensors files say: names, types and sizes of all tensors. The weights are never read.

A file is eight bytes that count the header, the header in JSON, and the tensors without a gap. So the header tells
how long the whole file must be.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._model_file import (
    AGAIN,
    listing,
    opened,
    parse_object,
    read_object,
    refuse,
    refuse_cut,
    refuse_disguise,
)

INDEX = "model.safetensors.index.json"
_CONSOLIDATED = "consolidated"
"""Begins the names of weights in Mistral's own format; vLLM loads no others where there are any."""
# The largest published headers are below 20 MB.
_HEADER_LIMIT = 32 << 20
_WIDTHS: Mapping[int, str] = {
    64: "F64 I64 U64 C64",
    32: "F32 I32 U32",
    16: "F16 BF16 I16 U16",
    8: "I8 U8 BOOL F8_E4M3 F8_E5M2 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ",
    6: "F6_E2M3 F6_E3M2",
    4: "F4",
}
_BITS: Mapping[str, int] = {name: bits for bits, names in _WIDTHS.items() for name in names.split()}
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})\.safetensors")
_FETCH = "Fetch the missing files; what is there already need not be fetched again."


@dataclass(frozen=True)
class Tensor:
    """One tensor: its type as the file names it, its shape, and how many bytes it takes."""

    dtype: str
    shape: tuple[int, ...]
    size: int

    @property
    def elements(self) -> int:
        """How many numbers it holds, two of four bits in one byte counting as one."""
        product = 1
        for each in self.shape:
            product *= each
        return product


@dataclass(frozen=True)
class Weights:
    """The tensors of one model, from one file or several."""

    tensors: Mapping[str, Tensor]
    files: tuple[str, ...]

    @property
    def size(self) -> int:
        """The bytes of all tensors."""
        return sum(each.size for each in self.tensors.values())

    def size_by_type(self) -> dict[str, int]:
        """The bytes of all tensors by their type."""
        sizes: dict[str, int] = {}
        for each in self.tensors.values():
            sizes[each.dtype] = sizes.get(each.dtype, 0) + each.size
        return sizes


def read_header(path: str) -> dict[str, Tensor]:
    """Read the header of one file, and hold it against the length of the file."""
    with opened(path) as (source, size):
        length = _header_length(path, source.read(64), size)
        source.seek(8)
        header = source.read(length)
    tensors, end = _tensors(path, parse_object(path, header, "Its header"))
    if size < 8 + length + end:
        refuse_cut(path, size, 8 + length + end)
    if size > 8 + length + end:
        refuse(path, f"has {size - 8 - length - end} bytes more than its header speaks of.", AGAIN)
    return tensors


def _header_length(path: str, start: bytes, size: int) -> int:
    length = int.from_bytes(start[:8], "little")
    if start[8:9] != b"{":
        refuse_disguise(path, start)
        refuse(path, "is not a safetensors file.", AGAIN)
    if length > size - 8:
        refuse_cut(path, size, 8 + length)
    if length > _HEADER_LIMIT:
        refuse(path, f"has a header of {length} bytes; more than {_HEADER_LIMIT} are not read.")
    return length


def _tensors(path: str, header: Mapping[str, Any]) -> tuple[dict[str, Tensor], int]:
    """Give all tensors and where the last one ends."""
    found = {name: _tensor(path, name, entry) for name, entry in header.items() if name != "__metadata__"}
    end = 0
    for begin, after in sorted(place for _tensor, place in found.values()):
        if begin != end:
            refuse(path, f"is not readable: its tensors overlap or leave a gap at byte {end}.", AGAIN)
        end = after
    return {name: tensor for name, (tensor, _place) in found.items()}, end


def _tensor(path: str, name: str, entry: object) -> tuple[Tensor, tuple[int, int]]:
    """Read one entry of a header."""
    fields = entry if isinstance(entry, dict) else {}
    dtype, shape, place = fields.get("dtype"), _counts(fields.get("shape")), _counts(fields.get("data_offsets"))
    if not isinstance(dtype, str) or shape is None or place is None or len(place) != 2:
        refuse(path, f"is not readable: its header has no type, shape and place for {name[:80]!r}.", AGAIN)
    tensor = Tensor(dtype, shape, place[1] - place[0])
    bits = _BITS.get(dtype)
    # Without a limit a shape of many factors takes longer to multiply than any file is worth.
    if len(shape) > 16 or tensor.size < 0 or (bits is not None and tensor.elements * bits != tensor.size * 8):
        refuse(path, f"is not readable: type, shape and place of {name[:80]!r} contradict each other.", AGAIN)
    return tensor, (place[0], place[1])


def _counts(value: object) -> tuple[int, ...] | None:
    whole = isinstance(value, list) and all(
        (isinstance(each, int) and not isinstance(each, bool)) and each >= 0 for each in value
    )
    return tuple(value) if whole and isinstance(value, list) else None


def read_weights(folder: str) -> Weights | None:
    """Read all headers of the files that vLLM would load from a folder; None where there are no safetensors at all.

    The index decides where there is one; without it every file counts.
    """
    names = set(listing(folder))
    own = [name for name in names if name.endswith(".safetensors") and name.startswith(_CONSOLIDATED)]
    index = INDEX.replace("model", _CONSOLIDATED) if own else INDEX
    if index in names:
        return _read_indexed(folder, index, names)
    chosen = sorted(own or (name for name in names if name.endswith(".safetensors")))
    _refuse_missing(folder, _shards_of(chosen), names)
    return _read(folder, chosen) if chosen else None


def index_size(folder: str) -> int | None:
    """What the index says that all weights take, where none of the files it names is there yet."""
    path = os.path.join(folder, INDEX)
    if not os.path.exists(path) or any(name.endswith(".safetensors") for name in listing(folder)):
        return None
    metadata = read_object(path, _HEADER_LIMIT).get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    return int(total) if isinstance(total, (int, float)) and 0 < total < 1 << 50 else None


def _read_indexed(folder: str, index: str, names: Collection[str]) -> Weights | None:
    path = os.path.join(folder, index)
    places = read_object(path, _HEADER_LIMIT).get("weight_map")
    if not isinstance(places, dict) or not places or not all(_is_plain(each) for each in places.values()):
        refuse(path, "is not readable: its weight_map does not name a file of this folder for each tensor.")
    files = sorted(set(places.values()))
    if not any(name.endswith(".safetensors") for name in names):
        return None
    _refuse_missing(folder, files, names)
    weights = _read(folder, files)
    absent = [name for name in places if name not in weights.tensors]
    if absent:
        wrong = f"names {len(absent)} tensors that its files do not hold, {str(absent[0])[:80]!r} for one."
        refuse(path, wrong, "Index and weights are of different revisions: fetch both again, from one revision.")
    return weights


def _is_plain(name: object) -> bool:
    return isinstance(name, str) and bool(re.fullmatch(r"[^/\\\0]+\.safetensors", name))


def _read(folder: str, files: Iterable[str]) -> Weights:
    tensors: dict[str, Tensor] = {}
    for name in files:
        tensors.update(read_header(os.path.join(folder, name)))
    return Weights(tensors, tuple(files))


def _shards_of(names: Iterable[str]) -> list[str]:
    """Name every shard of the sets of which some are there."""
    sets = {(found["stem"], found["total"]) for name in names if (found := _SHARD.fullmatch(name))}
    return [
        f"{stem}-{number:05d}-of-{total}.safetensors"
        for stem, total in sorted(sets)
        for number in range(1, int(total) + 1)
    ]


def _refuse_missing(folder: str, wanted: Collection[str], names: Collection[str]) -> None:
    missing = [name for name in wanted if name not in names]
    if missing:
        rest = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        refuse(folder, f"lacks {missing[0]}{rest} of the {len(wanted)} files of its weights.", _FETCH)
