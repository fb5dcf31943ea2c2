"""A candidate scale bar with the features by which `match` judges it.

Coordinates are edges: pixel i spans i … i+1, so that a bar filling pixels 5 to 9 runs from 5.0 to 10.0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from imagedataextractor.records import Box

__all__ = ["MIN_LENGTH_PX", "Bar", "Grey"]

Grey = npt.NDArray[np.uint8]

#: Shortest bar that is looked for, px. Shorter ones cannot give a scale to 5 %.
MIN_LENGTH_PX = 13


@dataclass(frozen=True)
class Bar:
    """A candidate, measured.

    Attributes
    ----------
    x0, x1, y0, y1 : float
        Outer edges at half level; of a ruler x0 and x1 are the middles of the first and last stroke.
    polarity : {+1, -1}
        Brighter or darker than what surrounds it.
    form : {"solid", "broken", "ruler"}
    level : float
        Its grey level, 0 … 255.
    contrast : float
        Of its grey level against above and below, in grey levels (the weaker of the two).
    edge_share : float
        Share of its length along which above and below differ from it by a third of the contrast.
    flatness : float
        Standard deviation along its length, grey levels.
    ends : float
        Drop at its ends over its contrast (the weaker of the two), cut to 0 … 1.5. An end at the
        picture's edge is not counted.
    clarity : float
        Drop at its ends over its unevenness, 0 … 1: a flat bar ends clearly even on a ground nearly as bright.
    extent : float
        Share of its bounding box that it fills.
    at_border : bool
        It touches the picture's edge, left, right, top or bottom.
    cut : bool
        It touches the left or right edge: its length may be cut.
    strokes : int
        Strokes seen (rulers), else 0.
    lesser : bool
        It is the filling of an outlined bar, or the outline of a black one: the other of the two counts.
    """

    x0: float
    x1: float
    y0: float
    y1: float
    polarity: int
    form: Literal["solid", "broken", "ruler"]
    level: float
    contrast: float
    edge_share: float
    flatness: float
    ends: float
    clarity: float
    extent: float
    at_border: bool
    cut: bool
    strokes: int = 0
    lesser: bool = False

    @property
    def length(self) -> float:
        return self.x1 - self.x0

    @property
    def thickness(self) -> float:
        return self.y1 - self.y0

    @property
    def y(self) -> float:
        return 0.5 * (self.y0 + self.y1)

    @property
    def box(self) -> Box:
        return Box(int(self.x0), int(self.y0), int(np.ceil(self.x1)), int(np.ceil(self.y1)))

    def shifted(self, dx: float, dy: float) -> Bar:
        return replace(self, x0=self.x0 + dx, x1=self.x1 + dx, y0=self.y0 + dy, y1=self.y1 + dy)
