"""The outline of every region of a label map, along the edges of its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imagedataextractor.measurement.polygons import Polygons

__all__ = ["Loops", "Steps", "find_steps", "trace_loops", "trace_outlines"]

#: Steps along pixel edges, clockwise as seen (y down): east, south, west, north.
_EAST, _SOUTH, _WEST, _NORTH = range(4)
_DX, _DY = np.array([1, 0, -1, 0]), np.array([0, 1, 0, -1])


@dataclass(frozen=True, eq=False)
class Steps:
    """Edges of pixels that bound a label, as steps with the label to their right; arrays of shape (n,).

    Attributes
    ----------
    owner : int array
        The label.
    y, x : int array
        The corner at which the step starts.
    heading : int array
        0 east, 1 south, 2 west, 3 north.
    """

    owner: npt.NDArray[np.int64]
    y: npt.NDArray[np.int64]
    x: npt.NDArray[np.int64]
    heading: npt.NDArray[np.int64]

    def middles(self) -> npt.NDArray[np.float64]:
        """Middle of each step, shape (n, 2), columns x and y."""
        return np.stack([self.x + 0.5 * _DX[self.heading], self.y + 0.5 * _DY[self.heading]], axis=1)

    def pixels(self, *, inside: bool) -> npt.NDArray[np.int64]:
        """Column and row of the pixel on the label's side of each step, or of the one beyond it; shape (n, 2)."""
        sideways = (self.heading + (1 if inside else 3)) % 4
        towards = np.stack([_DX[sideways], _DY[sideways]], axis=1)
        return np.floor(self.middles() + 0.5 * towards).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Loops:
    """The steps of a label map in the order in which they go round its regions.

    Attributes
    ----------
    steps : Steps
    order : int array, shape (n,)
        Indices of the steps, one loop after the other.
    start : int array, shape (L + 1,)
        Loop i is ``order[start[i] : start[i + 1]]``.
    owner : int array, shape (L,)
        Index in `present` of each loop's label, ascending.
    present : int array, shape (N,)
        The labels that occur, ascending.
    """

    steps: Steps
    order: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    owner: npt.NDArray[np.int64]
    present: npt.NDArray[np.int64]

    def staircases(self) -> Polygons:
        """The middles of the pixel edges that bound each label.

        The middle of an edge between a pixel whose centre is inside and one whose centre is outside lies within
        half a pixel of the outline that was digitised, on either side alike.
        """
        return Polygons(self.steps.middles()[self.order], self.start, self.owner, len(self.present))

    def corners(self) -> tuple[Polygons, npt.NDArray[np.int64]]:
        """The corners where outlines turn, and the label's pixels before and after each of them.

        A polygon's area is that of the region's pixels and of its holes. The pixels, shape (2·M, 2), columns and
        rows, are in the order of the corners; the convex hull of a label's pixels has no other vertices.
        """
        after = self.order[self._following()]
        turns = np.flatnonzero(self.steps.heading[after] != self.steps.heading[self.order])
        start = np.searchsorted(turns, self.start)
        points = np.stack([self.steps.x, self.steps.y], axis=1)[after[turns]].astype(float)
        pixels = self.steps.pixels(inside=True)
        about = np.stack([pixels[self.order[turns]], pixels[after[turns]]], axis=1).reshape(-1, 2)
        return Polygons(points, start, self.owner, len(self.present)), about

    def _following(self) -> npt.NDArray[np.int64]:
        after = np.arange(1, len(self.order) + 1)
        after[self.start[1:] - 1] = self.start[:-1]
        return after


def trace_loops(label_map: npt.NDArray[np.integer], steps: Steps | None = None) -> Loops:
    """All outlines of all labels.

    Parameters
    ----------
    label_map : integer array, shape (H, W)
    steps : Steps, optional
        Those of the map, where they have been found already.

    Notes
    -----
    Every pixel edge with the region on one side is a step with the region to its right; steps that
    meet are linked and followed. Where two pixels meet at a corner only, the outline passes through
    it twice: pixels belong together when they share an edge.
    """
    labels = np.asarray(label_map)
    steps = find_steps(labels) if steps is None else steps
    order, start = _loops(_link(labels, steps))
    present, index = np.unique(steps.owner, return_inverse=True)
    owner = index[order[start[:-1]]].astype(np.int64)
    # loops of one label after the other
    ranked = np.argsort(owner, kind="stable")
    lengths = np.diff(start)[ranked]
    ends = np.cumsum(lengths)
    order = order[np.arange(len(order)) + np.repeat(start[:-1][ranked] - ends + lengths, lengths)]
    return Loops(steps, order, np.concatenate([[0], ends]).astype(np.int64), owner[ranked], present)


