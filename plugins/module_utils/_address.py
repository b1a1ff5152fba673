# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Addresses that a declaration may hold."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator, Sequence

from ansible_collections.lab.llm_stack.plugins.module_utils._problems import NOTHING, Problem

_RESERVED = "%/:?#[]@!$&'()*+,;="
"""What has a meaning in an address and stays as it is."""


def unfit_address(option: str, url: str, schemes: Sequence[str]) -> Iterator[Problem]:
    """Yield a problem for an address that is none, or that carries a password: it would show in lists of processes."""
    if not url:
        return
    if re.match(r"\w+://[^/]*@", url):
        remedy = "Put name and password into the ~/.netrc of the account on the host."
        yield Problem(option, NOTHING, "holds a user name or a password.", remedy)
    elif not re.match(rf"({'|'.join(schemes)})://[^/]", url):
        yield Problem(
            option, url, "is no address.", f"Write one that begins with {' or '.join(f'{s}://' for s in schemes)}."
        )
    elif re.search(r"[^!-~]", url):
        wrong = "holds a character that no address may have."
        yield Problem(option, url, wrong, f"Write {urllib.parse.quote(url, safe=_RESERVED)}.")
