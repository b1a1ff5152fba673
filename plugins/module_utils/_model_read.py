# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a model from its folder or its GGUF file: what it is, and how large its weights are.

The best that is there is used: headers of the weights, else what their index says, else an estimate from config.json.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._gguf import read_gguf
from ansible_collections.lab.llm_stack.plugins.module_utils._gguf_shape import shape_of
from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import Model, Stored
from ansible_collections.lab.llm_stack.plugins.module_utils._model_config import ModelConfig, read_config
from ansible_collections.lab.llm_stack.plugins.module_utils._model_file import listing, opened, read_object, refuse
from ansible_collections.lab.llm_stack.plugins.module_utils._safetensors import Weights, index_size, read_weights

_CONFIG_LIMIT = 16 << 20
_FLOATS: Mapping[str, int] = {"F32": 4, "F16": 2, "BF16": 2}
# Four bits and the scale and zero of a group of 128 numbers.
_GROUPED = 0.5 + 2.5 / 128


def read_model(path: str) -> Model:
    """Read a folder as transformers writes it, or a file in GGUF form."""
    if os.path.isdir(path):
        return _read_folder(snapshot_of(path))
    if not path.endswith(".gguf") and os.path.exists(path):
        refuse(path, "is neither a folder nor a GGUF file.", "Name the folder with config.json, or a .gguf file.")
    gguf = read_gguf(path)
    shape = shape_of(path, gguf)
    stored = Stored(gguf.weights, f"{len(gguf.tensors)} tensors of the header")
    return Model(os.path.basename(path), "gguf", shape, stored)


def snapshot_of(folder: str) -> str:
    """Follow a folder of the hub's cache to the revision it holds; any other folder is itself."""
    reference = os.path.join(folder, "refs", "main")
    if not os.path.isfile(reference) or os.path.exists(os.path.join(folder, "config.json")):
        return folder
    with opened(reference) as (source, _size):
        revision = source.read(64).decode("ascii", "replace").strip()
    found = os.path.join(folder, "snapshots", os.path.basename(revision))
    if not os.path.isdir(found):
        refuse(folder, f"has no snapshot of the revision {revision!r} it names.", "Fetch the model again.")
    return found


def _read_folder(folder: str) -> Model:
    path = os.path.join(folder, "config.json")
    if not os.path.exists(path):
        _refuse_folder(folder)
    config = read_config(path, read_object(path, _CONFIG_LIMIT), _tokenizer(folder))
    name = os.path.basename(os.path.abspath(folder))
    bits = config.quantisation.cache_bits if config.quantisation else None
    return Model(name, "safetensors", config.shape, _stored(folder, config), config.dtype, bits)


def _refuse_folder(folder: str) -> None:
    files = sorted(name for name in listing(folder) if name.endswith(".gguf"))
    remedy = f"Name the file: {os.path.join(folder, files[0])}." if files else "Name the folder that holds it."
    refuse(folder, "has no config.json.", remedy)


def _tokenizer(folder: str) -> Mapping[str, Any]:
    path = os.path.join(folder, "tokenizer_config.json")
    return read_object(path, _CONFIG_LIMIT) if os.path.exists(path) else {}


def _stored(folder: str, config: ModelConfig) -> Stored:
    weights = read_weights(folder)
    if weights is not None:
        return _from_headers(weights, config)
    size = index_size(folder)
    if size is not None:
        width = _FLOATS.get({"float32": "F32"}.get(config.dtype, "F16"), 2)
        elements = 0 if config.quantisation else size // width
        return Stored(size, "the index; none of the files is there", elements, elements * width, True)
    return _estimated(config)


def _from_headers(weights: Weights, config: ModelConfig) -> Stored:
    count = len(weights.files)
    why = f"headers of {count} files" if count > 1 else "header of 1 file"
    if config.quantisation:
        return Stored(weights.size, f"{why}, {config.quantisation.method}")
    sizes = weights.size_by_type()
    size = sum(sizes.get(name, 0) for name in _FLOATS)
    elements = sum(sizes.get(name, 0) // width for name, width in _FLOATS.items())
    return Stored(weights.size, why, elements, size)


def _estimated(config: ModelConfig) -> Stored:
    """Compute the size from config.json: for a quantised model, with its embeddings in sixteen bits."""
    found = config.parameters
    if found is None:
        why = f"no weights are there, and {config.shape.architecture} is not a family whose size is computed here"
        return Stored(None, why, estimate=True)
    billions = f"{found.total / 1e9:.2f} billion parameters by config.json"
    if config.quantisation is None:
        return Stored(found.total * 2, billions, found.total, found.total * 2, True)
    bits, method = config.quantisation.bits, config.quantisation.method
    if bits is None:
        return Stored(None, f"no weights are there, and config.json does not say the bits of {method}", estimate=True)
    width = _GROUPED if bits == 4 else bits / 8
    return Stored(int(found.linear * width) + found.embedding * 2, f"{billions}, {method} {bits} bits", estimate=True)