def trace_outlines(label_map: npt.NDArray[np.integer]) -> dict[int, npt.NDArray[np.float64]]:
    """The outer outline of each label's largest region.

    Returns
    -------
    dict
        Label → the corners where the outline turns, shape (n, 2), columns x and y in pixel-edge coordinates,
        clockwise as seen, the first not repeated; labels that do not occur are missing.
    """
    loops = trace_loops(label_map)
    corners, _ = loops.corners()
    return {label: corners.polygon(p) for label, p in zip(loops.present.tolist(), corners.outer(), strict=True)}


def find_steps(label_map: npt.NDArray[np.integer]) -> Steps:
    """All steps of all outlines, in no particular order."""
    labels = np.pad(label_map, 1)
    width = labels.shape[1]
    flat = labels.ravel()
    right = np.flatnonzero(flat[1:] != flat[:-1]) + 1  # pixels that differ from the one on their left
    below = np.flatnonzero(flat[width:] != flat[:-width]) + width  # … from the one above
    parts = []
    # (pixels whose edge it is, heading, corner at which the step starts, from the pixel's upper left)
    for pixels, heading, (cy, cx) in (
        (below[flat[below] > 0], _EAST, (0, 0)),
        (right[flat[right - 1] > 0] - 1, _SOUTH, (0, 1)),
        (below[flat[below - width] > 0] - width, _WEST, (1, 1)),
        (right[flat[right] > 0], _NORTH, (1, 0)),
    ):
        rows, columns = np.divmod(pixels, width)
        parts.append((flat[pixels], rows - 1 + cy, columns - 1 + cx, np.full(len(pixels), heading)))
    owner, y, x, heading_of = (np.concatenate(column).astype(np.int64) for column in zip(*parts, strict=True))
    return Steps(owner, y, x, heading_of)


def _link(label_map: npt.NDArray[np.integer], steps: Steps) -> npt.NDArray[np.int64]:
    """Index of the step that follows each one.

    With the region to the right, the next heading is found from the two pixels ahead: right turn if
    the one ahead on the right is not of the region, left turn if the one ahead on the left is too.
    Turning right first keeps pixels apart that only share a corner.
    """
    labels = np.pad(label_map, 1)
    owner, heading = steps.owner, steps.heading
    end_y, end_x = steps.y + _DY[heading], steps.x + _DX[heading]
    # the pixel whose upper left corner is (y, x) is labels[y + 1, x + 1]; those about a corner are at −1 and 0
    about = {
        _EAST: ((0, 0), (-1, 0)),
        _SOUTH: ((0, -1), (0, 0)),
        _WEST: ((-1, -1), (0, -1)),
        _NORTH: ((-1, 0), (-1, -1)),
    }
    right_ahead = np.zeros(len(owner), bool)
    left_ahead = np.zeros(len(owner), bool)
    for direction, ((ry, rx), (ly, lx)) in about.items():
        chosen = heading == direction
        cy, cx = end_y[chosen] + 1, end_x[chosen] + 1
        right_ahead[chosen] = labels[cy + ry, cx + rx] == owner[chosen]
        left_ahead[chosen] = labels[cy + ly, cx + lx] == owner[chosen]
    turn = np.where(~right_ahead, 1, np.where(left_ahead, -1, 0))
    next_heading = (heading + turn) % 4
    width = labels.shape[1]
    key = ((steps.y * width) + steps.x) * 4 + heading
    wanted = ((end_y * width) + end_x) * 4 + next_heading
    # a corner and a heading belong to one label only: the pixel on the step's right
    order = np.argsort(key)
    return np.asarray(order[np.searchsorted(key[order], wanted)], np.int64)


def _loops(follower: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Steps in the order of their loops, each from its first step, and where each loop starts; shapes (n,), (L + 1,).

    A permutation's cycles without following them one by one: by leaps of 1, 2, 4, … links, first to the smallest
    index of each cycle, then to the number of links that are left before it (pointer jumping; J. JáJá, An
    introduction to parallel algorithms, Addison-Wesley 1992, chapter 3).
    """
    first, leap = np.arange(len(follower)), follower
    while True:
        lower = np.minimum(first, first[leap])
        if np.array_equal(lower, first):
            break
        first, leap = lower, leap[leap]
    ends = follower == first
    leap = np.where(ends, np.arange(len(follower)), follower)
    left = np.where(ends, 0, 1)
    while True:
        further = left[leap]
        if not further.any():
            break
        left, leap = left + further, leap[leap]
    starts = np.flatnonzero(first == np.arange(len(follower)))
    lengths = left[starts] + 1
    start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    begin = np.zeros(len(follower), np.int64)
    begin[starts] = start[1:] - 1
    order = np.empty(len(follower), np.int64)
    order[begin[first] - left] = np.arange(len(follower))
    return order, start
