"""Feret's diameters: the widths of particles between parallel tangents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gamma

from imagedataextractor.measurement.polygons import Polygons

__all__ = ["Ferets", "digitisation_gaps", "ferets", "lattice_points"]

Reals = npt.NDArray[np.float64]

#: Angles at which widths are taken, over half a turn.
ANGLES = 90
#: Highest harmonic of the width as a function of angle; harmonics are even, as a width has no direction.
HARMONIC = 6
#: Scatter of the width of a digitised shape, below which a wave of few harmonics stands for it.
WIDTH_SCATTER_PX = 0.22
#: Amplitude that digitising alone gives the harmonics of a disc's width: waves of it are shrunk away.
WAVE_NOISE_PX = 0.15
#: Of a rounding, the mean gap between tangents over the mean gap between areas: between its vertices a hull falls
#: back from the outline, which the area counts twice as much (a chord's sagitta) as the tangents.
TANGENT_SHARE = 0.7
#: Depth of the cap that tells a corner from a rounding, in pixels: some pixels deep, small against particles.
CAP_PX = 3.0
#: Gaps over a lattice against those over points thrown at random (E = Γ(1 + 1/m)·D·V^(−1/m)), which leave larger
#: ones; from squares, hexagons and triangles of 20 to 80 px at random angles (benchmarks/measurement.py).
LATTICE_EVENNESS = 0.78
#: Smallest radius of curvature of an outline that can be seen, px.
LEAST_RADIUS_PX = 1.0
#: Extremes of a digitised shape that lie at least so far apart in direction, rad, can be of different parts of it …
ALIKE_APART = np.radians(25)
#: … and so many of them are looked at …
ALIKE_DIRECTIONS = 6
#: … where they differ by no more than their scatter; about three times it, px.
ALIKE_PX = 1.0
#: Angles over a whole turn at which gaps are taken for the mean width.
MEAN_GAP_ANGLES = 15
#: Hulls are measured together in groups of similar numbers of vertices, each padded to the largest.
_GROUPS = (8, 16, 32, 64, 128, 256, 512)
#: Height, px, below which a side of a hull is level: its ends are one place for a chord.
_LEVEL_PX = 1e-12


@dataclass(frozen=True, eq=False)
class Ferets:
    """Arrays of shape (n,), pixels; angles counter-clockwise as seen against the x axis, in (-90, 90].

    Attributes
    ----------
    largest, smallest : float array
        Maximum and minimum Feret diameter, x_Fmax and x_Fmin of ISO 13322-1 and ISO 9276-6.
    across : float array
        Feret diameter at 90° to the largest.
    mean : float array
        Mean over all angles; π times it is the perimeter of the convex hull (Cauchy's theorem).
    angle_deg : float array
        Direction of the largest.
    """

    largest: Reals
    smallest: Reals
    across: Reals
    mean: Reals
    angle_deg: Reals


def lattice_points(hulls: Polygons) -> Reals:
    """Number of lattice points in or on each polygon with corners on the lattice.

    Pick's theorem: area + (lattice points on it)/2 + 1.
    """
    return np.abs(hulls.signed_areas()) + _missing(hulls)


def _missing(hulls: Polygons) -> Reals:
    steps = np.abs(np.rint(hulls.points[hulls.following()] - hulls.points)).astype(np.int64)
    return np.asarray(np.add.reduceat(np.gcd(steps[:, 0], steps[:, 1]), hulls.start[:-1]) / 2 + 1)


def digitisation_gaps(hulls: Polygons) -> Reals:
    """How far, on average, convex shapes reach beyond the hulls of the pixel centres inside them; pixels.

    Parameters
    ----------
    hulls : Polygons
        Convex hulls of pixel centres, on the lattice, one a particle.

    Notes
    -----
    The pixels in the hull number N = A + B/2 + 1 (Pick), and N px² is the shape's area without bias. The hull
    grown by g has A + P·g + π·g² (Steiner); g makes the two equal.
    """
    perimeter = hulls.perimeters()
    return np.asarray((np.sqrt(perimeter**2 + 4 * np.pi * _missing(hulls)) - perimeter) / (2 * np.pi))


def ferets(hulls: list[Reals], gaps: npt.ArrayLike) -> Ferets:
    """Feret diameters of convex hulls.

    Parameters
    ----------
    hulls : list of float arrays, shape (k, 2)
        Vertices in order.
    gaps : float array, shape (n,)
        The `digitisation_gaps` of hulls of pixel centres; NaN for hulls that are the particles' own.

    Notes
    -----
    Of a digitised shape the hull of the pixel centres lies inside. Where its squared width against the angle is a
    wave of few harmonics within the scatter of digitising, the extremes are those of the wave fitted to all
    angles, so that no extreme of the noise is taken for one of the shape. Otherwise they are the hull's own
    (largest distance of two vertices, smallest width over its sides: rotating calipers), of several that are alike
    the mean, made larger by the gap at a side's tangent, and by that of a corner on a corner's: the expected
    distance from the tip of a cap to the first lattice point within, the cap's area growing with its depth as
    V·(d/D)^m, m between 1 (a side) and 2 (a corner).
    """
    n = len(hulls)
    grown = np.asarray(gaps, float)
    found = np.zeros((5, n))
    sizes = np.array([len(hull) for hull in hulls], int)
    lower = 0
    for upper in (*_GROUPS, int(sizes.max(initial=0))):
        members = np.flatnonzero((sizes > lower) & (sizes <= upper))
        lower = max(lower, upper)
        for chunk in np.array_split(members, max(1, len(members) * upper * upper // 4_000_000)):
            if len(chunk):
                padded = np.stack([_padded(hulls[i], upper) for i in chunk])
                found[:, chunk] = _measured(padded, np.nan_to_num(grown[chunk]), ~np.isnan(grown[chunk]))
    return Ferets(*found)


def _padded(hull: Reals, size: int) -> Reals:
    return np.concatenate([hull, np.repeat(hull[-1:], size - len(hull), axis=0)])


def _measured(hulls: Reals, gaps: Reals, digitised: npt.NDArray[np.bool_]) -> Reals:
    """Largest, smallest, across, mean and angle of hulls of shape (n, k, 2)."""
    angles = np.arange(ANGLES) * np.pi / ANGLES
    along = hulls @ np.stack([np.cos(angles), np.sin(angles)])
    widths = along.max(axis=1) - along.min(axis=1) + 2 * TANGENT_SHARE * gaps[:, None]
    smooth, misfit = _waves(widths, gaps)
    rows = np.arange(len(hulls))
    peak = smooth.argmax(axis=1)
    largest, smallest = smooth[rows, peak], smooth.min(axis=1)
    across = smooth[rows, (peak + ANGLES) % (2 * ANGLES)]
    mean, theta = widths.mean(axis=1), peak * np.pi / (2 * ANGLES)
    rest = np.flatnonzero(misfit > WIDTH_SCATTER_PX)
    if len(rest):
        exact = _calipers(hulls[rest], widths[rest], gaps[rest], digitised[rest])
        largest[rest], smallest[rest], across[rest], mean[rest], theta[rest] = exact
    degrees = np.degrees(-theta)  # y runs down the picture
    degrees = 90 - (90 - degrees) % 180
    return np.stack([np.maximum(largest, smallest), smallest, np.maximum(across, smallest), mean, degrees])


def _calipers(hulls: Reals, widths: Reals, gaps: Reals, digitised: npt.NDArray[np.bool_]) -> Reals:
    """The hulls' own largest, smallest, across, mean and angle, with the gaps of sides and corners."""
    n = len(hulls)
    apart = hulls[:, :, None, :] - hulls[:, None, :, :]
    separations = np.sqrt((apart**2).sum(axis=-1)).reshape(n, -1)
    directions = np.arctan2(apart[..., 1], apart[..., 0]).reshape(n, -1)
    rows = np.arange(n)
    largest, farthest = _extreme(separations, directions, digitised)
    theta = directions[rows, farthest]
    narrow, normals = _side_widths(hulls, apart)
    smallest, side = _extreme(-narrow, normals, digitised)
    smallest, normal = -smallest, normals[rows, side]
    across = _width(hulls, theta + np.pi / 2) + 2 * gaps
    mean = widths.mean(axis=1)
    pixels = np.flatnonzero(digitised)
    if len(pixels):
        some, gap = hulls[pixels], gaps[pixels]
        at_side = _side_gaps(some, side[pixels])
        largest[pixels] += _gap(some, theta[pixels], gap) + _gap(some, theta[pixels] + np.pi, gap)
        smallest[pixels] += at_side + np.maximum(_gap(some, normal[pixels], gap), at_side)
        mean[pixels] += _mean_gap(some, gap) - 2 * TANGENT_SHARE * gap
    return np.stack([largest, smallest, across, mean, theta])


def _side_gaps(hulls: Reals, sides: npt.NDArray[np.int64]) -> Reals:
    """Mean distance from a side of each hull to the side of the shape.

    Lattice points lie in rows along the side, 1/|v| apart, v the shortest lattice vector along it; the shape ends
    anywhere before the next row.
    """
    rows = np.arange(len(hulls))
    along = hulls[rows, (sides + 1) % hulls.shape[1]] - hulls[rows, sides]
    steps = np.abs(np.rint(along)).astype(np.int64)
    return np.asarray(np.gcd(steps[:, 0], steps[:, 1]) / np.maximum(np.hypot(along[:, 0], along[:, 1]), 1.0) / 2)


def _extreme(values: Reals, directions: Reals, digitised: npt.NDArray[np.bool_]) -> tuple[Reals, npt.NDArray[np.int64]]:
    """Largest of the values of each row, shape (n, k), and where it is.

    Of digitised shapes that have it in several directions alike, as a square has two diagonals, the largest is
    that of the scatter; there it is the mean over them, each weighed by how far it stays behind.
    """
    rows = np.arange(len(values))
    first = values.argmax(axis=1)
    best = values[rows, first]
    several = np.flatnonzero(digitised)
    if not len(several):
        return best, first
    rest, about = values[several].copy(), directions[several]
    top, total, weight = best[several], np.zeros(len(several)), np.zeros(len(several))
    ranked = np.arange(len(several))
    for _ in range(ALIKE_DIRECTIONS):
        k = rest.argmax(axis=1)
        found = rest[ranked, k]
        share = np.exp((found - top) / ALIKE_PX)
        total += share * np.where(share > 0, found, 0.0)
        weight += share
        turned = np.abs((about - about[ranked, k][:, None] + np.pi / 2) % np.pi - np.pi / 2)
        rest[turned < ALIKE_APART] = -np.inf
    best[several] = total / weight
    return best, first


def _side_widths(hulls: Reals, apart: Reals) -> tuple[Reals, Reals]:
    """Widths over the hulls' sides, and the directions from each side to the farthest vertex; shapes (n, k)."""
    sides = np.roll(hulls, -1, axis=1) - hulls
    length = np.hypot(sides[..., 0], sides[..., 1])
    unit = sides / np.where(length > 0, length, 1)[..., None]
    # distance of vertex j from the line of side i
    distance = unit[:, :, None, 0] * -apart[..., 1] + unit[:, :, None, 1] * apart[..., 0]
    farthest = np.abs(distance).argmax(axis=2)
    away = np.take_along_axis(distance, farthest[..., None], axis=2)[..., 0]
    width = np.where(length > 0, np.abs(away), np.inf)
    width[~np.isfinite(width).any(axis=1)] = 0.0  # a single point
    return width, np.arctan2(np.sign(away) * unit[..., 0], -np.sign(away) * unit[..., 1])


def _width(hulls: Reals, theta: Reals) -> Reals:
    along = hulls[..., 0] * np.cos(theta)[:, None] + hulls[..., 1] * np.sin(theta)[:, None]
    return np.asarray(np.ptp(along, axis=1))


def _harmonics(angles: Reals) -> Reals:
    orders = np.arange(2, HARMONIC + 1, 2)[:, None] * angles
    return np.concatenate([np.ones((1, len(angles))), np.cos(orders), np.sin(orders)])


def _waves(widths: Reals, gaps: Reals) -> tuple[Reals, Reals]:
    """Widths at twice as many angles as waves of few harmonics, and what these leave over, root mean square.

    It is the squared width that is a wave: of an ellipse it has one harmonic, whatever the axes. Where the outline
    is more curved than on average its hull falls back farther: by the curvature to the power of 1/3, as a cap of
    some area is √R·d^1.5.
    """
    angles = np.arange(2 * ANGLES) * np.pi / (2 * ANGLES)
    basis = _harmonics(angles)
    measured = basis[:, ::2]
    weight = 1 / widths**2  # of a square, whose error is that of the width times twice the width
    normal = np.einsum("na,ia,ja->nij", weight, measured, measured, optimize=True)
    wave = np.linalg.solve(normal, ((weight * widths**2) @ measured.T)[..., None])[..., 0]
    cosines, sines = np.split(wave[:, 1:], 2, axis=1)
    power = np.maximum(cosines**2 + sines**2, 1e-12)
    noise = (2 * WAVE_NOISE_PX * widths.mean(axis=1, keepdims=True)) ** 2
    wave[:, 1:] *= np.tile(np.maximum(1 - noise / power, 0), 2)  # James and Stein's shrinkage
    smooth = np.sqrt(np.maximum(wave @ basis, 1e-12))
    misfit = np.sqrt(((widths - smooth[:, ::2]) ** 2).mean(axis=1))
    step = np.pi / (2 * ANGLES)
    curved = smooth + (np.roll(smooth, 1, axis=1) - 2 * smooth + np.roll(smooth, -1, axis=1)) / step**2
    radius = np.clip(curved / 2, LEAST_RADIUS_PX, None)
    fall = radius ** (-1 / 3)
    fall *= (radius.sum(axis=1) / (fall * radius).sum(axis=1))[:, None]  # the mean gap is one along the outline
    return smooth + 2 * TANGENT_SHARE * gaps[:, None] * (fall - 1), misfit


def _mean_gap(hulls: Reals, gaps: Reals) -> Reals:
    """What the gaps at both tangents add to the width, mean over the angles."""
    around = (np.arange(MEAN_GAP_ANGLES) + 0.5) * 2 * np.pi / MEAN_GAP_ANGLES
    return np.asarray(2 * np.mean([_gap(hulls, np.full(len(hulls), theta), gaps) for theta in around], axis=0))


def _gap(hulls: Reals, theta: Reals, least: Reals) -> Reals:
    """Expected distance from the hull's tip in the direction `theta` to that of the shape, as in `ferets`."""
    c, s = np.cos(theta)[:, None], np.sin(theta)[:, None]
    along, sideways = hulls[..., 0] * c + hulls[..., 1] * s, hulls[..., 1] * c - hulls[..., 0] * s
    tip = along.max(axis=1)
    depth = np.minimum(CAP_PX, np.ptp(along, axis=1) / 2)
    gap = least.copy()
    steps = np.linspace(0, 1, 7)[None, :] * depth[:, None]
    chords = np.stack([_chord(along, sideways, tip - steps[:, k]) for k in range(steps.shape[1])], axis=1)
    for _ in range(3):  # the cap of the shape is deeper than that of the hull by the gap sought
        total = depth + gap
        area = np.trapezoid(chords, steps, axis=1) + gap * (chords[:, 0] + chords[:, -1]) / 2
        power = np.clip(total * (chords[:, -1] + gap) / np.maximum(area, 1e-9), 1.0, 2.0)
        gap = LATTICE_EVENNESS * gamma(1 + 1 / power) * total * np.maximum(area, 0.5) ** (-1 / power)
    return np.clip(gap, 0.0, 1.5)


def _chord(along: Reals, sideways: Reals, level: Reals) -> Reals:
    """Length of the chord of each hull at a level of `along`."""
    a, b = along, np.roll(along, -1, axis=1)
    p, q = sideways, np.roll(sideways, -1, axis=1)
    share = np.clip((level[:, None] - a) / np.where(np.abs(b - a) > _LEVEL_PX, b - a, _LEVEL_PX), 0, 1)
    crossing = (np.minimum(a, b) <= level[:, None] + 1e-9) & (np.maximum(a, b) >= level[:, None] - 1e-9)
    at = p + share * (q - p)
    high = np.where(crossing, at, -np.inf).max(axis=1)
    low = np.where(crossing, at, np.inf).min(axis=1)
    return np.where(np.isfinite(high - low), np.maximum(high - low, 0), 0.0)
