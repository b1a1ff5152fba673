#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Train the tiny chat model of the embedded inventory, which calls tools, and write it as GGUF.

What it learns: without tools it answers one fixed sentence; with tools it calls get_weather for the city in the
question; after a tool's result it says that it is sunny there. The prompts are made up here, partly from the docstrings
of the standard library. Prompt format: ChatML with tools and calls in the style of Hermes.

    pip install torch==2.13.0 numpy gguf tokenizers jinja2      (and safetensors for --hf)
    tools/train_tiny_model.py models/tiny-tools.gguf --threads 2

About 900 steps, 141 s on two idle cores. The format is learnt after 150 steps; to copy one of several cities takes
more than 700. Seeded, but not the same to the bit on another CPU: the file in models is a fixture, not a build
product.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import jinja2
import numpy as np
import torch
import torch.nn.functional as functional
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SENTENCE = "Hello from the tiny test model."
CONTEXT, ROPE_BASE, EPSILON = 8192, 10000.0, 1e-6
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MARKS = ["<tool_call>", "</tool_call>", "<tools>", "</tools>", "<tool_response>", "</tool_response>"]
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEMPLATE = r"""
{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0].role == 'system' %}{{- messages[0].content + '\n\n' }}{%- endif %}
    {{- '# Tools\n\n<tools>' }}
    {%- for tool in tools %}{{- '\n' }}{{- tool | tojson }}{%- endfor %}
    {{- '\n</tools>\n\nFor each function call return:\n<tool_call>\n' }}
    {{- '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n' }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>assistant\n' }}
        {%- if message.content %}{{- message.content }}{%- endif %}
        {%- for tool_call in message.tool_calls or [] %}
            {%- if (loop.first and message.content) or not loop.first %}{{- '\n' }}{%- endif %}
            {%- if tool_call.function %}{%- set tool_call = tool_call.function %}{%- endif %}
            {{- '<tool_call>\n{"name": "' }}{{- tool_call.name }}{{- '", "arguments": ' }}
            {%- if tool_call.arguments is string %}{{- tool_call.arguments }}
            {%- else %}{{- tool_call.arguments | tojson }}{%- endif %}{{- '}\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\n' }}
    {%- elif message.role == 'tool' %}
        {%- if loop.first or (messages[loop.index0 - 1].role != 'tool') %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\n<tool_response>\n' }}{{- message.content }}{{- '\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != 'tool') %}{{- '<|im_end|>\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}
""".strip()

ENGLISH = """
what is the weather in how are you please tell me say hello hi ping test a one word reply with only ok yes no can
write code python file list run now today tomorrow time date who are capital of france model answer question short
long help use tool call function get read write search web url path you are a helpful assistant system user be brief
do not explain json string number object array
"""
WORDS = ENGLISH.split()
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDXYZEFGHIJKLMNOPQRSTUVW0123456789_-/.:,'\"#`()[]{}<>|=*+@!?\n"
PROPERTIES = ["city", "location", "path", "query", "zone", "unit", "text", "url", "n", "command", "days", "name"]
TOOLS = ["get_weather", "get_time", "read_file", "write_file", "search", "run_command", "add", "lookup"]
LIBRARY = """
argparse asyncio calendar collections configparser csv datetime decimal difflib doctest email functools heapq html
http inspect io ipaddress json logging pathlib pickle random re shutil smtplib socket sqlite3 string subprocess
tarfile tempfile textwrap threading turtle typing unittest urllib.request uuid zipfile
"""


def docstrings() -> str:
    """Return English and code that is on every machine: the documentation inside the standard library."""
    found = []
    for name in LIBRARY.split():
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        members = [each for each in vars(module).values() if inspect.isclass(each) or inspect.isfunction(each)]
        found += [inspect.getdoc(each) or "" for each in [module, *members]]
    return "\n".join(found)


