#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Make a second model of the tiny one, which says "twin" where that says "tiny": second_model.py FROM TO.

One word of the vocabulary is another of the same length, so that an answer tells which of the two models gave it.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    source, target = map(Path, sys.argv[1:])
    model = source.read_bytes()
    word, other = (
        "\N{LATIN CAPITAL LETTER G WITH DOT ABOVE}tiny".encode(),
        "\N{LATIN CAPITAL LETTER G WITH DOT ABOVE}twin".encode(),
    )
    if model.count(word) != 1:
        sys.exit(f"{source} has the word {model.count(word)} times; once was expected.")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(model.replace(word, other))


if __name__ == "__main__":
    main()
