"""The loss against cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from imagedataextractor.segmentation.embedding import bandwidth, embed
from imagedataextractor.training.segmentation.loss import BPartISLoss, lovasz_hinge


def test_the_hinge_is_zero_for_a_perfect_margin_and_two_for_its_opposite():
    target = torch.tensor([1.0, 1.0, 0.0, 0.0])
    assert float(lovasz_hinge(2 * target - 1, target)) == pytest.approx(0.0)
    assert float(lovasz_hinge(1 - 2 * target, target)) == pytest.approx(2.0)


def test_the_hinge_equals_the_jaccard_loss_at_the_corners():
    # At errors of 0 or 1 the Lovász extension is the set function itself: 1 - IoU of the mistaken set.
    target = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0])
    logits = torch.tensor([1.0, 1.0, 0.0, -1.0, 0.0])  # one missed, one false, each at the margin
    assert float(lovasz_hinge(logits, target)) == pytest.approx(1 - 2 / 4)


def test_embedding_of_zero_output_is_the_pixel_itself():
    points = embed(torch.zeros(1, 4, 5, 7))[0]
    assert points[0, 3, 6] == 6.0
    assert points[1, 3, 6] == 3.0


def test_a_larger_sigma_means_a_narrower_particle():
    s = bandwidth(torch.tensor([-1.0, 0.0, 1.0]))
    assert (s > 0).all()
    assert float(s[2] / s[1]) == pytest.approx(float(s[1] / s[0]), rel=0.2)
    assert s[2] > s[1] > s[0]


def ideal_outputs(labels):
    """Raw outputs whose embeddings are the instance centroids."""
    height, width = labels.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    geometry = np.zeros((1, 4, height, width), np.float32)
    seed = np.full((1, 1, height, width), -9.0, np.float32)
    for label in range(1, labels.max() + 1):
        inside = labels == label
        for axis, grid in enumerate((x, y)):
            offset = grid[inside].mean() - grid[inside]
            geometry[0, axis][inside] = np.arctanh(offset / 256.0) * 8.0
        geometry[0, 2:, inside] = 2.0
        seed[0, 0, inside] = 9.0
    return torch.tensor(geometry), torch.tensor(seed)


def two_squares():
    labels = np.zeros((64, 64), np.int64)
    labels[8:24, 8:24], labels[8:24, 24:40] = 1, 2
    return labels


@pytest.mark.parametrize("kind", ["regression", "likelihood"])
def test_ideal_outputs_cost_nearly_nothing_and_wrong_ones_more(kind):
    labels = two_squares()
    geometry, seed = ideal_outputs(labels)
    loss = BPartISLoss(seed=kind)
    good = loss(geometry, seed, torch.tensor(labels)[None])
    bad = loss(torch.zeros_like(geometry), -seed, torch.tensor(labels)[None])
    assert float(good.total) < 0.05
    assert bad.instance > good.instance + 0.2
    assert bad.seed > good.seed + 0.2


def test_ignored_pixels_say_nothing():
    labels = two_squares()
    geometry, seed = ideal_outputs(labels)
    labels[50:60, 50:60] = -1
    before = BPartISLoss()(geometry, seed, torch.tensor(labels)[None])
    seed[0, 0, 50:60, 50:60] = 9.0
    after = BPartISLoss()(geometry, seed, torch.tensor(labels)[None])
    assert float(before.total) == pytest.approx(float(after.total))


def test_background_alone_has_a_seed_loss_only():
    geometry = torch.zeros(1, 4, 32, 32, requires_grad=True)
    seed = torch.zeros(1, 1, 32, 32, requires_grad=True)
    parts = BPartISLoss()(geometry, seed, torch.zeros(1, 32, 32, dtype=torch.int64))
    assert parts.instance == 0.0
    assert parts.seed == pytest.approx(0.25)
    parts.total.backward()
    assert seed.grad is not None


def test_gradients_move_a_wrong_offset_towards_the_centre():
    labels = torch.tensor(two_squares())[None]
    geometry = torch.zeros(1, 4, 64, 64, requires_grad=True)
    optimiser = torch.optim.Adam([geometry], lr=0.02)
    loss = BPartISLoss()
    first = last = None
    for _ in range(60):
        parts = loss(geometry, torch.zeros(1, 1, 64, 64), labels)
        optimiser.zero_grad()
        parts.total.backward()
        optimiser.step()
        first, last = first or parts.instance, parts.instance
    assert last < 0.6 * first
