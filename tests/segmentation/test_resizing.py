"""Label maps at another size: areas, neighbours and outlines."""

from __future__ import annotations

import numpy as np
import pytest

from imagedataextractor.segmentation.resizing import label_resized


def test_a_resized_label_map_keeps_areas_and_neighbours() -> None:
    labels = np.zeros((40, 60), np.int32)
    labels[10:20, 10:20], labels[10:20, 20:31] = 1, 2
    halved = label_resized(labels, (30, 20))
    assert np.bincount(halved.ravel())[1:].tolist() == [25, 30]  # the column that is half a pixel goes to the particle
    doubled = label_resized(labels, (120, 80))
    areas = np.bincount(doubled.ravel())[1:]
    assert areas == pytest.approx([400, 440], abs=4)  # corners are rounded
    assert (doubled[22:38, 22:38] == 1).all()
    assert (doubled[22:38, 42:60] == 2).all()


def test_a_resized_disc_is_round_not_a_staircase() -> None:
    y, x = np.mgrid[:64, :64]
    small = ((x - 31.5) ** 2 + (y - 31.5) ** 2 <= 20**2).astype(np.int32)
    y, x = np.mgrid[:192, :192]
    distance = np.hypot(x - 95.5, y - 95.5)
    large = label_resized(small, (192, 192)) > 0
    assert large.sum() == pytest.approx(small.sum() * 9, rel=0.005)
    wrong = large != (distance <= 60)
    nearest = np.kron(small, np.ones((3, 3), np.int32)) > 0
    assert wrong.sum() < 0.8 * (nearest != (distance <= 60)).sum()
