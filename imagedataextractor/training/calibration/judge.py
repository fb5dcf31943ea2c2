"""Fit the judge of proposals (`segmentation.judge`), and say how it does on images that it has not seen.

The second of its two ensembles weighs the first's answers. On the images that the first was fitted to
they would be too good; so for the second's fit they are made by folds: of every image by trees that
have not seen any image of its group (its article). The calibration is fitted in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from imagedataextractor.segmentation.choice import ChoiceSettings, choose
from imagedataextractor.segmentation.judge import Judge
from imagedataextractor.segmentation.proposals import Level, Overlaps, own_features, related_features
from imagedataextractor.segmentation.reliability import fit_calibration
from imagedataextractor.segmentation.trees import Trees
from imagedataextractor.training.calibration.fit_trees import fit_trees

__all__ = ["FOLDS", "Judged", "Proposed", "fit_judge", "fold_of", "judged_by_folds"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Folds by which judges are judged, and within each those by which the first ensemble's answers are made.
FOLDS, INNER_FOLDS = 5, 3
#: IoU with a true particle from which a proposal is real.
REAL_IOU = 0.5
#: Trees of the three ensembles. Few and shallow: 77 images give three thousand proposals.
FIRST: Mapping[str, Any] = {"count": 100, "depth": 3, "rate": 0.05, "leaf": 30}
SECOND: Mapping[str, Any] = {"count": 150, "depth": 3, "rate": 0.05, "leaf": 30}
QUALITY: Mapping[str, Any] = {"count": 120, "depth": 4, "rate": 0.05, "leaf": 20}


@dataclass(frozen=True, eq=False)
class Proposed:
    """One image's proposals with the truth.

    Attributes
    ----------
    levels, found : sequence of Level, Overlaps
    iou : float array (N,)
        With the best true particle.
    group : str
        Images of one group (an article) are never on both sides of a fold.
    weight : float
        Of the image in the fit.
    """

    levels: Sequence[Level]
    found: Overlaps
    iou: Floats
    group: str
    weight: float = 1.0

    @property
    def real(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.iou >= REAL_IOU)


@dataclass(frozen=True, eq=False)
class Judged:
    """P(real) and expected IoU of one image's proposals, (N,) each."""

    score: Floats
    quality: Floats


def fit_judge(images: Sequence[Proposed], seed: int = 0) -> Judge:
    """The judge that all images together give, uncalibrated."""
    fold = fold_of(images, INNER_FOLDS, seed)
    likely: list[Floats] = [np.empty(0)] * len(images)
    for k in np.unique(fold):
        trees = _fit_first([image for image, f in zip(images, fold, strict=True) if f != k], seed)
        for index in np.flatnonzero(fold == k).tolist():
            likely[index] = trees.probability(own_features(images[index].levels))
    features = _joined(
        [
            {
                **own_features(image.levels),
                "likely": values,
                **related_features(image.found, values, len(image.levels)),
            }
            for image, values in zip(images, likely, strict=True)
        ]
    )
    real, iou = np.concatenate([image.real for image in images]), np.concatenate([image.iou for image in images])
    weight = _weights(images)
    return Judge(
        first=_fit_first(images, seed),
        second=fit_trees(features, real, weight, kind="probability", seed=seed, **SECOND),
        quality=fit_trees(features, iou, weight, kind="value", seed=seed, **QUALITY),
    )


def judged_by_folds(
    images: Sequence[Proposed], choice: ChoiceSettings, seed: int = 0
) -> tuple[list[Judged], tuple[float, float]]:
    """What judges that have not seen an image's group say of it, by calibrations that have not either.

    P(real) is said of particles, so it is calibrated on the proposals that `choice` keeps: of several for
    one place the best is kept, and the best of several is more often overrated than any one of them.

    The second value is the slope and offset of the calibration of all images, for a judge of all of them.
    """
    fold = fold_of(images, FOLDS, seed)
    raw: list[Judged] = [Judged(np.empty(0), np.empty(0))] * len(images)
    for k in np.unique(fold):
        judge = fit_judge([image for image, f in zip(images, fold, strict=True) if f != k], seed)
        for index in np.flatnonzero(fold == k).tolist():
            raw[index] = Judged(*judge.judged(images[index].levels, images[index].found))
    judged, _ = _recalibrated(images, raw, [np.ones(len(image.iou), bool) for image in images], fold)
    kept = [_kept(image, j, choice) for image, j in zip(images, judged, strict=True)]
    return _recalibrated(images, raw, kept, fold)


def _recalibrated(
    images: Sequence[Proposed], raw: Sequence[Judged], used: Sequence[Bools], fold: npt.NDArray[np.int64]
) -> tuple[list[Judged], tuple[float, float]]:
    """The same with P(real) calibrated on the proposals `used`, of each image by those of the other folds."""
    out = list(raw)
    for k in np.unique(fold):
        others = np.flatnonzero(fold != k).tolist()
        slope, offset = _calibration([(images[i], raw[i], used[i]) for i in others])
        for index in np.flatnonzero(fold == k).tolist():
            out[index] = Judged(_calibrated(raw[index].score, slope, offset), raw[index].quality)
    return out, _calibration(list(zip(images, raw, used, strict=True)))


def _kept(image: Proposed, judged: Judged, choice: ChoiceSettings) -> Bools:
    """The proposals that become rows: accepted or rejected."""
    chosen = choose(image.found, judged.score, judged.quality, choice)
    return chosen.accepted | chosen.rejected


def _calibration(judged: Sequence[tuple[Proposed, Judged, Bools]]) -> tuple[float, float]:
    """Slope and offset of the logistic calibration of judged proposals that the judge had not seen."""
    margin = np.concatenate([_logit(j.score)[used] for _, j, used in judged])
    real = np.concatenate([image.real[used] for image, _, used in judged])
    weight = np.concatenate(
        [np.full(int(used.sum()), image.weight * _share(int(used.sum()))) for image, _, used in judged]
    )
    fitted = fit_calibration({"margin": margin}, real, weight)
    slope = fitted.weight[0] / fitted.scale[0]
    return slope, fitted.intercept - slope * fitted.mean[0]


def _calibrated(score: Floats, slope: float, offset: float) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * (slope * _logit(score) + offset))))


def _logit(p: Floats) -> Floats:
    q = np.clip(p, 1e-6, 1.0 - 1e-6)
    return np.log(q / (1.0 - q))


def fold_of(images: Sequence[Proposed], folds: int = FOLDS, seed: int = 0) -> npt.NDArray[np.int64]:
    """The fold of every image: groups in random order, dealt out."""
    groups = sorted({image.group for image in images})
    order = np.random.default_rng(seed).permutation(len(groups))
    fold = {group: int(place) % folds for group, place in zip(groups, order, strict=True)}
    return np.array([fold[image.group] for image in images])


def _fit_first(images: Sequence[Proposed], seed: int) -> Trees:
    features = _joined([own_features(image.levels) for image in images])
    real = np.concatenate([image.real for image in images])
    return fit_trees(features, real, _weights(images), kind="probability", seed=seed, **FIRST)


def _weights(images: Sequence[Proposed]) -> Floats:
    """Of every proposal in the fit, joined."""
    return np.concatenate([np.full(len(image.iou), image.weight * _share(len(image.iou))) for image in images])


def _share(count: int) -> float:
    """The weight of each of an image's N rows: between rows and images counting alike."""
    return 1.0 / math.sqrt(max(count, 1))


def _joined(features: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    return {name: np.concatenate([f[name] for f in features]) for name in features[0]}
