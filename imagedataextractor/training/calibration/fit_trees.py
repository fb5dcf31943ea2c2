"""Fit boosted trees with scikit-learn and bring them into the form that run time reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from imagedataextractor.errors import InputError
from imagedataextractor.segmentation.trees import Trees

__all__ = ["fit_trees"]

Floats = npt.NDArray[np.float64]


def fit_trees(
    features: Mapping[str, npt.NDArray[Any]],
    target: npt.NDArray[Any],
    weight: Floats,
    *,
    kind: Literal["probability", "value"],
    count: int,
    depth: int,
    rate: float = 0.05,
    leaf: int = 20,
    seed: int = 0,
) -> Trees:
    """Boosted trees for a probability (binomial deviance) or for a value (squared error).

    Parameters
    ----------
    features : mapping of str to array (N,)
    target : array (N,)
        True and false, or values.
    weight : float array (N,)
        Of each row; only their ratios count.
    count, depth, rate, leaf : int, int, float, int
        Trees, their depth, the share of each that is taken, and rows that a leaf must have.

    Raises
    ------
    InputError
        scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
    except ImportError as error:
        raise InputError(
            "fitting the choice of proposals needs scikit-learn; pip install 'imagedataextractor[training]'"
        ) from error
    x = np.column_stack([np.asarray(v, np.float32) for v in features.values()])
    w = weight / weight.mean()
    settings: dict[str, Any] = {
        "n_estimators": count,
        "max_depth": depth,
        "learning_rate": rate,
        "min_samples_leaf": leaf,
        "subsample": 0.5,
        "max_features": 0.3,
        "random_state": seed,
    }
    if kind == "probability":
        model = GradientBoostingClassifier(**settings).fit(x, np.asarray(target, bool), w)
        share = float(np.average(np.asarray(target, float), weights=w))
        base = float(np.log(share / (1.0 - share)))
    else:
        model = GradientBoostingRegressor(**settings).fit(x, np.asarray(target, float), w)
        base = float(np.average(target, weights=w))
    return _complete(tuple(features), [row[0].tree_ for row in model.estimators_], depth, rate, base)


def _complete(names: tuple[str, ...], trees: list[Any], depth: int, rate: float, base: float) -> Trees:
    """scikit-learn's trees with pointers as complete trees: where one ends early, everything goes left."""
    nodes = 2**depth - 1
    feature = np.zeros((len(trees), nodes), np.int16)
    threshold = np.full((len(trees), nodes), np.inf)
    value = np.zeros((len(trees), nodes + 1))
    for index, tree in enumerate(trees):
        place = {0: 0}  # node of the complete tree → node of scikit-learn's
        for node in range(nodes):
            source = place.pop(node)
            is_leaf = tree.children_left[source] < 0
            if not is_leaf:
                feature[index, node] = tree.feature[source]
                threshold[index, node] = tree.threshold[source]
            place[2 * node + 1] = source if is_leaf else tree.children_left[source]
            place[2 * node + 2] = source if is_leaf else tree.children_right[source]
        for node, source in place.items():
            value[index, node - nodes] = rate * tree.value[source, 0, 0]
    return Trees(names, feature, threshold, value, base)
