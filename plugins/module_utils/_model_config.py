# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What config.json says of a model: its measures, how its numbers are stored, and which context it was made for.

Keys are looked up under all names that the families use. What is missing and cannot be derived is refused by name;
what a family decides in its own code is a table here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._model_file import refuse
from ansible_collections.lab.llm_stack.plugins.module_utils._model_parameters import Parameters, count_parameters
from ansible_collections.lab.llm_stack.plugins.module_utils._model_shape import Attention, Shape

_LIMIT = 1 << 31
_MAX_LAYERS = 1 << 12
_TEXT_PARTS = ("text_config", "llm_config", "language_config", "thinker_config")
_VISION_PARTS = ("vision_config", "audio_config", "visual", "vision_tower", "mm_vision_tower", "img_processor")

# What vLLM takes for the longest context: the smallest of these.
_CONTEXTS = (
    *("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length"),
    *("max_sequence_length", "max_seq_length", "seq_len"),
)
# These two ways to stretch a context are counted in max_position_embeddings already.
_COUNTED_ROPE = ("su", "longrope", "llama3", "default", "mrope", "proportional")

# Families in which every n-th layer sees all tokens and the others a window, where config.json need not say so.
_PATTERNS: Mapping[str, int] = {"gemma2": 2, "gemma3_text": 6, "gemma3": 6, "cohere2": 4}
# Families in which the window, where one is set, is that of all layers.
_ALL_WINDOW = ("mistral", "mixtral", "phi3", "starcoder2", "phimoe")
_STATE_KINDS = ("linear_attention", "mamba", "mamba2", "recurrent", "conv", "ssm", "linear", "lightning_attention")
_STATE_FAMILIES = ("mamba", "mamba2", "falcon_mamba", "rwkv", "rwkv5", "rwkv6", "rwkv7")


@dataclass(frozen=True)
class Quantisation:
    """How a checkpoint is quantised: the method's own name, and bits per number where it says so."""

    method: str
    bits: int | None
    cache_bits: int | None = None


@dataclass(frozen=True)
class ModelConfig:
    """A model as its config.json describes it."""

    shape: Shape
    dtype: str
    quantisation: Quantisation | None
    parameters: Parameters | None


def read_config(path: str, config: Mapping[str, Any], tokenizer: Mapping[str, Any] | None = None) -> ModelConfig:
    """Read a parsed config.json; ``tokenizer`` is tokenizer_config.json, which may lower the context."""
    reader = _Reader(path, _text_part(config))
    parameters = count_parameters(reader.config)
    shape = Shape(
        architecture=_architecture(config),
        layers=reader.layers,
        hidden=reader.count("hidden_size", "n_embd", "d_model"),
        heads=reader.number("num_attention_heads", "n_head", "n_heads", "num_heads", default=1),
        vocabulary=reader.optional("vocab_size") or None,
        context=_context(reader, tokenizer or {}),
        attention=_attention(reader),
        state_layers=sum(kind in _STATE_KINDS for kind in _kinds(reader)),
        vision=any(config.get(part) for part in _VISION_PARTS),
        parameters=parameters.total if parameters else None,
    )
    return ModelConfig(shape, _dtype(config, reader.config), _quantisation(config, reader.config), parameters)


class _Reader:
    """Numbers of a configuration under any of the names that families give them."""

    def __init__(self, path: str, config: Mapping[str, Any]) -> None:
        self.path = path
        self.config = config

    def optional(self, *names: str) -> int | None:
        """Give the first of these that is set."""
        for name in names:
            value = self.config.get(name)
            if value is None:
                continue
            if (isinstance(value, bool) or not isinstance(value, int)) or not 0 <= value < _LIMIT:
                refuse(self.path, f"says that {name} is {str(value)[:40]!r}, which is no number of anything.")
            return value
        return None

    def number(self, *names: str, default: int | None = None) -> int:
        """Give the first of these that is set, of which one must be."""
        value = self.optional(*names)
        if value is None:
            value = default
        if value is None:
            refuse(self.path, f"does not say what {names[0]} is.", "Name the folder of a language model.")
        return value

    def count(self, *names: str, default: int | None = None) -> int:
        """Give the first of these that is set, which must not be nought."""
        value = self.number(*names, default=default)
        if value < 1:
            refuse(self.path, f"says that {names[0]} is 0, which no language model has.")
        return value

    @property
    def layers(self) -> int:
        """How many layers the model has."""
        count = self.count("num_hidden_layers", "n_layer", "n_layers", "num_layers")
        if count > _MAX_LAYERS:
            refuse(self.path, f"speaks of {count} layers; more than {_MAX_LAYERS} are not believed.")
        return count

    @property
    def family(self) -> str:
        """The model's type, as transformers names it."""
        return str(self.config.get("model_type", ""))


