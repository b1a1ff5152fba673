# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""What a model hub says of a repository: its revision and its files; and why it does not."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ansible_collections.lab.llm_stack.plugins.module_utils._download import NoSuchRange, Refused
from ansible_collections.lab.llm_stack.plugins.module_utils._http import Client, HttpRefused
from ansible_collections.lab.llm_stack.plugins.module_utils._install import InstallError
from ansible_collections.lab.llm_stack.plugins.module_utils._snapshot import is_plain

T = TypeVar("T")

HUB = "https://huggingface.co"
"""Where models are published. Each option and variable that takes an endpoint names another."""

REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
COMMIT = re.compile(r"[0-9a-f]{40}")

_NETWORK = "Make the address reachable from this machine, or name a mirror that is"
_MIRROR = "HF_ENDPOINT for make pin, vllm_hub_endpoint for hosts"
_WHERE_TOKENS_GO = "HF_TOKEN for make pin, vllm_hub_token for hosts"


@dataclass(frozen=True)
class Listing:
    """One revision of a repository, with a list of its files (see _snapshot)."""

    repo: str
    revision: str
    files: Mapping[str, Mapping[str, Any]]


def api_url(endpoint: str, repo: str, revision: str) -> str:
    """Say where a revision is described."""
    return f"{endpoint.rstrip('/')}/api/models/{repo}/revision/{urllib.parse.quote(revision, safe='')}?blobs=true"


def file_url(endpoint: str, repo: str, revision: str, name: str) -> str:
    """Say where a file of a revision is."""
    return f"{endpoint.rstrip('/')}/{repo}/resolve/{revision}/{urllib.parse.quote(name)}"


def list_files(client: Client, endpoint: str, repo: str, revision: str) -> Listing:
    """Ask for the files of a revision; raise InstallError with what to do where the hub does not tell."""
    url = api_url(endpoint, repo, revision)
    return parse(ask(url, repo, client.read_json), repo, url)


def ask(url: str, repo: str, read: Callable[[str], T]) -> T:
    """Read an address, and word what stands against it."""
    try:
        return read(url)
    except Refused as error:
        raise InstallError(worded(url, error, repo)) from None
    except NoSuchRange:
        raise InstallError(f"{url} was not read: the server has no such part.\n    {_NETWORK}.") from None
    except OSError as error:
        cause = f"{error.strerror or error}"
        raise InstallError(f"{url} was not read: {cause}.\n    {_NETWORK}: {_MIRROR}.") from None


def parse(answer: object, repo: str, url: str) -> Listing:
    """Read the description of a revision; raise InstallError where it is none."""
    revision = answer.get("sha") if isinstance(answer, Mapping) else None
    siblings = answer.get("siblings") if isinstance(answer, Mapping) else None
    if not isinstance(revision, str) or not COMMIT.fullmatch(revision) or not isinstance(siblings, list):
        cause = "the answer does not name a commit (sha) and files (siblings)"
        raise InstallError(f"{url} was not read: {cause}.\n    Name an endpoint that speaks the API of the hub.")
    problems = [each for each in siblings if not _is_described(each)]
    if problems:
        cause = f"{len(problems)} of {len(siblings)} files have no plain path and size"
        raise InstallError(f"{url} was not read: {cause}.\n    Name an endpoint that answers to ?blobs=true.")
    return Listing(repo, revision, {each["rfilename"]: dict(_entry(each)) for each in siblings})


def _is_described(each: object) -> bool:
    if not isinstance(each, Mapping):
        return False
    name, size = each.get("rfilename"), each.get("size")
    return isinstance(name, str) and is_plain(name) and isinstance(size, int) and size >= 0


def _entry(each: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Keep the size and the best proof that was published: nothing is added here."""
    yield "size", each["size"]
    large = each.get("lfs")
    sha256 = large.get("sha256") or large.get("oid") if isinstance(large, Mapping) else None
    if isinstance(sha256, str) and re.fullmatch(r"[0-9a-f]{64}", sha256):
        yield "sha256", sha256
    elif isinstance(each.get("blobId"), str) and COMMIT.fullmatch(each["blobId"]) and not large:
        yield "blob", each["blobId"]


def worded(url: str, error: Refused, repo: str) -> str:
    """Say what was asked for, what came, and what to do."""
    cause, remedy = _explained(error, repo) if isinstance(error, HttpRefused) else (str(error), _NETWORK + ".")
    return f"{url} was not read: {cause}.\n    {remedy}"


def _explained(error: HttpRefused, repo: str) -> tuple[str, str]:
    said = f" ({error.message})" if error.message else ""
    if error.status == 429 or (error.status == 403 and error.remaining == "0"):
        wait = f" Wait {error.retry_after} s." if error.retry_after.isdigit() else " Wait some minutes."
        return f"too many requests{said}", f"Run again: what is here already is kept.{wait} A token raises the limit."
    if error.code == "GatedRepo" or (error.status == 403 and not error.code):
        remedy = (
            f"Accept the terms on the page of {repo} with the account of the token, then set it: {_WHERE_TOKENS_GO}."
        )
        return f"{repo} is gated: its owner wants to know who fetches it{said}", remedy
    if error.status in (401, 403):
        remedy = f"Set a token that may read it: {_WHERE_TOKENS_GO}. For a public model correct the name."
        return f"{repo} is private, or there is no such repository{said}", remedy
    if error.code == "RevisionNotFound":
        return f"{repo} has no such revision{said}", "Name a branch, a tag or a commit that it has."
    if error.status == 404:
        return f"there is no such repository, revision or file{said}", "Correct the source, or the revision."
    return f"{error}{said}", _NETWORK + "."
