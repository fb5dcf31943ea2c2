"""Closed outlines of many particles as flat arrays, and what follows from them: areas, moments, lengths, hulls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Polygons"]

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Polygons:
    """Closed polygons, one after the other.

    Attributes
    ----------
    points : float array, shape (M, 2)
        Vertices, columns x and y in pixels (pixel edges are whole numbers).
    start : int array, shape (P + 1,)
        Polygon p is ``points[start[p] : start[p + 1]]``; outer outlines run clockwise as seen, holes
        against it.
    owner : int array, shape (P,)
        Index of the particle that each belongs to, ascending.
    count : int
        Number of particles.
    """

    points: Reals
    start: Integers
    owner: Integers
    count: int

    @classmethod
    def one_each(cls, polygons: Sequence[npt.NDArray[np.floating]]) -> Polygons:
        """One polygon a particle, each of shape (n, 2)."""
        start = np.concatenate([[0], np.cumsum([len(polygon) for polygon in polygons])]).astype(np.int64)
        points = np.concatenate([np.empty((0, 2)), *polygons])
        return cls(np.asarray(points, float), start, np.arange(len(polygons)), len(polygons))

    @property
    def lengths(self) -> Integers:
        """Number of vertices of each polygon."""
        return np.asarray(np.diff(self.start), np.int64)

    def following(self) -> Integers:
        """Index of the vertex after each one."""
        after = np.arange(1, len(self.points) + 1)
        after[self.start[1:] - 1] = self.start[:-1]
        return after

    def owners(self) -> Integers:
        """The particle of every vertex, shape (M,)."""
        return np.repeat(self.owner, self.lengths)

    def signed_areas(self) -> Reals:
        """Area of every polygon, shape (P,); holes count negative."""
        after = self.points[self.following()]
        cross = self.points[:, 0] * after[:, 1] - after[:, 0] * self.points[:, 1]
        return np.asarray(np.add.reduceat(cross, self.start[:-1]) / 2)

    def perimeters(self) -> Reals:
        """Length of all outlines of each particle, shape (count,)."""
        sides = self.points[self.following()] - self.points
        return np.asarray(np.bincount(self.owners(), np.hypot(sides[:, 0], sides[:, 1]), self.count), float)

    def moments(self) -> tuple[Reals, Reals, Reals]:
        """Area, centroid (count, 2) and central second moments xx, yy, xy (count, 3) of each particle.

        By Green's theorem over the polygons' sides (C. Steger, On the calculation of arbitrary moments of
        polygons, TU München FGBV-96-05, 1996). The moments are means over the area, in px².
        """
        owners = self.owners()
        first = self.start[:-1]
        origin = np.zeros((self.count, 2))
        origin[self.owner[::-1]] = self.points[first[::-1]]  # near the particle, for the digits
        (x0, y0), (x1, y1) = (self.points - origin[owners]).T, (self.points[self.following()] - origin[owners]).T
        cross = x0 * y1 - x1 * y0

        def total(values: Reals) -> Reals:
            return np.asarray(np.bincount(owners, values, self.count), float)

        area = total(cross) / 2
        per_area = np.divide(1.0, area, where=area != 0, out=np.zeros(self.count))
        cx, cy = total(cross * (x0 + x1)) / 6 * per_area, total(cross * (y0 + y1)) / 6 * per_area
        xx = total(cross * (x0 * x0 + x0 * x1 + x1 * x1)) / 12 * per_area - cx * cx
        yy = total(cross * (y0 * y0 + y0 * y1 + y1 * y1)) / 12 * per_area - cy * cy
        xy = total(cross * (2 * x0 * y0 + x0 * y1 + x1 * y0 + 2 * x1 * y1)) / 24 * per_area - cx * cy
        return area, np.stack([cx, cy], axis=1) + origin, np.stack([xx, yy, xy], axis=1)

    def outer(self) -> Integers:
        """The polygon that is each particle's largest outline, shape (count,)."""
        areas = self.signed_areas()
        order = np.lexsort((areas, self.owner))
        last = np.zeros(self.count, np.int64)
        last[self.owner[order]] = order
        return last

    def polygon(self, index: int) -> Reals:
        return self.points[self.start[index] : self.start[index + 1]]

    def hulls(self) -> list[Reals]:
        """Convex hull of each particle's largest outline, vertices in order."""
        points = self.points.astype(np.float32)
        return [cv2.convexHull(points[self.start[p] : self.start[p + 1]])[:, 0].astype(float) for p in self.outer()]
