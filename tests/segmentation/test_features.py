"""Features of particles on maps made by hand, where every value is known."""

from __future__ import annotations

import numpy as np
import pytest

from imagedataextractor.segmentation.features import particle_features
from imagedataextractor.segmentation.maps import Maps


def made_by_hand():
    """A square of 20 px and an L of the same box, white on black; embeddings of the L do not meet in one point."""
    labels = np.zeros((80, 120), np.int32)
    labels[20:40, 20:40] = 1
    labels[20:40, 70:90] = 2
    labels[20:35, 75:90] = 0
    y, x = np.mgrid[:80, :120].astype(np.float32)
    embedding = np.stack([x, y])
    embedding[0][labels == 1], embedding[1][labels == 1] = 29.5, 29.5
    bandwidth = np.full((2, 80, 120), np.log(2.0) / 25.0, np.float32)
    seed = np.where(labels > 0, np.where(labels == 1, 0.95, 0.6), 0.1).astype(np.float32)
    information = np.where(labels == 2, 0.2, 0.0).astype(np.float32)
    image = np.where(labels == 1, 200, 100).astype(np.uint8)
    return Maps(embedding, bandwidth, seed, information, image, scale=2.0), labels


def test_every_feature_has_its_stated_meaning():
    maps, labels = made_by_hand()
    found = particle_features(maps, labels)
    square, ell = 400, 400 - 225
    assert found["area_px"] == pytest.approx([square / 4, ell / 4])  # magnified twice
    assert found["uncertainty"] == pytest.approx([0.0, 0.2])
    assert found["seed"] == pytest.approx([0.95, 0.6])
    assert found["seed_peak"] == pytest.approx([0.95, 0.6])
    assert found["image_seed"] == pytest.approx([0.775, 0.775])
    assert found["count"] == pytest.approx([2, 2])
    assert found["relative_area"] == pytest.approx([square / ((square + ell) / 2), ell / ((square + ell) / 2)])
    assert found["rim_seed"] == pytest.approx([0.1, 0.1])
    # The hull of the L: its box less the triangle that is cut off, 15 px a side.
    assert found["solidity"] == pytest.approx([1.0, ell / (square - 15 * 15 / 2)])
    assert found["phi"][0] == pytest.approx(1.0)
    assert found["core"][0] == 1.0
    assert found["phi"][1] < 0.4
    assert found["core"][1] < 0.5
    assert found["contrast"][0] > 1.0
    assert found["contrast"][1] == pytest.approx(0.0, abs=0.01)


def test_no_particles_have_no_features_and_one_that_fills_the_image_has_all():
    maps, labels = made_by_hand()
    assert all(values.shape == (0,) for values in particle_features(maps, np.zeros_like(labels)).values())
    whole = particle_features(maps, np.ones_like(labels))
    assert all(values.shape == (1,) and np.isfinite(values).all() for values in whole.values())
