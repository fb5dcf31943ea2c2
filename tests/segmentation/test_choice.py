"""Which proposals become particles, supports, or rejected ones."""

from __future__ import annotations

import numpy as np
import pytest

from imagedataextractor.segmentation.choice import ChoiceSettings, choose, painted
from imagedataextractor.segmentation.proposals import Level, overlaps

SETTINGS = ChoiceSettings(min_score=0.4, min_rejected_score=0.1)
SHAPE = (200, 240)


def level(labels: np.ndarray, scale: float) -> Level:
    return Level(scale, labels.astype(np.int32), {"seed": np.ones(labels.max(initial=0))}, np.zeros((1, 1), np.float32))


def body_with(specks: int, side: int = 8) -> list[Level]:
    """At ½ one body of 120 × 120 px of the image, at 1 square specks on it."""
    body = np.zeros((100, 120), int)
    body[20:80, 20:80] = 1
    fine = np.zeros(SHAPE, int)
    places = [(50 + 12 * (k // 8), 50 + 12 * (k % 8)) for k in range(specks)]
    for number, (y, x) in enumerate(places, 1):
        fine[y : y + side, x : x + side] = number
    return [level(body, 0.5), level(fine, 1.0)]


@pytest.mark.parametrize("body_score", [0.05, 0.95])
def test_a_body_with_many_particles_is_their_support(body_score: float) -> None:
    levels = body_with(12)
    found = overlaps(levels, SHAPE)
    score = np.array([body_score, *[0.7] * 12])
    choice = choose(found, score, score, SETTINGS)
    assert choice.support.tolist() == [True] + [False] * 12
    assert choice.accepted.tolist() == [False] + [True] * 12
    labels = painted(levels, found, choice.accepted | choice.support, SHAPE)
    assert np.bincount(labels.ravel())[1:].tolist() == [120 * 120 - 12 * 64] + [64] * 12


def test_a_core_in_a_shell_stays_one_particle() -> None:
    levels = body_with(1, side=30)
    choice = choose(overlaps(levels, SHAPE), np.array([0.9, 0.7]), np.array([0.9, 0.7]), SETTINGS)
    assert choice.accepted.tolist() == [True, False]
    assert not choice.support.any()


def test_specks_that_are_hardly_real_make_no_support() -> None:
    levels = body_with(12)
    score = np.array([0.9, *[0.2] * 12])
    choice = choose(overlaps(levels, SHAPE), score, score, SETTINGS)
    assert choice.accepted.tolist() == [True] + [False] * 12
    assert not choice.support.any()
    assert not choice.rejected.any()  # what lies under a particle is not kept


def test_a_pile_of_grains_is_no_support_but_its_grains() -> None:
    levels = body_with(64, side=12)  # they fill most of the body
    score = np.array([0.9, *[0.6] * 64])
    choice = choose(overlaps(levels, SHAPE), score, score, SETTINGS)
    assert not choice.support.any()
    assert choice.accepted.tolist() == [False] + [True] * 64


def test_who_knows_that_there_is_a_support_needs_fewer_particles_and_who_knows_that_there_is_none_has_none() -> None:
    levels = body_with(3)
    score = np.array([0.9, 0.7, 0.7, 0.7])
    found = overlaps(levels, SHAPE)
    assert choose(found, score, score, SETTINGS, supported=True).support.tolist() == [True, False, False, False]
    assert not choose(found, score, score, SETTINGS).support.any()
    many = overlaps(body_with(12), SHAPE)
    score = np.array([0.9, *[0.7] * 12])
    assert not choose(many, score, score, SETTINGS, supported=False).support.any()


def test_what_is_not_chosen_but_may_be_real_is_kept_as_rejected_where_nothing_lies() -> None:
    levels = body_with(2)
    score = np.array([0.0, 0.3, 0.05])
    choice = choose(overlaps(levels, SHAPE), score, score, SETTINGS)
    assert choice.rejected.tolist() == [False, True, False]
    assert not choice.accepted.any()


def test_of_two_equal_proposals_the_better_mask_is_kept() -> None:
    labels = np.zeros(SHAPE, int)
    labels[40:80, 40:80] = 1
    levels = [level(labels[::2, ::2], 0.5), level(labels, 1.0)]
    score, quality = np.array([0.8, 0.78]), np.array([0.7, 0.9])
    assert choose(overlaps(levels, SHAPE), score, quality, SETTINGS).accepted.tolist() == [False, True]
