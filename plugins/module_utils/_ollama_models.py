# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Decide what it takes for declared models to be at a server. Pure: what is there arrives as values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_names as names
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_api import Listed
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_record import Note, identity
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Item

CAPABILITIES = ("completion", "tools", "insert", "vision", "embedding", "thinking", "image", "audio")


@dataclass(frozen=True)
class Wanted:
    """A model as it should be. ``path`` is a GGUF file of the host, ``store`` a folder that holds ``source``."""

    name: str
    state: str = "present"
    source: str = ""
    path: str = ""
    sha256: str = ""
    store: str = ""
    insecure: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    system: str = ""
    template: str = ""
    context: int = 0
    capabilities: Sequence[str] = ()

    @property
    def key(self) -> str:
        return names.key(self.name)

    @property
    def base(self) -> str:
        """The model that has to be there first; empty where it is made from a file."""
        return "" if self.path else names.short(self.source or self.name)

    @property
    def made(self) -> bool:
        """Whether it is something else than its source under the source's name."""
        return bool(self.path) or names.key(self.base) != self.key

    @property
    def alias(self) -> bool:
        """Whether it is its source under another name and nothing more."""
        return self.made and not self.path and not self.baked()

    def baked(self) -> dict[str, Any]:
        """What is written into it."""
        return {key: getattr(self, key) for key in ("parameters", "system", "template") if getattr(self, key)}

    def identity(self) -> str:
        """The checksum of its declaration."""
        return identity(vars(self))


@dataclass(frozen=True)
class Step:
    """One thing to do, and the words for it: seed, pull, copy, create or delete."""

    action: str
    name: str
    model: Wanted
    reason: str

    def item(self) -> Item:
        expected = {"delete": "absent", "copy": f"a second name of {self.model.base}"}.get(self.action, "as declared")
        return Item(f"model-{self.action}", self.name, expected, self.reason)


def wanted_from(entries: Sequence[Mapping[str, Any]]) -> list[Wanted]:
    """Read the declared models; options that were not given keep their defaults."""
    return [Wanted(**{key: value for key, value in entry.items() if value is not None}) for entry in entries]


# -- what is refused before anything is asked -----------------------------------------------------------------------


def check(models: Sequence[Wanted]) -> Iterator[Problem]:
    """Yield what contradicts itself."""
    seen: dict[str, Wanted] = {}
    for index, each in enumerate(models):
        path = f"models[{index}]"
        yield from _check_names(each, path)
        yield from _check_origin(each, path)
        for capability in each.capabilities:
            if capability not in CAPABILITIES:
                wrong = "is no capability that Ollama knows."
                yield Problem(f"{path}.capabilities", capability, wrong, nearest(capability, CAPABILITIES))
        if "num_ctx" in each.parameters and each.context and each.parameters["num_ctx"] != each.context:
            wrong = f"is not the declared context, {each.context}."
            yield Problem(f"{path}.parameters.num_ctx", each.parameters["num_ctx"], wrong, "Write one of the two.")
        other = seen.setdefault(each.key, each)
        if other != each:
            yield Problem(f"{path}.name", each.name, "is declared twice, and differently.", "Remove one.")


def _check_names(each: Wanted, path: str) -> Iterator[Problem]:
    for key, name in (("name", each.name), ("source", each.source)):
        if name and names.parse(name) is None:
            wrong = "is not the name of a model at Ollama."
            yield Problem(f"{path}.{key}", name, wrong, "Write [host[:port]/][namespace/]model[:tag].")
    if not each.path and each.baked() and not each.made:
        wrong = "is also the source, which what is made from it would replace."
        yield Problem(f"{path}.name", each.name, wrong, "Name the source with source, and the model otherwise.")


