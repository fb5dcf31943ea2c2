"""Panels cut out of labelled figures, to be put together anew in drawn ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.images import to_rgb
from imagedataextractor.records import Box, PanelKind

__all__ = ["Clipping", "choose_clipping", "clip_panels", "fitted"]

Rgb = npt.NDArray[np.uint8]
Generator = np.random.Generator

#: Smallest panel that is cut out, px of its shorter side.
LEAST_PX = 60
#: How far the proportions of a plot or drawing are changed at most, as a factor.
STRETCH = 1.25
#: Clippings looked at for one whose proportions suit the cell.
TRIED = 4
#: Width of the ring around a letter whose colour the letter is painted over with, px.
RING_PX = 2


@dataclass(frozen=True)
class Clipping:
    """A panel's pixels, RGB uint8 (H, W, 3); `drawn` if it stands on paper without an edge of its own."""

    kind: PanelKind
    picture: Rgb
    drawn: bool


def clip_panels(
    image: npt.NDArray[np.uint8], panels: Sequence[tuple[Box, PanelKind]], letters: Sequence[Box] = ()
) -> list[Clipping]:
    """Panels of a figure without their letters.

    Parameters
    ----------
    image : uint8 array, shape (H, W) or (H, W, 3)
    panels : sequence of (Box, kind)
    letters : sequence of Box
        Panel letters, painted over.
    """
    page = to_rgb(image).copy()
    for letter in letters:
        _paint_over(page, letter)
    return [
        Clipping(kind, page[box.slices].copy(), drawn=_on_paper(page[box.slices]))
        for box, kind in panels
        if min(box.width, box.height) >= LEAST_PX
    ]


def _paint_over(page: Rgb, letter: Box) -> None:
    height, width = page.shape[:2]
    around = Box(letter.x0 - RING_PX, letter.y0 - RING_PX, letter.x1 + RING_PX, letter.y1 + RING_PX)
    around = around.intersection(Box(0, 0, width, height))
    ring = np.ones((around.height, around.width), np.bool_)
    ring[RING_PX:-RING_PX, RING_PX:-RING_PX] = False
    page[around.slices] = np.median(page[around.slices][ring], axis=0).astype(np.uint8)


def _on_paper(picture: Rgb) -> bool:
    """Whether most of the panel's edge is white."""
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    return bool((edge.min(axis=1) > 235).mean() > 0.5)


def choose_clipping(rng: Generator, clippings: Sequence[Clipping], height: int, width: int) -> Clipping:
    """One of a few at random, that whose proportions come nearest to the cell's."""
    tried = [clippings[int(i)] for i in rng.integers(len(clippings), size=TRIED)]
    return min(tried, key=lambda c: abs(np.log(c.picture.shape[0] * width / (c.picture.shape[1] * height))))


def fitted(rng: Generator, clipping: Clipping, height: int, width: int) -> Rgb:
    """A clipping in a cell: images fill it, drawings stand in it on white as large as they can.

    Parameters
    ----------
    rng : numpy.random.Generator
    clipping : Clipping
    height, width : int
        Of the cell, px.
    """
    rows, columns = clipping.picture.shape[:2]
    shares = np.array([height / rows, width / columns])
    if clipping.drawn:
        shares = np.minimum(shares, shares.min() * rng.uniform(1.0, STRETCH))
    else:
        shares = np.full(2, shares.max() * rng.uniform(1.0, 1.3))
    size = np.maximum(1, np.round(shares * (rows, columns))).astype(int)
    method = cv2.INTER_AREA if shares.max() < 1 else cv2.INTER_CUBIC
    picture = np.asarray(cv2.resize(clipping.picture, (int(size[1]), int(size[0])), interpolation=method), np.uint8)
    page = np.full((height, width, 3), 255, np.uint8)
    h, w = min(height, size[0]), min(width, size[1])
    # What is too large loses all its sides alike; what is too small stands in the middle or at the upper left.
    top, left = (size[0] - h) // 2, (size[1] - w) // 2
    y, x = ((height - h) // 2, (width - w) // 2) if rng.random() < 0.5 else (0, 0)
    page[y : y + h, x : x + w] = picture[top : top + h, left : left + w]
    return page
