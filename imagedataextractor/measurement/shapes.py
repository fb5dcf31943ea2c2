"""What a particle's outline looks like: circle, ellipse, rod, square, rectangle, triangle, hexagon or none of them."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from imagedataextractor.measurement.polygons import Polygons

__all__ = ["ShapeClass", "classify_shapes", "ribbons"]

Reals = npt.NDArray[np.float64]

#: Directions from the centroid at which outlines are compared.
DIRECTIONS = 72
#: Overlap (intersection over union) with its ideal shape below which an outline is irregular.
LEAST_OVERLAP = 0.88
#: Overlap that a shape has to gain over a simpler one: per free parameter beside size and direction.
PARAMETER_COST = 0.012
#: … and for having corners at all: smooth outlines are the rule, and blur rounds what it meets.
CORNER_COST = 0.004
#: Length over width from which a body is measured along its middle line.
LONG = 2.0


class ShapeClass(StrEnum):
    """Ideal outlines, by name; ISO 13322-1 and ISO 9276-6 leave classes to the user."""

    CIRCLE = "circle"
    ELLIPSE = "ellipse"
    ROD = "rod"
    SQUARE = "square"
    RECTANGLE = "rectangle"
    TRIANGLE = "triangle"
    HEXAGON = "hexagon"
    IRREGULAR = "irregular"


def classify_shapes(
    outlines: Polygons, areas: Reals, centres: Reals, axes: tuple[Reals, Reals, Reals]
) -> tuple[list[ShapeClass], Reals]:
    """Shape class of each particle, and its overlap with the ideal one.

    Parameters
    ----------
    outlines : Polygons
    areas : float array, shape (n,)
        Pixels².
    centres : float array, shape (n, 2)
        Centroids, x and y.
    axes : tuple of float arrays, shape (n,)
        Major and minor axis of the ellipse with the same moments, px, and its direction in degrees,
        counter-clockwise as seen.

    Returns
    -------
    list of ShapeClass, float array of shape (n,)
        The score is intersection over union with the ideal outline of the same area, centroid, aspect ratio
        and direction, each of regular polygons turned to where it fits best; for an irregular one, the best
        of all classes.

    Notes
    -----
    Outlines are compared as distances from the centroid against the angle, so that a body that is not seen
    whole from its centroid is compared by what is seen. A shape with one more parameter has to fit better by
    0.012, one with corners by 0.004: blur rounds corners and digitising roughens circles.
    """
    n = outlines.count
    if n == 0:
        return [], np.zeros(0)
    major, minor, direction = axes
    unit = _radii(outlines, centres, np.radians(direction)) / np.sqrt(areas)[:, None]
    ratio = major / np.maximum(minor, 1e-9)
    kinds, overlaps, costs = [], [], []
    for kind, ideal, turns, cost in _ideals(ratio):
        best = np.zeros(n)
        for turn in turns:
            np.maximum(best, _overlap(unit, np.roll(ideal, turn, axis=1)), out=best)
        kinds.append(kind)
        overlaps.append(best)
        costs.append(cost)
    table = np.stack(overlaps)
    chosen = (table - np.array(costs)[:, None]).argmax(axis=0)
    score = table[chosen, np.arange(n)]
    irregular = table.max(axis=0) < LEAST_OVERLAP
    classes = [ShapeClass.IRREGULAR if odd else kinds[k] for k, odd in zip(chosen, irregular, strict=True)]
    return classes, np.where(irregular, table.max(axis=0), score)


def ribbons(areas: Reals, depths: Reals) -> tuple[Reals, Reals]:
    """Length along the middle line and mean width of long bodies, straight or bent.

    Parameters
    ----------
    areas : float array, shape (n,)
    depths : float array, shape (n,)
        Mean distance of a body's points from its outline.

    Returns
    -------
    length, width : float arrays, shape (n,)
        Of the ribbon of the same area A and mean depth m: A = w·L and m = w/4 − w²/(12·L), whatever its
        bends. They stand for the geodesic length and the thickness of ISO 9276-6. NaN for bodies less than
        twice as long as wide.
    """
    width = 4.0 * depths
    for _ in range(30):  # a contraction for L ≥ w
        width = np.minimum(4 * depths + width**3 / (3 * areas), np.sqrt(areas))
    length = areas / np.maximum(width, 1e-9)
    long = length >= LONG * width
    return np.where(long, length, np.nan), np.where(long, width, np.nan)


def _radii(outlines: Polygons, centres: Reals, direction: Reals) -> Reals:
    """Distance of each particle's outer outline from its centroid, from the major axis round; shape (n, DIRECTIONS)."""
    outer = outlines.outer()
    lengths = outlines.lengths[outer]
    who = np.repeat(np.arange(outlines.count), lengths)
    ends = np.cumsum(lengths)
    index = np.arange(ends[-1]) + np.repeat(outlines.start[outer] - ends + lengths, lengths)
    apart = outlines.points[index] - centres[who]
    turn = 2 * np.pi
    angle = (np.arctan2(-apart[:, 1], apart[:, 0]) - direction[who]) % turn
    # one axis for all: particle i has the angles from 2·i to 2·i + 1 turns, and its ends' copies beside them
    place = np.concatenate([angle + 2 * turn * who, angle + 2 * turn * who + turn, angle + 2 * turn * who - turn])
    inside = (place > (2 * np.tile(who, 3) - 0.5) * turn) & (place < (2 * np.tile(who, 3) + 1.5) * turn)
    radius = np.tile(np.hypot(apart[:, 0], apart[:, 1]), 3)
    order = np.argsort(place[inside])
    wanted = np.arange(DIRECTIONS) * turn / DIRECTIONS + 2 * turn * np.arange(outlines.count)[:, None]
    found = np.interp(wanted.ravel(), place[inside][order], radius[inside][order])
    return np.asarray(found.reshape(outlines.count, DIRECTIONS))


