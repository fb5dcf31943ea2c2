"""Numbers of any depth to 8 bits, in strips, so that the picture itself is the only large array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from imagedataextractor.images import bounds

__all__ = ["stretched"]

#: Share of the pixels at either end of a deep picture that may be dead or hot: 100 of a megapixel.
_STRAY = 1e-4
#: Pixels that are asked for it.
_SAMPLE = 500_000


def stretched(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """A picture of more than 8 bits as one of 8; what is no number in it counts as 0.

    Its own darkest … brightest become 0 … 255, of a colour picture those of all channels together, so that the
    colours stay what they are.

    Parameters
    ----------
    values : array of whole or floating-point numbers, shape (H, W) or (H, W, C)
    """
    pixels = np.zeros(values.shape, np.uint8)
    low, high = _ends(_sample(values))
    if high > low:
        for rows in _strips(values.shape):
            part = _finite(values[rows])
            pixels[rows] = np.round((np.clip(part, low, high) - low) * (255.0 / (high - low)))
    return pixels


def _strips(shape: tuple[int, ...]) -> Iterator[slice]:
    step = max(1, bounds.STRIP_PIXELS // max(1, int(np.prod(shape[1:]))))
    for top in range(0, shape[0], step):
        yield slice(top, min(shape[0], top + step))


def _sample(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    every = max(1, values.size // _SAMPLE)
    return np.concatenate([_finite(values[rows].reshape(-1)[::every]) for rows in _strips(values.shape)])


def _finite(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    # Beyond the range of single precision a float64 is a fill value, and differences would overflow.
    largest = float(np.finfo(np.float32).max)
    plain = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(plain, -largest, largest)


def _ends(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Which values become black and white.

    A camera's image fills a small part of 16 bits. One hot pixel, or a scale bar burned in at the
    end of the range, would leave it a few grey levels; so the smallest and the largest value (what is
    burned in or saturated has exactly these) and the `_STRAY` most extreme pixels do not count.
    """
    low, high = float(values.min()), float(values.max())
    inner = values[(values > low) & (values < high)]
    if 2 * inner.size < values.size:  # a drawing, or a mask
        return low, high
    darkest, brightest = np.quantile(inner, (_STRAY, 1 - _STRAY))
    return float(darkest), float(brightest)
