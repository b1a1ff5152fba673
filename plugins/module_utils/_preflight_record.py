# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the preflight says of an instance, and the record it leaves on the host of one that passed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._lock import now
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import Finding, Outcome
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import render

PASSED = 5
"""How many of the digests that passed before a record keeps."""


def record(outcome: Outcome, backend: str, before: Mapping[str, Any] | None = None) -> bytes:
    """Write down that an instance passed, with the numbers it passed with.

    What passed ``before`` stays known: a change that does not come up is taken back, and what it leaves is clean.
    """
    digest = outcome.instance.digest
    earlier = [each for each in digests(before or {}) if each != digest]
    body = {
        "format": 1,
        "digest": digest,
        "passed": [digest, *earlier][:PASSED],
        "unit": outcome.instance.unit,
        "written": now(),
        **told(outcome),
        "backend": backend,
        "identity": asdict(outcome.identity),
    }
    return json.dumps(body, indent=1).encode() + b"\n"


def digests(body: Mapping[str, Any]) -> list[str]:
    """The digests that a record vouches for, the latest first."""
    passed = body.get("passed")
    found = [body.get("digest"), *(passed if isinstance(passed, list) else [])]
    return list(dict.fromkeys(each for each in found if isinstance(each, str)))


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
