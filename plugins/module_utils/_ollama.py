# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model at Ollama can be told, where it comes from, and the one server of a host that serves them all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_names as names
from ansible_collections.lab.llm_stack.plugins.module_utils._instance import Instance, Model
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field

FIRST_PORT = 11434
UNIT = "ollama.service"
SERVER_CONTEXT = 4096
"""Tokens that the server gives a model that says nothing itself; stated, because unset it follows from the card."""

OURS = "llm-stack"
"""The namespace of the models that are made here."""

_SUM = "Write the 64 digits that sha256sum prints for the file."
_COUNT = Field("int", "a whole number", low=-2, high=16777216)
_SHARE = Field("number", "a number", low=0, high=1)
_FACTOR = Field("number", "a number", low=-2, high=10)

# Ollama takes any other name in silence, and any type until the first request fails.
PARAMETERS: Mapping[str, Field] = {
    "frequency_penalty": _FACTOR,
    "main_gpu": Field("int", "the number of a card", low=0, high=255),
    "min_p": _SHARE,
    "num_batch": Field("int", "a number of tokens", low=1, high=65536),
    "num_gpu": Field("int", "a number of layers", low=0, high=9999),
    "num_keep": _COUNT,
    "num_predict": _COUNT,
    "num_thread": Field("int", "a number of threads", low=1, high=1024),
    "presence_penalty": _FACTOR,
    "repeat_last_n": _COUNT,
    "repeat_penalty": _FACTOR,
    "seed": Field("int", "a whole number", low=0, high=4294967295),
    "stop": Field("list", item=Field("text")),
    "temperature": Field("number", "a number", low=0, high=5),
    "top_k": _COUNT,
    "top_p": _SHARE,
    "typical_p": _SHARE,
    "use_mmap": Field("bool"),
}

FIELD = Field(
    "section",
    fields={
        "name": Field("text", hint="Write the model's name at Ollama, such as team/tiny:v1."),
        "parameters": Field(
            "section",
            # The context has a key of its own; the refusal of num_ctx below says so.
            fields={**PARAMETERS, "num_ctx": Field()},
            hint="Write name: value below it, such as temperature: 0.2.",
        ),
        # Both may have several lines, so they are no "text".
        "system": Field(),
        "template": Field(),
        "sha256": Field("text", "a SHA-256 sum", _SUM),
        "insecure": Field("bool"),
        "store": Field("text", hint="Write the folder on the host that holds manifests/ and blobs/."),
    },
)


# -- where it comes from --------------------------------------------------------------------------------------------


def origin_of(source: str, options: Mapping[str, Any]) -> str:
    """Tell who has a model: a registry, a store that was seeded, or a GGUF file's url, host or controller."""
    if is_file(source):
        if re.match(r"https?://", source):
            return "url"
        return "host" if source.startswith(("/", "~/")) else "controller"
    return "store" if options.get("store") else "registry"


def is_file(source: str) -> bool:
    """Tell a GGUF file from the name of a model."""
    return "://" in source or source.endswith(".gguf") or source.startswith(("/", "~", "./", "../"))


def ollama_name(name: str, source: str, context: int, options: Mapping[str, Any]) -> str:
    """Give a model's name at the server: its source where it serves as it comes, else one that is made here."""
    if options.get("name"):
        return names.short(options["name"])
    if origin_of(source, options) in ("registry", "store") and not _is_made(source, context, options):
        return names.short(source)
    return f"{OURS}/{name}:{names.TAG}"


def _is_made(source: str, context: int, options: Mapping[str, Any]) -> bool:
    """Tell whether a model differs from its source, or has a name too long for people."""
    parsed = names.parse(source)
    long = parsed is not None and parsed.host.lower() != names.REGISTRY
    return long or context != SERVER_CONTEXT or bool(baked(options))


def baked(options: Mapping[str, Any]) -> dict[str, Any]:
    """What is written into the model itself, beside its context."""
    return {key: options[key] for key in ("parameters", "system", "template") if options.get(key)}


# -- problems -------------------------------------------------------------------------------------------------------


def check(
    source: str, options: Mapping[str, Any], path: str, *, tools: bool = False, context: int = SERVER_CONTEXT
) -> Iterator[Problem]:
    """Yield what stands against a model; whether it calls tools is known only when it is there."""
    found = list(_check_source(source, options, path))
    yield from found
    yield from _check_words(options, f"{path}.ollama")
    yield from _check_belonging(source, options, f"{path}.ollama", tools)
    if not found:
        yield from _check_name(source, context, options, path)


