# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engines as a table: what of them differs for the plan. A new engine is one more row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _llamacpp, _ollama, _vllm_options
from ansible_collections.lab.llm_stack.plugins.module_utils._instance import Instance
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Engine:
    """What the plan has to know of an engine.

    ``check(source, options, path, tools=, context=)`` yields what stands against a model. ``planned(instances)`` gives
    what the role takes for the instances of one host. ``context`` in tokens is what a model gets that says none; 0
    leaves it to the model.
    """

    name: str
    field: Field
    check: Callable[..., Iterator[Problem]]
    planned: Callable[[Sequence[Instance]], dict[str, Any]]
    first_port: Callable[[Options], int]
    context: int
    served_name: Callable[[str, str, int, Options], str] = lambda name, _source, _context, _options: name
    """What the engine calls a model, from its public name, its source, its context and its options."""
    shared: bool = False
    """Whether one process of a host serves all its models."""
    has_key: bool = True
    """Whether it can ask for a key; one that cannot is open to whoever reaches its port."""

    def unit(self, model: str) -> str:
        """The service that serves a model."""
        return f"{self.name}.service" if self.shared else f"{self.name}-{model}.service"

    def process(self, model: str) -> str:
        """What tells the processes of this engine on one host apart."""
        return self.name if self.shared else model


# The tables of parsers are large, and a stack without vLLM does without them.


def _check_vllm(source: str, options: Options, path: str, *, tools: bool, context: int) -> Iterator[Problem]:
    from ansible_collections.lab.llm_stack.plugins.module_utils import _vllm

    yield from _vllm.check(source, options, path, tools=tools, context=context)


def _planned_vllm(instances: Sequence[Instance]) -> dict[str, Any]:
    from ansible_collections.lab.llm_stack.plugins.module_utils import _vllm

    return _vllm.planned(instances)


def _first(port: int) -> Callable[[Options], int]:
    return lambda _options: port


ENGINES: Mapping[str, Engine] = {
    each.name: each
    for each in (
        Engine(
            "llamacpp",
            _llamacpp.FIELD,
            _llamacpp.check,
            _llamacpp.planned,
            _llamacpp.first_port,
            context=_llamacpp.DEFAULT_CONTEXT,
        ),
        Engine(
            "ollama",
            _ollama.FIELD,
            _ollama.check,
            _ollama.planned,
            _first(_ollama.FIRST_PORT),
            context=_ollama.SERVER_CONTEXT,
            served_name=_ollama.ollama_name,
            shared=True,
            has_key=False,
        ),
        Engine("vllm", _vllm_options.FIELD, _check_vllm, _planned_vllm, _first(_vllm_options.FIRST_PORT), context=0),
    )
}
