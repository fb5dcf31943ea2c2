"""How much is drawn to train the networks of the figures stage; known without PyTorch, for `--help`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["NETWORKS", "Amounts", "NetworkName"]

#: The networks, in the order in which they are trained: figures are cut with the letters that are read in them.
NetworkName = Literal["glyphs", "letters", "kinds", "cuts"]
NETWORKS: tuple[NetworkName, ...] = ("glyphs", "letters", "kinds", "cuts")


@dataclass(frozen=True)
class Amounts:
    """How much is drawn: what the networks that are installed were trained on."""

    #: Characters, for the network that reads letters.
    glyphs: int = 120_000
    #: Figures, for the one that chooses among sequences of letters.
    letters: int = 500
    #: Panels, for the one that tells what a panel shows.
    kinds: int = 5_000
    #: Figures, and as many again whose images touch, for those that cut figures at gutters and seams.
    cuts: int = 1_000