def _text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a configuration of several models that is about the language model."""
    for name in _TEXT_PARTS:
        part = config.get(name)
        if isinstance(part, dict) and part:
            return _text_part(part)
    return config


def _architecture(config: Mapping[str, Any]) -> str:
    names = config.get("architectures")
    first = names[0] if isinstance(names, list) and names else config.get("model_type", "unknown")
    return str(first)[:80]


def _dtype(*configs: Mapping[str, Any]) -> str:
    for config in configs:
        name = config.get("dtype") or config.get("torch_dtype")
        if isinstance(name, str):
            return name.rpartition(".")[2]
    return "float32"


def _quantisation(*configs: Mapping[str, Any]) -> Quantisation | None:
    for config in configs:
        found = config.get("quantization_config") or config.get("compression_config")
        if isinstance(found, dict):
            method = str(found.get("quant_method") or "unknown").lower()
            return Quantisation(method, _bits(found, method), _cache_bits(found))
    return None


def _bits(found: Mapping[str, Any], method: str) -> int | None:
    bits = found.get("bits") or found.get("w_bit")
    if bits is None and found.get("load_in_4bit"):
        bits = 4
    if bits is None and (method in ("fp8", "fbgemm_fp8", "modelopt") or found.get("load_in_8bit")):
        bits = 8
    if bits is None and method == "mxfp4":
        bits = 4
    groups = found.get("config_groups")
    if bits is None and isinstance(groups, dict) and groups:
        group = next(iter(groups.values()))
        weights = group.get("weights") if isinstance(group, dict) else None
        bits = weights.get("num_bits") if isinstance(weights, dict) else None
    return bits if (isinstance(bits, int) and not isinstance(bits, bool)) and 1 <= bits <= 16 else None


def _cache_bits(found: Mapping[str, Any]) -> int | None:
    scheme = found.get("kv_cache_scheme")
    bits = scheme.get("num_bits") if isinstance(scheme, dict) else None
    return bits if bits in (4, 8) else None


def _context(reader: _Reader, tokenizer: Mapping[str, Any]) -> int | None:
    """Derive the longest context as vLLM does where none is set."""
    named = [value for name in _CONTEXTS if (value := reader.optional(name))]
    context = float(min(named)) if named else None
    rope = reader.config.get("rope_scaling") or reader.config.get("rope_parameters")
    if context is not None and isinstance(rope, dict):
        context = _stretched(context, rope, reader)
    limit = tokenizer.get("model_max_length")
    if context is not None and isinstance(limit, (int, float)) and 0 < limit < context:
        context = float(limit)
    return int(context) if context is not None else None


def _stretched(context: float, rope: Mapping[str, Any], reader: _Reader) -> float:
    kind = str(rope.get("rope_type") or rope.get("type") or "default")
    original = rope.get("original_max_position_embeddings") or reader.config.get("original_max_position_embeddings")
    first = float(original) if isinstance(original, (int, float)) and 0 < original < _LIMIT else None
    if kind in ("su", "longrope"):
        return first or context
    factor = rope.get("factor")
    if kind in _COUNTED_ROPE or "gemma3" in reader.family or not isinstance(factor, (int, float)):
        return context
    base = first if kind == "yarn" and first else context
    return base * factor if 0 < factor < 1 << 16 else context


def _attention(reader: _Reader) -> tuple[Attention, ...]:
    """Group the layers that keep tokens by what they keep."""
    counted = Counter(kind for kind in _kinds(reader) if kind not in (*_STATE_KINDS, "none"))
    return tuple(_group(reader, kind, layers) for kind, layers in sorted(counted.items()))


def _group(reader: _Reader, kind: str, layers: int) -> Attention:
    latent = reader.optional("kv_lora_rank")
    if latent:
        return Attention(layers, 1, latent + reader.number("qk_rope_head_dim", default=0), 0, shared=True)
    heads = reader.count("num_attention_heads", "n_head", "n_heads", "num_heads")
    alike = 1 if reader.config.get("multi_query") is True else heads
    kept = reader.count("num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num", default=alike)
    size = reader.optional("head_dim", "kv_channels", "attention_head_dim")
    if size is None:
        size = reader.count("hidden_size", "n_embd", "d_model") // heads
    window = reader.optional("sliding_window", "attention_chunk_size") if kind != "full" else None
    return Attention(layers, kept, size, size, window, at_most=kind == "unsure")


def _kinds(reader: _Reader) -> list[str]:
    """Name what each layer is: full, window, unsure (either of them), none, or a kind that keeps a state."""
    count = reader.layers
    if reader.family in _STATE_FAMILIES:
        return ["mamba"] * count
    listed = reader.config.get("layer_types") or reader.config.get("layers_block_type")
    if isinstance(listed, list) and len(listed) == count:
        return [_kind_of(reader, str(each)) for each in listed]
    return _spaced_state(reader, count) or _windowed(reader, count)


def _kind_of(reader: _Reader, name: str) -> str:
    if name in _STATE_KINDS:
        return name
    windowed = name in ("sliding_attention", "chunked_attention", "local_attention", "sliding", "local")
    if windowed and reader.optional("sliding_window", "attention_chunk_size"):
        return "window"
    return "none" if name in ("mlp", "moe", "-") else "full"


def _spaced_state(reader: _Reader, count: int) -> list[str] | None:
    """Layers of models that keep tokens in every n-th layer only."""
    pattern = reader.config.get("hybrid_override_pattern")
    if isinstance(pattern, str) and len(pattern) == count:
        return [{"M": "mamba", "*": "full"}.get(each, "none") for each in pattern]
    step = reader.optional("attn_layer_period", "full_attention_interval")
    if not step:
        return None
    offset = reader.number("attn_layer_offset", default=step - 1)
    return ["full" if index % step == offset % step else "mamba" for index in range(count)]


def _windowed(reader: _Reader, count: int) -> list[str]:
    if not reader.optional("sliding_window") or reader.config.get("use_sliding_window") is False:
        return ["full"] * count
    step = reader.optional("sliding_window_pattern") or _PATTERNS.get(reader.family)
    if step:
        return ["full" if (index + 1) % step == 0 else "window" for index in range(count)]
    if reader.family in ("qwen2", "qwen2_moe", "qwen3", "qwen3_moe"):
        full = min(reader.number("max_window_layers", default=count), count)
        return ["full"] * full + ["window"] * (count - full)
    return ["window" if reader.family in _ALL_WINDOW else "unsure"] * count
