"""What the networks of the figures stage learn from, besides what is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imagedataextractor.telling import Tell
from imagedataextractor.training.figures.labelled import LARGEST, LabelledFigure, labelled_figures

__all__ = ["FigureMaterial"]


@dataclass(frozen=True)
class FigureMaterial:
    """Micrographs to draw with, labelled figures, and how to go about it.

    Attributes
    ----------
    micrographs : list of uint8 arrays (H, W)
    panels : sequence of Path
        Files of labelled figures.
    data : sequence of Path
        Folders in which those may lie.
    seed : int
    workers : int
        Processes; the weights are the same with any number.
    report : function of str
        Is told how it goes.
    """

    micrographs: list[npt.NDArray[np.uint8]]
    panels: Sequence[Path]
    data: Sequence[Path]
    seed: int
    workers: int
    report: Tell

    def labelled(self, largest: int | None = LARGEST) -> Iterator[tuple[Path, LabelledFigure]]:
        """The labelled figures that may be learned from; see `labelled_figures`."""
        return labelled_figures(self.panels, self.data, largest)
