# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server sent back, and how much of it can be used."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._checks import FAIL, Verdict


@dataclass(frozen=True)
class Answer:
    """What came back. Without a status there was no answer, and ``error`` says why."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    error: str = ""
    seconds: float = 0.0


_STRANGE = "what answers does not keep to the protocol"
_LOOK = "look at the unit's journal"
_FAILED = "the server failed while it answered"


class Unusable(Exception):
    """An answer that does not keep the promise; carries the verdict, which always has a cause and a remedy."""

    def __init__(self, evidence: str, cause: str = _STRANGE, remedy: str = _LOOK) -> None:
        super().__init__(evidence)
        self.verdict = Verdict(FAIL, evidence, cause, remedy)


_KNOWN = (
    (
        "--enable-auto-tool-choice",
        "the engine was started without a tool parser",
        "declare tools: true for this model and run deploy",
    ),
    ("No connected db", "the key is not the one the gateway was started with", "run deploy"),
    ("requires --jinja", "llama.cpp was started without its template engine", "remove LLAMA_ARG_JINJA and run deploy"),
    (
        "roles must alternate",
        "the chat template takes no system and tool messages",
        "set a chat template that takes them, or tools: false",
    ),
    ("does not support tools", "the model has no tools", "choose a model that calls tools, or set tools: false"),
    (
        "Input should be a valid string",
        "the engine refuses an empty content, which clients send beside a call",
        "serve the model with another engine, or set tools: false",
    ),
    ("Connection error", "the engine behind the gateway does not answer", "look at the journal of the engine's unit"),
    ("no healthy deployments", "the gateway does not know this name", "run deploy"),
    ("Invalid model name", "the gateway does not know this name", "run deploy"),
)


def expect_ok(answer: Answer) -> None:
    """Raise the verdict for everything but a 200."""
    if not answer.status:
        raise Unusable(answer.error or "no answer", _silence(answer.error))
    if answer.status == 200:
        return
    evidence = f"{answer.status}: {short(reason(answer.text))}"
    for needle, cause, remedy in _KNOWN:
        if needle in answer.text:
            raise Unusable(evidence, cause, remedy)
    failed = _FAILED if answer.status >= 500 else "the server refuses what it was asked"
    raise Unusable(evidence, _CAUSES.get(answer.status, failed), "run deploy" if answer.status == 401 else _LOOK)


_CAUSES = {
    401: "the key is not the one the server was started with",
    408: "the engine did not answer in time",
    429: "the engine, or a limit, allows no more requests right now",
}
# What the error of a request that got no answer says, and what that means.
_SILENT = (
    ("within", "it hangs, or has more to do than it can"),
    ("refused", "nothing listens at this address"),
    ("reset", "what listens there ends connections"),
)


def _silence(error: str) -> str:
    """Say why there was no answer."""
    return next((cause for words, cause in _SILENT if words in error), "it cannot be reached from this host")


def as_json(answer: Answer) -> dict[str, Any]:
    try:
        parsed = json.loads(answer.text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise Unusable(f"200, but the answer is no JSON object: {short(answer.text)}", "something else holds the port")
    return parsed


def events(text: str) -> Iterator[dict[str, Any]]:
    """Give what each piece of a stream says; raise the verdict for a piece that is no JSON, or that tells an error."""
    for line in text.splitlines():
        if not line.startswith("data: {"):
            continue
        try:
            event = json.loads(line[6:])
        except ValueError:
            raise Unusable(f"200, but a piece of the stream is no JSON: {short(line)}") from None
        if "error" in event:
            raise Unusable(f"200, then an error in the stream: {short(reason(line[6:]))}", _FAILED)
        yield event


def entries(holder: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a list of objects, empty for anything that is not one."""
    found = holder.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def reason(text: str) -> str:
    """Return the message inside an error answer, else the text."""
    try:
        error = json.loads(text)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        return text


def short(text: str, limit: int = 160) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 3]}..."
