# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Pinning a release: its archives for Linux with the checksums that its publisher states.

No checksum is made up here. One that nobody stated can only come from a file that was fetched for this, when the user
asked for that by name, and the lock then says so.
"""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._download import Refused, Response
from ansible_collections.lab.llm_stack.plugins.module_utils._http import Client, HttpRefused
from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError
from ansible_collections.lab.llm_stack.plugins.module_utils._problems import Problem, StackError, nearest
from ansible_collections.lab.llm_stack.plugins.module_utils._release_assets import llamacpp_asset, ollama_asset

API = "https://api.github.com"
"""Where releases are described. The option --api names a mirror that has the same paths."""

SUMS = "sha256sum.txt"
LATEST = "latest"

_TAG = re.compile(r"[A-Za-z0-9][\w.+-]{0,99}")
_SUM = re.compile(r"(?P<sha256>[0-9a-f]{64})\s+\*?(?:\./)?(?P<name>\S+)")
_MIRROR = "Make the address reachable from this machine, or name a mirror: --api https://..."


@dataclass(frozen=True)
class Publisher:
    """Whose releases these are, and which of their files are archives that this stack can use."""

    repository: str
    is_usable: Callable[[str], bool]


PUBLISHERS: Mapping[str, Publisher] = {
    "llamacpp": Publisher("ggml-org/llama.cpp", lambda name: llamacpp_asset(name) is not None),
    "ollama": Publisher("ollama/ollama", lambda name: ollama_asset(name) is not None),
}


@dataclass(frozen=True)
class Pinned:
    """The entry of the lock, and the files that nobody stated a checksum of."""

    entry: Mapping[str, Any]
    unstated: tuple[str, ...]


def pin(client: Client, api: str, engine: str, tag: str, hash_here: bool = False) -> Pinned:
    """Ask for a release; raise InstallError where it is not told, StackError where nothing of it could be pinned."""
    publisher = PUBLISHERS.get(engine)
    if publisher is None:
        known = nearest(engine, PUBLISHERS)
        raise StackError(Problem("RELEASE", engine, "is not an engine whose releases are installed.", known))
    if not _TAG.fullmatch(tag):
        raise StackError(Problem("TAG", tag, "cannot be the tag of a release.", "Write one such as b9000 or v0.35.0."))
    url = release_url(api, publisher.repository, tag)
    release = _described(_ask(url, tag, client.read_json), url, tag)
    files = {each["name"]: each for each in release["assets"]}
    sums = _stated_sums(client, files[SUMS]["browser_download_url"], tag) if SUMS in files else {}
    usable = {name: each for name, each in sorted(files.items()) if publisher.is_usable(name)}
    stated = {name: _stated(each, sums) for name, each in usable.items()}
    unstated = tuple(name for name, sha256 in stated.items() if not sha256)
    if hash_here:
        stated.update({name: _hashed(client, usable[name], tag) for name in unstated})
    assets = {name: _entry(usable[name], sha256, name in unstated) for name, sha256 in stated.items() if sha256}
    if not assets:
        raise StackError(_nothing(engine, release["tag_name"], bool(usable)))
    entry = {"tag": release["tag_name"], "repository": publisher.repository, "assets": assets}
    return Pinned(entry, () if hash_here else unstated)


def release_url(api: str, repository: str, tag: str) -> str:
    """Say where a release is described."""
    which = LATEST if tag == LATEST else f"tags/{urllib.parse.quote(tag, safe='')}"
    return f"{api.rstrip('/')}/repos/{repository}/releases/{which}"


def _described(answer: object, url: str, tag: str) -> Mapping[str, Any]:
    """Check that an answer describes the release that was asked for."""
    found = answer.get("tag_name") if isinstance(answer, Mapping) else None
    assets = answer.get("assets") if isinstance(answer, Mapping) else None
    if not isinstance(answer, Mapping) or not isinstance(found, str) or not isinstance(assets, list):
        cause = "the answer does not name a tag (tag_name) and files (assets)"
        raise InstallError(f"{url} was not read: {cause}.\n    Name a mirror that speaks the API of the releases.")
    if (tag not in (LATEST, found)) or not _TAG.fullmatch(found):
        raise InstallError(f"{url} was not used: it describes the release {found!r}.\n    Name another mirror.")
    return {"tag_name": found, "assets": [each for each in assets if _is_file(each)]}


def _is_file(each: object) -> bool:
    """Tell a file that is there from one that is still being put there, and from what is none."""
    if not isinstance(each, Mapping) or each.get("state", "uploaded") != "uploaded":
        return False
    name, url, size = each.get("name"), each.get("browser_download_url"), each.get("size")
    return (
        isinstance(name, str)
        and re.fullmatch(r"[A-Za-z0-9][\w.+-]{0,199}", name) is not None
        and isinstance(url, str)
        and re.fullmatch(r"https?://[^/@\s{}]+/[^\s{}]*", url) is not None
        and isinstance(size, int)
        and size > 0
    )


def _stated_sums(client: Client, url: str, tag: str) -> dict[str, str]:
    """Read the publisher's own list of checksums."""
    text = _ask(url, tag, client.read).decode("utf-8", "replace")
    found = {match["name"]: match["sha256"] for match in map(_SUM.fullmatch, text.splitlines()) if match}
    if not found:
        raise InstallError(f"{url} was not read: it holds no line of a checksum and a name.\n    Name another mirror.")
    return found


