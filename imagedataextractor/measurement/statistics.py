"""Statistics of the particles of one panel, and distributions of sizes over any set of particles."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from imagedataextractor.errors import InputError
from imagedataextractor.measurement.border_weights import border_weights, extents
from imagedataextractor.measurement.distributions import FEWEST, Description, Estimate, describe
from imagedataextractor.measurement.fields import describe_field
from imagedataextractor.measurement.table import ParticleTable
from imagedataextractor.records import Reason

__all__ = ["SizeDistribution", "number_density", "panel_statistics", "rice_bins", "size_distribution"]

Reals = npt.NDArray[np.float64]

#: Confidence of every interval here.
CONFIDENCE = 0.95
#: Resamples behind the intervals of a panel's distribution: their ends are then known to a tenth of their width.
PANEL_RESAMPLES = 400


@dataclass(frozen=True, eq=False)
class SizeDistribution:
    """How one quantity is distributed over particles; lengths in the unit of the values given.

    Attributes
    ----------
    count : int
    mean, std, median : float
        Standard deviation with n − 1; NaN below two values.
    mean_interval, median_interval : tuple of float
        95 % confidence intervals; NaN where the values are too few.
    d10, d90 : float
        A tenth of the particles is smaller than d10, a tenth larger than d90.
    sauter_mean : float
        D[3,2], Σd³/Σd², of particles taken for spheres.
    geometric_mean, geometric_std : float
        exp of mean and standard deviation of ln d: the parameters of a log-normal distribution.
    edges : float array, shape (k + 1,)
    counts : int array, shape (k,)
    density : float array, shape (k,)
        Counts over total and bin width: integrates to 1.
    """

    count: int
    mean: float
    std: float
    median: float
    mean_interval: tuple[float, float]
    median_interval: tuple[float, float]
    d10: float
    d90: float
    sauter_mean: float
    geometric_mean: float
    geometric_std: float
    edges: Reals
    counts: npt.NDArray[np.int64]
    density: Reals


def rice_bins(count: int) -> int:
    """Number of histogram bins for `count` values: ⌈2·n^(1/3)⌉ (D. M. Lane, Online Statistics, Rice University)."""
    return max(1, int(np.ceil(2 * count ** (1 / 3) - 1e-9)))


def size_distribution(values: npt.ArrayLike, *, bins: int | npt.ArrayLike | None = None) -> SizeDistribution:
    """Distribution of particle sizes.

    Parameters
    ----------
    values : array, shape (n,)
        Sizes, each greater than 0, in any unit.
    bins : int or array, optional
        Number of equal bins between smallest and largest value, or their edges; by default the
        Rice rule's number.

    Returns
    -------
    SizeDistribution

    Raises
    ------
    InputError
        A value is not a finite number greater than 0.

    Notes
    -----
    The mean's interval is Student's t. The median's is bounded by two order statistics, and holds
    for any distribution [1]_.

    References
    ----------
    .. [1] W. J. Conover, Practical Nonparametric Statistics, 3rd ed., Wiley 1999, section 3.2.

    Examples
    --------
    >>> size_distribution([8.0, 10.0, 12.0]).mean
    10.0
    """
    sizes = np.asarray(values, float).ravel()
    if not (np.isfinite(sizes).all() and (sizes > 0).all()):
        raise InputError("a size is a finite number greater than 0")
    n = len(sizes)
    chosen = rice_bins(n) if bins is None else bins
    counts, edges = np.histogram(sizes, bins=chosen) if n else (np.zeros(0, np.int64), np.zeros(0))
    nan = float("nan")
    if n == 0:
        return SizeDistribution(
            0, nan, nan, nan, (nan, nan), (nan, nan), nan, nan, nan, nan, nan, edges, counts, counts.astype(float)
        )
    mean = float(sizes.mean())
    std = float(sizes.std(ddof=1)) if n > 1 else nan
    margin = float(stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1)) * std / np.sqrt(n) if n > 1 else nan
    d10, median, d90 = (float(v) for v in np.percentile(sizes, [10, 50, 90]))
    logs = np.log(sizes)
    return SizeDistribution(
        count=n,
        mean=mean,
        std=std,
        median=median,
        mean_interval=(mean - margin, mean + margin),
        median_interval=_median_interval(np.sort(sizes)),
        d10=d10,
        d90=d90,
        sauter_mean=float((sizes**3).sum() / (sizes**2).sum()),
        geometric_mean=float(np.exp(logs.mean())),
        geometric_std=float(np.exp(logs.std(ddof=1))) if n > 1 else nan,
        edges=edges,
        counts=counts.astype(np.int64),
        density=counts / (n * np.diff(edges)),
    )


def _median_interval(ordered: Reals) -> tuple[float, float]:
    n = len(ordered)
    below = int(stats.binom.ppf((1 - CONFIDENCE) / 2, n, 0.5))
    # the interval from the below-th to the (n + 1 − below)-th value; none at all for fewer than six
    if below < 1:
        return float("nan"), float("nan")
    return float(ordered[below - 1]), float(ordered[n - below])


def number_density(particles: ParticleTable, shape: tuple[int, int]) -> float:
    """Particles per px², free of the frame's bias against large ones.

    Parameters
    ----------
    particles : ParticleTable
        All of a panel; those that are accepted count.
    shape : tuple of int
        Height and width of the measured frame in pixels.

    Notes
    -----
    Particles that touch the frame are left out, and large ones touch it more often. Each of the rest
    counts as one over the area in which it could have lain wholly inside, (W − w)·(H − h), w and h its
    bounding box (Miles 1974 and Lantuéjoul 1980, as in J. Serra, Image Analysis and Mathematical
    Morphology, Academic Press 1982, chapter VIII).
    """
    height, width = shape
    total = 0.0
    for row in np.flatnonzero(particles["accepted"]).tolist():
        corners = particles.outline(row)
        if not len(corners):
            continue
        w, h = corners.max(axis=0) - corners.min(axis=0)
        total += 1.0 / (max(width - w, 1.0) * max(height - h, 1.0))
    return total


def panel_statistics(
    particles: ParticleTable,
    nm_per_px: float | None = None,
    *,
    shape: tuple[int, int] | None = None,
    excluded_px: int = 0,
    detailed: bool = True,
) -> dict[str, Any]:
    """What is worth knowing of one panel's particles, as numbers and lists of numbers.

    Parameters
    ----------
    particles : ParticleTable
        All of the panel, rejected ones included.
    nm_per_px : float, optional
        The panel's scale; without it the nm entries are None.
    shape : tuple of int, optional
        Height and width of the panel in pixels; without it coverage and number density are None.
    excluded_px : int
        Pixels of the panel that were not measured (data bar, insets).
    detailed : bool
        With everything that is bootstrapped: intervals of coverage, density and hexatic order, and
        ``distribution``. A tenth of a second for a few thousand particles.

    Returns
    -------
    dict
        ``count``; ``accepted``; ``rejected`` (reason → count); ``ecd_px`` and ``ecd_nm``, each None or
        a dict of mean, std, median, mean_low, mean_high, median_low, median_high, d10, d90,
        sauter_mean, geometric_mean, geometric_std, polydispersity (std/mean), edges and counts
        (Rice rule); ``aspect_ratio`` and ``circularity`` (mean, std, median); ``coverage`` (area of
        all particles but those over annotations, over the measured area); ``density_px2`` and
        ``density_um2`` (particles per px² and per µm², see `number_density`), ``coverage_low``, … their
        95 % intervals and ``hexatic`` (mean |ψ6|, low, high; see `fields`); ``distribution``: the ``unit``,
        and each estimate of `distributions.describe` as [value, low, high], ``corrected`` for the border after
        Miles and Lantuéjoul and ``as_counted``, ``fits`` and ``modes``, both of the corrected one. Sizes and shapes are
        those of the accepted particles. What cannot be told is None, so that the dict can be kept
        as JSON.
    """
    accepted = particles.accepted
    rejected = dict(Counter(reason for reason in particles["reason"] if reason is not None))
    in_px = _sizes(accepted["ecd_px"], 1.0)
    coverage = density = None
    if shape is not None:
        measured = max(shape[0] * shape[1] - excluded_px, 1)
        coverage = min(1.0, float(particles["area_px"][particles["reason"] != Reason.ANNOTATION].sum()) / measured)
        density = number_density(particles, shape) * shape[0] * shape[1] / measured
    of_field = _field(particles, shape, excluded_px, nm_per_px) if detailed and shape is not None else {}
    return {
        "count": len(particles),
        "accepted": len(accepted),
        "rejected": rejected,
        "ecd_px": in_px,
        "ecd_nm": None if nm_per_px is None else _sizes(accepted["ecd_px"], nm_per_px),
        "aspect_ratio": _shapes(accepted["aspect_ratio"]),
        "circularity": _shapes(accepted["circularity"]),
        "coverage": coverage,
        "density_px2": density,
        "density_um2": None if density is None or nm_per_px is None else density / (nm_per_px * 1e-3) ** 2,
        **of_field,
        **({"distribution": _distribution(accepted, nm_per_px, shape)} if detailed else {}),
    }


def _field(
    particles: ParticleTable, shape: tuple[int, int], excluded_px: int, nm_per_px: float | None
) -> dict[str, Any]:
    found = describe_field(particles, shape, excluded_px=excluded_px)
    um2 = None if nm_per_px is None else (nm_per_px * 1e-3) ** 2
    ends: dict[str, Any] = {"hexatic": _three(found.hexatic)}
    for name, estimate, unit in (
        ("coverage", found.coverage, 1.0),
        ("density_px2", found.density_px2, 1.0),
        ("density_um2", found.density_px2, um2),
    ):
        known = estimate is not None and unit is not None
        ends[f"{name}_low"] = estimate.low / unit if known and estimate and unit else None
        ends[f"{name}_high"] = estimate.high / unit if known and estimate and unit else None
    return ends


def _three(estimate: Estimate | None) -> list[float] | None:
    return None if estimate is None else [estimate.value, estimate.low, estimate.high]


def _distribution(
    accepted: ParticleTable, nm_per_px: float | None, shape: tuple[int, int] | None
) -> dict[str, Any] | None:
    """Statistics of the ECD with and without the correction for the border; None below five particles."""
    if len(accepted) < FEWEST:
        return None
    sizes = accepted["ecd_px"] * (1.0 if nm_per_px is None else nm_per_px)
    weights = None if shape is None else _weights(accepted, shape)
    counted = describe(sizes, resamples=PANEL_RESAMPLES)
    corrected = counted if weights is None else describe(sizes, weights, resamples=PANEL_RESAMPLES)
    return {
        "unit": "px" if nm_per_px is None else "nm",
        "corrected": None if weights is None else _all(corrected),
        "as_counted": _all(counted),
        "fits": [
            {"name": f.name, "location": f.location, "spread": f.spread, "a2": _known(f.statistic), "p": f.p}
            for f in corrected.fits
        ],
        "modes": list(corrected.modes),
    }


def _weights(accepted: ParticleTable, shape: tuple[int, int]) -> Reals | None:
    """For the border; None where outlines are not known, or one is as large as the frame."""
    outlines = [accepted.outline(row) for row in range(len(accepted))]
    if not all(len(outline) for outline in outlines):
        return None
    try:
        return border_weights(*extents(outlines), (shape[1], shape[0]))
    except InputError:
        return None


def _all(found: Description) -> dict[str, list[float] | None]:
    return {name: _three(estimate) for name, estimate in found.estimates.items()}


def _sizes(values: Reals, scale: float) -> dict[str, Any] | None:
    if not len(values):
        return None
    found = size_distribution(values * scale)
    return {
        "mean": found.mean,
        "std": _known(found.std),
        "median": found.median,
        "mean_low": _known(found.mean_interval[0]),
        "mean_high": _known(found.mean_interval[1]),
        "median_low": _known(found.median_interval[0]),
        "median_high": _known(found.median_interval[1]),
        "d10": found.d10,
        "d90": found.d90,
        "sauter_mean": found.sauter_mean,
        "geometric_mean": found.geometric_mean,
        "geometric_std": _known(found.geometric_std),
        "polydispersity": _known(found.std / found.mean),
        "edges": found.edges.tolist(),
        "counts": found.counts.tolist(),
    }


def _shapes(values: Reals) -> dict[str, Any] | None:
    array = values[np.isfinite(values)]
    if not len(array):
        return None
    std = float(array.std(ddof=1)) if len(array) > 1 else None
    return {"mean": float(array.mean()), "std": std, "median": float(np.median(array))}


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
