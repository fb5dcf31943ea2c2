"""Bars that do not lie level: the picture is turned until they do, and what is found is turned back.

Upright bars have their text beside them, level or upright too. Tilted ones come from figures that were
turned by a degree or two, or drawn by hand. Both are rare, so they are looked for only where a clear
length has no bar that can be trusted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.records import Box
from imagedataextractor.scalebar.bar import Bar
from imagedataextractor.scalebar.text import Reading

__all__ = ["TILTS_DEG", "Place", "View", "turned_views"]

Grey = npt.NDArray[np.uint8]

#: Angles of tilted bars that are tried, degrees: what is left of the tilt is drawn as a step or none.
TILTS_DEG = (-3.2, -2.4, -1.6, -0.8, 0.8, 1.6, 2.4, 3.2)
#: Text heights above and below the text that a tilted view shows: what `reading.REACH` looks at, and the tilt.
TILT_REACH = 6.0


@dataclass(frozen=True)
class Place:
    """Where a bar lies in the picture: its left and right end, its middle line, the box around it."""

    x0: float
    x1: float
    y: float
    box: Box


@dataclass(frozen=True)
class View:
    """A turned picture, the text in it, and the way back (2 x 3, from the view's coordinates to the picture's)."""

    grey: Grey
    reading: Reading
    back: npt.NDArray[np.float64]

    def place(self, bar: Bar) -> Place:
        """A bar of the view as it lies in the picture."""
        corners = np.array([[x, y, 1.0] for x in (bar.x0, bar.x1) for y in (bar.y0, bar.y1)]) @ self.back.T
        (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
        box = Box(math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1))
        return Place(float(x0), float(x1), float(0.5 * (y0 + y1)), box)


def turned_views(grey: Grey, reading: Reading) -> Iterator[View]:
    """The picture turned upright to level, and tilted a little to either side, around one text."""
    yield _quarter_turn(grey, reading)
    for angle in TILTS_DEG:
        yield _tilted(grey, reading, angle)


def _quarter_turn(grey: Grey, reading: Reading) -> View:
    """The picture turned to the left by a right angle: its columns, from the right, become rows."""
    width = grey.shape[1]
    box = reading.box
    turned = Box(box.y0, width - box.x1, box.y1, width - box.x0)
    if box.width > box.height:
        # A level text beside an upright bar: as if it were printed along the bar, at the same middle.
        x, y = (turned.x0 + turned.x1) // 2, (turned.y0 + turned.y1) // 2
        turned = Box(x - box.width // 2, y - box.height // 2, x - box.width // 2 + box.width, 0)
        turned = replace(turned, y1=turned.y0 + box.height)
    back = np.array([[0.0, -1.0, width], [1.0, 0.0, 0.0]])
    return View(np.ascontiguousarray(np.rot90(grey)), replace(reading, box=turned), back)


def _tilted(grey: Grey, reading: Reading, angle_deg: float) -> View:
    """The band around a text, turned by a few degrees about the text's middle."""
    height, width = grey.shape
    box = reading.box
    reach = int(TILT_REACH * max(box.height, 12))
    y0, y1 = max(0, box.y0 - reach), min(height, box.y1 + reach)
    middle = (0.5 * (box.x0 + box.x1), 0.5 * (box.y0 + box.y1) - y0)
    forth = cv2.getRotationMatrix2D(middle, angle_deg, 1.0)
    band = cv2.warpAffine(grey[y0:y1], forth, (width, y1 - y0), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    back = cv2.invertAffineTransform(forth).astype(np.float64)
    back[1, 2] += y0
    return View(band.astype(np.uint8), replace(reading, box=box.shifted(0, -y0)), back)
