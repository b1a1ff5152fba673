# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""A record vouches for what passed last, and for a few that passed before it."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._ledger import Identity
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_record import PASSED, digests, record
from ansible_collections.lab.llm_stack.plugins.module_utils._preflight_types import Instance, Outcome

IDENTITY = Identity("model", "", "flags", "1", "card")


def written(digest: str, before: dict[str, Any] | None = None) -> dict[str, Any]:
    outcome = Outcome(Instance("tiny", "u.service", "/m.gguf", 1, digest), IDENTITY, None, ())
    body: dict[str, Any] = json.loads(record(outcome, "cpu", before))
    return body


def test_the_first_record_vouches_for_itself() -> None:
    assert (written("a")["digest"], written("a")["passed"]) == ("a", ["a"])


def test_what_passed_before_follows_once_each_and_not_without_end() -> None:
    body: dict[str, Any] = {}
    for digest in "abcabdefg":
        body = written(digest, body)
    assert body["passed"] == ["g", "f", "e", "d", "b"]
    assert len(body["passed"]) == PASSED


def test_a_record_of_an_older_version_vouches_for_its_digest() -> None:
    assert digests({"digest": "a"}) == ["a"]
    assert digests({"digest": 1, "passed": "a"}) == []
