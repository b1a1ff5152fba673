# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What earlier runs installed for a transaction and nothing requires any more: environments, releases and models.

The manifest tells what was installed. What lies beside a version that is required is kept on purpose, for the way
back, by the step that installs it; and what the manifest of another transaction claims is that one's.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping

from ansible_collections.lab.llm_stack.plugins.module_utils._manifest import Manifest
from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_record import is_ours
from ansible_collections.lab.llm_stack.plugins.module_utils._service_types import (
    ChangeError,
    Item,
    Requirement,
    Wanted,
)

Claims = Mapping[str, Mapping[str, str]]
"""Paths of what was installed, each with its ``kind`` and, for a model at Ollama, the address of its ``server``."""

KINDS: Mapping[str, str] = {
    "environment": "orphan-environment",
    "release": "orphan-release",
    **dict.fromkeys(("file", "download", "snapshot", "ollama_model"), "orphan-model"),
}
"""What the install steps make, and as what it is told when nobody needs it any more."""

_FILE_VERSION = re.compile(r"-[0-9a-f]{12}(?=\.[^./]*$)")
"""What tells a model file from the one that it replaced."""

REMEDY = "set llm_stack_prune: true and deploy, or declare it again"


def claims(wanted: Wanted) -> dict[str, dict[str, str]]:
    """What the install steps of this declaration make; what lies elsewhere, or is taken as it is, was there before."""
    made = {each.path: _claim(each) for each in wanted.requires if each.digest and _is_ours(wanted, each)}
    return {**made, **{each.file: {"kind": "download"} for each in wanted.requires if each.file}}


def _is_ours(wanted: Wanted, each: Requirement) -> bool:
    below = each.path.startswith(f"{wanted.home}/.local/share/llm-stack/")
    return each.kind in KINDS and (below or each.kind == "ollama_model")


def _claim(each: Requirement) -> dict[str, str]:
    return {"kind": each.kind, **({"server": each.server} if each.server else {})}


def orphans(wanted: Wanted, manifest: Manifest, others: Claims) -> dict[str, Mapping[str, str]]:
    """What this transaction installed once, that is still there, and that nothing requires."""
    required = {path for each in wanted.requires for path in (each.path, each.file)}
    families = {_family(each.kind, each.path) for each in wanted.requires}
    families |= {_family("download", each.file) for each in wanted.requires}
    return {
        path: claim
        for path, claim in manifest.trusted.installed.items()
        if path not in required
        and path not in others
        and _family(claim["kind"], path) not in families - {""}
        and os.path.lexists(path)
        and (claim["kind"] != "ollama_model" or is_ours(path))
    }


def _family(kind: str, path: str) -> str:
    """What the versions of one thing have in common, where the one before is kept; empty where none is."""
    if kind in ("environment", "release"):
        return os.path.dirname(path)
    return _FILE_VERSION.sub("", path) if kind in ("file", "download") and _FILE_VERSION.search(path) else ""


def orphan_items(found: Claims, removes: bool) -> Iterator[Item]:
    """Yield an item for each of them; ``removes`` says whether a deploy takes them away."""
    for path, claim in sorted(found.items()):
        remedy = "deploy" if removes else REMEDY
        yield Item(KINDS[claim["kind"]], path, "not declared", "installed by an earlier run", remedy)


def claimed(wanted: Wanted, manifest: Manifest, others: Claims) -> dict[str, Mapping[str, str]]:
    """What the manifest is to tell after a run: all that is required, and what is still there of before."""
    before = manifest.trusted.installed.items()
    kept = {path: claim for path, claim in before if path not in others and os.path.lexists(path)}
    return {**kept, **claims(wanted)}


def remove_orphans(found: Claims) -> None:
    """Remove what nobody needs; a model at Ollama by its server, which knows what its models share."""
    from ansible_collections.lab.llm_stack.plugins.module_utils import _files, _release

    for path, claim in sorted(found.items()):
        if claim["kind"] == "ollama_model":
            _forget_model(path, claim.get("server", ""))
        elif os.path.isdir(path) and not os.path.islink(path):
            _files.remove_tree(path)
            _clear_shelf(os.path.dirname(path))
        else:
            _files.remove(path)
            _files.remove(_release.note_path(path))


def _clear_shelf(directory: str) -> None:
    """Remove a shelf on which nothing is left, with its link to the version that counted."""
    from ansible_collections.lab.llm_stack.plugins.module_utils._files import remove

    link = os.path.join(directory, "current")
    if os.path.islink(link) and not os.path.exists(link):
        remove(link)
    with contextlib.suppress(OSError):
        os.rmdir(directory)


def _forget_model(path: str, server: str) -> None:
    from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_api import ApiError, Client
    from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_forget import forget
    from ansible_collections.lab.llm_stack.plugins.module_utils._ollama_record import name_of

    name = name_of(path)
    try:
        forget(Client(server), name)
    except ApiError as error:
        raise ChangeError(f"{error}\nThe services are as declared; the model {name} is still there.") from error
