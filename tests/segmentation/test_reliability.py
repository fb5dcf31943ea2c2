"""Uncertainty: ranking, sweep and calibration against known truth."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from imagedataextractor.segmentation.reliability import (
    Calibration,
    Prediction,
    apply_calibration,
    auroc,
    best_iou,
    calibration_error,
    choose_threshold,
    fit_calibration,
    held_out_probability,
    is_real,
    reliability_bins,
    threshold_sweep,
    without,
)


def boxes(*corners: tuple[int, int, int, int]) -> np.ndarray:
    labels = np.zeros((60, 60), np.int32)
    for number, (y, x, h, w) in enumerate(corners, 1):
        labels[y : y + h, x : x + w] = number
    return labels


TRUE = boxes((5, 5, 10, 10), (30, 5, 10, 10), (5, 30, 10, 10))
FOUND = boxes((5, 5, 10, 10), (30, 5, 10, 4), (40, 40, 10, 10), (5, 30, 10, 9))


def test_best_iou_and_real_particles() -> None:
    np.testing.assert_allclose(best_iou(TRUE, FOUND), [1.0, 0.4, 0.0, 0.9], atol=1e-6)
    assert is_real(TRUE, FOUND).tolist() == [True, False, False, True]
    gap = np.where(FOUND == 2, 0, FOUND)
    assert np.isnan(best_iou(TRUE, gap)[1])
    assert best_iou(np.zeros_like(TRUE), FOUND).tolist() == [0, 0, 0, 0]
    assert best_iou(TRUE, np.zeros_like(TRUE)).size == 0


def test_auroc_against_all_pairs() -> None:
    rng = np.random.default_rng(0)
    u = np.round(rng.random(200), 1)  # many ties
    real = rng.random(200) < 0.7
    pairs = [(a > b) + 0.5 * (a == b) for a in u[~real] for b in u[real]]
    assert auroc(u, real) == pytest.approx(float(np.mean(pairs)))
    assert auroc([0.1, 0.2, 0.9], [True, True, False]) == 1.0
    assert auroc([0.1, 0.2, 0.9], [False, False, True]) == 0.0
    assert math.isnan(auroc([0.1, 0.2], [True, True]))


def test_sweep_removes_the_uncertain_and_chooses_the_best_threshold() -> None:
    uncertainty = np.array([0.01, 0.05, 0.3, 0.02])
    sweep = threshold_sweep([Prediction(TRUE, FOUND, uncertainty)], [0.015, 0.04, 0.1, math.inf])
    assert [row["prec50"] for row in sweep] == pytest.approx([1.0, 1.0, 2 / 3, 0.5])
    assert [row["rec50"] for row in sweep] == pytest.approx([1 / 3, 2 / 3, 2 / 3, 2 / 3])
    assert choose_threshold(sweep) == 0.04
    assert choose_threshold(sweep, "rec50") == math.inf
    assert set(np.unique(without(FOUND, uncertainty >= 0.04))) == {0, 1, 4}


def test_calibration_recovers_a_logistic_law() -> None:
    rng = np.random.default_rng(1)
    features = {"uncertainty": rng.gamma(2.0, 0.02, 6000), "log_area": rng.normal(6, 1.5, 6000)}
    p = 1 / (1 + np.exp(-(2.0 - 60.0 * features["uncertainty"] + 0.4 * (features["log_area"] - 6))))
    real = rng.random(6000) < p
    calibration = fit_calibration(features, real)
    estimate = apply_calibration(calibration, features)
    assert float(np.abs(estimate - p).mean()) < 0.02
    assert calibration_error(estimate, real) < 0.03
    assert calibration_error(np.full(6000, 0.99), real) > 0.1
    assert calibration.weight[0] < 0 < calibration.weight[1]


def test_calibration_survives_the_header_of_a_file() -> None:
    calibration = fit_calibration({"seed": [0.1, 0.5, 0.7, 0.9]}, [False, False, True, True])
    again = Calibration.from_dict(json.loads(json.dumps(calibration.as_dict())))
    assert again == calibration
    with pytest.raises(ValueError, match="one mean"):
        Calibration.from_dict({**calibration.as_dict(), "mean": []})


def test_few_or_separable_particles_give_no_certainties() -> None:
    separable = fit_calibration({"seed": [0.1, 0.2, 0.8, 0.9]}, [False, False, True, True])
    p = apply_calibration(separable, {"seed": [0.0, 1.0]})
    assert 0.02 < p[0] < 0.5 < p[1] < 0.98
    all_real = fit_calibration({"seed": [0.5, 0.5]}, [True, True])
    assert apply_calibration(all_real, {"seed": [0.5]})[0] == pytest.approx(0.75, abs=1e-3)
    assert apply_calibration(separable, {"seed": []}).shape == (0,)


def test_what_cannot_be_calibrated_says_so() -> None:
    with pytest.raises(ValueError, match="at least one"):
        fit_calibration({"seed": []}, [])
    with pytest.raises(ValueError, match="2 particles"):
        fit_calibration({"seed": [0.1, 0.2]}, [True])
    with pytest.raises(ValueError, match="features seed"):
        apply_calibration(fit_calibration({"seed": [0.1, 0.2]}, [True, False]), {"area": [1.0]})


def test_reliability_bins_hold_every_particle() -> None:
    rows = reliability_bins([0.05, 0.07, 0.95, 1.0], [False, True, True, True])
    assert [(row.count, row.observed) for row in rows] == [(2, 0.5), (2, 1.0)]
    assert rows[1].predicted == pytest.approx(0.975)
    assert calibration_error([0.05, 0.07, 0.95, 1.0], [False, True, True, True]) == pytest.approx(
        (2 * 0.44 + 2 * 0.025) / 4
    )
    assert math.isnan(calibration_error([], []))


def test_a_held_out_probability_has_not_seen_its_own_image() -> None:
    rng = np.random.default_rng(3)
    features = [{"u": rng.random(12)} for _ in range(6)]
    real = [f["u"] + 0.2 * rng.normal(size=12) < 0.6 for f in features]
    before = held_out_probability(features, real, folds=3)
    assert [len(p) for p in before] == [12] * 6
    assert auroc(1.0 - np.concatenate(before), np.concatenate(real)) > 0.8
    real[1] = ~real[1]  # images 1 and 4 share a fold
    after = held_out_probability(features, real, folds=3)
    same = [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert same == [False, True, False, False, True, False]


def test_the_weights_of_the_fit_say_how_much_a_particle_counts() -> None:
    features = {"seed": [0.5] * 40}
    real = [True] * 20 + [False] * 20
    even = fit_calibration(features, real)
    tilted = fit_calibration(features, real, [3.0] * 20 + [1.0] * 20)
    assert apply_calibration(even, {"seed": [0.5]})[0] == pytest.approx(0.5, abs=0.01)
    assert apply_calibration(tilted, {"seed": [0.5]})[0] == pytest.approx(0.75, abs=0.03)
