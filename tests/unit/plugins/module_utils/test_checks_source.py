# Copyright: (c) 2026, the lab.llm_stack authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what a host runs can be found again in the history of the declaration."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.lab.llm_stack.plugins.module_utils._checks import PASS, SKIPPED, WARN, Verdict
from ansible_collections.lab.llm_stack.plugins.module_utils._checks_source import judge

HEAD, OLD = "1b3f0c2d4e5f60718293a4b5c6d7e8f901234567", "0a" * 20
CLEAN: dict[str, Any] = {"commit": HEAD, "branch": "main", "items": []}


def changed(*subjects: str, kind: str = "source-uncommitted", commit: str = HEAD) -> dict[str, Any]:
    return {"commit": commit, "branch": "main", "items": [{"kind": kind, "subject": each} for each in subjects]}


@pytest.mark.parametrize(
    ("kind", "told", "deployed", "expected"),
    [
        pytest.param(
            "source_committed", CLEAN, OLD, Verdict(PASS, "commit 1b3f0c2d4e5f on main"), id="all is committed"
        ),
        pytest.param(
            "source_committed",
            changed("stack.yml"),
            HEAD,
            Verdict(
                WARN,
                "1 file not committed: stack.yml",
                "what is deployed cannot be found again in the history",
                "git commit",
            ),
            id="one file is not",
        ),
        pytest.param(
            "source_committed",
            changed("a", "b", "c", "d", kind="source-untracked", commit=""),
            "",
            Verdict(
                WARN,
                "4 files not committed: a, b, c, …",
                "what is deployed cannot be found again in the history",
                "git commit",
            ),
            id="nothing ever was",
        ),
        pytest.param(
            "source_committed",
            changed("main", kind="source-unpushed"),
            HEAD,
            Verdict(PASS, "commit 1b3f0c2d4e5f on main"),
            id="what is not pushed is committed",
        ),
        pytest.param(
            "source_committed",
            {"commit": "", "items": [], "unchecked": [{"what": "the source", "why": "git is not installed"}]},
            HEAD,
            Verdict(SKIPPED, "git is not installed"),
            id="git does not tell",
        ),
        pytest.param("source_deployed", CLEAN, HEAD, Verdict(PASS, "commit 1b3f0c2d4e5f"), id="that was deployed"),
        pytest.param(
            "source_deployed",
            CLEAN,
            OLD,
            Verdict(
                WARN,
                "commit 0a0a0a0a0a0a was deployed last, the declaration is at 1b3f0c2d4e5f",
                "nobody has deployed since",
                "run deploy",
            ),
            id="another one was deployed",
        ),
        pytest.param(
            "source_deployed",
            CLEAN,
            "",
            Verdict(WARN, "no commit was noted", "it was deployed before the declaration was in git", "run deploy"),
            id="nobody noted one",
        ),
        pytest.param(
            "source_deployed",
            changed("a", commit=""),
            "",
            Verdict(PASS, "nothing was ever committed"),
            id="there is no commit to deploy",
        ),
        *(
            pytest.param(
                kind,
                {"commit": "", "items": []},
                "",
                Verdict(PASS, "the declaration is in no repository of git"),
                id=f"{kind} without git",
            )
            for kind in ("source_committed", "source_deployed")
        ),
        pytest.param(
            "source_committed",
            {"failed": True, "msg": "git is not installed."},
            "",
            Verdict(SKIPPED, "git is not installed."),
            id="git cannot tell",
        ),
        pytest.param("source_deployed", {}, HEAD, Verdict(SKIPPED, "nobody asked git"), id="nobody asked"),
    ],
)
def test_the_source(kind: str, told: dict[str, Any], deployed: str, expected: Verdict) -> None:
    assert judge(kind, told, deployed) == expected
