"""Statistics of sizes over particles, each with its interval: what ISO 9276-1, -2 and -5 ask for.

Particles may have weights, as those of `border_weights`. Below `FEWEST` values nothing is estimated: there are
the number and the values.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.signal import find_peaks

from imagedataextractor.errors import InputError

__all__ = [
    "FEWEST",
    "Comparison",
    "Description",
    "Estimate",
    "Fit",
    "Nanomaterial",
    "compare",
    "describe",
    "interval_of",
    "nanomaterial",
    "particles_needed",
]

Reals = npt.NDArray[np.float64]

#: Fewest values of which anything is estimated.
FEWEST = 5
#: Confidence of every interval.
CONFIDENCE = 0.95
#: Resamples of the bootstrap, and the most numbers that they may have together: 2 or 3 s of one core.
RESAMPLES, MOST_NUMBERS = 2000, 6_000_000
#: … and the fewest.
FEWEST_RESAMPLES = 200
#: Anderson and Darling's A² from which p is below 1e-15; the formula for p rises again far beyond it.
_NO_CHANCE = 8.0
#: Points of a kernel density.
GRID = 256
#: A mode is a maximum of the kernel density that stands out by this share of the largest.
MODE_PROMINENCE = 0.1
#: Limit of the European Commission's definition of a nanomaterial (2022/C 229/01), nm, and the share it asks for.
NANO_NM, NANO_SHARE = 100.0, 0.5
#: A² at which the formula for its p changes (D'Agostino and Stephens 1986, table 4.9).
_A2_HIGH, _A2_MIDDLE, _A2_LOW = 0.6, 0.34, 0.2


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval, all in the unit of the values given; `error` is the standard error."""

    value: float
    low: float
    high: float
    error: float


@dataclass(frozen=True)
class Fit:
    """A distribution fitted to values: "lognormal" (median and GSD) or "normal" (mean and standard deviation).

    ``statistic`` is Anderson and Darling's A² corrected for the number of values, ``p`` the probability of a
    larger one if the values came from the distribution: below 0.05 they hardly do.
    """

    name: str
    location: float
    spread: float
    statistic: float
    p: float


@dataclass(frozen=True, eq=False)
class Description:
    """How one quantity is distributed over particles.

    Attributes
    ----------
    n : int
    values : float array, shape (n,)
        Ascending.
    estimates : mapping
        mean, sd, median, d10, d50, d90 (by number), d10_volume, d50_volume, d90_volume (by volume, particles
        taken for spheres), d32 (Σd³/Σd²), span ((d90 − d10)/d50), geometric_mean, gsd. Empty below `FEWEST`.
    fits : tuple of Fit
    edges, counts : arrays
        Histogram by Rice's rule, ⌈2·n^(1/3)⌉ bins; with weights the counts are sums of them, their mean 1.
    grid, density : float arrays
        Gaussian kernel density with Silverman's bandwidth, integral 1.
    modes : tuple of float
        Its maxima that stand out by a tenth of the largest, ascending.
    """

    n: int
    values: Reals
    estimates: dict[str, Estimate] = field(default_factory=dict)
    fits: tuple[Fit, ...] = ()
    edges: Reals = field(default_factory=lambda: np.zeros(0))
    counts: Reals = field(default_factory=lambda: np.zeros(0))
    grid: Reals = field(default_factory=lambda: np.zeros(0))
    density: Reals = field(default_factory=lambda: np.zeros(0))
    modes: tuple[float, ...] = ()


