# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Are the files of a model all there, and are they what an engine reads? Headers are read, weights never."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._memory_fit import Model
from ansible_collections.lab.llm_stack.plugins.module_utils._model_file import ModelFileError, opened, read_object
from ansible_collections.lab.llm_stack.plugins.module_utils._model_read import read_model, snapshot_of
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import Finding, Instance
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem
from ansible_collections.lab.llm_stack.plugins.module_utils._tool_calling_files import Files, tokens_of

_LIMIT = 64 << 20
_TEMPLATE = 4 << 20
# What a tokenizer may be made of; vLLM starts without any, with one that it invents.
_TOKENIZERS = re.compile(r"tokenizer\.json|vocab\.json|.*\.model|tekken\.json|.*\.tiktoken|vocab\.txt|tokenizer\..*")
_OTHER_WEIGHTS = re.compile(r"(pytorch_model|consolidated).*\.(bin|pt|pth|safetensors)")
_UNFINISHED = (".incomplete", ".part", ".aria2")
_AGAIN = "Fetch the model again; what is there already need not be fetched again."
# How the reader of a model words what is wrong, and what a failed start is called for it.
_CODES = (
    (r"is cut off|bytes more than its header", "weights-cut"),
    (r"^lacks .* of its weights|^names \d+ tensors", "weights-missing"),
    (r"is a link to a file that is not there|no snapshot of the revision", "model-not-fetched"),
    (r"^has no config\.json", "model-config"),
)


@dataclass(frozen=True)
class ModelFiles:
    """What the folder of a model holds; ``model`` is None where it cannot be judged, and a finding then says why."""

    model: Model | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    files: Files | None = None
    findings: tuple[Finding, ...] = ()


def read_files(instance: Instance) -> ModelFiles:
    """Read a folder for vLLM, or a GGUF file for llama.cpp."""
    path = f"{instance.path}.source"
    if not os.path.exists(instance.folder):
        return ModelFiles(findings=(_missing(path, instance.folder),))
    if instance.engine == "llamacpp":
        return _read_gguf(instance, path)
    try:
        folder = snapshot_of(instance.folder) if os.path.isdir(instance.folder) else instance.folder
    except ModelFileError as error:
        return ModelFiles(findings=tuple(_worded(path, error)))
    unfinished = tuple(_unfinished(path, folder))
    return ModelFiles(findings=unfinished) if unfinished else _read_folder(folder, path, instance)


def _missing(path: str, folder: str) -> Finding:
    wrong, remedy = "is not there.", "Let the deploy fetch it, or correct the source."
    return Finding("model-folder", Problem(path, folder, wrong, remedy), pending=True)


def _read_gguf(instance: Instance, path: str) -> ModelFiles:
    try:
        return ModelFiles(read_model(instance.folder))
    except ModelFileError as error:
        return ModelFiles(findings=tuple(_worded(path, error)))


def _read_folder(folder: str, path: str, instance: Instance) -> ModelFiles:
    names = frozenset(os.listdir(folder)) if os.path.isdir(folder) else frozenset()
    own_format = instance.settings.get("config_format") == "mistral" and "params.json" in names
    try:
        config = {} if own_format else read_object(os.path.join(folder, "config.json"), _LIMIT)
        model = None if own_format else read_model(folder)
        files = read_chat(folder, names, config)
    except ModelFileError as error:
        return ModelFiles(findings=tuple(_worded(path, error)))
    return ModelFiles(model, config, files, tuple(_incomplete(path, folder, names, model)))


def read_chat(folder: str, names: frozenset[str], config: Mapping[str, Any]) -> Files:
    """Read what tells how a model is talked to."""
    tokenizer_config = _object(folder, "tokenizer_config.json", names)
    tokenizer = _object(folder, "tokenizer.json", names)
    tokens = tokens_of(tokenizer, tokenizer_config) if tokenizer else None
    return Files(config, tokenizer_config, _template(folder, names), tokens, names)


def _object(folder: str, name: str, names: frozenset[str]) -> Mapping[str, Any]:
    return read_object(os.path.join(folder, name), _LIMIT) if name in names else {}


def _template(folder: str, names: frozenset[str]) -> str | None:
    if "chat_template.jinja" not in names:
        return None
    with opened(os.path.join(folder, "chat_template.jinja")) as (source, _size):
        return source.read(_TEMPLATE).decode("utf-8", "replace")


def _unfinished(path: str, folder: str) -> Iterator[Finding]:
    """Name what a download left that did not end, and links that lead nowhere."""
    for directory, _folders, names in os.walk(folder):
        for name in sorted(names):
            file = os.path.join(directory, name)
            shown = os.path.relpath(file, folder)
            if name.endswith(_UNFINISHED):
                wrong = f"is not fetched completely: {shown} is the beginning of a file."
                yield Finding("model-not-fetched", Problem(path, folder, wrong, _AGAIN))
                return
            if os.path.islink(file) and not os.path.exists(file):
                wrong = f"is not fetched completely: {shown} is a link to a file that is not there."
                yield Finding("model-not-fetched", Problem(path, folder, wrong, _AGAIN))
                return


def _worded(path: str, error: ModelFileError) -> Iterator[Finding]:
    for each in error.problems:
        code = next((name for pattern, name in _CODES if re.search(pattern, each.wrong)), _by_name(each.path))
        yield Finding(code, Problem(path, NOTHING, f"{each.path} {each.wrong}", each.remedy))


def _by_name(path: str) -> str:
    """What a file that cannot be read is called, by what it is."""
    if path.endswith(".json"):
        return "model-config" if os.path.basename(path) == "config.json" else "model-json"
    return "weights-cut" if path.endswith(".safetensors") else "model-folder"


def _incomplete(path: str, folder: str, names: frozenset[str], model: Model | None) -> Iterator[Finding]:
    if model and model.weights.estimate and not any(_OTHER_WEIGHTS.fullmatch(name) for name in names):
        yield Finding("weights-missing", Problem(path, folder, "has no weights.", _AGAIN))
    if not any(_TOKENIZERS.fullmatch(name) for name in names):
        wrong = "has no files of a tokenizer; vLLM would invent one, and answer nonsense."
        yield Finding("tokenizer", Problem(path, folder, wrong, _AGAIN))