def _check_source(source: str, options: Mapping[str, Any], path: str) -> Iterator[Problem]:
    if not is_file(source):
        yield from _check_source_name(source, options, path)
        return
    address = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", source)
    if address and not re.match(r"https?://", source):
        wrong = "is an address that cannot be downloaded from."
        yield Problem(f"{path}.source", source, wrong, "Write https://..., a path, or the name of a model.")
    elif not re.split(r"[?#]", source, maxsplit=1)[0].endswith(".gguf"):
        wrong = "is neither the name of a model nor a GGUF file."
        yield Problem(f"{path}.source", source, wrong, "Write a name such as llama3.1:8b, or a path ending in .gguf.")
    elif source.startswith("~") and not source.startswith("~/"):
        yield Problem(f"{path}.source", source, "is below the home of another user.", "Write the absolute path.")
    elif address and "sha256" not in options:
        yield Problem(f"{path}.ollama.sha256", NOTHING, "is missing, and the source is downloaded.", _SUM)


def _check_source_name(source: str, options: Mapping[str, Any], path: str) -> Iterator[Problem]:
    parsed = names.parse(source)
    if parsed is None:
        wrong = "is not the name of a model at Ollama."
        remedy = "Write [host[:port]/][namespace/]model[:tag], each part of letters, digits, dots, dashes, underscores."
        yield Problem(f"{path}.source", source, wrong, remedy)
    elif parsed.tag == "cloud" or parsed.tag.endswith("-cloud"):
        wrong = "runs in Ollama's cloud, which this stack switches off."
        yield Problem(f"{path}.source", source, wrong, "Name a tag that runs here, or declare a provider.")
    elif options.get("insecure") and parsed.host == names.REGISTRY:
        wrong = "is for a registry of your own, and the source names none."
        yield Problem(f"{path}.ollama.insecure", True, wrong, "Write host[:port]/namespace/model:tag as the source.")


def _check_words(options: Mapping[str, Any], path: str) -> Iterator[Problem]:
    sha256, store = options.get("sha256"), options.get("store")
    if sha256 is not None and not re.fullmatch(r"[0-9A-Fa-f]{64}", sha256):
        yield Problem(f"{path}.sha256", sha256, "is not a SHA-256 sum.", _SUM)
    for key in ("system", "template"):
        if key in options and (not isinstance(options[key], str) or not options[key].strip()):
            yield Problem(f"{path}.{key}", options[key], "is not text.", "Write text, or remove the key.")
    if "num_ctx" in options.get("parameters", {}):
        below = f"{path}.parameters.num_ctx"
        yield Problem(below, options["parameters"]["num_ctx"], "is derived from context.", "Write it there.")
    if store is not None and not store.startswith(("/", "~/")):
        wrong = "is not the absolute path of a folder on the host."
        yield Problem(f"{path}.store", store, wrong, "Write one such as /srv/models/ollama.")


def _check_belonging(source: str, options: Mapping[str, Any], path: str, tools: bool) -> Iterator[Problem]:
    """Yield a problem for each option that means nothing to this kind of source."""
    if not is_file(source) and "sha256" in options:
        wrong = "is the sum of a file, and the source is the name of a model."
        yield Problem(f"{path}.sha256", NOTHING, wrong, "Remove it: Ollama compares the digests of a registry itself.")
    for key in ("store", "insecure"):
        if is_file(source) and options.get(key):
            wrong = "says where a named model comes from, and the source is a file."
            yield Problem(f"{path}.{key}", options[key], wrong, "Remove one of the two.")
    if options.get("store") and options.get("insecure"):
        yield Problem(f"{path}.insecure", True, "is for a registry, and the model comes from a store.", "Remove it.")
    template = options.get("template")
    if tools and isinstance(template, str) and ".Tools" not in template and "tools" not in template:
        wrong = "never mentions tools, and the model is declared to call them."
        yield Problem(
            f"{path}.template", NOTHING, wrong, "Remove the template, render .Tools in it, or set tools: false."
        )


