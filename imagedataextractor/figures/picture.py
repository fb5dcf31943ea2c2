"""Draw the panels of a figure over it, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.panels.layout import shrink
from imagedataextractor.images import to_rgb
from imagedataextractor.records import Box, Panel

__all__ = ["KIND_COLOURS", "draw_panels"]

#: Outline of each kind, RGB; chosen to be told apart with the common colour blindnesses (Okabe & Ito 2008).
KIND_COLOURS = {
    "em": (0, 158, 115),
    "diffraction": (204, 121, 167),
    "eds": (230, 159, 0),
    "plot": (0, 114, 178),
    "schematic": (213, 94, 0),
    "photo": (86, 180, 233),
    "other": (120, 120, 120),
}


#: Longest side of a drawn picture, px: more than any screen shows, and little beside the largest figures.
SIDE = 4000


def draw_panels(image: npt.NDArray[np.uint8], panels: Sequence[Panel]) -> npt.NDArray[np.uint8]:
    """The figure with its panels, insets, letters and data bars outlined, RGB uint8 (H, W, 3).

    A figure whose longest side is more than `SIDE` px is drawn scaled down to that.
    """
    drawn = to_rgb(shrink(image, SIDE)).copy()
    scale = max(drawn.shape[:2]) / max(image.shape[:2])
    thick = max(1, round(max(drawn.shape[:2]) / 500))
    size = max(0.35, max(drawn.shape[:2]) / 1800)
    for panel in panels:
        colour = KIND_COLOURS[panel.kind]
        box = panel.box.scaled(scale)
        _outline(drawn, box, colour, thick)
        for part in (panel.label_box, panel.info_bar.box if panel.info_bar else None):
            if part is not None:
                _outline(drawn, part.shifted(panel.box.x0, panel.box.y0).scaled(scale), (240, 228, 66), thick)
        words = f"{panel.label or '?'} {panel.technique or panel.kind} {panel.kind_score:.2f}"
        words += "" if panel.measurable or panel.kind != "em" else " (not measured)"
        at = (box.x0 + 3 * thick, box.y1 - 4 * thick)
        cv2.putText(drawn, words, at, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 3 * thick, cv2.LINE_AA)
        cv2.putText(drawn, words, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick, cv2.LINE_AA)
    return drawn


def _outline(drawn: npt.NDArray[np.uint8], box: Box, colour: tuple[int, int, int], thick: int) -> None:
    cv2.rectangle(drawn, (box.x0, box.y0), (box.x1 - 1, box.y1 - 1), colour, thick)
