# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where certificates for tools are kept: one file for each model, on the gateway's host. No key stands in them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _certificate
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import Check, Verdict, redact
from ansible_collections.lab.llm_stack.plugins.module_utils._files import read, write_atomic


@dataclass(frozen=True)
class Certified:
    """The folder of the certificates; without one, and where not ``kept``, each look is anew and leaves nothing."""

    folder: str = ""
    valid: float = _certificate.VALID
    kept: bool = False

    def look(
        self,
        check: Check,
        converse: Callable[[_certificate.Steps], tuple[Verdict, dict[str, Any] | None]],
        hidden: Sequence[str],
    ) -> Verdict:
        """Certify a model or confirm its certificate, and keep a new one."""
        name = str(check["model"]).replace("/", "--")
        path = os.path.join(os.path.expanduser(self.folder), f"{name}.json") if self.folder else ""
        stored = _stored(path) if not check.get("deep") else {}
        verdict, record = converse(_certificate.talk(check, stored, time.time(), self.valid))
        if record and path and self.kept:
            text = json.dumps(_clean(record, hidden), indent=1, ensure_ascii=False) + "\n"
            write_atomic(path, text.encode(), 0o644)
        return verdict


def _stored(path: str) -> Mapping[str, Any]:
    """What was certified before; a file that cannot be read certifies nothing."""
    try:
        found = json.loads(read(path) or b"{}") if path else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("schema") == _certificate.SCHEMA else {}


def _clean(value: Any, hidden: Sequence[str]) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Take the keys out of every text."""
    if isinstance(value, str):
        return redact(value, hidden)
    if isinstance(value, dict):
        return {key: _clean(each, hidden) for key, each in value.items()}
    return [_clean(each, hidden) for each in value] if isinstance(value, list) else value
