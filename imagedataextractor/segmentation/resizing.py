"""Images and label maps at another size."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["grey_resized", "label_resized"]

#: Share of a pixel from which a particle has it where no other does.
_HALF_PIXEL = 0.5


def grey_resized(grey: npt.NDArray[np.uint8], scale: float) -> npt.NDArray[np.uint8]:
    size = (max(round(grey.shape[1] * scale), 1), max(round(grey.shape[0] * scale), 1))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(grey, size, interpolation=how), np.uint8)


def label_resized(labels: npt.NDArray[np.int32], size: tuple[int, int]) -> npt.NDArray[np.int32]:
    """A label map at another size, (width, height): every mask is interpolated, the largest share has the pixel.

    Taking the nearest pixel instead costs particles of few pixels half a pixel of their outline: on the
    11 validation images that are magnified, AP50:95 0.535 instead of 0.561.
    """
    width, height = size
    zoom_x, zoom_y = width / labels.shape[1], height / labels.shape[0]
    result = np.zeros((height, width), np.int32)
    share = np.full((height, width), 0.5, np.float32)
    for index, box in enumerate(ndimage.find_objects(labels)):
        if box is None:
            continue
        rows, top = _resized_span(box[0], zoom_y, height)
        columns, left = _resized_span(box[1], zoom_x, width)
        mask = (labels[top : box[0].stop + 1, left : box[1].stop + 1] == index + 1).astype(np.float32)
        # From a pixel's centre in the result to the mask's pixels.
        matrix = np.array(
            [
                [1.0 / zoom_x, 0.0, (columns.start + 0.5) / zoom_x - 0.5 - left],
                [0.0, 1.0 / zoom_y, (rows.start + 0.5) / zoom_y - 0.5 - top],
            ]
        )
        shape = (columns.stop - columns.start, rows.stop - rows.start)
        here = cv2.warpAffine(
            mask, matrix, shape, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
        window, most = result[rows, columns], share[rows, columns]
        wins = (here > most) | ((here >= _HALF_PIXEL) & (window == 0))
        window[wins], most[wins] = index + 1, here[wins]
    return result


def _resized_span(span: slice, zoom: float, length: int) -> tuple[slice, int]:
    """Where a mask that covers `span` may reach after resizing, and where to begin reading it."""
    begin = max(span.start - 1, 0)
    return slice(int(begin * zoom), min(int(np.ceil((span.stop + 1) * zoom)), length)), begin
