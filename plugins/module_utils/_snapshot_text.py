# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The line that tells how far a model is on its way."""

from __future__ import annotations

from dataclasses import dataclass, field

GIB, MIB = 1 << 30, 1 << 20


@dataclass
class Meter:
    """Words progress; keeps what it saw last, since speed is what came in between."""

    model: str
    host: str
    _seen: list[tuple[int, float]] = field(default_factory=list)

    def line(self, here: int, total: int, file: str, now: float) -> str:
        """Say how much of how much is here, how fast it comes and what is in work; ``now`` in seconds of any clock."""
        self._seen.append((here, now))
        share = f"{100 * here // total} %" if total else "0 %"
        return f"{self.host}: {self.model}: {_of(here, total)} ({share}){self._speed()}, {file}"

    def _speed(self) -> str:
        if len(self._seen) < 2:
            return ""
        (before, start), (here, now) = self._seen[-2:]
        speed = (here - before) / (now - start) if now > start else 0.0
        return f", {max(speed, 0.0) / MIB:.1f} MiB/s"


def size_text(size: int) -> str:
    """Write a number of bytes for people."""
    return f"{size / GIB:.2f} GiB" if size >= 10 * MIB else f"{size / MIB:.2f} MiB"


def _of(here: int, total: int) -> str:
    unit, name = (GIB, "GiB") if total >= 100 * MIB else (MIB, "MiB")
    return f"{here / unit:.2f} of {total / unit:.2f} {name}"
