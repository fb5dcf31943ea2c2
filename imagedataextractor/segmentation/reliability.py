"""Is the uncertainty worth its name? Ranking, threshold sweep, and calibrated probabilities.

A predicted particle is real if its IoU with a true one is at least 0.5. Its uncertainty is good if it
ranks false particles above real ones (AUROC), if a threshold on it buys precision for little recall
(the sweep over t_u), and if a probability made from it is met as often as it says (calibration).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from imagedataextractor.segmentation.metrics import overlap, resize_labels, score_image

__all__ = [
    "Calibration",
    "Prediction",
    "ReliabilityBin",
    "apply_calibration",
    "auroc",
    "best_iou",
    "calibration_error",
    "choose_threshold",
    "fit_calibration",
    "held_out_probability",
    "image_weights",
    "is_real",
    "reliability_bins",
    "threshold_sweep",
    "without",
]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.integer[Any]]

#: IoU from which a predicted particle counts as real.
REAL_IOU = 0.5


# ---------------------------------------------------------------- which particles are real


def best_iou(true: Labels, predicted: Labels) -> Floats:
    """For predicted labels 1 … N, the best IoU with any true particle; shape (N,), N the highest label.

    A label that no pixel carries has NaN.
    """
    highest = int(predicted.max(initial=0))
    out = np.full(highest, math.nan)
    predicted = resize_labels(predicted, (true.shape[0], true.shape[1]))
    present = np.unique(predicted)
    present = present[present > 0]
    ov = overlap(true, predicted)
    out[present - 1] = ov.iou.max(axis=0) if ov.n_true else 0.0
    return out


def is_real(true: Labels, predicted: Labels) -> Bools:
    """For predicted labels 1 … N, whether the IoU with a true particle is at least 0.5; shape (N,)."""
    return np.asarray(best_iou(true, predicted) >= REAL_IOU)


def auroc(uncertainty: npt.ArrayLike, real: npt.ArrayLike) -> float:
    """Probability that a false particle is more uncertain than a real one, ties counted half.

    The area under the ROC curve by the rank-sum (Mann-Whitney) statistic; NaN where all particles are
    real or none is. 0.5 is no better than chance.
    """
    values, positive = np.asarray(uncertainty, np.float64), ~np.asarray(real, np.bool_)
    n_false = int(positive.sum())
    n_real = positive.size - n_false
    if not n_false or not n_real:
        return math.nan
    ranks = stats.rankdata(values)
    return float((ranks[positive].sum() - n_false * (n_false + 1) / 2) / (n_false * n_real))


# ---------------------------------------------------------------- the sweep over t_u


@dataclass(frozen=True, eq=False)
class Prediction:
    """A predicted label map 1 … N with the uncertainty of each particle, beside the truth."""

    true: Labels
    predicted: Labels
    uncertainty: Floats


def without(labels: Labels, drop: Bools) -> Labels:
    """The label map with label i + 1 removed wherever drop[i]; the other labels keep their numbers."""
    keep = np.concatenate([[0], np.where(drop, 0, np.arange(1, len(drop) + 1))]).astype(labels.dtype)
    return np.asarray(keep[labels])


def threshold_sweep(predictions: Sequence[Prediction], thresholds: Sequence[float]) -> list[dict[str, float]]:
    """Mean scores over the images, with particles of uncertainty ≥ t_u removed, for each threshold.

    Returns
    -------
    list of dict
        "threshold" (nats; infinity = nothing removed), the paper's four numbers, "f1_50", "ap50",
        "ap5095", "pq", "prec50", "rec50", and the medians of |count error| and |median ECD error|.
    """
    keys = ("paper_ap", "paper_ap50", "paper_ap75", "paper_miou", "f1_50", "ap50", "ap5095", "pq", "prec50", "rec50")
    rows = []
    # Most thresholds change nothing in most images.
    known: dict[tuple[int, bytes], Mapping[str, float]] = {}
    for threshold in thresholds:
        scores = []
        for number, p in enumerate(predictions):
            drop = p.uncertainty >= threshold
            which = (number, drop.tobytes())
            if which not in known:
                known[which] = score_image(p.true, without(p.predicted, drop)).values
            scores.append(known[which])
        row = {"threshold": float(threshold)}
        row.update({key: float(np.mean([s[key] for s in scores])) for key in keys})
        for key in ("count_err", "ecd_err"):
            finite = [abs(s[key]) for s in scores if math.isfinite(s[key])]
            row[f"{key}_median"] = float(np.median(finite)) if finite else math.nan
        rows.append(row)
    return rows


def choose_threshold(sweep: Sequence[Mapping[str, float]], key: str = "f1_50") -> float:
    """The threshold of the best row; of equal ones the largest, which removes the fewest particles."""
    best = max(row[key] for row in sweep)
    return max(row["threshold"] for row in sweep if row[key] == best)


# ---------------------------------------------------------------- calibrated probabilities


@dataclass(frozen=True)
class Calibration:
    """Coefficients of P(real) = sigmoid(intercept + Σ weight · (feature − mean) / scale).

    Attributes
    ----------
    names : tuple of str
        Features, in the order of the other fields.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]
    intercept: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the header of a weights file."""
        return {
            "names": list(self.names),
            "mean": list(self.mean),
            "scale": list(self.scale),
            "weight": list(self.weight),
            "intercept": self.intercept,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """The inverse of `as_dict`."""
        mean, scale, weight = (tuple(float(v) for v in values[key]) for key in ("mean", "scale", "weight"))
        names = tuple(str(n) for n in values["names"])
        if not len(names) == len(mean) == len(scale) == len(weight):
            raise ValueError("a calibration has one mean, scale and weight for each name")
        return cls(names, mean, scale, weight, float(values["intercept"]))


def fit_calibration(
    features: Mapping[str, npt.ArrayLike],
    real: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    ridge: float = 1.0,
) -> Calibration:
    """Fit P(real) from features of particles by logistic regression (Platt scaling with several inputs).

    Parameters
    ----------
    features : mapping of str to array (N,)
        "uncertainty", "seed", "area_px", … Those that span decades (areas, uncertainties) are better
        given as their logarithms.
    real : bool array (N,)
        Targets; Platt's are used, (n₊ + 1) / (n₊ + 2) and 1 / (n₋ + 2), so that perfectly separable
        particles do not become certainties (Platt, in Advances in Large Margin Classifiers, 1999).
    weight : array (N,), optional
        Of each particle in the fit; only their ratios count.
    ridge : float
        Weight of ½‖w‖² over the standardised features.

    Raises
    ------
    ValueError
        No feature, no particle, or arrays of different lengths.
    """
    names = tuple(features)
    target = np.asarray(real, np.bool_)
    if not names or not target.size:
        raise ValueError("a calibration needs at least one feature and one particle")
    x = np.column_stack([np.asarray(features[name], np.float64) for name in names])
    if len(x) != len(target):
        raise ValueError(f"{len(x)} particles in the features, {len(target)} in the targets")
    w = np.ones(len(target)) if weight is None else np.asarray(weight, np.float64)
    w = w / w.mean()
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    z = (x - mean) / scale
    n_real = int(target.sum())
    high, low = (n_real + 1) / (n_real + 2), 1 / (len(target) - n_real + 2)
    y = np.where(target, high, low)

    def objective(b: Floats) -> tuple[float, Floats]:
        logit = b[0] + z @ b[1:]
        loss = w @ np.logaddexp(0.0, logit) - (w * y) @ logit + 0.5 * ridge * b[1:] @ b[1:]
        error = w * (_sigmoid(logit) - y)
        return float(loss), np.concatenate([[error.sum()], z.T @ error + ridge * b[1:]])

    start = np.zeros(len(names) + 1)
    start[0] = math.log(y.mean() / (1 - y.mean()))
    solution = optimize.minimize(objective, start, jac=True, method="BFGS", options={"gtol": 1e-8 * len(y)}).x
    return Calibration(
        names, tuple(mean.tolist()), tuple(scale.tolist()), tuple(solution[1:].tolist()), float(solution[0])
    )


def apply_calibration(calibration: Calibration, features: Mapping[str, npt.ArrayLike]) -> Floats:
    """P(real) of each particle, (N,), from the features the calibration names.

    Raises
    ------
    ValueError
        A feature is missing.
    """
    missing = [name for name in calibration.names if name not in features]
    if missing:
        raise ValueError(f"the calibration needs the features {', '.join(missing)}")
    x = np.column_stack([np.asarray(features[name], np.float64) for name in calibration.names])
    z = (x - np.array(calibration.mean)) / np.array(calibration.scale)
    return _sigmoid(calibration.intercept + z @ np.array(calibration.weight))


def held_out_probability(
    features: Sequence[Mapping[str, npt.ArrayLike]], real: Sequence[Bools], *, folds: int = 5
) -> list[Floats]:
    """P(real) of every particle by a calibration that has not seen its image.

    A particle weighs 1/√N in the fit, N the particles of its image: between every particle counting the
    same, which leaves the word to the few images with hundreds, and every image counting the same.

    Parameters
    ----------
    features : sequence of mapping of str to array (N_i,)
        One mapping an image; image i belongs to fold i mod `folds`.
    real : sequence of bool array (N_i,)
        The truth, one array an image.

    Returns
    -------
    list of float array (N_i,)
    """
    fold = np.arange(len(features)) % folds
    out: list[Floats] = [np.empty(0)] * len(features)
    for k in np.unique(fold):
        others: list[int] = np.flatnonzero(fold != k).tolist()
        joined = {name: np.concatenate([np.asarray(features[i][name]) for i in others]) for name in features[0]}
        calibration = fit_calibration(joined, np.concatenate([real[i] for i in others]), image_weights(real, others))
        for i in np.flatnonzero(fold == k).tolist():
            out[i] = apply_calibration(calibration, features[i])
    return out


def image_weights(real: Sequence[Bools], images: Sequence[int]) -> Floats:
    """1/√N for each of the N particles of each of the chosen images, joined."""
    return np.concatenate([np.full(len(real[i]), max(len(real[i]), 1) ** -0.5) for i in images])


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


@dataclass(frozen=True)
class ReliabilityBin:
    """Particles of one range of predicted probability: how many, mean probability, share that is real."""

    low: float
    high: float
    count: int
    predicted: float
    observed: float


def reliability_bins(probability: npt.ArrayLike, real: npt.ArrayLike, bins: int = 10) -> list[ReliabilityBin]:
    """The reliability diagram over equal ranges of probability; empty bins are left out."""
    p, r = np.asarray(probability, np.float64), np.asarray(real, np.bool_)
    index = np.minimum((p * bins).astype(int), bins - 1)
    out = []
    for k in range(bins):
        chosen = index == k
        if chosen.any():
            low, high = k / bins, (k + 1) / bins
            out.append(ReliabilityBin(low, high, int(chosen.sum()), float(p[chosen].mean()), float(r[chosen].mean())))
    return out


def calibration_error(probability: npt.ArrayLike, real: npt.ArrayLike, bins: int = 10) -> float:
    """Expected calibration error: |predicted − observed| averaged over particles (Naeini et al., AAAI 2015)."""
    rows = reliability_bins(probability, real, bins)
    total = sum(row.count for row in rows)
    return sum(row.count * abs(row.predicted - row.observed) for row in rows) / total if total else math.nan