def _overlap(one: Reals, other: Reals) -> Reals:
    """Intersection over union of two bodies given by their radii at equal angles."""
    common, whole = np.minimum(one, other) ** 2, np.maximum(one, other) ** 2
    return np.asarray(common.sum(axis=1) / whole.sum(axis=1))


def _ideals(ratio: Reals) -> Iterator[tuple[ShapeClass, Reals, range, float]]:
    """Each class with its radii for unit area, shape (n or 1, DIRECTIONS), its turns to try, and its cost."""
    angle = np.arange(DIRECTIONS)[None, :] * 2 * np.pi / DIRECTIONS
    still = range(1)
    yield ShapeClass.CIRCLE, np.full((1, DIRECTIONS), 1 / np.sqrt(np.pi)), still, 0.0
    for kind, corners in ((ShapeClass.SQUARE, 4), (ShapeClass.HEXAGON, 6), (ShapeClass.TRIANGLE, 3)):
        yield kind, _regular(angle, corners), range(DIRECTIONS // corners), CORNER_COST
    aspect = ratio[:, None]
    a, b = np.sqrt(aspect / np.pi), 1 / np.sqrt(np.pi * aspect)
    yield ShapeClass.ELLIPSE, a * b / np.hypot(b * np.cos(angle), a * np.sin(angle)), still, PARAMETER_COST
    half, wide = np.sqrt(aspect) / 2, 1 / (2 * np.sqrt(aspect))
    along, across = np.maximum(np.abs(np.cos(angle)), 1e-9), np.maximum(np.abs(np.sin(angle)), 1e-9)
    yield ShapeClass.RECTANGLE, np.minimum(half / along, wide / across), still, PARAMETER_COST + CORNER_COST
    yield ShapeClass.ROD, _stadium(aspect, along, across), still, PARAMETER_COST + CORNER_COST


def _regular(angle: Reals, corners: int) -> Reals:
    sector = 2 * np.pi / corners
    shape = np.cos(sector / 2) / np.cos((angle % sector) - sector / 2)
    return np.asarray(shape / np.sqrt(corners * np.sin(sector) / 2))


def _stadium(aspect: Reals, along: Reals, across: Reals) -> Reals:
    """Radii of rods with round ends of unit area whose second moments have this ratio of axes.

    With round ends of radius 1 about a straight part of 2·h, the integrals of the squared distances along and
    across are 4h³/3 + 8h/3 + π·h² + π/4 and 4h/3 + π/4; h is found by bisection.
    """
    low, high = np.zeros_like(aspect), 4 * aspect + 1
    for _ in range(40):
        h = (low + high) / 2
        along_2 = 4 * h**3 / 3 + np.pi / 4 + np.pi * h**2 + 8 * h / 3
        across_2 = 4 * h / 3 + np.pi / 4
        longer = along_2 / across_2 > aspect**2
        high, low = np.where(longer, h, high), np.where(longer, low, h)
    h = (low + high) / 2
    # a ray leaves by a straight side where it reaches the side's height before the end's centre
    by_side = 1 / across
    on_side = by_side * along <= h
    by_end = h * along + np.sqrt(np.maximum(1 - (h * across) ** 2, 0))
    return np.asarray(np.where(on_side, by_side, by_end) / np.sqrt(4 * h + np.pi))