def describe(
    values: npt.ArrayLike, weights: npt.ArrayLike | None = None, *, seed: int = 0, resamples: int = RESAMPLES
) -> Description:
    """Statistics of a quantity over particles.

    Parameters
    ----------
    values : array, shape (n,)
        Sizes, each greater than 0.
    weights : array, shape (n,), optional
        How many particles each stands for, up to a factor.
    seed : int
        Of the bootstrap: same seed, same intervals.
    resamples : int
        Of it, at most.

    Raises
    ------
    InputError
        A value or weight is not a finite number greater than 0.

    Notes
    -----
    Quantiles are Hazen's: a value stands in the middle of its weight. Intervals are percentiles of the
    bootstrap over particles [1]_, widened about the estimate by √(n/(n − 1))·t(n − 1)/z, without which they are
    too narrow for few particles [2]_. The goodness of fit is that of [3]_, table 4.9, for unknown mean and
    variance.

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, Chapman and Hall 1993.
    .. [2] T. C. Hesterberg, What teachers should know about the bootstrap, Am. Stat. 69 (2015) 371–386.
    .. [3] R. B. D'Agostino and M. A. Stephens, Goodness-of-Fit Techniques, Dekker 1986.

    Examples
    --------
    >>> found = describe([8.0, 9.0, 10.0, 11.0, 12.0])
    >>> found.n, found.estimates["mean"].value, describe([8.0, 9.0]).estimates
    (5, 10.0, {})
    """
    sizes, shares = _checked(values, weights)
    order = np.argsort(sizes, kind="stable")
    sizes, shares = sizes[order], shares[order]
    n = len(sizes)
    if n < FEWEST:
        return Description(n, sizes)
    best = _statistics(sizes, shares[None, :])
    resampled = _statistics(sizes, shares * _resamples(n, seed, resamples))
    grid, density = _kernel_density(sizes, shares)
    peaks, _ = find_peaks(np.concatenate([[0], density, [0]]), prominence=MODE_PROMINENCE * density.max())
    bins = max(1, int(np.ceil(2 * n ** (1 / 3) - 1e-9)))
    counts, edges = np.histogram(sizes, bins, weights=shares)
    return Description(
        n=n,
        values=sizes,
        estimates={name: interval_of(float(best[name][0]), resampled[name], n) for name in best},
        fits=_fits(sizes, shares),
        edges=edges,
        counts=counts,
        grid=grid,
        density=density,
        modes=tuple(float(grid[peak - 1]) for peak in peaks),
    )


def _checked(values: npt.ArrayLike, weights: npt.ArrayLike | None) -> tuple[Reals, Reals]:
    sizes = np.asarray(values, float).ravel()
    shares = np.ones(len(sizes)) if weights is None else np.asarray(weights, float).ravel()
    if len(shares) != len(sizes):
        raise InputError(f"{len(sizes)} sizes have {len(shares)} weights")
    for name, numbers in (("size", sizes), ("weight", shares)):
        if not (np.isfinite(numbers).all() and (numbers > 0).all()):
            raise InputError(f"a {name} is a finite number greater than 0")
    return sizes, shares / shares.mean() if len(shares) else shares


def _resamples(n: int, seed: int, most: int) -> Reals:
    """How often each of n values is drawn, shape (resamples, n)."""
    count = int(np.clip(MOST_NUMBERS // n, FEWEST_RESAMPLES, most))
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), count).astype(float)


def _statistics(sizes: Reals, weights: Reals) -> dict[str, Reals]:
    """Every statistic for each row of weights (k, n) of the ascending sizes (n,)."""
    total = weights.sum(axis=1)
    share = weights / total[:, None]
    mean = share @ sizes
    effective = 1 / (share**2).sum(axis=1)
    correction = np.where(effective > 1, effective / np.maximum(effective - 1, 1e-9), 1.0)
    logs = np.log(sizes)
    log_mean = share @ logs
    log_sd = np.sqrt(np.maximum(share @ logs**2 - log_mean**2, 0) * correction)
    number, volume = _quantiles(sizes, weights), _quantiles(sizes, weights * sizes**3)
    return {
        "mean": mean,
        "sd": np.sqrt(np.maximum(share @ sizes**2 - mean**2, 0) * correction),
        "median": number[1],
        "d10": number[0],
        "d50": number[1],
        "d90": number[2],
        "d10_volume": volume[0],
        "d50_volume": volume[1],
        "d90_volume": volume[2],
        "d32": (weights @ sizes**3) / (weights @ sizes**2),
        "span": (number[2] - number[0]) / number[1],
        "geometric_mean": np.exp(log_mean),
        "gsd": np.exp(log_sd),
    }


