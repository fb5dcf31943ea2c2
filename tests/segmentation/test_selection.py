"""The choice without overlaps: exact, bounded, and better than taking the best first."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from imagedataextractor.segmentation import selection
from imagedataextractor.segmentation.selection import best_set, greedy_set


def by_trying_all(weight: np.ndarray, pairs: np.ndarray) -> float:
    best = 0.0
    for chosen in itertools.product([False, True], repeat=len(weight)):
        mask = np.array(chosen)
        if not (mask[pairs[:, 0]] & mask[pairs[:, 1]]).any():
            best = max(best, float(weight[mask].sum()))
    return best


def test_two_good_ones_beat_the_best_one() -> None:
    weight, pairs = np.array([0.9, 0.6, 0.6]), np.array([[0, 1], [0, 2]])
    assert best_set(weight, pairs).tolist() == [False, True, True]
    assert greedy_set(weight, pairs).tolist() == [True, False, False]


@pytest.mark.parametrize("seed", range(8))
def test_it_finds_what_trying_everything_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.uniform(-0.2, 1.0, 12)
    pairs = np.array([p for p in itertools.combinations(range(12), 2) if rng.random() < 0.25])
    chosen = best_set(weight, pairs)
    assert not (chosen[pairs[:, 0]] & chosen[pairs[:, 1]]).any()
    assert weight[chosen].sum() == pytest.approx(by_trying_all(weight, pairs))


def test_what_is_worth_nothing_is_never_chosen_and_without_conflicts_all_else_is() -> None:
    none = np.empty((0, 2), np.int64)
    assert best_set(np.array([0.5, 0.0, -1.0]), none).tolist() == [True, False, False]
    assert best_set(np.empty(0), none).tolist() == []


def test_a_group_that_is_too_large_is_taken_best_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_MAX_GROUP", 2)
    weight, pairs = np.array([0.9, 0.6, 0.6]), np.array([[0, 1], [0, 2]])
    assert best_set(weight, pairs).tolist() == [True, False, False]
