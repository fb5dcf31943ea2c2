"""Trees as arrays: a sum that can be done by hand, the same as scikit-learn's, and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from imagedataextractor.segmentation.trees import Trees


def test_a_row_goes_right_above_the_threshold_and_left_at_it() -> None:
    # x ≤ 1 → y ≤ 5 ? 10 : 20, else 40; the right half is not grown further.
    trees = Trees(
        ("x", "y"),
        np.array([[0, 1, 0]], np.int16),
        np.array([[1.0, 5.0, np.inf]]),
        np.array([[10.0, 20.0, 40.0, 99.0]]),
        base=0.5,
    )
    features = {"y": np.array([5.0, 6.0, 0.0]), "x": np.array([1.0, 0.0, 2.0])}
    np.testing.assert_array_equal(trees.sums(features), [10.5, 20.5, 40.5])
    assert trees.probability({"x": np.empty(0), "y": np.empty(0)}).shape == (0,)


def test_a_missing_feature_and_trees_that_are_none_are_refused() -> None:
    one = np.zeros((1, 1))
    trees = Trees(("x",), np.zeros((1, 1), np.int16), one, np.zeros((1, 2)), 0.0)
    with pytest.raises(ValueError, match="features x"):
        trees.sums({"y": np.zeros(3)})
    with pytest.raises(ValueError, match="no complete trees"):
        Trees(("x",), np.zeros((1, 2), np.int16), np.zeros((1, 2)), np.zeros((1, 3)), 0.0)
    with pytest.raises(ValueError, match="feature 1 of 1"):
        Trees(("x",), np.ones((1, 1), np.int16), one, np.zeros((1, 2)), 0.0)
