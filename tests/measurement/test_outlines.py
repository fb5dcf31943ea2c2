"""Outlines go round every region once, whatever the map."""

from __future__ import annotations

import numpy as np
import pytest

from imagedataextractor.measurement.outlines import find_steps, trace_loops, trace_outlines


@pytest.mark.parametrize("seed", range(5))
def test_every_step_is_in_one_loop_and_meets_the_next(seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 4, (23, 31)).astype(np.int32) * 7
    loops = trace_loops(labels)
    steps, stairs = loops.steps, loops.staircases()

    assert sorted(loops.order.tolist()) == list(range(len(find_steps(labels).owner)))
    assert loops.present.tolist() == [7, 14, 21]
    assert (loops.present[stairs.owners()] == steps.owner[loops.order]).all()
    apart = stairs.points[stairs.following()] - stairs.points
    assert np.hypot(apart[:, 0], apart[:, 1]).max() <= 1


def test_areas_of_outlines_are_those_of_the_pixels() -> None:
    labels = np.random.default_rng(5).integers(0, 3, (40, 40)).astype(np.int32)
    corners, pixels = trace_loops(labels).corners()
    areas = np.bincount(corners.owner, corners.signed_areas())

    assert areas.tolist() == np.bincount(labels.ravel())[1:].tolist()
    assert (labels[pixels[:, 1], pixels[:, 0]] == np.repeat(corners.owners() + 1, 2)).all()


def test_the_outer_outline_of_the_largest_region_is_the_label_s() -> None:
    labels = np.zeros((20, 30), np.int32)
    labels[2:12, 3:13] = 5
    labels[4:8, 5:9] = 0
    labels[15:18, 20:23] = 5
    outlines = trace_outlines(labels)

    assert list(outlines) == [5]
    assert outlines[5].tolist() == [[13, 2], [13, 12], [3, 12], [3, 2]]


def test_an_empty_map_has_no_outlines() -> None:
    assert trace_outlines(np.zeros((4, 5), np.int32)) == {}