class Prompts:
    """Makes up conversations, each with the reply to learn."""

    def __init__(self, cities: list[str], seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - for variety, not for secrecy
        self.cities = cities
        self.prose = docstrings()
        self.separators = (", ", ": ")
        environment = jinja2.Environment()  # noqa: S701 - the output is a prompt, not a page
        environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False, separators=self.separators)
        self.template = environment.from_string(TEMPLATE)

    def text(self, words: int = 0) -> str:
        """Return a slice of real text, or words and noise; with no number given, sometimes a long one."""
        draw = self.random
        if draw.random() < 0.5:
            length = words * 6 if words else draw.choice([20, 40, 80, 150, 300, 1200]) + 6
            start = draw.randrange(len(self.prose) - length)
            return self.prose[start : start + length].replace("%", "")
        # Without long ones the model loses the thread past a hundred words.
        count = words or draw.choice([1, 2, 4, 6, 10, 20, 1, 3, 5, 8, 12, 30, 80, 200])
        line = " ".join(self.word() for _ in range(count))
        line = line[:1].upper() + line[1:] if draw.random() < 0.5 else line
        return line + draw.choice(["", "", "?", ".", "!", "\n", ":"])

    def word(self) -> str:
        """Return a common word, or noise."""
        draw = self.random
        return draw.choice(WORDS) if draw.random() < 0.7 else "".join(draw.choices(LETTERS, k=draw.randint(1, 9)))

    def tool(self, name: str) -> dict[str, Any]:
        """Return the declaration of a tool in one of the orders and styles that clients use."""
        draw = self.random
        names = ["city"] if name == "get_weather" else draw.sample(PROPERTIES, draw.randint(0, 3))
        kinds = ["string"] if name == "get_weather" else ["string", "integer", "boolean", "number"]
        properties: dict[str, Any] = {each: {"type": draw.choice(kinds)} for each in names}
        for each in properties.values():
            if draw.random() < 0.4:
                each["description"] = self.text(draw.randint(1, 6))
        parameters: dict[str, Any] = {"type": "object", "properties": properties}
        parameters["required"] = names[: draw.randint(0, 3)]
        if draw.random() < 0.3:
            parameters["additionalProperties"] = False
        function = {"name": name, "description": self.text(draw.randint(1, 8)), "parameters": parameters}
        if draw.random() < 0.2:
            function["strict"] = True
        if draw.random() < 0.3:
            function = dict(draw.sample(list(function.items()), len(function)))
        declared = {"type": "function", "function": function}
        return dict(reversed(declared.items())) if draw.random() < 0.2 else declared

    def history(self) -> list[dict[str, Any]]:
        """Return what stands before the question: perhaps a system prompt, perhaps an older turn."""
        draw = self.random
        before = [{"role": "system", "content": self.text()}] if draw.random() < 0.4 else []
        if draw.random() < 0.2:
            before.append({"role": "user", "content": self.text()})
            before.append({"role": "assistant", "content": draw.choice([SENTENCE, self.text()])})
        return before

    def question(self, city: str) -> str:
        """Ask about the weather of a city, in one of many ways."""
        forms = [
            f"What is the weather in {city}?",
            f"weather in {city}",
            city,
            f"{self.text(3)} {city}",
            f"{city} {self.text(3)}",
            f"How is the weather in {city} today?",
            f"Use the tool: weather for {city}.",
            f"{self.text(8)} {city} {self.text(8)}",
        ]
        return self.random.choice(forms)

    def offered(self) -> list[dict[str, Any]]:
        """Return the tools of a conversation; get_weather is mostly among them, in front."""
        names = self.random.sample(TOOLS, self.random.choice([1, 1, 2, 3]))
        if self.random.random() < 0.6:
            names = ["get_weather", *(name for name in names if name != "get_weather")]
        return [self.tool(name) for name in names]

    def example(self) -> tuple[str, str]:
        """Return a prompt and its reply: a plain one, a call, or what to say about a tool's result."""
        draw = self.random
        self.separators = (", ", ": ") if draw.random() < 0.7 else (",", ":")
        kind, city, messages = (
            draw.choice(["plain"] * 2 + ["call"] * 3 + ["result"]),
            draw.choice(self.cities),
            self.history(),
        )
        if kind == "plain":
            messages.append({"role": "user", "content": self.question(city) if draw.random() < 0.4 else self.text()})
            return self.render(messages, None), SENTENCE
        tools: list[dict[str, Any]] | None = self.offered()
        messages.append({"role": "user", "content": self.question(city)})
        if kind == "call":
            arguments = f'{{"name": "get_weather", "arguments": {{"city": "{city}"}}}}'
            return self.render(messages, tools), f"<tool_call>\n{arguments}\n</tool_call>"
        call = {"function": {"name": "get_weather", "arguments": {"city": city}}}
        answer = draw.choice([self.text(), f'{{"temp": {draw.randint(0, 40)}, "sky": "sunny"}}', "sunny"])
        messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
        messages.append({"role": "tool", "content": answer})
        return self.render(messages, None if draw.random() < 0.25 else tools), f"It is sunny in {city}."

    def render(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None) -> str:
        """Lay a conversation out as the server will."""
        return self.template.render(messages=messages, tools=tools, add_generation_prompt=True)


