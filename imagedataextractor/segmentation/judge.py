"""P(real) of the proposals of all levels together: two ensembles of boosted trees, one after the other.

The first knows a proposal's own features and its level. The second knows, besides, what the proposals
of the other levels are by the first, and how they lie to it (`proposals.related_features`). A logistic
function of its answer is the calibrated probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from imagedataextractor.segmentation.proposals import Level, Overlaps, own_features, related_features
from imagedataextractor.segmentation.trees import Trees

__all__ = ["Judge", "SeedJudge", "all_features"]

Floats = npt.NDArray[np.float64]


def all_features(first: Trees, levels: Sequence[Level], found: Overlaps) -> dict[str, Floats]:
    """Everything that the second ensemble may ask, (N,) each: own features, the first's answer, relations."""
    own = own_features(levels)
    likely = first.probability(own)
    return {**own, "likely": likely, **related_features(found, likely, len(levels))}


@dataclass(frozen=True, eq=False)
class Judge:
    """P(real) and the expected IoU of every proposal.

    Attributes
    ----------
    first, second : Trees
        P(real) by a proposal's own features; and by these and those of its relations.
    quality : Trees
        Expected IoU with the best true particle, 0 … 1, by the same features as `second`.
    slope, offset : float
        Of the logistic calibration over `second`'s sum.
    """

    first: Trees
    second: Trees
    quality: Trees
    slope: float = 1.0
    offset: float = 0.0

    def judged(self, levels: Sequence[Level], found: Overlaps) -> tuple[Floats, Floats]:
        """P(real) and expected IoU of each proposal, (N,) each, counted through the levels."""
        features = all_features(self.first, levels, found)
        margin = self.slope * self.second.sums(features) + self.offset
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * margin))), np.clip(self.quality.sums(features), 0.0, 1.0)

    def to_tensors(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays of the three ensembles by name, to be kept beside a network's weights."""
        return {
            f"{name}.{part}": getattr(trees, part)
            for name, trees in self._ensembles()
            for part in ("feature", "threshold", "value")
        }

    def header(self) -> dict[str, Any]:
        """What must be known besides the arrays, as plain values."""
        return {
            "slope": self.slope,
            "offset": self.offset,
            **{name: {"names": list(trees.names), "base": trees.base} for name, trees in self._ensembles()},
        }

    @classmethod
    def from_parts(cls, header: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]) -> Judge:
        """The judge that `header` and `to_tensors` describe.

        Raises
        ------
        KeyError, TypeError, ValueError
            Something is missing or does not fit.
        """
        ensembles = {
            name: Trees(
                tuple(header[name]["names"]),
                np.asarray(tensors[f"{name}.feature"], np.int16),
                np.asarray(tensors[f"{name}.threshold"], np.float64),
                np.asarray(tensors[f"{name}.value"], np.float64),
                float(header[name]["base"]),
            )
            for name in ("first", "second", "quality")
        }
        return cls(**ensembles, slope=float(header["slope"]), offset=float(header["offset"]))

    def _ensembles(self) -> tuple[tuple[str, Trees], ...]:
        return ("first", self.first), ("second", self.second), ("quality", self.quality)


class SeedJudge:
    """For networks without a judge: seeds, embeddings and agreement between the levels, as they are."""

    #: The largest seed that a proposal must have; below, most are false.
    CERTAIN_SEED = 0.9
    #: How much of a proposal's value is left where no other level agrees. With this and a least value of 0.4,
    #: F1@50 is 0.917 on the 77 validation images of EMPS, by a judge 0.947.
    ALONE = 0.6

    def judged(self, levels: Sequence[Level], found: Overlaps) -> tuple[Floats, Floats]:
        """The value of each proposal, (N,), 0 … 1, which is no probability; twice, for the quality too."""
        own = own_features(levels)
        value = np.asarray(own["seed"] * own["phi"])
        agreement = related_features(found, value, len(levels))["best_iou"]
        value = np.where(own["seed_peak"] >= self.CERTAIN_SEED, value, 0.0)
        value = value * (self.ALONE + (1.0 - self.ALONE) * agreement)
        return value, value
