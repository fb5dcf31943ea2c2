"""Whether a picture that somebody gives by itself is a figure of several panels, or one micrograph.

A page cutter looks for panels and finds some in many a micrograph: in the dark between the particles of a HAADF
picture, at the upper edge of a data bar, along a particle's straight side. In an article every picture is a figure;
the pictures in somebody's folder are micrographs, as they came from the instrument. So such a picture is taken for a
figure only where that is plain: letters that name its panels, paper between panels whose edges are straight, or a
part of it that is surely drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.panels.layout import luma
from imagedataextractor.images.channels import has_channels
from imagedataextractor.records import Box, PanelKind

__all__ = ["OWN_PRIOR", "is_figure", "within_paper"]

#: How much likelier a picture by itself is a micrograph than a panel of an article is.
OWN_PRIOR: dict[PanelKind, float] = {"em": 12.0}
#: Grey levels of paper: white at least, black at most. Compression leaves ripples.
WHITE, BLACK = 243, 8
#: Share of the pixels between two panels that are paper.
PAPER_SHARE = 0.97
#: Share of a panel's edge beside a gutter that is not paper …
EDGE_SHARE = 0.5
#: … which is looked for so many px from the gutter: boxes are known to a pixel or two.
EDGE_PX = 4
#: A panel beside a gutter covers at least this share of the picture's height: a data bar covers less.
LEAST_SIDE = 0.23
#: Share of the picture of a part that is surely drawn, and how sure that is.
DRAWN_AREA, DRAWN_SCORE = 0.08, 0.8
#: Share of paper or of colours in such a part: a micrograph has neither.
DRAWN_SHARE = 0.25
#: Width of a margin of paper as a share of the picture's, at least.
MARGIN = 0.01
#: Distance between colour channels from which a pixel is coloured, levels.
COLOURED = 40

Kinds = Callable[[npt.NDArray[np.uint8]], tuple[PanelKind, float]]


def is_figure(image: npt.NDArray[np.uint8], boxes: Sequence[Box], letters: Sequence[str], kind_of: Kinds) -> bool:
    """Whether a picture is plainly a figure of several panels.

    Parameters
    ----------
    image : uint8 array, shape (H, W) or (H, W, 3)
    boxes : sequence of Box
        Its panels, if it is one.
    letters : sequence of str
        The letters of those that have one.
    kind_of : callable
        What a picture shows, and how surely.
    """
    if len(boxes) <= 1:
        return False
    return len(set(letters)) > 1 or _is_parted(luma(image), boxes) or _is_drawn(image, boxes, kind_of)


def _is_parted(grey: npt.NDArray[np.uint8], boxes: Sequence[Box]) -> bool:
    """Whether paper lies between two of the panels, along straight edges of both."""
    return any(
        _gutter_between(part, *(_turned(box) if part is not grey else box for box in (a, b)))
        for part in (grey, grey.T)
        for a in boxes
        for b in boxes
        if a is not b
    )


def _turned(box: Box) -> Box:
    return Box(box.y0, box.x0, box.y1, box.x1)


def _gutter_between(grey: npt.NDArray[np.uint8], left: Box, right: Box) -> bool:
    """Whether a gutter of paper runs down between two boxes side by side."""
    height, width = grey.shape
    top, bottom = max(left.y0, right.y0), min(left.y1, right.y1)
    if right.x0 < left.x1 - 2 or bottom - top < 0.5 * min(left.height, right.height):
        return False
    if min(left.width, right.width) < LEAST_SIDE * width or bottom - top < LEAST_SIDE * height:
        return False
    # Boxes are known to a pixel or two: the gutter is the run of paper nearest to the middle between them.
    first, last = max(0, left.x1 - EDGE_PX), min(width, right.x0 + EDGE_PX)
    band = grey[top:bottom, first:last]
    for is_paper in (_is_white, _is_black):
        columns = first + np.flatnonzero(is_paper(band).mean(axis=0) >= PAPER_SHARE)
        if columns.size == 0:
            continue
        beside = (
            grey[top:bottom, max(0, columns[0] - EDGE_PX) : columns[0]],
            grey[top:bottom, columns[-1] + 1 : columns[-1] + 1 + EDGE_PX],
        )
        # A row belongs to a panel's edge if it is not paper all the way.
        if all(part.size and (~is_paper(part)).any(axis=1).mean() >= EDGE_SHARE for part in beside):
            return True
    return False


def _is_white(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return grey > WHITE


def _is_black(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return grey < BLACK


def _is_drawn(image: npt.NDArray[np.uint8], boxes: Sequence[Box], kind_of: Kinds) -> bool:
    """Whether one of the parts is surely no micrograph: a drawing on paper, or coloured."""
    whole = image.shape[0] * image.shape[1]
    for box in boxes:
        if box.area < DRAWN_AREA * whole:
            continue
        part = image[box.slices]
        paper = float((luma(part) > WHITE).mean())
        spread = part.max(axis=2) - part.min(axis=2) if has_channels(part) else np.zeros(1, np.uint8)
        if max(paper, float((spread > COLOURED).mean())) < DRAWN_SHARE:
            continue
        kind, score = kind_of(part)
        if kind not in ("em", "diffraction") and score >= DRAWN_SCORE:
            return True
    return False


def within_paper(image: npt.NDArray[np.uint8]) -> Box:
    """The picture without white margins: rows and columns at its sides that are paper from end to end."""
    grey = luma(image)
    height, width = grey.shape
    y0, y1 = _inked(grey.min(axis=1) <= WHITE)
    x0, x1 = _inked(grey.min(axis=0) <= WHITE)
    return Box(x0, y0, x1, y1) if x1 > x0 and y1 > y0 else Box(0, 0, width, height)


def _inked(lines: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """First and last of the lines with ink, half-open; a margin of a line or two is a frame and stays."""
    held = np.flatnonzero(lines)
    if held.size == 0:
        return 0, 0
    least = max(2, round(MARGIN * len(lines)))
    first, last = int(held[0]), int(held[-1]) + 1
    return first if first > least else 0, last if len(lines) - last > least else len(lines)
