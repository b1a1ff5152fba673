# Copyright: (c) 2026, the lab.llm_stack authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model keeps for each token of its context, whichever kind of file said so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attention:
    """Layers of one kind: how many numbers each keeps of a token, and of how many tokens.

    ``key`` and ``value`` are the numbers of one head; a layer of latent attention keeps one vector in place of both.
    ``window`` is None where all tokens are kept. ``shared`` layers are kept whole on every card.
    ``at_most`` says that these layers may keep less, in a way that the files do not tell.
    """

    layers: int
    heads: int
    key: int
    value: int
    window: int | None = None
    shared: bool = False
    at_most: bool = False


@dataclass(frozen=True)
class Shape:
    """The measures of a model that decide what memory it takes beside its weights."""

    architecture: str
    layers: int
    hidden: int
    heads: int
    vocabulary: int | None
    context: int | None
    attention: tuple[Attention, ...]
    # Layers that keep a state of fixed size for each request instead of its tokens. Its size is not known here.
    state_layers: int = 0
    vision: bool = False
    parameters: int | None = None