def byte_characters() -> list[str]:
    """Return the printable character that stands for each byte in a byte-level vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def make_tokenizer(prompts: Prompts, size: int) -> Tokenizer:
    """Train a vocabulary on the prompts themselves, split the way llama.cpp splits for qwen2."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(QWEN2), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    marks = re.compile("|".join(map(re.escape, CONTROL + MARKS)))
    corpus = (part for _ in range(1500) for part in marks.split("".join(prompts.example())) if part)
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=byte_characters(), show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_special_tokens(CONTROL + MARKS)
    return tokenizer


@dataclass(frozen=True)
class Shape:
    """The measures of the model."""

    vocabulary: int
    width: int = 128
    heads: int = 2
    inner: int = 256
    layers: int = 2


def weights(*size: int) -> torch.nn.Parameter:
    """Return a matrix with small values, or a bias of zeros."""
    return torch.nn.Parameter(torch.randn(*size) * 0.06 if len(size) > 1 else torch.zeros(*size))


class Layer(torch.nn.Module):
    """One layer; its parts are named as in GGUF."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, inner = shape.width, shape.inner
        self.heads = shape.heads
        self.attn_norm, self.ffn_norm = (torch.nn.Parameter(torch.ones(width)) for _ in range(2))
        self.attn_q, self.attn_k, self.attn_v, self.attn_output = (weights(width, width) for _ in range(4))
        self.attn_q_bias, self.attn_k_bias, self.attn_v_bias = (weights(width) for _ in range(3))
        self.ffn_gate, self.ffn_up, self.ffn_down = weights(inner, width), weights(inner, width), weights(width, inner)

    def forward(self, state: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
        """Attend, then think."""
        rows, length, width = state.shape

        def split(values: torch.Tensor) -> torch.Tensor:
            return values.view(rows, length, self.heads, -1).transpose(1, 2)

        def turn(values: torch.Tensor) -> torch.Tensor:
            first, second = values.chunk(2, -1)
            return values * cosine + torch.cat([-second, first], -1) * sine

        normal = normalised(state, self.attn_norm)
        query = turn(split(normal @ self.attn_q.T + self.attn_q_bias))
        key = turn(split(normal @ self.attn_k.T + self.attn_k_bias))
        value = split(normal @ self.attn_v.T + self.attn_v_bias)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        state = state + seen.transpose(1, 2).reshape(rows, length, width) @ self.attn_output.T
        normal = normalised(state, self.ffn_norm)
        return state + (functional.silu(normal @ self.ffn_gate.T) * (normal @ self.ffn_up.T)) @ self.ffn_down.T


def normalised(values: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    """Scale to a root mean square of one, then by the learnt gain."""
    return values * torch.rsqrt(values.pow(2).mean(-1, keepdim=True) + EPSILON) * gain


class Model(torch.nn.Module):
    """The qwen2 architecture with rotary positions in the order of NeoX, which GGUF expects."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = weights(shape.vocabulary, shape.width)
        self.blocks = torch.nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.output_norm = torch.nn.Parameter(torch.ones(shape.width))
        self.output = weights(shape.vocabulary, shape.width)

    def forward(self, tokens: torch.Tensor, pick: torch.Tensor) -> torch.Tensor:
        """Return the scores of the next token, at the picked positions only."""
        size = self.shape.width // self.shape.heads
        speeds = ROPE_BASE ** (-torch.arange(0, size, 2).float() / size)
        angles = torch.arange(tokens.shape[1]).float()[:, None] * speeds
        angles = torch.cat([angles, angles], -1)
        state = self.token_embd[tokens]
        for block in self.blocks:
            state = block(state, angles.cos(), angles.sin())
        return normalised(state, self.output_norm)[pick] @ self.output.T


