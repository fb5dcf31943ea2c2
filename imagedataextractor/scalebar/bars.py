"""Find the things in a picture that look like a solid scale bar.

What is drawn by hand or program on a micrograph differs from the micrograph in being flat along its
length and in having straight, sharp edges. Candidates come from two searches: long horizontal runs
at many grey levels (blocks and lines on any ground), and the same on the picture less its surroundings
(thin and faint lines). `strips` measures each; `rulers` seeks equally spaced short strokes; `match` judges
what is a bar and what is not, from the features measured here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.scalebar.bar import MIN_LENGTH_PX, Bar, Grey
from imagedataextractor.scalebar.parts import beside_the_mark
from imagedataextractor.scalebar.strips import Strip, measure

__all__ = ["MAX_CANDIDATES", "find_bars"]

#: Width to which a larger picture is reduced for the search, about, px.
SEARCH_WIDTH_PX = 900
#: A solid bar is at least this much longer than thick.
MIN_ASPECT = 1.9
#: Thickest bar, as a share of the picture's height.
MAX_THICKNESS = 0.14
#: Share of its bounding box that a bar fills.
MIN_EXTENT = 0.82
#: Candidates that are measured, at most: bounds the time on a picture of stripes.
MAX_CANDIDATES = 150
#: Grey levels at which runs are sought.
LEVELS = (28, 48, 70, 92, 114, 136, 158, 180, 200, 216, 230, 242, 251)
#: Thickness of the thin lines that are sought against their surroundings, px, and the contrasts.
THIN_PX = (7, 15)
THIN_CONTRASTS = (9, 18, 34, 60)
#: Rows from which a picture has room for a bar with ground above and below it.
LEAST_ROWS = 3
#: Columns beside the shortest bar that its ends need.
END_COLUMNS = 2


def find_bars(grey: Grey) -> list[Bar]:
    """All strips of a picture that may be solid bars, measured; no order.

    Parameters
    ----------
    grey : uint8 array, shape (H, W)
    """
    # A large picture is searched reduced, and only measured at its own resolution.
    factor = max(1, round(grey.shape[1] / SEARCH_WIDTH_PX))
    small = grey
    if factor > 1:
        columns, rows = max(1, grey.shape[1] // factor), max(1, grey.shape[0] // factor)
        whole = grey[: rows * factor, : columns * factor]
        small = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.uint8)
    height, width = small.shape
    shortest = MIN_LENGTH_PX
    if width < shortest + END_COLUMNS or height < LEAST_ROWS:
        return []
    strips: list[Strip] = []
    for polarity in (1, -1):
        signed = small if polarity > 0 else 255 - small
        for level in LEVELS:
            strips += _strips((signed >= level).astype(np.uint8), polarity, shortest)
        for size in THIN_PX:
            opened = cv2.morphologyEx(signed, cv2.MORPH_OPEN, np.ones((size, 1), np.uint8))
            thin = cv2.subtract(signed, opened)
            for contrast in THIN_CONTRASTS:
                strips += _strips((thin >= contrast).astype(np.uint8), polarity, shortest)
    strips.sort(key=lambda s: -(s.extent + min(s.x1 - s.x0, 100) / 100))
    bars: list[Bar] = []
    for strip in _distinct(strips)[:MAX_CANDIDATES]:
        bar = measure(grey, strip.times(factor))
        if bar is not None:
            bars.append(bar)
    lesser = beside_the_mark(bars)
    return [replace(bar, lesser=i in lesser) for i, bar in enumerate(bars)]


def _strips(mask: npt.NDArray[np.uint8], polarity: int, shortest: int) -> Iterator[Strip]:
    height, width = mask.shape
    runs = cv2.morphologyEx(
        mask, cv2.MORPH_OPEN, np.ones((1, shortest), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    if not cv2.countNonZero(runs):
        return
    _, _, stats, _ = cv2.connectedComponentsWithStats(runs, connectivity=4)
    x, y, w, h, area = (stats[1:, i] for i in range(5))
    good = (w >= MIN_ASPECT * h) & (h <= max(3.0, MAX_THICKNESS * height)) & (w < 0.97 * width)
    good &= area >= MIN_EXTENT * w * h
    for i in np.flatnonzero(good):
        yield Strip(
            int(x[i]), int(x[i] + w[i]), int(y[i]), int(y[i] + h[i]), polarity, float(area[i]) / float(w[i] * h[i])
        )


def _distinct(strips: Sequence[Strip]) -> list[Strip]:
    """Without those that are nearly the same as an earlier one."""
    kept: list[Strip] = []
    table = np.zeros((0, 5))
    for s in strips:
        row = np.array([[s.x0, s.x1, s.y0, s.y1, s.polarity]], float)
        if len(table):
            slack = np.maximum(2.0, 0.04 * (s.x1 - s.x0))
            near = (np.abs(table[:, :2] - row[:, :2]) <= slack).all(1) & (table[:, 4] == s.polarity)
            near &= (np.minimum(table[:, 3], s.y1) - np.maximum(table[:, 2], s.y0)) > 0
            if near.any():
                continue
        kept.append(s)
        table = np.vstack([table, row])
        if len(kept) >= MAX_CANDIDATES:
            break
    return kept
