"""What a panel shows: an electron micrograph, a plot, a map, a photograph …"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from imagedataextractor.figures.layout import shrink
from imagedataextractor.images import to_grey
from imagedataextractor.records import PanelKind

__all__ = ["classify"]


def classify(panel: npt.NDArray[np.uint8]) -> tuple[PanelKind, float]:
    """Kind of a panel and the probability of it.

    Parameters
    ----------
    panel : uint8 array, shape (H, W) or (H, W, 3)

    Returns
    -------
    kind : str
    score : float
        0 … 1.
    """
    panel = shrink(panel, 400)
    grey = to_grey(panel)
    white = float((grey > 240).mean())
    kernel = np.ones((3, 3), np.uint8)
    flat = float((cv2.subtract(cv2.dilate(grey, kernel), cv2.erode(grey, kernel)) <= 2).mean())
    coloured = 0.0
    if panel.ndim == 3:
        spread = panel.max(axis=2).astype(np.int16) - panel.min(axis=2)
        coloured = float((spread > 60).mean())
    if white > 0.5 or (white > 0.3 and flat > 0.5):
        return "plot", 0.8
    if coloured > 0.25:
        return ("eds", 0.6) if float((grey < 60).mean()) > 0.5 else ("photo", 0.6)
    if flat > 0.6:
        return "schematic", 0.6
    return "em", 0.7
