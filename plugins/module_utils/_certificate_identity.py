# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which model an instance has loaded, as one text for each instance: another text is another model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_names
from ansible_collections.lab.llm_stack.plugins.module_utils._answer import Answer, Unusable, as_json, entries
from ansible_collections.lab.llm_stack.plugins.module_utils._answers import Question
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import Check

UNKNOWN = "unknown"
# What llama.cpp tells of a file beside its name.
_MEASURES = ("n_params", "size", "n_vocab", "n_ctx_train")


def talk(check: Check) -> Generator[Question, Answer, dict[str, str]]:
    """Ask each instance of a model what it has loaded; this generates nothing and wakes nobody."""
    found = {}
    for each in check.get("bases", ()):
        url, key = each["url"], each.get("key") or "none"
        if each["engine"] == "ollama":
            found[url] = _tagged((yield Question(f"{url}/api/tags", key="none")), each["name"])
            continue
        listed = yield Question(f"{url}/v1/models", key=key)
        props = (yield Question(f"{url}/props", key=key)) if each["engine"] == "llamacpp" else Answer()
        found[url] = _listed(listed, props, each["name"])
    return found


def _tagged(answer: Answer, name: str) -> str:
    wanted = _ollama_names.key(name)
    models = entries(_json(answer), "models")
    same = [each for each in models if _ollama_names.key(str(each.get("name"))) == wanted]
    return str(same[0].get("digest") or UNKNOWN) if same else UNKNOWN


def _listed(answer: Answer, props: Answer, name: str) -> str:
    same = [each for each in entries(_json(answer), "data") if each.get("id") == name]
    if not same:
        return UNKNOWN
    meta = same[0].get("meta")
    measures = [str(meta[key]) for key in _MEASURES if key in meta] if isinstance(meta, Mapping) else []
    return " ".join([str(same[0].get("root") or _json(props).get("model_path") or name), *measures])


def _json(answer: Answer) -> dict[str, Any]:
    if answer.status != 200:
        return {}
    try:
        return as_json(answer)
    except Unusable:
        return {}


def digest(*parts: object) -> str:
    """Give a text that is another one when a part of a configuration is."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
