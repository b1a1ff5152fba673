# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What stands against the models of a server as the role ollama is given them: by the plan, or by hand.

What the plan refuses of a model is refused here by the names that the role has for it, before a host is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama, _schema
from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_names as names
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field

Model = Mapping[str, Any]

_OPTIONS = replace(
    _ollama.FIELD,
    fields={
        **_ollama.FIELD.fields,
        "parameters": Field(
            "section",
            fields={**_ollama.PARAMETERS, "num_ctx": Field("int", "a number of tokens", low=1, high=16777216)},
        ),
    },
)
_PLACES = {"name": "ollama_name", "sha256": "source.sha256", "insecure": "source.insecure", "store": "source.store"}
"""Where the role has what a model in llm_stack_models has below ``ollama``."""


def check(models: Sequence[Model]) -> Iterator[Problem]:
    """Yield every reason why a server could not have these models."""
    seen: dict[str, tuple[int, Model]] = {}
    for index, each in enumerate(models):
        path = f"ollama_models[{index}]"
        for problem in _check_one(each, path):
            yield replace(problem, path=_place(problem.path, path))
        first, other = seen.setdefault(names.key(str(each["ollama_name"])), (index, each))
        if _content(other) != _content(each):
            wrong = f"is also the name of ollama_models[{first}], which is another model."
            yield Problem(f"{path}.ollama_name", each["ollama_name"], wrong, "Choose another name for one of them.")


def _check_one(each: Model, path: str) -> Iterator[Problem]:
    source, options = each["source"], _options(each)
    yield from _schema.check(options, _OPTIONS, f"{path}.ollama")
    parameters = options.get("parameters", {})
    context, inside = each.get("context") or _ollama.SERVER_CONTEXT, parameters.get("num_ctx")
    rest = {key: value for key, value in options.items() if key != "parameters"}
    yield from _ollama.check(str(source["path"]), rest, path, tools=bool(each.get("tools")), context=context)
    if inside is None and context != _ollama.SERVER_CONTEXT:
        wrong = f"is nowhere written into the model, so that Ollama would give it {_ollama.SERVER_CONTEXT}."
        yield Problem(f"{path}.context", context, wrong, f"Add num_ctx: {context} to its parameters.")
    elif inside is not None and each.get("context") and inside != context:
        wrong = f"is not the declared context, {context}."
        yield Problem(f"{path}.ollama.parameters.num_ctx", inside, wrong, "Write one of the two.")


def _options(each: Model) -> dict[str, Any]:
    """The model's options as llm_stack_models has them; what says nothing is left out."""
    source = each["source"]
    found = {key: each.get(key) for key in ("parameters", "system", "template")}
    found.update({key: source.get(key) for key in ("sha256", "insecure", "store")}, name=each["ollama_name"])
    return {key: value for key, value in found.items() if value}


def _place(path: str, model: str) -> str:
    """The same place by the role's own names."""
    below = path[len(model) + 1 :]
    if below.startswith("ollama."):
        first, dot, rest = below[len("ollama.") :].partition(".")
        return f"{model}.{_PLACES.get(first, first)}{dot}{rest}"
    return f"{model}.source.path" if below == "source" else path


def _content(each: Model) -> dict[str, Any]:
    return {key: each.get(key) or None for key in ("source", "context", "parameters", "system", "template")}
