"""A micrograph of a few particles, small enough to go through every stage in a second."""

from __future__ import annotations

import cv2
import numpy as np


def small_micrograph(rng: np.random.Generator) -> bytes:
    """Six bright discs on a dark ground, 200 x 160 px, as a PNG file."""
    image = rng.normal(60, 8, (160, 200)).astype(np.float32)
    for x, y in rng.integers(25, 135, (6, 2)).tolist():
        cv2.circle(image, (x, y), 11, 180, -1)
    smooth = np.clip(cv2.GaussianBlur(image, (0, 0), 1.2), 0, 255).astype(np.uint8)
    return cv2.imencode(".png", smooth)[1].tobytes()