def _check_origin(each: Wanted, path: str) -> Iterator[Problem]:
    if each.path and (each.source or each.store):
        other = "source" if each.source else "store"
        yield Problem(f"{path}.path", each.path, f"is given beside {other}.", "A model comes from one place. Keep one.")
    if each.sha256 and not each.path:
        yield Problem(f"{path}.sha256", NOTHING, "is the sum of a file, and there is no path.", "Remove it.")
    if each.sha256 and not re.fullmatch(r"[0-9a-f]{64}", each.sha256):
        wrong = "is not a SHA-256 sum."
        yield Problem(f"{path}.sha256", each.sha256, wrong, "Write the 64 digits that sha256sum prints for the file.")
    if each.state == "latest" and (each.path or each.store):
        wrong = "asks a registry for news, and the model comes from the host."
        yield Problem(f"{path}.state", "latest", wrong, "Write present: another file or store is another declaration.")


# -- steps ----------------------------------------------------------------------------------------------------------


def base_step(each: Wanted, listed: Mapping[str, Listed]) -> Step | None:
    """What brings the model that this one is, or is made from."""
    if each.state == "absent" or not each.base:
        return None
    there = names.key(each.base) in listed
    if each.store:
        return None if there else Step("seed", each.base, each, "absent")
    if there and each.state != "latest":
        return None
    reason = "present; only a pull tells whether the registry has another" if there else "absent"
    return Step("pull", each.base, each, reason)


def made_step(each: Wanted, listed: Mapping[str, Listed], note: Note | None, fingerprint: str = "") -> Step | None:
    """What makes the model from its base, or removes it; ``fingerprint`` is that of its file."""
    there = listed.get(each.key)
    if each.state == "absent":
        return Step("delete", each.name, each, "present") if there else None
    if not each.made:
        return None
    base = listed.get(names.key(each.base)) if each.base else None
    origin = base.digest if base else fingerprint
    if there is None:
        return Step("copy" if each.alias else "create", each.name, each, "absent")
    if each.alias:
        return None if there.digest == origin else Step("copy", each.name, each, f"is another model than {each.base}")
    reason = _stale(each, there, note, origin)
    return Step("create", each.name, each, reason) if reason else None


def _stale(each: Wanted, there: Listed, note: Note | None, origin: str) -> str:
    """Why a made model is not the declared one; the digest alone would not tell."""
    if note is None or not note.declared:
        return "there is no record of how it was made"
    if note.declared != each.identity():
        return "made from another declaration"
    if note.digest != there.digest:
        return "changed since it was made"
    return "" if note.base == origin else "made from another version of its source"


# -- honesty --------------------------------------------------------------------------------------------------------


def check_shown(each: Wanted, shown: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Yield where a model that is there is not what was declared of it."""
    able = [str(word) for word in shown.get("capabilities") or []]
    for capability in each.capabilities:
        if capability not in able:
            wrong = f"is not among what {each.name} can do: {', '.join(sorted(able)) or 'nothing'}."
            remedy = "Declare tools: false, or choose a model that calls tools." if capability == "tools" else ""
            yield Problem(f"{path}.capabilities", capability, wrong, remedy or "Remove it, or choose another model.")
    trained = trained_context(shown)
    if trained and each.context > trained:
        wrong = f"is more than {each.name} was made for, {trained}; Ollama would cut it in silence."
        yield Problem(f"{path}.context", each.context, wrong, f"Write {trained}, or choose another model.")
    own = own_context(shown)
    if each.context and own and own != each.context:
        wrong = f"is declared, but {each.name} brings {own} of its own, which counts."
        remedy = (
            "Make a model from it under another name, with parameters.num_ctx; in llm_stack_models, by ollama.name."
        )
        yield Problem(f"{path}.context", each.context, wrong, remedy)


def trained_context(shown: Mapping[str, Any]) -> int:
    """The tokens of context that a model was made for; 0 where it does not say."""
    info = shown.get("model_info") or {}
    found = info.get(f"{info.get('general.architecture')}.context_length")
    return found if isinstance(found, int) else 0


def own_context(shown: Mapping[str, Any]) -> int:
    """The context that is written into a model; 0 where none is."""
    found = re.search(r"^num_ctx\s+(\d+)\s*$", str(shown.get("parameters") or ""), re.MULTILINE)
    return int(found.group(1)) if found else 0