def _check_name(source: str, context: int, options: Mapping[str, Any], path: str) -> Iterator[Problem]:
    written = options.get("name")
    given = written or ollama_name(path.partition("models.")[2] or "model", source, context, options)
    parsed = names.parse(given)
    where = f"{path}.ollama.name"
    if parsed is None and written:
        wrong = "cannot be the name of a model at Ollama."
        yield Problem(where, written, wrong, "Write [namespace/]model[:tag], each part of at most 80 characters.")
    elif parsed is None:
        wrong = "is missing, and the model's own name is too long for Ollama."
        yield Problem(where, NOTHING, wrong, "Write a name of at most 80 characters.")
    elif parsed.host != names.REGISTRY:
        yield Problem(
            where, written, "names a registry.", "Write [namespace/]model[:tag]; the registry is the source's."
        )
    elif not is_file(source) and parsed.key == names.key(source) and _is_made(source, context, options):
        wrong = "is the name of the source, which what is made from it would replace."
        yield Problem(where, written, wrong, "Choose another name, or remove it.")


def clashes(instances: Iterable[Instance]) -> Iterator[Problem]:
    """Yield a problem for two models of one server that have one name there, or where one replaces another's source."""
    hosts: dict[str, list[Model]] = {}
    for each in instances:
        hosts.setdefault(each.host, []).append(each.model)
    told = set()
    for models in hosts.values():
        for problem in [*_one_name(models), *_replaced_sources(models)]:
            # The same two meet on every host of theirs.
            if problem not in told:
                told.add(problem)
                yield problem


def _one_name(models: Sequence[Model]) -> Iterator[Problem]:
    seen: dict[str, tuple[str, dict[str, Any]]] = {}
    for model in models:
        entry = _entry(model)
        path = model.source if is_file(model.source) else names.key(model.source)
        rest = {key: entry[key] for key in ("context", "parameters", "system", "template")}
        rest["source"] = {**entry["source"], "path": path}
        first, other = seen.setdefault(names.key(entry["ollama_name"]), (model.name, rest))
        if other != rest:
            wrong = f"is also the name of {first} at Ollama, which is another model."
            yield Problem(f"llm_stack_models.{model.name}.ollama.name", entry["ollama_name"], wrong, _ANOTHER)


def _replaced_sources(models: Sequence[Model]) -> Iterator[Problem]:
    given = {model.name: names.key(_entry(model)["ollama_name"]) for model in models}
    sources = {names.key(each.source): each.name for each in models if given[each.name] != names.key(each.source)}
    for model in models:
        owner = sources.get(given[model.name], "")
        if owner and given[model.name] != names.key(model.source):
            wrong = f"is the source of {owner} at Ollama, which {model.name} would replace."
            yield Problem(f"llm_stack_models.{model.name}.ollama.name", given[model.name], wrong, _ANOTHER)


_ANOTHER = "Choose another name for one of them."


# -- the plan -------------------------------------------------------------------------------------------------------


def planned(instances: Sequence[Instance]) -> dict[str, Any]:
    """Give what the role takes for the one server of a host: the models it has to have, and where it listens."""
    if not instances:
        return {"models": []}
    return server([each.model for each in instances], instances[0].bind, instances[0].port)


def server(models: Iterable[Model], bind: str, port: int) -> dict[str, Any]:
    """Give the one server of a host: where it listens, its environment, and the models it has to have."""
    return {
        "unit": UNIT,
        "bind": bind,
        "port": port,
        "environment": {"OLLAMA_CONTEXT_LENGTH": str(SERVER_CONTEXT)},
        "models": [_entry(model) for model in models],
    }


def _entry(model: Model) -> dict[str, Any]:
    options = model.options.get("ollama", {})
    name = ollama_name(model.name, model.source, model.context, options)
    origin = origin_of(model.source, options)
    made = origin in ("url", "host", "controller") or names.key(name) != names.key(model.source)
    sha256 = options.get("sha256")
    return {
        "name": model.name,
        "ollama_name": name,
        "source": {
            "origin": origin,
            "path": model.source if is_file(model.source) else names.short(model.source),
            "sha256": sha256.lower() if sha256 else None,
            "insecure": bool(options.get("insecure")),
            "store": options.get("store"),
        },
        "context": model.context,
        "tools": model.tools,
        "standby": model.standby,
        # What is made here says its context itself, so that clients that cannot ask for one get what is declared.
        "parameters": {**options.get("parameters", {}), **({"num_ctx": model.context} if made else {})},
        "system": options.get("system"),
        "template": options.get("template"),
    }
