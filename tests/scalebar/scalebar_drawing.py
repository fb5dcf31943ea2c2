"""Pictures and an OCR engine for the tests of the scale-bar stage."""

from __future__ import annotations

import cv2
import numpy as np

from imagedataextractor.ocr import TextBox


class NoOcr:
    """An engine that reads what it is told to: the bar search alone is tested. It counts its looks."""

    name = "none"

    def __init__(self, *lines: TextBox) -> None:
        self.lines = list(lines)
        self.looks = 0

    def read(self, image, *, region=None, enlarge=1.0):
        self.looks += 1
        return list(self.lines)

    def read_line(self, image):
        return "", 0.0


def micrograph(seed: int = 3, shape=(420, 520), level: float = 110) -> np.ndarray:
    """Bright discs on noise, none of them near the foot of the picture."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    image = rng.normal(level, 8, shape)
    for _ in range(25):
        x, y, r = rng.uniform(0, shape[1]), rng.uniform(0, shape[0] * 0.7), rng.uniform(10, 30)
        image[(xx - x) ** 2 + (yy - y) ** 2 < r**2] += 50
    return np.clip(image, 0, 255).astype(np.uint8)


def tilted_bar(image: np.ndarray, middle, length: float, thickness: float, angle_deg: float) -> np.ndarray:
    """A white bar, its edges covering pixels in part, turned by an angle about its middle."""
    height, width = image.shape
    angle, fine = np.deg2rad(angle_deg), 4
    along = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    across = np.array([-np.sin(angle), np.cos(angle)]) * thickness / 2
    corners = np.array([-along - across, along - across, along + across, -along + across]) + middle
    cover = np.zeros((height * fine, width * fine), np.uint8)
    cv2.fillPoly(cover, [np.round(corners * fine).astype(np.int32)], 255)
    share = cv2.resize(cover, (width, height), interpolation=cv2.INTER_AREA) / 255.0
    return (image * (1 - share) + 255 * share).astype(np.uint8)
