"""Split a figure into panels and say what each of them is."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.kinds import classify
from imagedataextractor.figures.layout import analyse
from imagedataextractor.figures.page import cut_page
from imagedataextractor.ocr import OcrEngine
from imagedataextractor.records import Box, CaptionFacts, Panel
from imagedataextractor.settings import FigureSettings

__all__ = ["reading_order", "split_figure"]

DEFAULTS = FigureSettings()


def split_figure(
    image: npt.NDArray[np.uint8],
    *,
    facts: CaptionFacts | None = None,
    ocr: OcrEngine | None = None,
    settings: FigureSettings = DEFAULTS,
) -> list[Panel]:
    """Panels of a figure, in reading order.

    Parameters
    ----------
    image : uint8 array, shape (H, W) or (H, W, 3)
    facts : CaptionFacts, optional
        What the caption says: sub-captions, techniques.
    ocr : OcrEngine, optional
        Reads what the built-in letter reader cannot: instrument data bars. Without it they are not read.
    settings : FigureSettings, optional

    Returns
    -------
    list of Panel
        At least one: a figure that cannot be divided is one panel.
    """
    height, width = image.shape[:2]
    layout = analyse(image)
    boxes = [_to_figure(r.box, layout.scale, width, height) for r in cut_page(layout)]
    boxes = [b for b in boxes if min(b.width, b.height) >= settings.min_panel_px] or [Box(0, 0, width, height)]
    panels = []
    for index, box in enumerate(reading_order(boxes)):
        kind, score = classify(image[box.slices])
        panels.append(Panel(index=index, box=box, kind=kind, kind_score=score))
    return [dataclasses.replace(p, measurable=p.kind == "em") for p in panels]


def _to_figure(box: Box, scale: float, width: int, height: int) -> Box:
    """A box of the reduced copy in pixels of the figure."""
    return Box(
        max(0, round(box.x0 / scale)),
        max(0, round(box.y0 / scale)),
        min(width, round(box.x1 / scale)),
        min(height, round(box.y1 / scale)),
    )


def reading_order(boxes: list[Box]) -> list[Box]:
    """Rows from the top, each from the left; boxes whose tops lie within half a height share a row."""
    left = sorted(boxes, key=lambda b: (b.y0, b.x0))
    ordered: list[Box] = []
    while left:
        top = left[0]
        row = [b for b in left if b.y0 < top.y0 + 0.5 * min(top.height, b.height)]
        ordered += sorted(row, key=lambda b: b.x0)
        left = [b for b in left if b not in row]
    return ordered
