# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Whether what other steps install is in place, cheaply enough for every clean check."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from ansible_collections.lab.llm_stack.plugins.module_utils import _install, _ollama_record, _python_env, _release
from ansible_collections.lab.llm_stack.plugins.module_utils._files import read
from ansible_collections.lab.llm_stack.plugins.module_utils._python_env import verify_environment
from ansible_collections.lab.llm_stack.plugins.module_utils._release import fingerprint, verify_file, verify_release
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import Requirement
from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot import MARKER as SNAPSHOT_MARKER
from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot import verify_snapshot

VERSIONED = {"environment": _python_env.MARKER, "release": _release.MARKER}
"""The kinds that lie side by side with their older versions, and the file that says that one is complete."""

_FILES = ("file", "download")

_MARKERS = (*VERSIONED.values(), SNAPSHOT_MARKER)


def missing_requirements(requires: Sequence[Requirement]) -> list[dict[str, object]]:
    """The requirements that are not met, each with its reasons; empty when all are."""
    checked = ((each, reasons(each)) for each in requires)
    return [{"kind": each.kind, "path": each.path, "reasons": why} for each, why in checked if why]


def reasons(requirement: Requirement) -> list[str]:
    """Why a requirement is not met; empty when it is."""
    path, digest = requirement.path, requirement.digest
    if requirement.kind in _VERIFIERS:
        return _VERIFIERS[requirement.kind](path, digest)
    if requirement.kind == "program":
        return [] if os.access(path, os.X_OK) and os.path.isfile(path) else ["is no executable file"]
    if not os.path.isfile(path):
        return ["is absent"]
    return [] if not digest or fingerprint(path) == digest else ["has other content than declared"]


def verify_preflight(path: str, digest: str) -> list[str]:
    """Return why no preflight found that this very instance can start; nothing when one did.

    Only a preflight that refused nothing leaves a record, so its digest is all there is to look at.
    """
    content = read(path)
    if content is None:
        return ["has not been looked at before its first start"]
    with contextlib.suppress(ValueError, RecursionError):
        noted = json.loads(content)
        if isinstance(noted, dict):
            passed = noted.get("passed")
            known = [noted.get("digest"), *(passed if isinstance(passed, list) else [])]
            return [] if digest in known else ["was looked at with another model, another engine or other settings"]
    return ["has no readable record"]


_VERIFIERS: Mapping[str, Callable[[str, str], list[str]]] = {
    "environment": verify_environment,
    "release": verify_release,
    "download": verify_file,
    "snapshot": verify_snapshot,
    "preflight": verify_preflight,
    "ollama_model": _ollama_record.verify,
}


def installations(requires: Sequence[Requirement]) -> list[tuple[str, str]]:
    """Kind and path of what has versions, as the manifest keeps it."""
    return [(each.kind, each.path) for each in requires if each.kind in (*VERSIONED, *_FILES)]


def identities(requires: Sequence[Requirement], missing: Sequence[Mapping[str, object]] = ()) -> dict[str, str]:
    """What is installed at each path, as text that changes whenever it is installed anew.

    What is missing counts as installed anew, however much of it is still there: that is what an apply will do.
    """
    anew = {each["path"] for each in missing}
    # Looking at an instance once more installs nothing that it runs from; models at Ollama come to a server that runs.
    installed = [each.path for each in requires if each.kind not in ("preflight", "ollama_model")]
    return {path: "to be installed" if path in anew else _identity(path) for path in installed}


def _identity(path: str) -> str:
    if os.path.isdir(path):
        markers = (read(os.path.join(path, name)) for name in _MARKERS)
        return "".join((marker or b"").decode("utf-8", "replace") for marker in markers)
    try:
        status = os.stat(path)
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def serve_from(installed: Iterable[tuple[str, str]]) -> None:
    """Note that services run from these: the links name them, and they are the last to go when versions pile up.

    The install step switches a link before anybody knows whether the new version can serve, and going back to a version
    that is still there takes no install step.
    """
    for kind, path in installed:
        # Both serve people and the choice of what may go; a failure here is none of what serves.
        with contextlib.suppress(OSError):
            if kind in _FILES:
                os.utime(_release.note_path(path))
                continue
            shelf = _install.Shelf(os.path.dirname(path), kind, "", VERSIONED[kind])
            if shelf.current() and os.path.isfile(os.path.join(path, shelf.marker)):
                _install.make_current(shelf, os.path.basename(path))
