"""What a frame shows as a whole — coverage, number density, g(r), hexatic order — with intervals.

Particles near each other are not independent, so that resampling them one by one makes intervals too narrow.
The frame is cut into tiles, and tiles are drawn with all that is in them [1]_, [2]_.

References
----------
.. [1] S. N. Lahiri, Resampling Methods for Dependent Data, Springer 2003, chapter 12.
.. [2] J. M. Loh, A valid and fast spatial bootstrap for correlation functions, Astrophys. J. 681 (2008) 726–734.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imagedataextractor.measurement.distributions import FEWEST, Estimate, interval_of
from imagedataextractor.measurement.ordering import hexatic_order, pair_weights
from imagedataextractor.measurement.table import ParticleTable
from imagedataextractor.records import Reason

__all__ = ["Field", "describe_field", "radial_interval"]

Reals = npt.NDArray[np.float64]

#: Tiles along each side of the frame: sixteen are few for a bootstrap, and more would cut through what hangs together.
TILES = 4
#: Resamples of the tiles.
RESAMPLES = 1000


@dataclass(frozen=True)
class Field:
    """Estimates of a frame; None below `distributions.FEWEST` particles.

    Attributes
    ----------
    coverage : Estimate or None
        Share of the measured area that particles cover, those at the border with what is seen of them.
    density_px2 : Estimate or None
        Accepted particles per px², free of the frame's bias against large ones.
    hexatic : Estimate or None
        Mean |ψ6| of the particles that are not on the outer hull.
    """

    coverage: Estimate | None = None
    density_px2: Estimate | None = None
    hexatic: Estimate | None = None


def describe_field(particles: ParticleTable, shape: tuple[int, int], *, excluded_px: int = 0, seed: int = 0) -> Field:
    """Coverage, number density and hexatic order of a frame with their 95 % intervals.

    Parameters
    ----------
    particles : ParticleTable
        All of the frame, coordinates from its corner.
    shape : tuple of int
        Its height and width in pixels.
    excluded_px : int
        Pixels of it that were not measured.
    seed : int
        Of the bootstrap.

    Notes
    -----
    A particle belongs to the tile of its centroid, with its whole area. The density is that of
    `statistics.number_density`.
    """
    measured = max(shape[0] * shape[1] - excluded_px, 1)
    real = particles.where(np.array([reason in (None, Reason.BORDER) for reason in particles["reason"]], bool))
    if len(real) < FEWEST:
        return Field()
    tiles = _tiles(np.stack([real["x_px"], real["y_px"]], axis=1), (shape[1], shape[0]))
    accepted = real["accepted"]
    counted = np.zeros(len(real))
    for row in np.flatnonzero(accepted).tolist():
        corners = real.outline(row)
        if len(corners):
            w, h = np.ptp(corners, axis=0)
            counted[row] = 1 / (max(shape[1] - w, 1.0) * max(shape[0] - h, 1.0))
    order = hexatic_order(np.stack([real["x_px"], real["y_px"]], axis=1))
    known = np.isfinite(order)
    drawn = _draws(seed)
    area = real["area_px"] / measured
    density = counted * shape[0] * shape[1] / measured
    return Field(
        coverage=_bounded(_of_sums(area, tiles, drawn), 1.0),
        density_px2=_of_sums(density, tiles, drawn) if accepted.sum() >= FEWEST else None,
        hexatic=_bounded(_of_means(order[known], tiles[known], drawn), 1.0) if known.sum() >= FEWEST else None,
    )


def radial_interval(
    positions: npt.ArrayLike, frame: tuple[float, float], *, r_max: float, bins: int, seed: int = 0
) -> tuple[Reals, Reals]:
    """Ends of the pointwise 95 % intervals of g(r), shape (bins,) each; NaN below `distributions.FEWEST` points.

    Parameters
    ----------
    positions, frame, r_max, bins
        As in `ordering.radial_distribution_function`.

    Notes
    -----
    Every point keeps the pairs that it is the first of, with their weights, and tiles of points are drawn [2]_.
    """
    points = np.asarray(positions, float).reshape(-1, 2)
    n = len(points)
    if n < FEWEST:
        nothing = np.full(bins, np.nan)
        return nothing, nothing
    first, second, distance, weight = pair_weights(points, frame, r_max)
    edges = np.linspace(0, r_max, bins + 1)
    where = np.clip(np.digitize(distance, edges) - 1, 0, bins - 1)
    each = np.zeros((n, bins))
    for end in (first, second):
        np.add.at(each, (end, where), weight / 2)
    tiles, drawn = _tiles(points, frame), _draws(seed)
    sums = np.stack([np.bincount(tiles, each[:, k], TILES**2) for k in range(bins)], axis=1)
    count = np.bincount(tiles, minlength=TILES**2).astype(float)
    rings = np.pi * np.diff(edges**2)
    area = frame[0] * frame[1]
    numbers = drawn @ count
    found = (drawn @ sums) * (area**2 / np.maximum(numbers * (n - 1), 1.0))[:, None] / rings
    best = sums.sum(axis=0) * area**2 / (n * (n - 1)) / rings
    ends = [interval_of(float(best[k]), found[:, k], TILES**2) for k in range(bins)]
    return np.array([max(end.low, 0.0) for end in ends]), np.array([end.high for end in ends])


def _tiles(points: Reals, frame: tuple[float, float]) -> npt.NDArray[np.int64]:
    column, row = (np.clip(points / frame * TILES, 0, TILES - 1).astype(np.int64)).T
    return np.asarray(row * TILES + column)


def _draws(seed: int) -> Reals:
    """How often each tile is drawn, shape (resamples, tiles)."""
    count = TILES**2
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(float)


def _of_sums(values: Reals, tiles: npt.NDArray[np.int64], drawn: Reals) -> Estimate:
    sums = np.bincount(tiles, values, TILES**2)
    return interval_of(float(sums.sum()), drawn @ sums, TILES**2)


def _of_means(values: Reals, tiles: npt.NDArray[np.int64], drawn: Reals) -> Estimate:
    sums, count = np.bincount(tiles, values, TILES**2), np.bincount(tiles, minlength=TILES**2)
    numbers = drawn @ count
    found = (drawn @ sums)[numbers > 0] / numbers[numbers > 0]
    return interval_of(float(values.mean()), found, int((count > 0).sum()))


def _bounded(estimate: Estimate, largest: float) -> Estimate:
    """The interval within what is possible."""
    return Estimate(estimate.value, max(estimate.low, 0.0), min(estimate.high, largest), estimate.error)
