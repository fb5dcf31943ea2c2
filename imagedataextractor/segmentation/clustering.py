"""From embeddings and a seed map to a label map.

The greedy clustering of the paper, without its limits: no fixed frame, no least size of 128 px, and
time linear in the foreground pixels, because embeddings are kept in a grid and a proposal looks only
at the cells within its reach.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["ClusterSettings", "cluster", "one_region_each"]

FloatMap = npt.NDArray[np.float32]

#: φ from which a pixel is in a particle's core, which no other particle may start from (the paper's bound).
CORE = 0.5


@dataclass(frozen=True)
class ClusterSettings:
    """What the clustering goes by; the defaults were chosen on the validation images.

    Attributes
    ----------
    foreground : float
        Seed value from which a pixel may belong to a particle.
    start : float
        Seed value from which a pixel may start one.
    min_pixels : int
        Smallest particle, px.
    free_share : float
        A proposal is kept if at least this share of its pixels belongs to no particle yet.
    membership : float
        φ from which a pixel that lies in no particle's core (φ > 0.5) is given to the nearest.
    max_radius_px : float
        Reach of a proposal, a bound on the work for degenerate bandwidths.
    """

    foreground: float = 0.4
    start: float = 0.8
    min_pixels: int = 16
    free_share: float = 0.5
    membership: float = 0.5
    max_radius_px: float = 600.0


class _Grid:
    """Points in the plane, sorted by cells, so that a square is read in a few slices."""

    def __init__(self, points: npt.NDArray[np.float32], cell: float = 8.0) -> None:
        self.cell = cell
        self.origin = points.min(1) if points.size else np.zeros(2, np.float32)
        ij = ((points - self.origin[:, None]) / cell).astype(np.int64)
        self.columns = int(ij[0].max()) + 1 if points.size else 1
        self.rows = int(ij[1].max()) + 1 if points.size else 1
        keys = ij[1] * self.columns + ij[0]
        self.order = np.argsort(keys, kind="stable")
        self.starts = np.searchsorted(keys[self.order], np.arange(self.rows * self.columns + 1))

    def near(self, x: float, y: float, reach_x: float, reach_y: float) -> npt.NDArray[np.int64]:
        """Indices of all points in the cells that a rectangle about (x, y) touches."""
        left = max(int((x - reach_x - self.origin[0]) // self.cell), 0)
        right = min(int((x + reach_x - self.origin[0]) // self.cell), self.columns - 1)
        top = max(int((y - reach_y - self.origin[1]) // self.cell), 0)
        bottom = min(int((y + reach_y - self.origin[1]) // self.cell), self.rows - 1)
        if left > right or top > bottom:
            return np.empty(0, np.int64)
        slices = [
            self.order[self.starts[row * self.columns + left] : self.starts[row * self.columns + right + 1]]
            for row in range(top, bottom + 1)
        ]
        return np.concatenate(slices)


def cluster(
    embedding: FloatMap,
    bandwidth: FloatMap,
    seed: FloatMap,
    settings: ClusterSettings = ClusterSettings(),
) -> npt.NDArray[np.int32]:
    """Group pixels into particles.

    Proposals start from the free pixel of the highest seed value; the centre and bandwidth are then
    taken anew from the members, as the training loss defines them (means over the particle). A pixel
    that several kept proposals claim goes to the one with the larger φ. Every particle ends as one
    connected region without holes.

    Parameters
    ----------
    embedding : float array (2, H, W)
        x and y in px.
    bandwidth : float array (2, H, W)
        s of φ = exp(−Σ s (e − μ)²), 1/px².
    seed : float array (H, W)
        Seed map, 0 … 1.

    Returns
    -------
    int32 array (H, W)
        0 background, 1 … N particles in order of falling seed value.
    """
    shape = seed.shape
    flat = np.flatnonzero(seed.ravel() > settings.foreground)
    labels = np.zeros(seed.size, np.int32)
    if flat.size == 0:
        return labels.reshape(shape)
    points = embedding.reshape(2, -1)[:, flat]
    log_s = np.log(np.maximum(bandwidth.reshape(2, -1)[:, flat], 1e-12))
    seeds = seed.ravel()[flat]
    owner = _greedy(points, log_s, seeds, settings)
    labels[flat] = owner
    return _tidied(labels.reshape(shape), settings.min_pixels)


def _greedy(
    points: npt.NDArray[np.float32],
    log_s: npt.NDArray[np.float32],
    seeds: npt.NDArray[np.float32],
    settings: ClusterSettings,
) -> npt.NDArray[np.int32]:
    grid = _Grid(points)
    owner = np.zeros(seeds.size, np.int32)
    taken = np.zeros(seeds.size, bool)
    best_phi = np.zeros(seeds.size, np.float32)
    tried = seeds <= settings.start
    order = np.argsort(-seeds, kind="stable")
    position, label = 0, 0
    while True:
        position = _next_free(order, tried, position)
        if position < 0:
            return owner
        start = order[position]
        members, phi = _members(grid, points, points[:, start], log_s[:, start], settings)
        core = members[phi > CORE]
        free = core[~taken[core]]
        if free.size >= settings.min_pixels:
            members, phi = _members(grid, points, points[:, free].mean(1), log_s[:, free].mean(1), settings)
            core = members[phi > CORE]
        unowned = ~taken[core]
        tried[start] = True
        if unowned.sum() < settings.min_pixels or unowned.mean() < settings.free_share:
            # Not a particle; its free pixels start nothing either, or every one would be tried in turn.
            tried[core[unowned]] = True
            continue
        label += 1
        take = phi > best_phi[members]
        owner[members[take]] = label
        best_phi[members[take]] = phi[take]
        taken[core] = True
        tried[core] = True


def _next_free(order: npt.NDArray[np.int64], tried: npt.NDArray[np.bool_], position: int) -> int:
    """First position at or after `position` whose pixel may still start a particle; -1 if none."""
    step = 4096
    while position < order.size:
        block = np.flatnonzero(~tried[order[position : position + step]])
        if block.size:
            return position + int(block[0])
        position += step
    return -1


def _members(
    grid: _Grid,
    points: npt.NDArray[np.float32],
    centre: npt.NDArray[np.float32],
    log_s: npt.NDArray[np.float32],
    settings: ClusterSettings,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Pixels with φ > `membership` about a centre, and their φ."""
    s = np.exp(log_s)
    reach = np.minimum(np.sqrt(-np.log(settings.membership) / s), settings.max_radius_px)
    near = grid.near(float(centre[0]), float(centre[1]), float(reach[0]), float(reach[1]))
    offsets = points[:, near] - centre[:, None]
    phi = np.exp(-(s[:, None] * offsets * offsets).sum(0))
    inside = phi > settings.membership
    return near[inside], phi[inside].astype(np.float32)