def _quantiles(sizes: Reals, weights: Reals) -> Reals:
    """10, 50 and 90 % quantiles, shape (3, k)."""
    middle = np.cumsum(weights, axis=1)
    total = middle[:, -1:].copy()
    middle -= weights / 2
    middle /= total
    rows = np.arange(len(weights))
    found = []
    for wanted in (0.1, 0.5, 0.9):
        above = np.clip((middle < wanted).sum(axis=1), 1, len(sizes) - 1)
        low, high = middle[rows, above - 1], middle[rows, above]
        part = np.clip((wanted - low) / np.where(high > low, high - low, 1.0), 0, 1)
        found.append(sizes[above - 1] + part * (sizes[above] - sizes[above - 1]))
    return np.stack(found)


def interval_of(value: float, resampled: Reals, n: int) -> Estimate:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    wider = np.sqrt(n / (n - 1)) * stats.t.ppf(1 - tail, n - 1) / stats.norm.ppf(1 - tail)
    error = float(resampled.std() * np.sqrt(n / (n - 1)))
    return Estimate(value, float(value - wider * (value - low)), float(value + wider * (high - value)), error)


def _kernel_density(sizes: Reals, shares: Reals) -> tuple[Reals, Reals]:
    """Gaussian kernel density with B. W. Silverman's bandwidth 0.9·min(s, IQR/1.34)·n^(−1/5) (1986, eq. 3.31)."""
    n = len(sizes)
    scatter = min(float(sizes.std(ddof=1)), float(np.subtract(*np.percentile(sizes, [75, 25]))) / 1.34)
    width = max(0.9 * scatter * n**-0.2, 1e-3 * float(sizes.mean()))
    grid = np.linspace(max(sizes[0] - 3 * width, 0), sizes[-1] + 3 * width, GRID)
    density = np.zeros(GRID)
    for part in np.array_split(np.arange(n), max(1, n // 2000)):
        density += np.exp(-0.5 * ((grid[:, None] - sizes[part]) / width) ** 2) @ shares[part]
    return grid, density / (np.sqrt(2 * np.pi) * width * shares.sum())


def _fits(sizes: Reals, shares: Reals) -> tuple[Fit, ...]:
    found = []
    for name, numbers in (("lognormal", np.log(sizes)), ("normal", sizes)):
        location, spread = _moments(numbers, shares)
        statistic, p = _anderson_darling(numbers)
        if name == "lognormal":
            location, spread = float(np.exp(location)), float(np.exp(spread))
        found.append(Fit(name, location, spread, statistic, p))
    return tuple(found)


def _moments(numbers: Reals, shares: Reals) -> tuple[float, float]:
    share = shares / shares.sum()
    mean = float(share @ numbers)
    effective = 1 / float((share**2).sum())
    return mean, float(np.sqrt(share @ (numbers - mean) ** 2 * effective / max(effective - 1, 1e-9)))


def _anderson_darling(numbers: Reals) -> tuple[float, float]:
    """A² for normality with mean and variance estimated, and its p (D'Agostino and Stephens 1986, table 4.9)."""
    n = len(numbers)
    spread = float(numbers.std(ddof=1))
    if spread == 0:
        return float("inf"), 0.0
    z = np.clip(stats.norm.cdf(np.sort((numbers - numbers.mean()) / spread)), 1e-15, 1 - 1e-15)
    i = np.arange(1, n + 1)
    a = float(-n - ((2 * i - 1) * (np.log(z) + np.log1p(-z[::-1]))).mean()) * (1 + 0.75 / n + 2.25 / n**2)
    if a >= _NO_CHANCE:
        p = 0.0
    elif a >= _A2_HIGH:
        p = np.exp(1.2937 - 5.709 * a + 0.0186 * a * a)
    elif a > _A2_MIDDLE:
        p = np.exp(0.9177 - 4.279 * a - 1.38 * a * a)
    elif a > _A2_LOW:
        p = 1 - np.exp(-8.318 + 42.796 * a - 59.938 * a * a)
    else:
        p = 1 - np.exp(-13.436 + 101.14 * a - 223.73 * a * a)
    return a, float(np.clip(p, 0, 1))


def particles_needed(relative_sd: float, relative_error: float) -> int:
    """How many particles a mean needs to be known within a relative error at 95 % confidence.

    Parameters
    ----------
    relative_sd : float
        Standard deviation over mean of the sizes.
    relative_error : float
        Half width of the interval over the mean.

    Notes
    -----
    n = (z·s/δ)², the criterion behind the tables of ISO 13322-1, annex A.
    """
    z = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))
    return int(np.ceil((z * relative_sd / relative_error) ** 2))


