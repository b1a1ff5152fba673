# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""From the log of a start that failed to its cause and remedy.

Tables and a search. A log that fits no row gets no cause: its last lines are shown instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.lab.llm_stack.plugins.module_utils._boot_failures_table import HOST, LITELLM, LLAMACPP, Row
from ansible_collections.lab.llm_stack.plugins.module_utils._boot_failures_table_vllm import SETTINGS
from ansible_collections.lab.llm_stack.plugins.module_utils._boot_failures_table_vllm_host import MEMORY, PLATFORM

TAIL = 40
"""Lines of an unclassified log that are shown."""
_ERRORS = 30
"""So many of them may be errors of one process from further up."""

_READABLE = 800
"""Characters of a line that are quoted; vLLM lists every architecture it knows."""
_SEARCHED = 20_000
"""Characters of a line that are searched: a line of a megabyte would take minutes."""

# What engines say of themselves stands before what may also stand in the log of a healthy one.
_TABLE = (*LLAMACPP, *LITELLM, *SETTINGS, *MEMORY, *PLATFORM, *HOST)

# How vLLM marks the lines of its processes, and what it prints first at each start.
_MARK = re.compile(r"^(?:\((?:APIServer|EngineCore\w*|Worker\w*|VllmWorker\S*) pid=\d+\)\s*)?")
_LEVEL = re.compile(r"^(?:ERROR|CRITICAL|WARNING|INFO) \d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? \[[^\]]*\]\s*")
_ENGINE = re.compile(r"^\(EngineCore\w* pid=\d+\)\s*(?:ERROR|CRITICAL) ")
_WORKER = re.compile(r"^\((?:Worker\w*|VllmWorker\S*) pid=\d+\)\s*(?:ERROR|CRITICAL) ")
_BANNER = "non-default args: "
# What made a server fail later stands after this line of uvicorn; what stands before kept nothing from serving.
_SERVES = "Application startup complete."
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Cause:
    """Why a start failed: the line that tells, what it means, and what to change."""

    name: str
    line: str
    means: str
    remedy: str


def classify(lines: Sequence[str]) -> Cause | None:
    """Find the first row that fits, and its first line; None where none fits."""
    plain = [line[:_SEARCHED] for line in _last_start(lines)]
    return next((cause for row in _TABLE for cause in _causes(row, plain)), None)


def explain(lines: Sequence[str]) -> list[str]:
    """The failure in words for people: cause, line and remedy, or the last lines of a log nobody has classified."""
    cause = classify(lines)
    if cause:
        return [f"Cause: {cause.means}", f"Log: {_shorten(cause.line)}", cause.remedy]
    if not lines:
        return ["Its journal is empty or cannot be read."]
    return ["The cause is not known. Its last lines:", *(f"  {_shorten(line)}" for line in _telling(lines))]


def _causes(row: Row, lines: Sequence[str]) -> Iterator[Cause]:
    for number, line in enumerate(lines):
        found = re.search(row.pattern, line)
        if found and (not row.then or any(re.search(row.then, later) for later in lines[number + 1 :])):
            yield Cause(row.name, _unmarked(line), found.expand(row.means), found.expand(row.remedy))


def _last_start(coloured: Sequence[str]) -> list[str]:
    """Leave out the colours, and what vLLM said at earlier starts and before it served."""
    lines = [_COLOUR.sub("", line) for line in coloured]
    banners = [number for number, line in enumerate(lines) if _BANNER in line]
    if not banners:
        return lines
    last = lines[banners[-1] :]
    serves = [number for number, line in enumerate(last) if line.endswith(_SERVES)]
    return last[serves[-1] :] if serves else last


def _telling(coloured: Sequence[str]) -> list[str]:
    """Return the last lines, for which those make room that a worker of vLLM, else its engine, marked as errors.

    The server that started them adds long ones that tell nothing.
    """
    lines = _last_start(coloured)
    marked = ([n for n, line in enumerate(lines) if process.match(line)] for process in (_WORKER, _ENGINE))
    errors = next((found for found in marked if found), [])[-_ERRORS:]
    last = range(max(0, len(lines) - TAIL + len(errors)), len(lines))
    return [lines[number] for number in sorted({*errors, *last})]


def _unmarked(line: str) -> str:
    return _LEVEL.sub("", _MARK.sub("", line.strip())).strip()


def _shorten(line: str) -> str:
    return line if len(line) <= _READABLE else f"{line[: _READABLE - 3]}..."