def one_region_each(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The label map with only the largest connected region of each label."""
    result = labels.copy()
    for index, box in enumerate(ndimage.find_objects(labels)):
        if box is None:
            continue
        mask = labels[box] == index + 1
        parts, count = ndimage.label(mask)
        if count > 1:
            result[box][mask & (parts != np.bincount(parts.ravel())[1:].argmax() + 1)] = 0
    return result


def _tidied(labels: npt.NDArray[np.int32], min_pixels: int) -> npt.NDArray[np.int32]:
    """One connected region a label, without holes; smaller pieces go to what surrounds them, or away."""
    result = np.zeros_like(labels)
    pieces: list[tuple[tuple[slice, slice], npt.NDArray[np.bool_]]] = []
    kept = 0
    for index, box in enumerate(ndimage.find_objects(labels)):
        if box is None:
            continue
        mask = labels[box] == index + 1
        parts, count = ndimage.label(mask)
        if count > 1:
            sizes = np.bincount(parts.ravel())[1:]
            main = parts == int(sizes.argmax()) + 1
            pieces.append((box, mask & ~main))
        else:
            main = mask
        if main.sum() < min_pixels:
            pieces.append((box, main))
            continue
        kept += 1
        target = result[box]
        target[main] = kept
    if pieces:
        _reassign(result, pieces)
    _fill_holes(result)
    return result


def _reassign(result: npt.NDArray[np.int32], pieces: list[tuple[tuple[slice, slice], npt.NDArray[np.bool_]]]) -> None:
    """Give every loose piece to the particle that it touches most, in place; drop it if it touches none."""
    for box, mask in pieces:
        grown = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in box)
        pad = [(s.start - g.start, g.stop - s.stop) for s, g in zip(box, grown, strict=True)]
        view = result[grown]
        pad = [(before, view.shape[axis] - mask.shape[axis] - before) for axis, (before, _) in enumerate(pad)]
        parts, count = ndimage.label(np.pad(mask, pad))
        for part in range(1, count + 1):
            piece = parts == part
            rim = ndimage.binary_dilation(piece) & ~piece
            around = np.bincount(view[rim])[1:]
            if not around.size or around.max() * 2 < rim.sum():
                continue  # more background than particle around it
            view[piece] = int(around.argmax()) + 1


def _fill_holes(result: npt.NDArray[np.int32]) -> None:
    """Fill background enclosed by a single particle, in place."""
    for index, box in enumerate(ndimage.find_objects(result)):
        if box is None:
            continue
        view = result[box]
        filled = ndimage.binary_fill_holes(view == index + 1)
        view[filled & (view == 0)] = index + 1