@dataclass(frozen=True)
class Nanomaterial:
    """What the European definition says of a sample.

    ``share`` of the particles, by number, has a minimum Feret diameter of 100 nm or less; ``low`` and ``high``
    are its 95 % interval. ``verdict`` is "yes", "no", or "too few" where the interval has 50 % in it or there
    are fewer than five particles.
    """

    n: int
    share: float | None
    low: float | None
    high: float | None
    verdict: str


def nanomaterial(
    feret_min_nm: npt.ArrayLike, weights: npt.ArrayLike | None = None, *, relative_uncertainty: float = 0.0
) -> Nanomaterial:
    """Screen a sample by the Commission's recommendation 2022/C 229/01: 50 % or more by number at or below 100 nm.

    Parameters
    ----------
    feret_min_nm : array, shape (n,)
        Minimum Feret diameters.
    weights : array, shape (n,), optional
    relative_uncertainty : float
        Standard uncertainty of all sizes together, scale and edge; the interval's ends are those at the limit
        moved by twice as much.

    Notes
    -----
    The interval is Wilson's, with the effective number of weighted particles (Σw)²/Σw².
    """
    sizes, shares = _checked(feret_min_nm, weights)
    n = len(sizes)
    if n < FEWEST:
        return Nanomaterial(n, None, None, None, "too few")
    effective = float(shares.sum() ** 2 / (shares**2).sum())
    z = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))

    def wilson(limit: float, side: int) -> float:
        part = float(shares[sizes <= limit].sum() / shares.sum())
        middle = part + z * z / (2 * effective)
        half = z * np.sqrt(part * (1 - part) / effective + (z / (2 * effective)) ** 2)
        return float((middle + side * half) / (1 + z * z / effective))

    share = float(shares[sizes <= NANO_NM].sum() / shares.sum())
    low = wilson(NANO_NM / (1 + 2 * relative_uncertainty), -1)
    high = wilson(NANO_NM * (1 + 2 * relative_uncertainty), 1)
    verdict = "yes" if low >= NANO_SHARE else "no" if high < NANO_SHARE else "too few"
    return Nanomaterial(n, share, max(low, 0.0), min(high, 1.0), verdict)


@dataclass(frozen=True)
class Comparison:
    """Two samples of one quantity.

    Attributes
    ----------
    n : tuple of int
    means : tuple of float, or None below five values of either
    difference : Estimate or None
        Second mean less the first, with Welch's interval.
    statistic, p : float or None
        Two-sample Kolmogorov–Smirnov: largest distance of the distribution functions, and the probability of a
        larger one if both came from one distribution.
    p_means : float or None
        Welch's t test of equal means.
    """

    n: tuple[int, int]
    means: tuple[float, float] | None = None
    difference: Estimate | None = None
    statistic: float | None = None
    p: float | None = None
    p_means: float | None = None


def compare(first: npt.ArrayLike, second: npt.ArrayLike, *, relative_uncertainty: float = 0.0) -> Comparison:
    """Compare two samples of sizes.

    Parameters
    ----------
    first, second : arrays
        Sizes in one unit.
    relative_uncertainty : float
        Standard uncertainty of either sample's scale over the scale, independent of the other's.
    """
    a, _ = _checked(first, None)
    b, _ = _checked(second, None)
    if min(len(a), len(b)) < FEWEST:
        return Comparison((len(a), len(b)))
    parts = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    scales = (relative_uncertainty * a.mean()) ** 2 + (relative_uncertainty * b.mean()) ** 2
    error = float(np.sqrt(sum(parts) + scales))
    freedom = max(sum(parts), 1e-300) ** 2 / max(parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1), 1e-300)
    reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom)) * error
    apart = float(b.mean() - a.mean())
    ks = stats.ks_2samp(a, b)
    p_means = float(2 * stats.t.sf(abs(apart) / error, freedom)) if error > 0 else float(apart == 0)
    return Comparison(
        (len(a), len(b)),
        (float(a.mean()), float(b.mean())),
        Estimate(apart, apart - reach, apart + reach, error),
        float(ks.statistic),
        float(ks.pvalue),
        p_means,
    )
