"""The debug picture: what was read, and where."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from imagedataextractor.images import to_rgb
from imagedataextractor.records import ScaleBar

__all__ = ["draw_scale_bar"]

TEXT_COLOUR = (255, 190, 0)
BAR_COLOUR = (255, 40, 60)
TRUSTED_COLOUR = (0, 150, 60)
UNTRUSTED_COLOUR = (190, 0, 30)
#: Smallest side of the picture, px: a small panel is enlarged so that the ends can be judged by eye.
MIN_SIDE_PX = 700


def draw_scale_bar(image: npt.NDArray[np.uint8], bar: ScaleBar) -> npt.NDArray[np.uint8]:
    """The image with the text's box, the bar's ends, the reading and the confidence drawn on it.

    Returns
    -------
    uint8 array, shape (k·H + strip, k·W, 3)
        Enlarged by a whole number k where it is small, with a strip below for the words.
    """
    factor = max(1, round(MIN_SIDE_PX / max(1, min(image.shape[:2]))))
    # Bounded, or a picture of 2 x 5000 px would grow to 1.7 million wide.
    factor = max(1, min(factor, 3000 // max(image.shape[:2]), 8))
    large = cv2.resize(to_rgb(image), None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    height, width = large.shape[:2]
    font = ImageFont.load_default(18)
    words = _words(bar)
    strip = 30 * len(words) + 10
    canvas = Image.new("RGB", (max(width, 560), height + strip), (255, 255, 255))
    canvas.paste(Image.fromarray(large.astype(np.uint8)), (0, 0))
    draw = ImageDraw.Draw(canvas)
    if bar.text_box is not None:
        b = bar.text_box
        draw.rectangle((b.x0 * factor, b.y0 * factor, b.x1 * factor, b.y1 * factor), outline=TEXT_COLOUR, width=2)
    if bar.x0 is not None and bar.x1 is not None and bar.y is not None:
        reach = max(10, 6 * factor)
        y = bar.y * factor
        for x in (bar.x0 * factor, bar.x1 * factor):
            draw.line((x, y - reach, x, y + reach), fill=BAR_COLOUR, width=1)
        draw.line((bar.x0 * factor, y, bar.x1 * factor, y), fill=BAR_COLOUR, width=1)
    colour = TRUSTED_COLOUR if bar.nm_per_px is not None else UNTRUSTED_COLOUR
    for i, line in enumerate(words):
        draw.text((8, height + 6 + 30 * i), line, fill=colour, font=font)
    return np.asarray(canvas)


def _words(bar: ScaleBar) -> list[str]:
    if bar.value is None and bar.nm_per_px is None:
        return [f"no scale: {bar.reason}"]
    read = f"{bar.value:g} {bar.unit}" if bar.value is not None else "scale"
    length = f" over {bar.length_px:.1f} px" if bar.length_px else ""
    scale = f" = {bar.nm_per_px:.4g} nm/px" if bar.nm_per_px is not None else ""
    lines = [f"{read}{length}{scale}, confidence {bar.confidence:.2f}, source {bar.source}"]
    return lines if bar.reason is None else [*lines, f"no scale: {bar.reason}" if bar.nm_per_px is None else bar.reason]
