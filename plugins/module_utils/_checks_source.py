# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what a host runs can be found again: the declaration is committed, and that commit was deployed last.

Pure: what git told on the controller, in the form of the module source_info, and what the host noted come in as values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._checks import PASS, SKIPPED, WARN, Verdict
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import count

Told = Mapping[str, Any]
_SHOWN, _SHORT = 3, 12
_CHANGES = ("source-uncommitted", "source-untracked")


def changed(told: Told) -> list[str]:
    """The files of the declaration that are not committed."""
    return [str(each["subject"]) for each in told.get("items") or () if each.get("kind") in _CHANGES]


def judge_committed(told: Told, _deployed: str) -> Verdict:
    """Every file of the declaration is committed."""
    files = changed(told)
    if files:
        more = [*files[:_SHOWN], "…"] if files[_SHOWN:] else files
        evidence = f"{count(len(files), 'file')} not committed: {', '.join(more)}"
        return Verdict(WARN, evidence, "what is deployed cannot be found again in the history", "git commit")
    return Verdict(PASS, f"commit {told['commit'][:_SHORT]}" + f" on {told['branch']}" * bool(told.get("branch")))


def judge_deployed(told: Told, deployed: str) -> Verdict:
    """The last deployment of a host was that of the commit; a change that touches no host counts as well."""
    commit = str(told["commit"])
    if deployed == commit:
        return Verdict(PASS, f"commit {commit[:_SHORT]}")
    if not deployed:
        return Verdict(WARN, "no commit was noted", "it was deployed before the declaration was in git", "run deploy")
    evidence = f"commit {deployed[:_SHORT]} was deployed last, the declaration is at {commit[:_SHORT]}"
    return Verdict(WARN, evidence, "nobody has deployed since", "run deploy")


_JUDGES: Mapping[str, Callable[[Told, str], Verdict]] = {
    "source_committed": judge_committed,
    "source_deployed": judge_deployed,
}
KINDS = tuple(_JUDGES)


def judge(kind: str, told: Told, deployed: str) -> Verdict:
    """Judge a check of these kinds; a declaration that is in no repository promises nothing."""
    if told.get("unchecked"):
        return Verdict(SKIPPED, "; ".join(str(each["why"]) for each in told["unchecked"]))
    if told.get("failed") or not told:
        why = " ".join(str(told.get("msg") or "nobody asked git").split())
        return Verdict(SKIPPED, why)
    if not told.get("commit") and not changed(told):
        return Verdict(PASS, "the declaration is in no repository of git")
    if not told.get("commit") and kind == "source_deployed":
        return Verdict(PASS, "nothing was ever committed")
    return _JUDGES[kind](told, deployed)
