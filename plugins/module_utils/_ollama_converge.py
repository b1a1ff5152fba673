# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Bring a server's models to what is declared, prove it, and note what was made."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils import _files, _ollama_record
from ansible_collections.lab.llm_stack.plugins.module_utils import _ollama_names as names
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_api import Client, Listed, NoServer, Paused
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_models import (
    Step,
    Wanted,
    base_step,
    check_shown,
    made_step,
)
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_record import Note
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem, StackError
from ansible_collections.lab.llm_stack.plugins.module_utils._release import fingerprint, sha256_of
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Item

FORESEEN = "foreseen"
"""The digest of a model that check mode takes to be there."""


@dataclass
class Run:
    """One run: the server, its folder of models, the record, and what came of it.

    ``budget`` is how many seconds a download may take before the run pauses; 0 means to its end.
    """

    client: Client
    folder: str
    record: str
    check: bool = False
    budget: float = 0.0
    items: list[Item] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """What only a run can tell."""
    unfinished: dict[str, Any] = field(default_factory=dict)
    """The last line of a download that was paused."""
    listed: dict[str, Listed] = field(default_factory=dict)
    notes: dict[str, Note] = field(default_factory=dict)
    reached: bool = False
    silent: bool = False
    """Whether nothing answered, which in check mode is taken for a server without models."""
    started: float = field(default_factory=time.monotonic)

    def converge(self, wanted: Sequence[Wanted]) -> None:
        """Do what is needed; raises StackError when a model is there and is not what was declared of it."""
        self.notes = _ollama_record.load(self.record)
        before = dict(self.notes)
        self._look()
        try:
            self._all({each.key: each for each in wanted}.values())
        finally:
            # Also where it failed or paused: what came until then came by us.
            if self.notes != before and not self.check:
                _ollama_record.save(self.notes, self.record)

    def _all(self, wanted: Collection[Wanted]) -> None:
        try:
            for each in wanted:
                self._one(each)
        except Paused:
            return
        problems = [] if self.silent else [problem for each in wanted for problem in self._prove(each)]
        if problems:
            raise StackError(problems)

    def _look(self) -> None:
        try:
            self.listed = self.client.tags()
            self.reached = True
        except NoServer:
            if not self.check:
                raise
            self.silent = True
            self.unknown.append(f"nothing answers at {self.client.url}, so its models are taken to be absent.")

    def _one(self, each: Wanted) -> None:
        first = base_step(each, self.listed)
        if first:
            self._take(first)
        print_of_file = self._fingerprint(each)
        second = made_step(each, self.listed, self.notes.get(each.key), print_of_file)
        if second:
            self._take(second)
        if each.state == "absent":
            self.notes.pop(each.key, None)

    def _fingerprint(self, each: Wanted) -> str:
        if not each.path or each.state == "absent":
            return ""
        try:
            return fingerprint(os.path.expanduser(each.path))
        except OSError as error:
            if self.check:
                return ""
            problem = Problem(f"{each.name}.path", each.path, f"cannot be read: {error.strerror}.", "Name a GGUF file.")
            raise StackError(problem) from None

    def _take(self, step: Step) -> None:
        """Do a step, or foresee it; a pull that brings what is there already is no change."""
        key = names.key(step.name)
        before = self.listed.get(key)
        if self.check:
            self._foresee(step, key, before)
            return
        getattr(self, f"_{step.action}")(step)
        self.listed = self.client.tags()
        after = self.listed.get(key)
        if step.action != "pull" or before is None or after is None or before.digest != after.digest:
            self.items.append(step.item())
        if after and step.action != "delete":
            self._remember(step, key, before, after)

    def _remember(self, step: Step, key: str, before: Listed | None, after: Listed) -> None:
        """Note what came by us, as something that nobody has proven yet."""
        old = self.notes.get(key, Note("", ""))
        brought = old.brought or before is None or step.action in ("create", "copy")
        if key == step.model.key:
            self.notes[key] = self._note(step.model, after, brought)
        elif brought and not old.declared:
            # Only there for another one to be made from; it is ours to remove with that one.
            self.notes[key] = Note("", after.digest, brought=True)

    def _foresee(self, step: Step, key: str, before: Listed | None) -> None:
        if step.action == "pull" and before:
            self.unknown.append(f"{step.name}: {step.reason}.")
            return
        self.items.append(step.item())
        if step.action == "delete":
            self.listed.pop(key, None)
        else:
            self.listed[key] = Listed(step.name, FORESEEN)

    # -- steps ------------------------------------------------------------------------------------------------------

    def _pull(self, step: Step) -> None:
        self.client.pull(step.name, step.model.insecure, self._progress)

    def _copy(self, step: Step) -> None:
        self.client.copy(step.model.base, step.name)

    def _delete(self, step: Step) -> None:
        self.client.delete(step.name)

    def _create(self, step: Step) -> None:
        body: dict[str, Any] = {"model": step.name, **step.model.baked()}
        if step.model.path:
            body["files"] = {os.path.basename(step.model.path): f"sha256:{self._sent(step.model)}"}
        else:
            body["from"] = step.model.base
        self.client.create(body, lambda _line: True)

    def _sent(self, each: Wanted) -> str:
        """Give the server the file, unless it has it; return its sum."""
        path = os.path.expanduser(each.path)
        found = sha256_of(path)
        if each.sha256 and found != each.sha256:
            wrong = f"is not the declared file: its sum is {found}."
            remedy = "Find out why before you use it; if the file is right, declare its sha256."
            raise StackError(Problem(f"{each.name}.path", each.path, wrong, remedy))
        if not self.client.has_blob(found):
            self.client.upload(path, found)
        return found

    def _seed(self, step: Step) -> None:
        """Copy a model out of a store: its blobs first, so that it appears when it is whole."""
        store = os.path.expanduser(step.model.store)
        source = _ollama_record.manifest_path(store, step.name)
        content = _files.read(source)
        if content is None:
            wrong = f"has no model {step.name}."
            raise StackError(Problem(f"{step.model.name}.store", store, wrong, f"Its manifest would be {source}."))
        for digest, _size in _ollama_record.layers(content):
            copy_blob(store, self.folder, digest)
        _files.write_atomic(_ollama_record.manifest_path(self.folder, step.name), content, 0o644)

    def _progress(self, line: Mapping[str, Any]) -> bool:
        """Go on, unless the time is over: between the blocks of a download, never while it is being verified."""
        total, completed = line.get("total") or 0, line.get("completed") or 0
        late = self.budget and time.monotonic() - self.started > self.budget
        if not (late and total and completed < total):
            return True
        self.unfinished = {"status": str(line.get("status", "")), "completed": completed, "total": total}
        return False

    # -- proof ------------------------------------------------------------------------------------------------------

    def _note(self, each: Wanted, there: Listed, brought: bool) -> Note:
        base = self.listed.get(names.key(each.base)) if each.base else None
        origin = base.digest if base else self._fingerprint(each)
        source = names.key(each.base) if each.made and each.base else ""
        return Note("", there.digest, origin if each.made else "", source, brought)

    def _prove(self, each: Wanted) -> list[Problem]:
        """What is there is asked for what was declared; only a model that passes is noted as it is declared."""
        there = self.listed.get(each.key)
        if each.state == "absent" or not there or there.digest == FORESEEN:
            return []
        problems = list(check_shown(each, self.client.show(each.name), each.name))
        note = self._note(each, there, self.notes.get(each.key, Note("", "")).brought)
        # Without its declaration the next run looks again.
        self.notes[each.key] = note if problems else replace(note, declared=each.identity())
        return problems


def copy_blob(store: str, folder: str, digest: str) -> None:
    """Copy one blob and compare its sum with its name; one that is there is left alone."""
    source, target = (_ollama_record.blob_path(each, digest) for each in (store, folder))
    if os.path.exists(target):
        return
    _files.make_dirs(os.path.dirname(target), 0o755)
    partial = os.path.join(os.path.dirname(target), _files.temporary_name())
    try:
        shutil.copyfile(source, partial)
        found = sha256_of(partial)
        if f"sha256:{found}" != digest:
            raise StackError(Problem(source, NOTHING, f"is damaged: its sum is {found}.", "Seed the store again."))
        os.rename(partial, target)
    finally:
        _files.remove(partial)