def _stated(asset: Mapping[str, Any], sums: Mapping[str, str]) -> str:
    """Give the checksum that is stated for a file; refuse two that differ, and return nothing where there is none."""
    name = asset["name"]
    match = re.fullmatch(r"sha256:([0-9a-f]{64})", str(asset.get("digest") or ""))
    found = {
        source: sha256 for source, sha256 in (("its digest", match and match[1]), (SUMS, sums.get(name))) if sha256
    }
    if len(set(found.values())) > 1:
        told = "\n".join(f"    {sha256}  {source}" for source, sha256 in found.items())
        remedy = "Do not install it. Ask its publisher which is right, or name another mirror."
        raise InstallError(f"{name} was not pinned: two checksums are stated for it.\n{told}\n    {remedy}")
    return next(iter(found.values()), "")


def _hashed(client: Client, asset: Mapping[str, Any], tag: str) -> str:
    """Fetch a file for its checksum alone, and keep nothing of it."""

    def digest(url: str) -> str:
        response = client.open_at(url)
        try:
            return _digest(response, asset["size"])
        finally:
            response.close()

    return str(_ask(asset["browser_download_url"], tag, digest))


def _digest(response: Response, size: int) -> str:
    found, read = hashlib.sha256(), 0
    for block in iter(lambda: response.read(1 << 20), b""):
        found.update(block)
        read += len(block)
    if read != size:
        raise OSError(f"{read} bytes arrived of the {size} that the release names")
    return found.hexdigest()


def _entry(asset: Mapping[str, Any], sha256: str, hashed_here: bool) -> dict[str, Any]:
    entry = {"url": asset["browser_download_url"], "size": asset["size"], "sha256": sha256}
    return {**entry, "hashed_here": True} if hashed_here else entry


def _nothing(engine: str, tag: str, usable: bool) -> Problem:
    if not usable:
        wrong = "holds no archive for Linux whose name is known here."
        return Problem("TAG", tag, wrong, f"Name another release of {engine}.")
    wrong = "states no checksum for any of its archives, and none is made up."
    remedy = "Name a newer release.\nOr fetch them now and keep the checksums of what arrived: ARGS=--hash-unpublished."
    return Problem("TAG", tag, wrong, remedy)


def _ask(url: str, tag: str, read: Callable[[str], Any]) -> Any:  # noqa: ANN401 - whatever it reads
    """Read an address, and word what stands against it."""
    try:
        return read(url)
    except Refused as error:
        cause, remedy = _explained(error, tag)
        raise InstallError(f"{url} was not read: {cause}.\n    {remedy}") from None
    except OSError as error:
        raise InstallError(f"{url} was not read: {error.strerror or error}.\n    {_MIRROR}") from None


def _explained(error: Refused, tag: str) -> tuple[str, str]:
    if not isinstance(error, HttpRefused):
        return str(error), _MIRROR
    said = f" ({error.message})" if error.message else ""
    if error.status == 429 or (error.status == 403 and error.remaining == "0"):
        return f"too many requests{said}", "Wait up to an hour, or set GITHUB_TOKEN, which raises the limit."
    if error.status == 404:
        return f"there is no release {tag}, or no such file{said}", "Correct TAG: releases carry tags of their own."
    if error.status in (401, 403):
        return f"{error}{said}", "Correct or unset GITHUB_TOKEN: releases of both are public."
    return f"{error}{said}", _MIRROR


def summary(pinned: Pinned) -> Iterator[str]:
    """Say what was pinned, and what was not."""
    entry = pinned.entry
    here = sorted(name for name, each in entry["assets"].items() if each.get("hashed_here"))
    yield f"{entry['repository']} {entry['tag']}: {len(entry['assets'])} archives for Linux with their checksums."
    if here:
        yield f"Hashed on this machine, since nobody states a checksum: {', '.join(here)}."
    if pinned.unstated:
        yield f"Left out, since nobody states a checksum: {', '.join(pinned.unstated)}."
