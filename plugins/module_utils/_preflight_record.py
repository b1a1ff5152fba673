# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the preflight says of an instance, and the record it leaves on the host of one that passed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._ledger import Identity
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import Finding, Outcome
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import render
from ansible_collections.lab.llm_stack.plugins.module_utils._state import now


def record(outcome: Outcome, identity: Identity, backend: str) -> bytes:
    """Write down that an instance passed, with the numbers it passed with."""
    body = {
        "format": 1,
        "digest": outcome.instance.digest,
        "unit": outcome.instance.unit,
        "written": now(),
        **told(outcome),
        "backend": backend,
        "identity": asdict(identity),
    }
    return json.dumps(body, indent=1).encode() + b"\n"


def told(outcome: Outcome) -> dict[str, Any]:
    """Give what people and programs are told of an outcome; it holds no secret, since the preflight is given none."""
    fit = outcome.fit
    return {
        "name": outcome.instance.name,
        "verdict": outcome.verdict,
        "card": outcome.card,
        "largest_context": fit.largest if fit else None,
        "start_timeout": outcome.start_timeout,
        "measured": outcome.measured,
        "fit": fit.as_dict() if fit else None,
        "refused": [_told(outcome, each) for each in outcome.refusals],
        "warnings": [_told(outcome, each) for each in outcome.warnings],
    }


def _told(outcome: Outcome, finding: Finding) -> dict[str, str]:
    return {"code": finding.code, "text": render(outcome.problem(finding))}