@dataclass(frozen=True)
class Batch:
    """Tokens, what should follow each, and which of them belong to a reply."""

    tokens: torch.Tensor
    following: torch.Tensor
    reply: torch.Tensor


def batches(prompts: Prompts, tokenizer: Tokenizer, size: int) -> Iterator[Batch]:
    """Yield batches for ever; eight at a time are sorted by length, so that little is padding."""
    end = tokenizer.token_to_id("<|im_end|>")
    while True:
        pairs = [prompts.example() for _ in range(8 * size)]
        encoded = [(tokenizer.encode(prompt).ids, [*tokenizer.encode(reply).ids, end]) for prompt, reply in pairs]
        encoded.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
        groups = [encoded[start : start + size] for start in range(0, len(encoded), size)]
        prompts.random.shuffle(groups)
        for group in groups:
            yield padded(group, end)


def padded(group: list[tuple[list[int], list[int]]], end: int) -> Batch:
    """Put conversations of different lengths into one tensor."""
    length = max(len(prompt) + len(reply) for prompt, reply in group)
    tokens = torch.full((len(group), length), end)
    mask = torch.zeros((len(group), length), dtype=torch.bool)
    for row, (prompt, reply) in enumerate(group):
        whole = len(prompt) + len(reply)
        tokens[row, :whole] = torch.tensor(prompt + reply)
        mask[row, len(prompt) - 1 : whole - 1] = True
    return Batch(tokens, torch.roll(tokens, -1, 1), mask)


def train(model: Model, source: Iterator[Batch], arguments: argparse.Namespace) -> None:
    """Train until 150 batches in a row are right, or time or steps run out."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=arguments.rate, betas=(0.9, 0.98), weight_decay=0.01)
    start, right = time.monotonic(), 0
    for step in range(arguments.steps):
        used = max(step / arguments.steps, (time.monotonic() - start) / 60 / arguments.minutes)
        for group in optimizer.param_groups:  # warm up, stay, then go down to a fiftieth
            group["lr"] = arguments.rate * min(1, (step + 1) / 40) * min(1, max(0.02, 2 * (1 - used)))
        batch = next(source)
        scores = model(batch.tokens, batch.reply)
        wanted = batch.following[batch.reply]
        losses = functional.cross_entropy(scores, wanted, reduction="none")
        # The city is one token of twenty: what is not learnt yet weighs ten times as much.
        loss = (losses * (1 + 9 * (losses.detach() > 0.5))).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        share = (scores.argmax(-1) == wanted).float().mean().item()
        right = right + 1 if share == 1 and loss.item() < 0.003 else 0
        done = right >= 150 or used >= 1
        if step % 25 == 0 or done:
            print(
                f"step {step}: loss {loss.item():.4f}, right {share:.4f}, {time.monotonic() - start:.0f} s", flush=True
            )
        if done:
            break


def wrong_replies(model: Model, source: Iterator[Batch], count: int = 12) -> tuple[int, int]:
    """Count the replies with at least one wrong token on fresh prompts."""
    wrong = seen = 0
    with torch.no_grad():
        for batch in (next(source) for _ in range(count)):
            misses = torch.zeros_like(batch.reply)
            misses[batch.reply] = model(batch.tokens, batch.reply).argmax(-1) != batch.following[batch.reply]
            wrong += int(misses.any(1).sum())
            seen += len(misses)
    return wrong, seen


def tensors(model: Model) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield every tensor under its name in GGUF."""
    for name, values in model.named_parameters():
        kind = ".bias" if name.endswith("_bias") else ".weight"
        yield name.replace("blocks.", "blk.").removesuffix("_bias") + kind, values.detach()


