"""How particles lie to each other: the radial distribution function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import Delaunay, QhullError, cKDTree

from imagedataextractor.errors import InputError

__all__ = ["RadialDistribution", "hexatic_order", "pair_weights", "radial_distribution_function"]

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

#: Default bins up to the largest distance.
_BINS = 50
#: Particles from which there are distances, and from which a triangulation has an inside.
_LEAST_PAIR, _LEAST_MESH = 2, 4


@dataclass(frozen=True, eq=False)
class RadialDistribution:
    """g(r) of the particles' centres, lengths in the unit of the positions given.

    Attributes
    ----------
    r : float array, shape (k,)
        Middle of each bin.
    g : float array, shape (k,)
        Mean density at distance r from a particle over the mean density; 1 where there is no order.
        NaN throughout for fewer than two particles.
    pairs : int array, shape (k,)
        Ordered pairs found in each bin: what the estimate rests on.
    density : float
        Particles per unit of area.
    """

    r: Reals
    g: Reals
    pairs: npt.NDArray[np.int64]
    density: float


def radial_distribution_function(
    positions: npt.ArrayLike,
    frame: tuple[float, float],
    *,
    r_max: float | None = None,
    bins: int = _BINS,
) -> RadialDistribution:
    r"""Radial distribution function (pair correlation function) of points in a rectangle.

    Parameters
    ----------
    positions : array, shape (n, 2)
        x and y of every particle's centre. Border particles belong to it: leaving them out would
        thin the edge of the frame.
    frame : tuple of float
        Width and height of the rectangle from (0, 0), in the unit of the positions.
    r_max : float, optional
        Largest distance; by default a third of the shorter side.
    bins : int
        Number of bins between 0 and `r_max`.

    Returns
    -------
    RadialDistribution

    Raises
    ------
    InputError
        A position lies outside the frame, or a number makes no sense.

    Notes
    -----
    Pairs are weighted by translation edge correction [1]_, [2]_: a pair apart by (dx, dy) is seen
    wherever both ends are inside, which is on an area of (W − |dx|)·(H − |dy|), so it counts as one
    over that area:

    .. math:: g(r_k) = \frac{1}{\lambda^2 A_k} \sum_{i \ne j}
              \frac{[\,|x_i - x_j| \in k\,]}{(W - |dx|)(H - |dy|)},
              \qquad \lambda^2 = \frac{n(n-1)}{(W H)^2},

    A_k being the area of the ring. Unbiased for a Poisson pattern at every distance shorter than the
    frame's sides. Time grows with the number of pairs closer than `r_max`.

    References
    ----------
    .. [1] J. Ohser, On estimators for the reduced second moment measure of point processes,
       Math. Operationsforsch. Statist., Ser. Statist. 14 (1983) 63–71.
    .. [2] J. Illian, A. Penttinen, H. Stoyan and D. Stoyan, Statistical Analysis and Modelling of
       Spatial Point Patterns, Wiley 2008, sections 4.2 and 4.3.
    """
    points = np.asarray(positions, float).reshape(-1, 2)
    width, height = (float(side) for side in frame)
    if not (np.isfinite([width, height]).all() and width > 0 and height > 0):
        raise InputError(f"a frame of {width:g} by {height:g} makes no sense")
    if len(points) and not ((points >= 0).all() and (points <= (width, height)).all()):
        raise InputError(f"a position lies outside the frame of {width:g} by {height:g}")
    reach = min(width, height) / 3 if r_max is None else float(r_max)
    if not 0 < reach < min(width, height) or bins < 1:
        raise InputError(
            f"r_max = {reach:g} must be positive and shorter than the frame's sides, with at least one bin"
        )
    edges = np.linspace(0, reach, bins + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    n = len(points)
    density = n / (width * height)
    if n < _LEAST_PAIR:
        return RadialDistribution(middles, np.full(bins, np.nan), np.zeros(bins, np.int64), density)
    _, _, distances, weights = pair_weights(points, (width, height), reach)
    weighted, _ = np.histogram(distances, edges, weights=weights)
    counted, _ = np.histogram(distances, edges)
    rings = np.pi * np.diff(edges**2)
    squared = n * (n - 1) / (width * height) ** 2
    return RadialDistribution(middles, weighted / (squared * rings), 2 * counted.astype(np.int64), density)


def pair_weights(points: Reals, frame: tuple[float, float], reach: float) -> tuple[Integers, Integers, Reals, Reals]:
    """Pairs of points no farther apart than `reach`: both indices, the distance, and what both orders weigh together.

    See `radial_distribution_function`.
    """
    pairs = cKDTree(points).query_pairs(reach, output_type="ndarray")
    apart = np.abs(points[pairs[:, 0]] - points[pairs[:, 1]])
    weights = 2.0 / ((frame[0] - apart[:, 0]) * (frame[1] - apart[:, 1]))
    return pairs[:, 0], pairs[:, 1], np.hypot(apart[:, 0], apart[:, 1]), weights


def hexatic_order(positions: npt.ArrayLike) -> Reals:
    """Bond-orientational order of every particle: 1 in a hexagonal lattice, near 0 without order.

    Parameters
    ----------
    positions : array, shape (n, 2)
        x and y of every particle's centre.

    Returns
    -------
    float array, shape (n,)
        |ψ6|; NaN on the outer hull, where neighbours are missing, and throughout for fewer than four points or
        points on a line.

    Notes
    -----
    ψ6 is the mean of exp(6iθ) over the directions θ to the neighbours, those of Delaunay's triangulation [1]_.

    References
    ----------
    .. [1] D. R. Nelson and B. I. Halperin, Dislocation-mediated melting in two dimensions, Phys. Rev. B 19 (1979)
       2457–2484.
    """
    points = np.asarray(positions, float).reshape(-1, 2)
    order = np.full(len(points), np.nan)
    if len(points) < _LEAST_MESH:
        return order
    try:
        mesh = Delaunay(points)
    except QhullError:  # all on one line
        return order
    pointers, neighbours = mesh.vertex_neighbor_vertices
    count = np.diff(pointers)
    which = np.repeat(np.arange(len(points)), count)
    apart = points[neighbours] - points[which]
    bonds = np.exp(6j * np.arctan2(apart[:, 1], apart[:, 0]))
    total = np.bincount(which, bonds.real, len(points)) + 1j * np.bincount(which, bonds.imag, len(points))
    inner = count > 0
    inner[np.unique(mesh.convex_hull)] = False
    order[inner] = np.abs(total[inner]) / count[inner]
    return order
