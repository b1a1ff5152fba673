# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What git tells of the declaration's working tree, as differences: uncommitted, untracked, unpushed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A working tree as ``git status --porcelain=v2 --branch`` tells of it."""

    commit: str = ""
    branch: str = ""
    upstream: str = ""
    ahead: int = 0
    changed: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()


def parse(text: str) -> Source:
    """Read what ``git status --porcelain=v2 --branch -z`` prints; a renamed file counts by its new name."""
    headers: dict[str, str] = {}
    changed, untracked = [], []
    records = iter(text.split("\0"))
    for record in records:
        kind, _space, rest = record.partition(" ")
        if kind == "#":
            name, _space, value = rest.partition(" ")
            headers[name] = value
        elif kind == "?":
            untracked.append(rest)
        elif kind in ("1", "u"):
            changed.append(rest.split(" ", 9 if kind == "u" else 7)[-1])
        elif kind == "2":
            changed.append(rest.split(" ", 8)[-1])
            next(records, "")  # its old name
    commit, branch = headers.get("branch.oid", ""), headers.get("branch.head", "")
    ahead = headers.get("branch.ab", "+0 -0").split(" ")[0].lstrip("+")
    return Source(
        commit="" if commit.startswith("(") else commit,
        branch="" if branch.startswith("(") else branch,
        upstream=headers.get("branch.upstream", ""),
        ahead=int(ahead) if ahead.isdigit() else 0,
        changed=tuple(changed),
        untracked=tuple(untracked),
    )


def items(source: Source, remotes: bool, fetched: bool = True) -> Iterator[dict[str, str]]:
    """Yield each difference between the working tree and what others can see of it.

    ``remotes`` tells whether there is anywhere to push to, ``fetched`` whether a commit on no branch came from there.
    """
    for path in source.changed:
        yield _item("source-uncommitted", path, "committed", "changed since the last commit", "git commit")
    for path in source.untracked:
        yield _item("source-untracked", path, "committed", "unknown to git", "git add, or .gitignore")
    if source.ahead:
        commits = "1 commit" if source.ahead == 1 else f"{source.ahead} commits"
        actual = f"{commits} that {source.upstream} has not"
        yield _item("source-unpushed", source.branch, "pushed", actual, "git push")
    elif remotes and source.branch and not source.upstream:
        actual = "follows no branch of a remote"
        yield _item("source-unpushed", source.branch, "pushed", actual, "git push --set-upstream")
    elif remotes and source.commit and not source.branch and not fetched:
        actual = f"{source.commit[:12]} is on no branch, and no remote has it"
        yield _item("source-unpushed", "HEAD", "pushed", actual, "git switch --create BRANCH, and git push")


def _item(kind: str, subject: str, expected: str, actual: str, remedy: str) -> dict[str, str]:
    item = {"kind": kind, "subject": subject, "expected": expected, "actual": actual, "remedy": remedy}
    return {**item, "blame": "intentional", "since": ""}
