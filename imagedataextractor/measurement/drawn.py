"""Outlines that a person drew: compared with particles, measured as particles, cut in two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from skimage.draw import polygon as pixels_within

from imagedataextractor.errors import InputError
from imagedataextractor.measurement.outlines import trace_outlines
from imagedataextractor.measurement.particles import measure_particles
from imagedataextractor.measurement.table import ParticleTable
from imagedataextractor.records import Reason

__all__ = ["covered_rows", "cut_outline", "matching_row", "measure_outlines", "united_outline"]

Points = npt.NDArray[np.float64]

#: Two outlines are the same particle if they have half of their union in common, as in evaluation.
SAME_IOU = 0.5
#: A particle lies in an outline if more than half of its area does.
COVERED_SHARE = 0.5
#: Small outlines are compared on a finer grid: so many steps across.
_STEPS = 48
#: Corners from which an outline has an inside.
_LEAST_CORNERS = 3


def _mask(outline: Points, origin: Points, shape: tuple[int, int], factor: float = 1.0) -> npt.NDArray[np.bool_]:
    """The pixels whose centres lie in an outline; pixel (0, 0) begins at `origin`, a pixel is 1/factor wide."""
    mask = np.zeros(shape, bool)
    x, y = ((outline - origin) * factor - 0.5).T
    rows, columns = pixels_within(y, x, shape)  # type: ignore[no-untyped-call]
    mask[rows, columns] = True
    return mask


def _overlap(first: Points, second: Points) -> tuple[float, float, float]:
    """Areas of the intersection and of both outlines, in px²."""
    low, high = np.minimum(first.min(0), second.min(0)), np.maximum(first.max(0), second.max(0))
    smallest = min(np.ptp(first, axis=0).min(), np.ptp(second, axis=0).min())
    factor = max(1.0, _STEPS / max(float(smallest), 1.0))
    width, height = (int(np.ceil(side * factor)) + 1 for side in high - low)
    masks = [_mask(outline, low, (height, width), factor) for outline in (first, second)]
    areas = [float(mask.sum()) / factor**2 for mask in (masks[0] & masks[1], *masks)]
    return areas[0], areas[1], areas[2]


def _near(outline: Points, particles: ParticleTable) -> list[tuple[int, Points]]:
    """Rows whose bounding box meets that of an outline, with their own outlines."""
    if not len(outline):
        return []
    low, high = outline.min(0), outline.max(0)
    found = []
    for row in range(len(particles)):
        other = particles.outline(row)
        if len(other) and (other.max(0) > low).all() and (other.min(0) < high).all():
            found.append((row, other))
    return found


def matching_row(outline: Points, particles: ParticleTable) -> int | None:
    """The particle that an outline shows: the row with which it has most in common, if that is enough.

    Parameters
    ----------
    outline : float array, shape (n, 2)
        In the frame of the particles.
    particles : ParticleTable
    """
    best, row_of_best = SAME_IOU, None
    for row, other in _near(outline, particles):
        common, mine, its = _overlap(outline, other)
        iou = common / max(mine + its - common, 1e-9)
        if iou >= best:
            best, row_of_best = iou, row
    return row_of_best


def covered_rows(outline: Points, particles: ParticleTable) -> list[int]:
    """The particles that lie in an outline by more than half."""
    rows = []
    for row, other in _near(outline, particles):
        common, _, its = _overlap(outline, other)
        if common > COVERED_SHARE * its:
            rows.append(row)
    return rows


def measure_outlines(
    outlines: Sequence[Points], shape: tuple[int, int], *, first_label: int = 1, nm_per_px: float | None = None
) -> ParticleTable:
    """Particles of drawn outlines, which may overlap.

    Parameters
    ----------
    outlines : sequence of float arrays, shape (n, 2)
        Vertices in pixels of the panel.
    shape : tuple of int
        Height and width of the panel; what lies outside it is cut off, and the particle is one at the border.
    first_label : int
        Label of the first one.
    nm_per_px : float, optional

    Raises
    ------
    InputError
        An outline holds no pixel of the panel.
    """
    table = ParticleTable({}, nm_per_px=nm_per_px)
    for label, outline in enumerate(outlines, first_label):
        mask, (x0, y0) = _pixels_of(outline, shape)
        found = measure_particles(np.pad(mask, 1).astype(np.int32) * label)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        at_border = (
            y0 + rows[0] == 0
            or x0 + columns[0] == 0
            or y0 + rows[-1] == shape[0] - 1
            or x0 + columns[-1] == shape[1] - 1
        )
        found = found.shifted(x0 - 1, y0 - 1).replaced(
            touches_border=[bool(at_border)], reason=[Reason.BORDER if at_border else None]
        )
        table = table.joined(found)
    return table


def _pixels_of(outline: Points, shape: tuple[int, int]) -> tuple[npt.NDArray[np.bool_], tuple[int, int]]:
    """The pixels of the panel within an outline, cut to its bounding box, and where that begins."""
    points = np.asarray(outline, float).reshape(-1, 2)
    if len(points) < _LEAST_CORNERS or not np.isfinite(points).all():
        raise InputError("an outline needs three corners or more")
    low = np.clip(np.floor(points.min(0)), 0, (shape[1], shape[0])).astype(int)
    high = np.clip(np.ceil(points.max(0)), 0, (shape[1], shape[0])).astype(int)
    if (high <= low).any():
        raise InputError(f"an outline lies outside the panel, which is {shape[1]} x {shape[0]} px")
    mask = _mask(points, low.astype(float), (int(high[1] - low[1]), int(high[0] - low[0])))
    if not mask.any():
        raise InputError("an outline holds no pixel of the panel")
    return mask, (int(low[0]), int(low[1]))


def united_outline(outlines: Sequence[Points], shape: tuple[int, int]) -> Points:
    """The outer outline of several together; of the largest piece, where they do not meet."""
    labels = np.zeros(shape, np.int32)
    for outline in outlines:
        mask, (x0, y0) = _pixels_of(outline, shape)
        labels[y0 : y0 + mask.shape[0], x0 : x0 + mask.shape[1]] |= mask
    return trace_outlines(labels)[1]


def cut_outline(outline: Points, start: Sequence[float], end: Sequence[float], shape: tuple[int, int]) -> list[Points]:
    """An outline cut in two along the straight line through two points.

    Raises
    ------
    InputError
        The line does not go through it.
    """
    mask, (x0, y0) = _pixels_of(outline, shape)
    rows, columns = np.nonzero(mask)
    (ax, ay), (bx, by) = start, end
    side = (bx - ax) * (rows + y0 + 0.5 - ay) - (by - ay) * (columns + x0 + 0.5 - ax) > 0
    if side.all() or not side.any():
        raise InputError("the line does not cut the particle in two")
    labels = np.zeros(mask.shape, np.int32)
    labels[rows, columns] = np.where(side, 1, 2)
    return [np.add(found, (x0, y0)) for found in trace_outlines(labels).values()]
