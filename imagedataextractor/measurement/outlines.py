"""The outline of every region of a label map, along the edges of its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from imagedataextractor.measurement.polygons import Polygons

__all__ = ["Outline", "Steps", "find_steps", "staircases", "trace_outlines"]

Contour = tuple[tuple[float, float], ...]

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
class Outline:
    """The outline of one label.

    Attributes
    ----------
    contour : tuple of (x, y)
        The outer outline of its largest region: the corners where it turns, clockwise as seen, the
        first not repeated. The polygon's area is that of the region's pixels and of its holes.
    corners : float array, shape (n, 2)
        The corners, x and y, of all its outlines.
    midpoints : float array, shape (2·n, 2)
        The middles of the pixel edges next to those corners.
    pixels : int array, shape (2·n, 2)
        Column and row of the label's pixels at those edges; the convex hull of all its pixels has no
        other vertices.
    """

    contour: Contour
    corners: npt.NDArray[np.float64]
    midpoints: npt.NDArray[np.float64]
    pixels: npt.NDArray[np.int64]


def trace_outlines(label_map: npt.NDArray[np.integer], steps: Steps | None = None) -> dict[int, Outline]:
    """Outline of every label.

    Parameters
    ----------
    label_map : integer array, shape (H, W)
    steps : Steps, optional
        Those of the map, where they have been found already.

    Returns
    -------
    dict
        Label → `Outline`, in pixel-edge coordinates; labels that do not occur are missing.

    Notes
    -----
    Every pixel edge with the region on one side is a step with the region to its right; steps that
    meet are linked and followed. Where two pixels meet at a corner only, the outline passes through
    it twice: pixels belong together when they share an edge.
    """
    labels = np.asarray(label_map)
    steps = find_steps(labels) if steps is None else steps
    if not len(steps.owner):
        return {}
    follower = _link(labels, steps)
    turns = steps.heading[follower] != steps.heading
    start = np.stack([steps.x, steps.y], axis=1).astype(float)
    middle, pixel = steps.middles(), steps.pixels(inside=True)
    found: dict[int, list[npt.NDArray[np.int64]]] = {}
    for loop in _loops(follower.tolist()):
        followed = np.array(loop)
        found.setdefault(int(steps.owner[loop[0]]), []).append(followed[turns[followed]])
    outlines = {}
    for label, loops in found.items():
        polygons = [start[follower[before]] for before in loops]
        outer = polygons[0] if len(polygons) == 1 else max(polygons, key=_signed_area)
        before = loops[0] if len(loops) == 1 else np.concatenate(loops)
        outlines[label] = Outline(
            contour=tuple((a, b) for a, b in outer.tolist()),
            corners=start[follower[before]],
            midpoints=np.concatenate([middle[before], middle[follower[before]]]),
            pixels=np.concatenate([pixel[before], pixel[follower[before]]]),
        )
    return outlines


def staircases(label_map: npt.NDArray[np.integer]) -> tuple[Polygons, npt.NDArray[np.int64]]:
    """The middles of the pixel edges that bound each label, in order, and the labels that occur, ascending.

    The middle of an edge between a pixel whose centre is inside and one whose centre is outside lies within
    half a pixel of the outline that was digitised, on either side alike.
    """
    labels = np.asarray(label_map)
    steps = find_steps(labels)
    present, index = np.unique(steps.owner, return_inverse=True)
    if not len(present):
        return Polygons(np.empty((0, 2)), np.zeros(1, np.int64), np.zeros(0, np.int64), 0), present
    loops = _loops(_link(labels, steps).tolist())
    loops.sort(key=lambda loop: int(index[loop[0]]))
    lengths = np.array([len(loop) for loop in loops])
    order = np.fromiter(chain.from_iterable(loops), np.int64, int(lengths.sum()))
    start = np.concatenate([[0], np.cumsum(lengths)])
    owner = index[order[start[:-1]]].astype(np.int64)
    return Polygons(steps.middles()[order], start, owner, len(present)), present


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


def _loops(follower: list[int]) -> list[list[int]]:
    """Follow the links until each loop closes."""
    unseen = [True] * len(follower)
    loops = []
    for start in range(len(follower)):
        if not unseen[start]:
            continue
        loop = []
        step = start
        while unseen[step]:
            unseen[step] = False
            loop.append(step)
            step = follower[step]
        loops.append(loop)
    return loops


def _signed_area(polygon: npt.NDArray[np.float64]) -> float:
    """Positive for outer outlines, negative for those of holes (clockwise as seen, y down)."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)