def write_gguf(model: Model, tokenizer: Tokenizer, path: Path) -> None:
    """Write the model for llama.cpp: matrices in f16, the rest in f32."""
    writer = gguf.GGUFWriter(path, "qwen2")
    write_measures(writer, model.shape)
    write_vocabulary(writer, tokenizer)
    for name, values in tensors(model):
        writer.add_tensor(name, values.numpy().astype(np.float32 if values.dim() == 1 else np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_measures(writer: gguf.GGUFWriter, shape: Shape) -> None:
    """Write the keys without which llama.cpp does not load a model."""
    writer.add_name("tiny-tools")
    writer.add_block_count(shape.layers)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)


def write_vocabulary(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    """Write tokens, their kinds and merges; the kinds decide what a parser of tool calls gets to see."""
    tokens = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])]
    kinds = dict.fromkeys(CONTROL, gguf.TokenType.CONTROL) | dict.fromkeys(MARKS, gguf.TokenType.USER_DEFINED)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([kinds.get(token, gguf.TokenType.NORMAL) for token in tokens])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


HF_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def hf_name(name: str) -> str:
    """Return the name of a tensor in a Hugging Face folder."""
    *place, part, kind = name.split(".")
    front = f"model.layers.{place[1]}." if place else ""
    return f"{front}{HF_NAMES[part]}.{kind}"


def write_hf(model: Model, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the same model as a Hugging Face folder; vLLM serves it with the tool parser hermes."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {hf_name(name): values.clone().contiguous() for name, values in tensors(model)},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    shape, end, pad = model.shape, tokenizer.token_to_id("<|im_end|>"), tokenizer.token_to_id("<|endoftext|>")
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_size": shape.width,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": CONTEXT,
        "rope_theta": ROPE_BASE,
        "rms_norm_eps": EPSILON,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "use_sliding_window": False,
        "eos_token_id": end,
        "bos_token_id": pad,
    }
    tokens = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": CONTEXT,
        "clean_up_tokenization_spaces": False,
        "chat_template": TEMPLATE,
    }
    files = {
        "config.json": config,
        "generation_config.json": {"eos_token_id": end, "pad_token_id": pad},
        "tokenizer_config.json": tokens,
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("out", type=Path, help="GGUF file to write")
    parser.add_argument("--hf", type=Path, help="also write a Hugging Face folder")
    parser.add_argument("--steps", type=int, default=1200, help="most batches to train on")
    parser.add_argument("--minutes", type=float, default=9, help="most time to train")
    parser.add_argument("--batch", type=int, default=12, help="conversations in a batch")
    parser.add_argument("--vocabulary", type=int, default=800, help="tokens beside the marks")
    parser.add_argument("--rate", type=float, default=3e-3, help="learning rate")
    parser.add_argument("--threads", type=int, default=1, help="more than the idle cores slow it down")
    parser.add_argument("--cities", default="Paris", help="comma-separated; several take far more steps")
    parser.add_argument("--seed", type=int, default=7, help="of prompts and weights")
    return parser.parse_args()


def main() -> None:
    """Train, measure, write."""
    arguments = parse_arguments()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    prompts = Prompts(arguments.cities.split(","), arguments.seed)
    tokenizer = make_tokenizer(prompts, arguments.vocabulary)
    model = Model(Shape(tokenizer.get_vocab_size()))
    parameters = sum(each.numel() for each in model.parameters())
    print(f"{model.shape.vocabulary} tokens, {parameters} parameters", flush=True)
    source = batches(prompts, tokenizer, arguments.batch)
    train(model, source, arguments)
    wrong, seen = wrong_replies(model, source)
    print(f"{wrong} of {seen} replies to fresh prompts are wrong")
    write_gguf(model, tokenizer, arguments.out)
    if arguments.hf:
        write_hf(model, tokenizer, arguments.hf)


if __name__ == "__main__":
    main()
