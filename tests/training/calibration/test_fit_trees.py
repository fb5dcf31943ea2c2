"""What scikit-learn fits is what run time evaluates."""

from __future__ import annotations

import numpy as np
import pytest

from imagedataextractor.training.calibration.fit_trees import fit_trees

pytest.importorskip("sklearn")


def table(rows: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    features = {name: rng.normal(size=rows) for name in "abc"}
    return features, features["a"] + np.abs(features["b"])


def test_the_trees_give_what_scikit_learns_model_gives() -> None:
    from sklearn.ensemble import GradientBoostingRegressor

    features, target = table(400)
    ours = fit_trees(features, target, np.ones(400), kind="value", count=20, depth=3, leaf=5)
    model = GradientBoostingRegressor(
        n_estimators=20, max_depth=3, learning_rate=0.05, min_samples_leaf=5, subsample=0.5, max_features=0.3,
        random_state=0,
    )  # fmt: skip
    x = np.column_stack([np.asarray(v, np.float32) for v in features.values()])
    theirs = model.fit(x, target, np.ones(400)).predict(x)
    np.testing.assert_allclose(ours.sums(features), theirs, atol=1e-9)


def test_a_probability_is_learnt() -> None:
    features, target = table(600)
    trees = fit_trees(features, target > 0.8, np.ones(600), kind="probability", count=60, depth=3, rate=0.1)
    assert ((trees.probability(features) > 0.5) == (target > 0.8)).mean() > 0.9
