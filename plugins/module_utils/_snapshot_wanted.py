# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The declaration of a model folder, where it is and what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ansible_collections.lab.llm_stack.plugins.module_utils import _files, _hub, _snapshot
from ansible_collections.lab.llm_stack.plugins.module_utils._address import unfit_address
from ansible_collections.lab.llm_stack.plugins.module_utils._http import Client
from ansible_collections.lab.llm_stack.plugins.module_utils._install import Shelf
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, StackError


@dataclass(frozen=True)
class Wanted:
    """The declaration of one snapshot: from a hub (``repo``), from the controller (``name``), or a folder (``src``).

    ``upload`` is a file that came from the controller, and ``uploaded`` its path in the list.
    """

    root: str = ""
    name: str = ""
    repo: str = ""
    revision: str = ""
    files: _snapshot.Files = field(default_factory=dict)
    endpoint: str = _hub.HUB
    token: str = field(default="", repr=False)
    src: str = ""
    upload: str = ""
    uploaded: str = ""
    keep: int | None = None
    in_use: Sequence[str] = ()
    slice: float = 30.0
    timeout: float = 60.0

    @property
    def shelf(self) -> Shelf:
        directory = os.path.dirname(_snapshot.place(self.root, self.name or self.repo, "x", ""))
        return Shelf(directory, "snapshot", r"[0-9a-f]{12}", _snapshot.MARKER)

    @property
    def version(self) -> str:
        """The name of the snapshot's directory."""
        return os.path.basename(self.target)

    @property
    def digest(self) -> str:
        """The name of the list of files; nothing as long as the list is not known."""
        return _snapshot.digest_of(self.files) if self.files else ""

    @property
    def target(self) -> str:
        return self.src or _snapshot.place(self.root, self.name or self.repo, self.revision, self.digest)

    @property
    def work(self) -> str:
        """Where the snapshot grows."""
        return self.shelf.path(_files.partial_name(self.version))

    @property
    def client(self) -> Client:
        return Client(self.endpoint, self.token, self.timeout)


def refuse(wanted: Wanted, state: str) -> None:
    """Raise every reason why the declaration is none, before anything is read or changed."""
    problems = list(_unfit(wanted, state))
    if problems:
        raise StackError(problems)


def _unfit(wanted: Wanted, state: str) -> Iterator[Problem]:
    if wanted.repo and not _hub.REPO.fullmatch(wanted.repo):
        yield Problem("repo", wanted.repo, "is no repository of a hub.", "Write OWNER/NAME.")
    if wanted.name and (not _snapshot.is_plain(wanted.name) or wanted.name.startswith(".")):
        yield Problem("name", wanted.name, "cannot be the name of a directory.", "Write letters, digits and dashes.")
    if wanted.revision and not _hub.COMMIT.fullmatch(wanted.revision):
        remedy = "Write the 40 digits of a commit: make pin MODEL=NAME finds those of a branch."
        yield Problem("revision", wanted.revision, "pins nothing.", remedy)
    if state == "present":
        yield from _unfit_source(wanted)
        yield from unfit_address("endpoint", wanted.endpoint, ("https", "http"))
        yield from _unfit_files(wanted.files)


def _unfit_source(wanted: Wanted) -> Iterator[Problem]:
    if wanted.repo and not wanted.revision:
        remedy = "Write the 40 digits of a commit: make pin MODEL=NAME finds those of a branch."
        yield Problem("revision", NOTHING, "is missing, and a branch is another model tomorrow.", remedy)
    if not wanted.repo and not wanted.src and not wanted.files:
        yield Problem("src", NOTHING, "names no folder, or one without files.", "Name a repo, or a folder in src.")


def _unfit_files(files: _snapshot.Files) -> Iterator[Problem]:
    for name, entry in files.items():
        if not _snapshot.is_plain(name):
            yield Problem(f"files.{name}", NOTHING, "leaves the folder.", "Write a path below it.")
        elif not isinstance(entry.get("size"), int) or entry["size"] < 0:
            yield Problem(f"files.{name}.size", entry.get("size"), "is no number of bytes.", "Write the file's size.")
