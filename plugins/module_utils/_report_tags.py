# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML and SVG as nested calls: whatever is not made by them is text, and escaped."""

from __future__ import annotations

from ansible_collections.lab.llm_stack.plugins.module_utils._report_escape import html
from ansible_collections.lab.llm_stack.plugins.module_utils._report_words import state_word

_VOID = ("br", "hr", "link", "meta", "path", "circle", "rect")


class Markup(str):
    """Text that is markup already, because it was made here."""

    __slots__ = ()


def tag(element: str, /, *children: object, **attributes: object) -> Markup:
    """Give an element; in names of attributes ``_`` stands for ``-``, and one at the end is left out, as in class_."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html(value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if element in _VOID and not children:
        return Markup(f"<{element}{written}{'/' if element in ('path', 'circle', 'rect') else ''}>")
    return Markup(f"<{element}{written}>{join(*children)}</{element}>")


def join(*children: object) -> Markup:
    """Put elements and text behind each other; lists are taken apart, and None is nothing."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, (list, tuple)):
            parts.append(join(*child))
        elif isinstance(child, Markup):
            parts.append(child)
        elif child is not None:
            parts.append(html(child))
    return Markup("".join(parts))


_SHAPES = {
    "pass": '<circle cx="8" cy="8" r="7"/><path class="sign" d="M4.8 8.3l2.2 2.2 4.2-4.6"/>',
    "warn": '<path d="M8 1.2l7 12.9H1z"/><path class="sign" d="M8 6v3.6M8 11.9v.2"/>',
    "fail": '<circle cx="8" cy="8" r="7"/><path class="sign" d="M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2"/>',
    "skipped": '<circle cx="8" cy="8" r="7"/><path class="sign" d="M5 8h6"/>',
    "unchecked": '<circle class="open" cx="8" cy="8" r="6.2"/><path class="sign" d="M8 8.6c0-1.4 1.7-1.4 1.7-2.8'
    'a1.7 1.7 0 0 0-3.4 0M8 11v.2"/>',
    "standby": '<circle class="open" cx="8" cy="8" r="6.2"/><path class="sign" d="M6.6 5.8v4.4M9.4 5.8v4.4"/>',
}


def symbols() -> Markup:
    """The drawings that marks refer to; shapes, so that a state can be seen without its colour."""
    inside = [tag("symbol", Markup(shape), id=f"mark-{state}", viewBox="0 0 16 16") for state, shape in _SHAPES.items()]
    return tag("svg", inside, class_="hidden", width="0", height="0", aria_hidden="true")


def mark(state: str) -> Markup:
    """The drawing of a state, which says nothing to a screen reader: its word stands beside it."""
    known = state if state in _SHAPES else "unchecked"
    return tag("svg", tag("use", href=f"#mark-{known}"), class_=f"mark {known}", aria_hidden="true")


def state(value: str) -> Markup:
    """The drawing of a state and its word."""
    return tag("span", mark(value), " ", tag("span", state_word(value)), class_=f"state {value}")


def code(value: object) -> Markup:
    """A name or a command as it is typed."""
    return tag("code", value)
