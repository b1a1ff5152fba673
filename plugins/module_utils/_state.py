# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What the service module remembers on a host: manifest, snapshot of a run in progress, lock, key of the digests.

All of it lives in one directory of the stack's account, mode 0700. The manifest is written last, so it tells what a
run completed; the snapshot is written first and removed last, so its presence tells that a run was killed.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._files import make_dirs, read, remove, write_atomic
from ansible_collections.lab.llm_stack.plugins.module_utils._lock import at_work, held, now, stamp
from ansible_collections.lab.llm_stack.plugins.module_utils._manifest import Manifest
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import FileFound

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)
"""What reading a record raises that somebody edited."""


@dataclass(frozen=True)
class Snapshot:
    """The state to which a failed run returns."""

    taken: str
    files: Mapping[str, FileFound]
    active: tuple[str, ...]
    enabled: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """The records of one transaction below the account's state directory."""

    root: str
    name: str

    @property
    def directory(self) -> str:
        return os.path.join(self.root, self.name)

    @property
    def _manifest(self) -> str:
        return os.path.join(self.directory, "manifest.json")

    @property
    def _snapshot(self) -> str:
        return os.path.join(self.directory, "snapshot.json")

    def manifest(self) -> Manifest:
        """Read the manifest; ``ok`` is False where somebody edited it."""
        content = read(self._manifest)
        if content is None:
            return Manifest()
        try:
            record = json.loads(content)
            body = {key: value for key, value in record.items() if key != "checksum"}
            intact = record["checksum"] == _checksum(body)
            return Manifest(
                files=dict(record["files"]),
                units=tuple(record["units"]),
                ok=intact,
                exists=True,
                deployed=dict(record.get("deployed", {})),
                written=record.get("written", ""),
                serving=tuple((kind, path) for kind, path in record.get("serving", [])),
                installed=dict(record.get("installed", {})),
                ports=dict(record.get("ports", {})),
            )
        except UNREADABLE:
            return Manifest(exists=True)

    def write_manifest(self, files: Mapping[str, str], units: list[str], facts: Mapping[str, Any]) -> None:
        """Record what a completed run left: the commit point of the transaction. ``files`` maps paths to digests."""
        self._write({"format": 1, "name": self.name, "files": dict(files), "units": units, "written": now(), **facts})

    def _write(self, body: Mapping[str, Any]) -> None:
        text = json.dumps({**body, "checksum": _checksum(body)}, indent=1, sort_keys=True)
        write_atomic(self._manifest, text.encode(), 0o600)

    def note_installed(self, installed: Mapping[str, Mapping[str, str]]) -> None:
        """Note what is installed for the transaction, in a manifest that is whole; all else in it stays."""
        content = read(self._manifest)
        manifest = self.manifest()
        if content is None or not manifest.ok or manifest.installed == installed:
            return
        body = {**json.loads(content), "installed": installed}
        body.pop("checksum")
        self._write(body)

    def others(self) -> dict[str, Mapping[str, str]]:
        """What the manifests of the account's other transactions say is installed for them."""
        return {path: claim for each in self._others() for path, claim in each.trusted.installed.items()}

    def knows_others(self) -> bool:
        """Whether all of them can be believed; one that was edited may need what it does not tell of."""
        return all(each.ok or not each.exists for each in self._others())

    def _others(self) -> list[Manifest]:
        names = [each.name for each in os.scandir(self.root) if each.is_dir() and each.name != self.name]
        return [State(self.root, name).manifest() for name in names]

    def forget(self) -> None:
        """Remove the records of a transaction that is absent now."""
        remove(self._manifest)
        remove(self._snapshot)
        remove(self._source)
        with contextlib.suppress(OSError):
            os.rmdir(self.directory)

    def interrupted(self) -> str:
        """When a run began that never ended; empty where none."""
        snapshot = self.snapshot()
        return snapshot.taken if snapshot else ""

    def snapshot(self) -> Snapshot | None:
        """The snapshot of the run in progress, or of the one that was killed; None where it cannot be read."""
        try:
            record = json.loads(read(self._snapshot) or b"")
            files = {path: _file(entry) for path, entry in record["files"].items()}
            return Snapshot(record["taken"], files, tuple(record["active"]), tuple(record["enabled"]))
        except UNREADABLE:
            return None

    def begun(self) -> list[str]:
        """The files that the run in progress, or the one that was killed, makes where there was nothing."""
        snapshot = self.snapshot()
        files = snapshot.files if snapshot else {}
        return [path for path, file in files.items() if file.content is None and not file.link]

    def write_snapshot(self, snapshot: Snapshot) -> None:
        """Keep the old state on disk before the first change, so that it survives us."""
        record = {
            "taken": snapshot.taken,
            "files": {path: _entry(file) for path, file in snapshot.files.items()},
            "active": snapshot.active,
            "enabled": snapshot.enabled,
        }
        write_atomic(self._snapshot, json.dumps(record).encode(), 0o600)

    def drop_snapshot(self) -> None:
        """The run ended, one way or the other."""
        remove(self._snapshot)

    def keep(self, path: str) -> str:
        """Move a file of somebody else out of the way, and return where it is kept."""
        directory = os.path.join(self.directory, "removed")
        make_dirs(directory)
        kept = os.path.join(directory, f"{now().replace(':', '')}-{path.strip('/').replace('/', '_')}")
        content = read(path)
        write_atomic(kept, content or b"", 0o600)
        remove(path)
        return kept

    def source(self) -> str:
        """The commit of the declaration of which this was deployed last; empty where none was told, or nothing was.

        Earlier versions noted one commit for the whole account.
        """
        if not os.path.exists(self._manifest):
            return ""
        noted = read(self._source) or read(os.path.join(self.root, "source")) or b""
        return noted.decode("ascii", "replace").strip()

    def note_source(self, commit: str) -> None:
        """Note the commit of which this was deployed, also where that changed nothing on the host."""
        if commit and os.path.exists(self._manifest) and commit != self.source():
            write_atomic(self._source, f"{commit}\n".encode(), 0o600)

    @property
    def _source(self) -> str:
        return os.path.join(self.directory, "source")

    def salt(self) -> bytes:
        """The key of this host's digests; empty before the first run."""
        return read(os.path.join(self.root, "digest.key")) or b""

    def make_salt(self) -> bytes:
        """Make the key once."""
        if not self.salt():
            write_atomic(os.path.join(self.root, "digest.key"), secrets.token_bytes(32), 0o600)
        return self.salt()

    def lock(self, holder: str, breaking: str = "") -> contextlib.AbstractContextManager[None]:
        """Hold the account's lock for the length of a run; ``breaking`` is the id of a lock to break."""
        return held(self._lock, self.name, holder, breaking)

    def lock_stamp(self) -> tuple[int, int]:
        """What the account's lock is like, for ``at_work`` to tell whether a run began or ended since."""
        return stamp(self._lock)

    def at_work(self, before: tuple[int, int]) -> str:
        """Say who changes the account's services now, or did since the stamp; empty where nobody."""
        return at_work(self._lock, before)

    @property
    def _lock(self) -> str:
        return os.path.join(self.root, "lock")


def _checksum(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _entry(file: FileFound) -> dict[str, Any] | None:
    if file.link:
        return {"link": file.link}
    if file.content is None:
        return None
    return {"content": base64.b64encode(file.content).decode(), "mode": file.mode}


def _file(entry: Mapping[str, Any] | None) -> FileFound:
    if not entry or "link" in entry:
        return FileFound(**entry or {})
    return FileFound(base64.b64decode(entry["content"]), entry["mode"])
