# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the files of a model come from that vLLM serves, and at which commit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_options import PINNED

REVISION = re.compile(r"[0-9a-f]{40}")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


@dataclass(frozen=True)
class Source:
    """A repository of the hub, a folder on the host, or a folder on the controller."""

    origin: str
    path: str
    revision: str | None

    def as_dict(self) -> dict[str, Any]:
        """Give the form the plan carries."""
        return asdict(self)


def source_of(source: str, options: Mapping[str, Any]) -> Source:
    """Read a source; only a repository has a revision, the user's or else that of the lock."""
    origin = _origin(source)
    revision = options.get("revision") or options.get(PINNED, {}).get("revision")
    return Source(origin, source, revision if origin == "hub" else None)


def _origin(source: str) -> str:
    if source.startswith(("/", "~/")):
        return "host"
    return "controller" if source.startswith(("./", "../")) else "hub"


def check_source(source: str, options: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Yield what stands against a source, or against the commit it is pinned to."""
    written = f"{path}.source"
    wrong = list(_wrong_form(source, written))
    yield from wrong
    revision = options.get("revision")
    if revision is not None and not REVISION.fullmatch(revision):
        fault = "is not a commit; a branch or a tag may hold other files tomorrow."
        remedy = "Write the 40 digits of a commit of the repository, in quotes."
        yield Problem(f"{path}.vllm.revision", revision, fault, remedy)
    elif revision is not None and _origin(source) != "hub":
        fault = "is for a repository, but the source is a folder."
        yield Problem(f"{path}.vllm.revision", revision, fault, "Remove it.")
    elif not wrong and _origin(source) == "hub":
        yield from _check_pin(source, options, path)


def _wrong_form(source: str, path: str) -> Iterator[Problem]:
    """Tell what looks like something else than a repository or a folder."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", source):
        remedy = "Write owner/name. A mirror of the hub is named by vllm_hub_endpoint."
        yield Problem(path, source, "is an address, and vllm takes a repository or a folder.", remedy)
    elif source.endswith(".gguf"):
        remedy = "Write engine: llamacpp, or name a repository with safetensors."
        yield Problem(path, source, "is a GGUF file, which vllm does not read.", remedy)
    elif source.endswith(".safetensors"):
        yield Problem(path, source, "is one file of a model.", "Name the folder, which also has its config.json.")
    elif source.startswith("~") and not source.startswith("~/"):
        yield Problem(path, source, "is below the home of another user.", "Write the absolute path.")
    elif _origin(source) == "hub":
        yield from _wrong_repository(source, path)


def _wrong_repository(source: str, path: str) -> Iterator[Problem]:
    name, mark, revision = re.match(r"([^@:]*)([@:]?)(.*)", source, re.DOTALL).groups()  # type: ignore[union-attr]
    if mark and _REPOSITORY.fullmatch(name):
        remedy = f"Write {name} here, and the commit as vllm: {{revision: ...}}."
        yield Problem(path, source, f"has '{mark}{revision}' after the name of a repository.", remedy)
    elif not _REPOSITORY.fullmatch(source) or "--" in source or ".." in source:
        remedy = "Write owner/name, /a/folder on the host, or ./a/folder beside the inventory."
        yield Problem(path, source, "is neither a repository of the hub nor a folder.", remedy)


def _check_pin(source: str, options: Mapping[str, Any], path: str) -> Iterator[Problem]:
    pin, revision = options.get(PINNED) or {}, options.get("revision")
    remedy = f"Run make pin MODEL={path.removeprefix('llm_stack_models.')}, which writes the commit into the lock."
    if not pin and revision is None:
        wrong = "is missing, so nobody could tell which files will be served."
        yield Problem(f"{path}.vllm.revision", NOTHING, wrong, remedy)
    elif pin and pin.get("repo") != source:
        yield Problem(f"{path}.source", source, f"is not what the lock pins, which is {pin.get('repo')}.", remedy)
    elif pin and revision is not None and pin.get("revision") != revision:
        wrong = f"is not the commit in the lock, which is {pin.get('revision')}."
        yield Problem(f"{path}.vllm.revision", revision, wrong, f"{remedy}\nOr remove it here.")
