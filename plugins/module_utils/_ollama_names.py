# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of models at an Ollama server: [host[:port]/][namespace/]model[:tag], compared without regard to case."""

from __future__ import annotations

import re
from dataclasses import dataclass

REGISTRY, NAMESPACE, TAG = "registry.ollama.ai", "library", "latest"

_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"
_HOST = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,341}(?::[0-9]{1,5})?"
_NAME = re.compile(rf"(?:(?:(?P<host>{_HOST})/)?(?P<namespace>{_PART})/)?(?P<model>{_PART})(?::(?P<tag>{_PART}))?")


@dataclass(frozen=True)
class Name:
    """One name in full; what nobody wrote is Ollama's own default."""

    host: str
    namespace: str
    model: str
    tag: str

    @property
    def short(self) -> str:
        """The name as the server lists it: what is a default is left out, but for the tag."""
        if self.host.lower() != REGISTRY:
            return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"
        front = "" if self.namespace.lower() == NAMESPACE else f"{self.namespace}/"
        return f"{front}{self.model}:{self.tag}"

    @property
    def key(self) -> str:
        """The same text for every spelling of one name."""
        return self.short.lower()

    @property
    def parts(self) -> tuple[str, str, str, str]:
        """Where its manifest is, below the folder of manifests."""
        return self.host, self.namespace, self.model, self.tag


def parse(text: str) -> Name | None:
    """Read a name; None where Ollama would refuse it."""
    found = _NAME.fullmatch(text)
    if not found:
        return None
    host, namespace, model, tag = found.group("host", "namespace", "model", "tag")
    return Name(host or REGISTRY, namespace or NAMESPACE, model, tag or TAG)


def key(text: str) -> str:
    """The same text for every spelling of one name; a text that is no name stands for itself."""
    name = parse(text)
    return name.key if name else text.lower()


def short(text: str) -> str:
    """The name as the server lists it; a text that is no name stands for itself."""
    name = parse(text)
    return name.short if name else text
