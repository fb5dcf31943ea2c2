"""Panels made of several parts: pictures side by side under one letter, and schemes of pictures, arrows and words."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from imagedataextractor.artificial.contents import draw_content
from imagedataextractor.artificial.lettering import font
from imagedataextractor.records import Box, PanelKind

__all__ = ["draw_parts", "draw_scheme"]

Rgb = npt.NDArray[np.uint8]
Generator = np.random.Generator

#: Rows and columns of the parts of one panel.
_GRIDS = ((1, 2), (1, 2), (1, 3), (2, 1), (2, 2), (1, 4), (2, 3), (3, 1), (2, 4), (3, 3), (3, 4))
#: Shortest side of a part, px.
_LEAST_PART = 70
_WORDS = (
    "Mixing",
    "Annealing",
    "Substrate",
    "80 °C, 2 h",
    "Washing",
    "Precursor",
    "Growth",
    "Light",
    "Etching",
    "Step 1",
)


def draw_parts(
    rng: Generator, name: str, height: int, width: int, gap: int, pool: Sequence[npt.NDArray[np.uint8]] = ()
) -> tuple[PanelKind, Rgb]:
    """Two to twelve contents of one name, `gap` px of white between them.

    In a grid, or small ones beside a large one, some with a word above each; fewer where they would be too
    small to be printed so.
    """
    page = np.full((height, width, 3), 255, np.uint8)
    kind: PanelKind = "other"
    whole = Box(0, 0, width, height)
    size = int(np.clip(min(height, width) / 20, 9, 24))
    headed = rng.random() < 0.25
    small_beside = rng.random() < 0.2 and min(height, width) > 3 * _LEAST_PART
    boxes = _beside(rng, whole, gap) if small_beside else _grid(whole, *_grid_of(rng, height, width), gap)
    for box in boxes:
        top = size + 4 if headed and box.height > 5 * size else 0
        kind, picture = draw_content(rng, name, box.height - top, box.width, pool)
        page[box.y0 + top : box.y1, box.x0 : box.x1] = picture[: box.height - top, : box.width]
        if top:
            _write(rng, page, box.x0 + box.width // 4, box.y0, size)
    return kind, page


def _grid_of(rng: Generator, height: int, width: int) -> tuple[int, int]:
    rows, columns = _GRIDS[int(rng.integers(len(_GRIDS)))]
    return min(rows, max(1, height // _LEAST_PART)), min(columns, max(1, width // _LEAST_PART))


def _beside(rng: Generator, box: Box, gap: int) -> list[Box]:
    """A large part and a column of two or three small ones."""
    count = int(rng.integers(2, 4))
    at = box.x0 + round(box.width * rng.uniform(0.6, 0.78))
    column = _grid(Box(at + gap, box.y0, box.x1, box.y1), count, 1, gap)
    return [Box(box.x0, box.y0, at, box.y1), *column]


def _grid(box: Box, rows: int, columns: int, gap: int) -> list[Box]:
    down = np.round(np.linspace(box.y0, box.y1 + gap, rows + 1)).astype(int).tolist()
    along = np.round(np.linspace(box.x0, box.x1 + gap, columns + 1)).astype(int).tolist()
    return [
        Box(left, top, right - gap, bottom - gap)
        for top, bottom in itertools.pairwise(down)
        for left, right in itertools.pairwise(along)
    ]


def draw_scheme(
    rng: Generator, height: int, width: int, pool: Sequence[npt.NDArray[np.uint8]] = ()
) -> tuple[PanelKind, Rgb]:
    """Pictures and drawings in a row or two, with arrows between and words above and below them."""
    page = np.full((height, width, 3), 255, np.uint8)
    rows, columns = (2 if height > 0.8 * width else 1), int(rng.integers(2, 5))
    size = int(np.clip(min(height, width) / 18, 9, 30))
    gap = round(rng.uniform(0.08, 0.2) * width / columns) + size
    names = ["micrograph", "photo", "schematic", "molecules", "rendering", "optical"]
    boxes = _grid(Box(0, 0, width, height), rows, columns, gap)
    for i, cell in enumerate(boxes):
        share_x, share_y = rng.uniform(0.5, 1.0, 2)
        w, h = round(share_x * cell.width), round(share_y * (cell.height - 3 * size))
        if min(w, h) < 24:
            continue
        x, y = cell.x0 + (cell.width - w) // 2, cell.y0 + (cell.height - h) // 2
        page[y : y + h, x : x + w] = draw_content(rng, str(rng.choice(names)), h, w, pool)[1][:h, :w]
        if rng.random() < 0.6:
            _write(rng, page, x, y + h + 2 if rng.random() < 0.7 else y - size - 4, size)
        if i % columns < columns - 1:
            middle = cell.y0 + cell.height // 2
            first, last = (cell.x1 + gap // 6, middle), (cell.x1 + gap - gap // 6, middle)
            colour = tuple(int(c) for c in rng.integers(0, 200, 3))
            if rng.random() < 0.75:
                cv2.arrowedLine(page, first, last, colour, max(1, size // 5), tipLength=0.4)
                if rng.random() < 0.5:
                    _write(rng, page, first[0], middle - size - 6, max(8, size // 2))
    return "schematic", page


def _write(rng: Generator, page: Rgb, x: int, y: int, size: int) -> None:
    image = Image.fromarray(page)
    ImageDraw.Draw(image).text((x, y), str(rng.choice(_WORDS)), fill=(0, 0, 0), font=font("sans", size))
    page[:] = np.asarray(image)
