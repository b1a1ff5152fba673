# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measures of a model from the keys of its GGUF header.

llama.cpp decides for some families in its own code which layers keep a window only, or share what they keep. The
header does not tell, so such layers are counted whole and marked as an upper bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ansible_collections.lab.llm_stack.plugins.module_utils._gguf import Array, Gguf
from ansible_collections.lab.llm_stack.plugins.module_utils._model_file import refuse
from ansible_collections.lab.llm_stack.plugins.module_utils._model_shape import Attention, Shape

_LIMIT = 1 << 31
_MAX_LAYERS = 1 << 12


def shape_of(path: str, gguf: Gguf) -> Shape:
    """Read the measures of a model; what the header lacks and llama.cpp does not derive is refused by name."""
    keys = _Keys(path, gguf)
    attention = tuple(_attention(keys))
    return Shape(
        architecture=keys.architecture,
        layers=keys.layers,
        hidden=keys.number("embedding_length"),
        heads=max(keys.each("attention.head_count", 0)),
        vocabulary=keys.vocabulary,
        context=keys.number("context_length", 0) or None,
        attention=attention,
        state_layers=_state_layers(keys, sum(group.layers for group in attention)),
        parameters=sum(tensor.elements for tensor in gguf.tensors.values()),
    )


class _Keys:
    """Numbers of a header under the prefix of its architecture."""

    def __init__(self, path: str, gguf: Gguf) -> None:
        self.path = path
        self.values = gguf.keys
        name = gguf.keys.get("general.architecture")
        if not isinstance(name, str) or not name:
            refuse(path, "does not say what general.architecture is.", "Name the file of a model.")
        self.architecture = name[:80]

    def number(self, name: str, default: int | None = None) -> int:
        """Give one number."""
        value = self.values.get(f"{self.architecture}.{name}", default)
        return self._checked(name, value)

    def has(self, start: str) -> bool:
        """Tell whether a key begins like this."""
        return any(key.startswith(f"{self.architecture}.{start}") for key in self.values)

    def each(self, name: str, default: int | None = None) -> list[int]:
        """Give one number for each layer, where the header has one for all of them as well."""
        value = self.values.get(f"{self.architecture}.{name}", default)
        if not isinstance(value, Array):
            return [self._checked(name, value)] * self.layers
        if value.items is None or len(value.items) < self.layers:
            refuse(self.path, f"has {value.count} values of {name} for {self.layers} layers.", "Convert it anew.")
        return [self._checked(name, item) for item in value.items[: self.layers]]

    def flags(self, name: str) -> Sequence[bool] | None:
        """Give a list of yes and no, where there is one for each layer."""
        value = self.values.get(f"{self.architecture}.{name}")
        if not isinstance(value, Array) or value.items is None or len(value.items) < self.layers:
            return None
        return [bool(item) for item in value.items[: self.layers]]

    @property
    def layers(self) -> int:
        """How many layers the model has."""
        count = self.number("block_count")
        if not 1 <= count <= _MAX_LAYERS:
            refuse(self.path, f"speaks of {count} layers; 1 to {_MAX_LAYERS} are believed.")
        return count

    @property
    def vocabulary(self) -> int | None:
        """How many words the model knows."""
        tokens = self.values.get("tokenizer.ggml.tokens")
        return tokens.count if isinstance(tokens, Array) else self.number("vocab_size", 0) or None

    def _checked(self, name: str, value: object) -> int:
        if (isinstance(value, bool) or not isinstance(value, int)) or not 0 <= value < _LIMIT:
            found = "is missing" if value is None else f"is {str(value)[:40]!r}"
            refuse(self.path, f"cannot be judged: {self.architecture}.{name} {found}.", "Convert the model anew.")
        return value


def _attention(keys: _Keys) -> Iterator[Attention]:
    """Group the layers by what they keep."""
    heads = keys.each("attention.head_count", 0)
    kept = keys.each("attention.head_count_kv", max(heads))
    whole = keys.number("embedding_length") // max(*heads, 1)
    key, value = keys.number("attention.key_length", whole), keys.number("attention.value_length", whole)
    window = keys.number("attention.sliding_window", 0) or None
    pattern = keys.flags("attention.sliding_window_pattern") if window else None
    unsure = keys.has("ssm.") or keys.has("attention.kv_lora_rank") or keys.has("attention.shared_kv_layers")
    hidden = window is not None and pattern is None
    slid = pattern or [False] * keys.layers
    for (count, inside), layers in sorted(Counter(zip(kept, slid)).items()):
        if count:
            sizes = _sizes(keys, key, value, inside or hidden)
            yield Attention(layers, count, *sizes, window if inside else None, at_most=unsure or hidden)


def _sizes(keys: _Keys, key: int, value: int, windowed: bool) -> tuple[int, int]:
    """Layers with a window may have heads of their own size; the larger counts where it is not known which are."""
    if not windowed:
        return key, value
    return max(key, keys.number("attention.key_length_swa", 0)), max(
        value, keys.number("attention.value_length_swa", 0)
    )


def _state_layers(keys: _Keys, counted: int) -> int:
    """Layers that keep a state: those without heads, or an unknown part of them all where a state is spoken of."""
    if keys.has("ssm.") or keys.has("wkv") or keys.has("shortconv."):
        return max(keys.layers - counted, 1)
    return 0
