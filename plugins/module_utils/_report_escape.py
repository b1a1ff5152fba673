# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of others, such as names and errors, made harmless for what a report is written in."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKUP = re.compile(r"([\\`*_\[\]<>|~#&!$])")
# Characters that turn the direction of the text around them.
_TURNING = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(text: object) -> str:
    """Leave out what no report can show: control characters, halves of characters, changes of direction."""
    return _TURNING.sub("", _CONTROL.sub("\ufffd", str(text)))


def line(text: object) -> str:
    """Make one line of it."""
    return " ".join(plain(text).split())


def html(text: object) -> str:
    """For the text and the quoted attributes of HTML and XML."""
    found = plain(text)
    for character, name in (("&", "amp"), ("<", "lt"), (">", "gt"), ('"', "quot"), ("'", "#39")):
        found = found.replace(character, f"&{name};")
    return found


def markdown(text: object) -> str:
    """For a paragraph, a list or a cell of Markdown: nothing in it is markup, and it stays on its line."""
    found = _MARKUP.sub(r"\\\1", line(text))
    # A dash, a plus or a number with a dot begins a list at the start of a line; a bare address becomes a link.
    found = re.sub(r"^([-+=])", r"\\\1", found)
    found = re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", found)
    return re.sub(r"(?i)\b(https?|ftp)://", r"\1:\\//", re.sub(r"(?i)\bwww\.", "www\\.", found))


def code(text: object) -> str:
    """A span of code in Markdown, also in a cell; the fence is longer than any in the text."""
    found = line(text).replace("|", "\\|") or " "
    fence = "`" * (max((len(each) for each in re.findall(r"`+", found)), default=0) + 1)
    padding = " " if found.startswith("`") or found.endswith("`") else ""
    return f"{fence}{padding}{found}{padding}{fence}"


def label(text: object) -> str:
    """For the value of a label of Prometheus, between double quotes."""
    return plain(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
