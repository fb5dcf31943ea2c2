"""The uncertainty budget of an image's mean and median diameter, and of a group of images.

After the Guide to the Expression of Uncertainty in Measurement (JCGM 100:2008): standard uncertainties of
independent sources add as squares, and the expanded one is twice their sum (k = 2, about 95 %).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from imagedataextractor.measurement.distributions import FEWEST, describe, particles_needed

__all__ = ["Budget", "Pooled", "Source", "budget_of", "pool", "scale_uncertainty"]

Reals = npt.NDArray[np.float64]

#: Coverage factor.
K = 2.0
#: Half width of what an end of a scale bar is known to, px: a bar's end lies at a pixel's edge, and is read to one.
BAR_END_PX = 0.5
#: Standard uncertainty of an outline that was not refined, along the normal, px: the scatter of outlines of people
#: and networks against edges, benchmarks/edge.py.
UNREFINED_PX = 0.8
#: Smallest probability of a particle: describing it needs a weight.
LEAST_CHANCE = 1e-6
#: Relative error of a mean for which the particles needed are told.
WANTED_ERROR = 0.05


@dataclass(frozen=True)
class Source:
    """One line of a budget; two standard uncertainties, and where they come from."""

    name: str
    on_mean_nm: float
    on_d50_nm: float
    note: str


@dataclass(frozen=True)
class Budget:
    """The uncertainty of an image's sizes.

    Attributes
    ----------
    n : int
    mean_nm, d50_nm : float or None
        By number, corrected for the border where weights were given. None below five particles.
    expanded_mean_nm, expanded_d50_nm : float or None
        k = 2.
    sources : tuple of Source
    needed : int or None
        Particles that the mean needs for ± 5 % at 95 % confidence by sampling alone (ISO 13322-1).
    """

    n: int
    mean_nm: float | None = None
    d50_nm: float | None = None
    expanded_mean_nm: float | None = None
    expanded_d50_nm: float | None = None
    sources: tuple[Source, ...] = ()
    needed: int | None = None

    def sentence(self, what: str = "mean") -> str:
        """Ready to quote: "92.4 nm ± 3.1 nm (k = 2), n = 143"; `what` is "mean" or "d50"."""
        value, expanded = {
            "mean": (self.mean_nm, self.expanded_mean_nm),
            "d50": (self.d50_nm, self.expanded_d50_nm),
        }[what]
        if value is None or expanded is None:
            return f"too few particles for a size (n = {self.n})"
        return quoted(value, expanded, self.n)


def quoted(value: float, expanded: float, n: int) -> str:
    """A value with its expanded uncertainty to two figures, both to the same place."""
    places = max(0, 1 - int(np.floor(np.log10(expanded)))) if expanded > 0 else 1
    return f"{value:.{places}f} nm ± {expanded:.{places}f} nm (k = 2), n = {n}"


def scale_uncertainty(length_px: float | None, *, other: Sequence[float] = ()) -> tuple[float, str]:
    """Relative standard uncertainty of a scale, and where it comes from.

    Parameters
    ----------
    length_px : float or None
        Length of the scale bar; None for a scale that was given or read from the file.
    other : sequence of float
        Ratios of other readings of the same scale to this one (magnification, tags, siblings), as a
        cross-check: their distance from 1 counts as a rectangular distribution's half width.
    """
    bar = 0.0 if not length_px else np.sqrt(2) * BAR_END_PX / np.sqrt(3) / length_px
    note = "taken as given" if not length_px else f"two ends of a bar of {length_px:.0f} px, each to ± {BAR_END_PX} px"
    apart = max((abs(ratio - 1) for ratio in other), default=0.0) / np.sqrt(3)
    if other:
        note += f"; another reading differs by {100 * max(abs(r - 1) for r in other):.1f} %"
    return float(np.hypot(bar, apart)), note + "; the instrument's own calibration is not known"


def budget_of(
    ecd_nm: npt.ArrayLike,
    *,
    nm_per_px: float,
    scale: tuple[float, str],
    edge_uncertainty_px: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    rejected_nm: npt.ArrayLike = (),
    rejected_score: npt.ArrayLike | None = None,
    seed: int = 0,
) -> Budget:
    """The budget of mean and median equivalent circular diameter of one image.

    Parameters
    ----------
    ecd_nm : array, shape (n,)
        Of the particles that count.
    nm_per_px : float
    scale : tuple
        What `scale_uncertainty` returns.
    edge_uncertainty_px : array, shape (n,)
        Standard uncertainty of each particle's edge; NaN where its outline was not refined.
    weights : array, shape (n,), optional
        For the border.
    rejected_nm : array, optional
        Diameters of particles that the filter left out: what the mean would be with them bounds what the
        selection does to it.
    rejected_score : array, optional
        The calibrated probability that each of them is real; a particle counts by it. NaN counts as 1.
    seed : int

    Notes
    -----
    - *scale*: relative, on every size alike.
    - *edge*: of refined outlines, twice the mean of their uncertainties; the part that blur and contrast make
      is common to the image and does not shrink with the number of particles.
    - *segmentation*: of outlines that were not refined, twice `UNREFINED_PX` times their share.
    - *selection*: the shift that the rejected particles would make, as the half width of a rectangular
      distribution.
    - *sampling*: bootstrap over the particles.
    """
    sizes = np.asarray(ecd_nm, float).ravel()
    n = len(sizes)
    if n < FEWEST:
        return Budget(n)
    shares = np.ones(n) if weights is None else np.asarray(weights, float)
    found = describe(sizes, shares, seed=seed).estimates
    mean, d50 = found["mean"], found["d50"]
    edges = np.asarray(edge_uncertainty_px, float)
    refined = np.isfinite(edges)
    edge = 2 * float(edges[refined].mean()) * nm_per_px if refined.any() else 0.0
    drawn = 2 * UNREFINED_PX * nm_per_px * float(np.mean(~refined))
    out = np.asarray(rejected_nm, float).ravel()
    real = np.ones(len(out)) if rejected_score is None else np.nan_to_num(np.asarray(rejected_score, float), nan=1.0)
    real = np.clip(real, LEAST_CHANCE, 1.0)
    with_all = describe(np.append(sizes, out), np.append(shares, shares.mean() * real), seed=seed).estimates
    moved = [abs(with_all[name].value - found[name].value) / np.sqrt(3) for name in ("mean", "d50")]
    sources = (
        Source("scale", scale[0] * mean.value, scale[0] * d50.value, scale[1]),
        Source("edge", edge, edge, f"{int(refined.sum())} of {n} outlines lie at an edge of the image"),
        Source("segmentation", drawn, drawn, f"{int((~refined).sum())} of {n} outlines are as segmented"),
        Source(
            "selection",
            moved[0],
            moved[1],
            f"{len(out)} uncertain particles are left out, {real.sum():.1f} of them real by their scores; with them "
            f"the mean is {with_all['mean'].value - mean.value:+.2g} nm off",
        ),
        Source("sampling", mean.error, d50.error, f"bootstrap over {n} particles"),
    )
    on_mean = float(np.sqrt(sum(source.on_mean_nm**2 for source in sources)))
    on_d50 = float(np.sqrt(sum(source.on_d50_nm**2 for source in sources)))
    spread = found["sd"].value / mean.value
    return Budget(n, mean.value, d50.value, K * on_mean, K * on_d50, sources, particles_needed(spread, WANTED_ERROR))


@dataclass(frozen=True)
class Pooled:
    """A group of images of one sample.

    ``between_nm`` is the standard deviation of the images' true values about the group's; ``expanded_nm`` has the
    coverage that two standard uncertainties have of a normal value.
    """

    images: int
    n: int
    value_nm: float | None
    expanded_nm: float | None
    between_nm: float | None

    def sentence(self) -> str:
        if self.value_nm is None or self.expanded_nm is None:
            return f"too few images for a size (n = {self.n} in {self.images})"
        return quoted(self.value_nm, self.expanded_nm, self.n)


def pool(values_nm: Sequence[float], within_nm: Sequence[float], n: Sequence[int], *, common: float = 0.0) -> Pooled:
    """Pool the values of images of one sample by one-way random effects.

    Parameters
    ----------
    values_nm, within_nm : sequences of float
        Of each image, and its standard uncertainty from all sources that differ between images.
    n : sequence of int
        Particles of each.
    common : float
        Relative standard uncertainty that all images share (the instrument's calibration).

    Notes
    -----
    The variance between images is DerSimonian and Laird's (Control. Clin. Trials 7 (1986) 177–188); the mean's
    uncertainty is Hartung and Knapp's (Stat. Med. 20 (2001) 3875–3889), with Student's t for the number of
    images, but never less than what the images' own uncertainties make.
    """
    y, u = np.asarray(values_nm, float), np.maximum(np.asarray(within_nm, float), 1e-12)
    images, particles = len(y), int(sum(n))
    if images == 0:
        return Pooled(0, 0, None, None, None)
    if images == 1:
        return Pooled(1, particles, float(y[0]), float(K * np.hypot(u[0], common * y[0])), None)
    fixed = 1 / u**2
    centre = float((fixed * y).sum() / fixed.sum())
    heterogeneity = float((fixed * (y - centre) ** 2).sum()) - (images - 1)
    between = max(0.0, heterogeneity / float(fixed.sum() - (fixed**2).sum() / fixed.sum()))
    weight = 1 / (u**2 + between)
    value = float((weight * y).sum() / weight.sum())
    spread = float((weight * (y - value) ** 2).sum() / (images - 1) / weight.sum())
    error = np.sqrt(max(spread, 1 / float(weight.sum())))
    factor = float(stats.t.ppf(stats.norm.cdf(K), images - 1))
    return Pooled(
        images, particles, value, float(np.hypot(factor * error, K * common * value)), float(np.sqrt(between))
    )
