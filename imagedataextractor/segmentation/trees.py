"""Gradient-boosted decision trees, evaluated with plain NumPy.

Trees are fitted elsewhere (`training.calibration`) and kept as three arrays beside the network's
weights. All of an ensemble are complete binary trees of one depth d, so that the children of node k
are 2k + 1 and 2k + 2 and no pointers are needed (Friedman, Ann. Stat. 29 (2001) 1189).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Trees"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trees:
    """An ensemble of T trees of depth d over named features.

    Attributes
    ----------
    names : tuple of str
        The features, in the order that `feature` counts them in.
    feature : int16 array (T, 2^d − 1)
        Which feature a node asks for.
    threshold : float64 array (T, 2^d − 1)
        A value above it goes right; infinity where the tree is not grown.
    value : float64 array (T, 2^d)
        What a leaf adds.
    base : float
        What the sum begins with.
    """

    names: tuple[str, ...]
    feature: npt.NDArray[np.int16]
    threshold: Floats
    value: Floats
    base: float

    def __post_init__(self) -> None:
        count, nodes = self.feature.shape
        fits = self.threshold.shape == (count, nodes) and self.value.shape == (count, nodes + 1)
        if not fits or (nodes + 1) & nodes:
            raise ValueError(f"no complete trees: {self.feature.shape}, {self.threshold.shape} and {self.value.shape}")
        if self.feature.size and int(self.feature.max()) >= len(self.names):
            raise ValueError(f"a tree asks for feature {int(self.feature.max())} of {len(self.names)}")

    def sums(self, features: Mapping[str, npt.NDArray[Any]]) -> Floats:
        """The sum of all trees for each of N rows, (N,).

        Raises
        ------
        ValueError
            A feature is missing.
        """
        missing = [name for name in self.names if name not in features]
        if missing:
            raise ValueError(f"the trees need the features {', '.join(missing)}")
        # As scikit-learn, which fits them, compares: values in single precision.
        x = np.column_stack([np.asarray(features[name], np.float32) for name in self.names])
        rows = np.arange(len(x))[:, None]
        tree = np.arange(len(self.feature))[None, :]
        node = np.zeros((len(x), len(self.feature)), np.int64)
        nodes = self.feature.shape[1]
        for _ in range(nodes.bit_length()):
            right = x[rows, self.feature[tree, node]] > self.threshold[tree, node]
            node = 2 * node + 1 + right
        total: Floats = self.value[tree, node - nodes].sum(axis=1)
        return self.base + total

    def probability(self, features: Mapping[str, npt.NDArray[Any]]) -> Floats:
        """The sum as a probability, by the logistic function; (N,)."""
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * self.sums(features))))
