# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a LiteLLM configuration apart, and tell what has no place in it or the wrong form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_sections import SECTIONS, section_of
from ansible_collections.lab.llm_stack.plugins.module_utils._gateway_check_types import (
    Config,
    Deployment,
    Duplicate,
    Finding,
    as_errors,
    error,
    likely,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_keys import LITELLM_VERSION, TOP_LEVEL
from ansible_collections.lab.llm_stack.plugins.module_utils._litellm_model_keys import (
    LITELLM_PARAMS,
    MODEL_INFO,
    PRICING,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._schema import Field, check

_RENAMED = {"models": "model_list", "model": "model_list", "deployments": "model_list", "includes": "include"}
_ENTRY = ("model_name", "litellm_params", "model_info", "blocked")
_KINDS = {"environment_variables": "map", "include": "list", "model_list": "list"}
_TEXT = Field("text")


def check_duplicates(duplicates: Iterable[Duplicate]) -> Iterator[Finding]:
    """Yield an error for each key that is written more than once: YAML takes the last, and the others vanish."""
    for each in duplicates:
        lines = " and ".join(map(str, each.lines))
        wrong = f"is written {len(each.lines)} times, on lines {lines}; only the last one counts."
        yield error(each.path, NOTHING, wrong, "Keep one.")


def read(parsed: object) -> tuple[Config, list[Finding]]:
    """Give the well-formed parts of a configuration, and the findings about the others."""
    if not isinstance(parsed, Mapping) or not parsed:
        wrong = "is empty." if not parsed else "is not a mapping of keys to values."
        return Config({}), [error("config", NOTHING, wrong, "Begin with model_list: and general_settings:.")]
    findings = [*_check_top(parsed), *_check_model_list(parsed)]
    sections = {name: parsed.get(name) for name in SECTIONS}
    router, litellm, general = (each if isinstance(each, Mapping) else {} for each in sections.values())
    return Config(parsed, _deployments(parsed), router, litellm, general), findings


def _check_top(parsed: Mapping[Any, Any]) -> Iterator[Finding]:
    for key, value in parsed.items():
        if key in TOP_LEVEL:
            kind = "map" if key in SECTIONS else _KINDS.get(key)
            yield from as_errors(check(value, Field(kind), str(key)) if kind and value is not None else ())
        elif not str(key).startswith("x-"):  # where people keep what they refer to by an anchor
            yield _unknown_section(str(key))


def _unknown_section(key: str) -> Finding:
    wrong = f"is no section of LiteLLM {LITELLM_VERSION}, which would ignore it in silence."
    section = section_of(key)
    if key in _RENAMED:
        return error(key, NOTHING, wrong, f"Write {_RENAMED[key]}.")
    if section:
        return error(key, NOTHING, wrong, f"Move it below {section}.")
    return error(key, NOTHING, wrong, nearest(key, TOP_LEVEL))


def _check_model_list(parsed: Mapping[Any, Any]) -> Iterator[Finding]:
    entries = parsed.get("model_list")
    if entries is None or entries == []:
        if "include" not in parsed and not set(_RENAMED) & set(parsed):
            wrong = "names no model, and LiteLLM would start without any."
            yield error("model_list", NOTHING, wrong, "Add an entry with model_name and litellm_params.")
    elif isinstance(entries, list):
        for index, entry in enumerate(entries):
            yield from _check_entry(entry, f"model_list[{index}]")


def _check_entry(entry: object, path: str) -> Iterator[Finding]:
    if not isinstance(entry, Mapping):
        yield error(path, entry, "is not a deployment.", "Write model_name: and litellm_params: below it.")
        return
    for key in entry:
        if key not in _ENTRY:
            yield _unknown_in_entry(str(key), f"{path}.{key}")
    yield from as_errors(check(entry["model_name"], _TEXT, f"{path}.model_name") if "model_name" in entry else ())
    for key in ("litellm_params", "model_info"):
        if key in entry and not isinstance(entry[key], Mapping):
            yield error(
                f"{path}.{key}", entry[key], "is not a mapping of keys to values.", "Write key: value below it."
            )
    for key in ("model_name", "litellm_params"):
        if key not in entry:
            yield error(f"{path}.{key}", NOTHING, "is missing, and LiteLLM does not start.", "Add it.")
    yield from _check_model(entry.get("litellm_params"), f"{path}.litellm_params.model")


def _check_model(params: object, path: str) -> Iterator[Finding]:
    if isinstance(params, Mapping):
        if "model" in params:
            yield from as_errors(check(params["model"], _TEXT, path))
        else:
            remedy = "Write the provider and the engine's name of the model: openai/NAME."
            yield error(path, NOTHING, "is missing, and LiteLLM does not start.", remedy)


def _unknown_in_entry(key: str, path: str) -> Finding:
    wrong = f"is not known here to LiteLLM {LITELLM_VERSION}, which would ignore it in silence."
    if key in LITELLM_PARAMS or key in PRICING:
        return error(path, NOTHING, wrong, "Move it below litellm_params.")
    if key in MODEL_INFO:
        return error(path, NOTHING, wrong, "Move it below model_info.")
    return error(path, NOTHING, wrong, likely(key, _ENTRY) or "A note of your own belongs below model_info.")


def _deployments(parsed: Mapping[Any, Any]) -> tuple[Deployment, ...]:
    entries = parsed.get("model_list")
    found = enumerate(entries if isinstance(entries, list) else [])
    return tuple(_deployment(f"model_list[{index}]", entry) for index, entry in found if _is_well_formed(entry))


def _is_well_formed(entry: object) -> bool:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("litellm_params"), Mapping):
        return False
    texts = (entry.get("model_name"), entry["litellm_params"].get("model"))
    return all(isinstance(text, str) and text.strip() for text in texts)


def _deployment(path: str, entry: Mapping[str, Any]) -> Deployment:
    params, info = entry["litellm_params"], entry.get("model_info")
    return Deployment(path, entry["model_name"], params["model"], params, info if isinstance(info, Mapping) else {})
