# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model folder on the controller shows, as a lock has it of a repository."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError
from ansible_collections.lab.llm_stack.plugins.module_utils._model_evidence import (
    CONFIG,
    TEMPLATE,
    TOKENIZER,
    TOKENIZER_CONFIG,
    evidence_of,
)


def folders(models: object) -> dict[str, str]:
    """Name the models of vLLM whose folder is on the controller, each with its path as it was written."""
    entries = models.items() if isinstance(models, Mapping) else ()
    return {
        str(name): entry["source"]
        for name, entry in entries
        if isinstance(entry, Mapping)
        and str(entry.get("source")).startswith(("./", "../"))
        and (entry.get("engine") == "vllm" or "vllm" in entry)
    }


def read(path: str, directory: str) -> dict[str, Any]:
    """Give the evidence of a folder; empty where there is none to read, which is refused when it is to be copied."""
    folder = Path(directory or ".", path)
    try:
        names = frozenset(each.name for each in folder.iterdir())
        small = [name for name in (CONFIG, TOKENIZER_CONFIG, TOKENIZER, TEMPLATE) if name in names]
        return {"evidence": evidence_of({name: (folder / name).read_bytes() for name in small}, names)}
    except (OSError, InstallError):
        return {}
