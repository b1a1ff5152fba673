# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key that an engine asks of whoever reaches it from another host."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem

SENDABLE = r"[!-~]([ -~]*[!-~])?"
"""What the header of a request can carry, and every client and server takes for the same."""


def check_key(option: str, key: str, instances: Sequence[Mapping[str, Any]], forbidden: str = "") -> Iterator[Problem]:
    """Yield a problem where instances need a key and this is none; ``forbidden`` are characters with a meaning."""
    names = ", ".join(each["name"] for each in instances if each.get("needs_key"))
    if names and not key:
        wrong = f"is empty, although other hosts reach {names}."
        yield Problem(option, NOTHING, wrong, "Write a key, best from a vault.")
    elif names and (not re.fullmatch(SENDABLE, key) or any(character in key for character in forbidden)):
        signs = f", without {forbidden!r}" if forbidden else ""
        wrong = "holds what no request can carry in a key."
        remedy = f"Write ASCII without a space at its ends{signs}, such as openssl rand -hex 32 prints."
        yield Problem(option, NOTHING, wrong, remedy)
