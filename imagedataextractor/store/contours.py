"""How a contour is kept in a particle row: compactly, and without loss.

A blob is one format byte and then the vertices as pairs (x, y), little-endian, in panel pixels:

====  ==============================================================
0x01  int16, in half pixels: outlines that run along pixel centres or edges, the usual case
0x02  float32, in pixels: anything else
====  ==============================================================

so that ``numpy.frombuffer(blob[1:], "<i2").reshape(-1, 2) / 2`` reads the first kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

__all__ = ["decode_contour", "encode_contours"]

_HALF_PIXELS = b"\x01"
_FLOATS = b"\x02"
_INT16 = np.iinfo(np.int16)


def encode_contours(contours: Sequence[Sequence[tuple[float, float]]]) -> list[bytes | None]:
    """Blobs of many contours at once; None for a contour without vertices.

    Parameters
    ----------
    contours : sequence of sequences of (x, y)
        Vertices in pixels. All contours of one call share one format.
    """
    lengths = [len(contour) for contour in contours]
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(contours)), dtype=np.float64, count=2 * sum(lengths))
    halves = flat * 2.0
    rounded = np.rint(halves)
    fits = flat.size > 0 and bool(
        np.array_equal(halves, rounded) and rounded.min() >= _INT16.min and rounded.max() <= _INT16.max
    )
    mark, packed = (_HALF_PIXELS, rounded.astype("<i2")) if fits else (_FLOATS, flat.astype("<f4"))
    data = packed.tobytes()
    stride = 2 * packed.itemsize
    blobs: list[bytes | None] = []
    start = 0
    for length in lengths:
        end = start + length * stride
        blobs.append(mark + data[start:end] if length else None)
        start = end
    return blobs


def decode_contour(blob: bytes | memoryview | None) -> npt.NDArray[np.float64]:
    """The vertices of a contour, shape (n, 2), columns x and y in panel pixels.

    Raises
    ------
    ValueError
        The blob is of no known format.
    """
    if not blob:
        return np.empty((0, 2))
    data = bytes(blob)
    if data[:1] == _HALF_PIXELS:
        return np.frombuffer(data[1:], "<i2").reshape(-1, 2) / 2.0
    if data[:1] == _FLOATS:
        return np.frombuffer(data[1:], "<f4").reshape(-1, 2).astype(np.float64)
    raise ValueError(f"a contour of unknown format {data[0]:#04x}")
