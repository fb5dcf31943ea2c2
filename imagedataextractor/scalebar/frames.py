"""Whether a bar stands inside an inset: a smaller picture laid over a corner of the panel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from imagedataextractor.records import Box

__all__ = ["in_inset"]

Grey = npt.NDArray[np.uint8]
Steps = npt.NDArray[np.int16]

#: Difference of grey levels across an inset's edge, at least, and the share of the edge that shows it.
EDGE_LEVELS, EDGE_SHARE = 12, 0.88
#: An inset reaches this many text heights beyond bar and text, at least: less is a label's box.
ROOM = 3.0
#: Share of the panel that an inset covers, at most.
MAX_SHARE = 0.45


def in_inset(grey: Grey, marks: Box, text_height: int) -> bool:
    """Whether two straight edges, one level and one upright, cut a corner or side of the panel off around a mark.

    Parameters
    ----------
    grey : uint8 array, shape (H, W)
    marks : Box
        The bar and its text together.
    text_height : int
        px.
    """
    height, width = grey.shape
    marks = marks.intersection(Box(0, 0, width, height))
    if marks.area == 0:
        return False
    pixels = grey.astype(np.int16)
    across, down = np.diff(pixels, axis=1), np.diff(pixels, axis=0)
    # Edge i lies between pixel i and i + 1.
    above = [y for y in _edges(down[:, marks.x0 : marks.x1]) if y < marks.y0]
    below = [y for y in _edges(down[:, marks.x0 : marks.x1]) if y >= marks.y1 - 1]
    left = [x for x in _edges(across[marks.y0 : marks.y1].T) if x < marks.x0]
    right = [x for x in _edges(across[marks.y0 : marks.y1].T) if x >= marks.x1 - 1]
    for y in (*above, *below):
        for x in (*left, *right):
            x0, x1 = (x + 1, width) if x < marks.x0 else (0, x + 1)
            y0, y1 = (y + 1, height) if y < marks.y0 else (0, y + 1)
            if (x1 - x0) * (y1 - y0) > MAX_SHARE * width * height:
                continue
            if max(marks.y0 - y0, y1 - marks.y1) < ROOM * text_height:
                continue
            # Up to the far end of the marks, not of the panel: the inset may end before that.
            columns = slice(x0, max(marks.x1, x0 + 1)) if x < marks.x0 else slice(marks.x0, x1)
            rows = slice(y0, max(marks.y1, y0 + 1)) if y < marks.y0 else slice(marks.y0, y1)
            if _is_edge(down[y, columns]) and _is_edge(across[rows, x]):
                return True
    return False


def _edges(steps: Steps) -> list[int]:
    """Rows along which nearly all steps go the same way."""
    up, lower = np.mean(steps >= EDGE_LEVELS, axis=1), np.mean(steps <= -EDGE_LEVELS, axis=1)
    return [int(i) for i in np.flatnonzero(np.maximum(up, lower) >= EDGE_SHARE)]


def _is_edge(steps: Steps) -> bool:
    return bool(len(steps)) and bool(max(np.mean(steps >= EDGE_LEVELS), np.mean(steps <= -EDGE_LEVELS)) >= EDGE_SHARE)
