# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""The third witness beside declaration and host: what the last run left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Manifest:
    """What the last completed run left on the host; ``ok`` is False where it is missing or was edited."""

    files: Mapping[str, str] = field(default_factory=dict)
    """Paths, each with the keyed digest of its content."""
    units: tuple[str, ...] = ()
    ok: bool = False
    exists: bool = False
    deployed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Per unit the ``memory`` and the ``program`` it was left with."""
    installed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Paths of what was installed for it, each with its kind."""
    ports: Mapping[str, str] = field(default_factory=dict)
    """Addresses on which its units were to listen, each with its unit."""
    written: str = ""
    """When that run ended."""
    serving: tuple[tuple[str, str], ...] = ()
    """What its services ran from when it ended: the kind of each installation and its path."""

    @property
    def trusted(self) -> Manifest:
        """What may be removed by it: nothing by one that was edited, which may claim what is not ours."""
        return self if self.ok else Manifest()
