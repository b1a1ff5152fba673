# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last runs were like, as small drawings: a bar for each run, and a line for how long a model took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import count
from ansible_collections.lab.llm_stack.plugins.module_utils._report_tags import Markup, tag
from ansible_collections.lab.llm_stack.plugins.module_utils._report_words import VERDICTS, day, seconds

_BAR, _SPACE, _TALL = 9, 4, 36
_LINE_WIDTH, _LINE_HEIGHT = 84, 20


def history(runs: Sequence[Mapping[str, Any]]) -> Markup:
    """A bar for each run, the newest on the right; its height is the share of promises that were kept."""
    bars = [_bar(index, run) for index, run in enumerate(runs)]
    width = max(len(runs) * (_BAR + _SPACE) - _SPACE, _BAR)
    name = f"The last {count(len(runs), 'run')}: {_told(runs)}"
    return tag(
        "svg",
        bars,
        class_="history",
        viewBox=f"0 0 {width} {_TALL}",
        width=width,
        height=_TALL,
        role="img",
        aria_label=name,
    )


def _bar(index: int, run: Mapping[str, Any]) -> Markup:
    total = sum(run["counts"].values())
    kept = run["counts"].get("pass", 0) + run["counts"].get("warn", 0)
    tall = max(round(_TALL * (kept / total if total else 0), 1), 4)
    return tag(
        "g",
        tag(
            "title", f"{day(run['generated'])}: {VERDICTS.get(run['verdict'], run['verdict'])}, {kept} of {total} kept"
        ),
        tag("rect", x=index * (_BAR + _SPACE), y=0, width=_BAR, height=_TALL, rx=2, class_="ground"),
        tag(
            "rect",
            x=index * (_BAR + _SPACE),
            y=f"{_TALL - tall:g}",
            width=_BAR,
            height=tall,
            rx=2,
            class_=run["verdict"],
        ),
    )


def _told(runs: Sequence[Mapping[str, Any]]) -> str:
    verdicts = [run["verdict"] for run in runs]
    return ", ".join(f"{verdicts.count(each)} {word}" for each, word in VERDICTS.items() if each in verdicts)


def latency(name: str, runs: Sequence[Mapping[str, Any]]) -> Markup | None:
    """How long the answers of a model took in the last runs; nothing where one run alone measured it."""
    values = [float(run["seconds"][name]) for run in runs if name in run.get("seconds", {})]
    if len(values) < 2:
        return None
    points = [(index * _LINE_WIDTH / (len(values) - 1), _level(each, values)) for index, each in enumerate(values)]
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    told = f"Answers of {name} in the last {len(values)} runs: {seconds(min(values))} to {seconds(max(values))}"
    return tag(
        "svg",
        tag("path", d=line),
        tag("circle", cx=f"{points[-1][0]:.1f}", cy=f"{points[-1][1]:.1f}", r="2.2"),
        class_="latency",
        viewBox=f"-3 0 {_LINE_WIDTH + 6} {_LINE_HEIGHT}",
        width=_LINE_WIDTH + 6,
        height=_LINE_HEIGHT,
        role="img",
        aria_label=told,
    )


def _level(value: float, values: Sequence[float]) -> float:
    """How high a value is drawn, from nothing to the largest; where all are alike, in the middle."""
    top = max(values) or 1.0
    share = 0.5 if top - min(values) < top / 50 else value / top
    return _LINE_HEIGHT - 2 - share * (_LINE_HEIGHT - 4)
