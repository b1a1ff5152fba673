# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a source to the engine that serves it: the first route that fits, unless the model names one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._declaration import Declaration, Model
from ansible_collections.lab.llm_stack.plugins.module_utils._engines import ENGINES
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem
from ansible_collections.lab.llm_stack.plugins.module_utils._variables import PREFIX
from ansible_collections.lab.llm_stack.plugins.module_utils._vllm_options import PINNED


def engines(declared: Declaration) -> tuple[Declaration, list[Problem]]:
    """Give each model its engine, and the context it has there; one that no engine can serve has none."""
    problems: list[Problem] = []
    found = dict(_engines(declared, problems))
    models = {name: _served(model, found.get(name)) for name, model in declared.models.items()}
    return replace(declared, models=models), problems


def _served(model: Model, engine: str | None) -> Model:
    """Add what follows from the engine: the context where none is declared, and what the model is pinned to."""
    if model.provider:
        return model
    if not engine:
        return replace(model, engine=None)
    context = model.context or ENGINES[engine].context
    return replace(model, engine=engine, context=context, options={**model.options, engine: _options(model, engine)})


def _options(model: Model, engine: str) -> Mapping[str, Any]:
    pinned = {PINNED: model.pinned} if engine == "vllm" and model.pinned else {}
    return {**model.options.get(engine, {}), **pinned}


def _engines(declared: Declaration, problems: list[Problem]) -> Iterator[tuple[str, str]]:
    """Give the engine of each model that one can serve."""
    routes = list(_compiled(declared, problems))
    complete = declared.routes is not None and len(routes) == len(declared.routes)
    for name, model in declared.models.items():
        if model.provider:
            continue
        engine = model.engine or next((engine for pattern, engine in routes if pattern.search(model.source)), None)
        if engine is None:
            problems += [_no_route(model, len(routes))] if complete else []
        else:
            found = list(_check_options(model, engine))
            problems += found
            if not found:
                yield name, engine


def _compiled(declared: Declaration, problems: list[Problem]) -> Iterator[tuple[re.Pattern[str], str]]:
    for index, each in enumerate(declared.routes or ()):
        try:
            yield re.compile(each["match"]), each["engine"]
        except re.error as error:
            wrong = f"is not a regular expression: {error}."
            remedy = "Correct it; a bracket, a dot or a star that stands for itself needs a backslash before it."
            problems.append(Problem(f"{PREFIX}routes[{index}].match", each["match"], wrong, remedy))


def _no_route(model: Model, count: int) -> Problem:
    fits = "there are none" if not count else "the only one does not fit" if count == 1 else f"none of the {count} fits"
    return Problem(
        f"{model.path}.source",
        model.source,
        "matches no route, so no engine would serve it.",
        f"Routes are tried in the order of {PREFIX}routes; {fits}.\n"
        f"Name the engine here (engine: {', '.join(ENGINES)}), or write the source in full.",
    )


def _check_options(model: Model, engine: str) -> Iterator[Problem]:
    for other in sorted(set(model.options) - {engine}):
        wrong = f"holds options of {other}, but {engine} serves this model."
        yield Problem(f"{model.path}.{other}", NOTHING, wrong, "Remove them, or name the engine.")
    options = _options(model, engine)
    context = model.context or ENGINES[engine].context
    yield from ENGINES[engine].check(model.source, options, model.path, tools=model.tools, context=context)
