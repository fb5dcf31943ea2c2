"""How a contour is kept in a particle table and row: compactly, and without loss.

A blob is one format byte and then the vertices in panel pixels, little-endian:

====  ============================================================================================
0x01  pairs (x, y), int16, in half pixels
0x02  pairs (x, y), float32, in pixels
0x03  the first vertex as a pair, int16, in pixels; then int8 runs, alternately along x and along y,
      from each vertex to the next, the last back to the first left out
0x04  as 0x03, beginning along y
====  ============================================================================================

An outline that follows the edges of pixels turns at every vertex by a right angle: 0x03 and 0x04
keep it in a byte a vertex.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["decode_contour", "encode_contours"]

_HALF_PIXELS, _FLOATS, _RUNS_FROM_X, _RUNS_FROM_Y = b"\x01", b"\x02", b"\x03", b"\x04"
_INT16 = np.iinfo(np.int16)
_LONGEST_RUN = 127
#: Corners from which an outline has a side.
_LEAST_CORNERS = 2


def encode_contours(contours: Sequence[Sequence[Sequence[float]] | npt.NDArray[np.float64]]) -> list[bytes | None]:
    """Blobs of many contours at once; None for a contour without vertices.

    Parameters
    ----------
    contours : sequence of sequences of (x, y), or of arrays of shape (n, 2)
        Vertices in pixels.
    """
    lengths = [len(contour) for contour in contours]
    flat = np.concatenate([np.empty(0), *(np.asarray(contour, np.float64).ravel() for contour in contours)])
    halves = flat * 2.0
    rounded = np.rint(halves)
    is_half = flat.size > 0 and bool(
        np.array_equal(halves, rounded) and rounded.min() >= _INT16.min and rounded.max() <= _INT16.max
    )
    if not is_half:
        return _pairs(_FLOATS, flat.astype("<f4"), lengths)
    blobs = _pairs(_HALF_PIXELS, rounded.astype("<i2"), lengths)
    return _with_runs(blobs, flat.reshape(-1, 2), np.array(lengths))


def _pairs(mark: bytes, packed: npt.NDArray[np.generic], lengths: Sequence[int]) -> list[bytes | None]:
    data = packed.tobytes()
    stride = 2 * packed.itemsize
    blobs: list[bytes | None] = []
    start = 0
    for length in lengths:
        end = start + length * stride
        blobs.append(mark + data[start:end] if length else None)
        start = end
    return blobs


def _with_runs(
    blobs: list[bytes | None], points: npt.NDArray[np.float64], lengths: npt.NDArray[np.intp]
) -> list[bytes | None]:
    """The blobs, those of right-angled outlines in their shorter form."""
    ends = np.cumsum(lengths)
    starts = ends - lengths
    steps = np.diff(points, axis=0)
    runs = steps.sum(axis=1)
    along_x = steps[:, 0] != 0
    inner = np.ones(len(steps), bool)  # steps that do not lead from one contour into the next
    inner[ends[:-1][(ends[:-1] > 0) & (ends[:-1] < len(points))] - 1] = False
    odd = (along_x == (steps[:, 1] != 0)) | (np.abs(runs) > _LONGEST_RUN)
    odd[1:] |= inner[:-1] & (along_x[1:] == along_x[:-1])
    whole = (points == np.rint(points)).all(axis=1)
    spoilt = np.concatenate([np.flatnonzero(odd & inner), np.flatnonzero(~whole)])
    regular = np.ones(len(lengths), bool)
    regular[np.searchsorted(ends, spoilt, side="right")] = False
    regular &= lengths >= _LEAST_CORNERS
    data = np.where(np.abs(runs) <= _LONGEST_RUN, runs, 0).astype(np.int8).tobytes()
    first = points.astype("<i2").tobytes()
    marks = [_RUNS_FROM_X if begins else _RUNS_FROM_Y for begins in np.append(along_x, False).tolist()]
    for index, start, end in zip(
        np.flatnonzero(regular).tolist(), starts[regular].tolist(), ends[regular].tolist(), strict=True
    ):
        blobs[index] = marks[start] + first[4 * start : 4 * start + 4] + data[start : end - 1]
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
    mark, data = bytes(blob[:1]), bytes(blob[1:])
    if mark == _HALF_PIXELS:
        return np.frombuffer(data, "<i2").reshape(-1, 2) / 2.0
    if mark == _FLOATS:
        return np.frombuffer(data, "<f4").reshape(-1, 2).astype(np.float64)
    if mark in (_RUNS_FROM_X, _RUNS_FROM_Y):
        runs = np.frombuffer(data[4:], np.int8)
        steps = np.zeros((len(runs) + 1, 2))
        steps[0] = np.frombuffer(data[:4], "<i2")
        first = 0 if mark == _RUNS_FROM_X else 1
        steps[1::2, first] = runs[0::2]
        steps[2::2, 1 - first] = runs[1::2]
        return np.cumsum(steps, axis=0)
    raise ValueError(f"a contour of unknown format {mark!r}")
