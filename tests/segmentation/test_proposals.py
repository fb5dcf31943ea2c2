"""Proposals of several levels: how they overlap, and what they say of each other."""

from __future__ import annotations

import numpy as np
import pytest

from imagedataextractor.segmentation.clustering import ClusterSettings
from imagedataextractor.segmentation.maps import Maps
from imagedataextractor.segmentation.proposals import (
    Level,
    cluster_maps,
    conflicts,
    level_proposals,
    overlaps,
    own_features,
    related_features,
)


def level(labels: np.ndarray, scale: float = 1.0) -> Level:
    count = int(labels.max(initial=0))
    features = {"seed": np.full(count, 0.9), "area_px": np.bincount(labels.ravel())[1:] / scale**2}
    return Level(scale, labels.astype(np.int32), features, np.zeros(labels.shape, np.float32))


def body_and_parts() -> list[Level]:
    """At ½ one body of 40 × 40 px of the image; at 1 four parts of 10 × 10 in it, and one beside it."""
    coarse = np.zeros((50, 60), int)
    coarse[5:25, 5:25] = 1
    fine = np.zeros((100, 120), int)
    for number, (y, x) in enumerate([(12, 12), (12, 32), (32, 12), (32, 32), (70, 80)], 1):
        fine[y : y + 10, x : x + 10] = number
    return [level(coarse, 0.5), level(fine)]


def test_overlaps_are_counted_in_the_frame_in_both_directions() -> None:
    found = overlaps(body_and_parts(), (100, 120))
    assert found.level.tolist() == [0, 1, 1, 1, 1, 1]
    assert found.area.tolist() == [1600, 100, 100, 100, 100, 100]
    assert sorted(zip(found.source.tolist(), found.target.tolist(), strict=True)) == sorted(
        [(0, k) for k in (1, 2, 3, 4)] + [(k, 0) for k in (1, 2, 3, 4)]
    )
    assert set(found.shared.tolist()) == {100.0}
    assert found.iou == pytest.approx(100 / 1600)


def test_the_frame_is_compared_in_strips_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = overlaps(body_and_parts(), (100, 120))
    monkeypatch.setattr("imagedataextractor.segmentation.proposals._ROWS", 17)
    strips = overlaps(body_and_parts(), (100, 120))
    for name in ("area", "source", "target", "shared"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(strips, name))


def test_a_proposal_conflicts_with_what_it_covers() -> None:
    found = overlaps(body_and_parts(), (100, 120))
    assert conflicts(found, 0.25).tolist() == [[0, 1], [0, 2], [0, 3], [0, 4]]


def test_relations_say_what_lies_inside_and_around() -> None:
    levels = body_and_parts()
    likely = np.array([0.5, 0.9, 0.8, 0.7, 0.6, 0.4])
    related = related_features(overlaps(levels, (100, 120)), likely, 2)
    assert related["inside_count"].tolist() == [4, 0, 0, 0, 0, 0]
    assert related["inside_worth"][0] == pytest.approx(3.0)
    assert related["inside_covered"][0] == pytest.approx(0.25)
    assert related["outer_likely"].tolist() == [0, 0.5, 0.5, 0.5, 0.5, 0]
    assert related["outer_worth"][1:5] == pytest.approx([3.0] * 4)
    assert related["level_likely"] == pytest.approx([0.5, *[0.68] * 5])
    # The body has no level below it, the parts none above.
    assert related["iou_-1"][0] == related["iou_+1"][1] == -1.0
    assert related["iou_-1"][5] == 0.0


def test_the_same_body_at_two_levels_votes_for_itself() -> None:
    labels = np.zeros((80, 80), int)
    labels[20:60, 20:60] = 1
    related = related_features(
        overlaps([level(labels[::2, ::2], 0.5), level(labels)], (80, 80)), np.array([0.7, 0.9]), 2
    )
    assert related["best_iou"] == pytest.approx([1.0, 1.0])
    assert related["best_likely"] == pytest.approx([0.9, 0.7])
    assert related["seen_at"].tolist() == [1, 1]
    assert related["inside_count"].tolist() == [0, 0]


def test_own_features_know_the_level() -> None:
    own = own_features(body_and_parts())
    assert own["log_scale"].tolist() == [-1, 0, 0, 0, 0, 0]
    assert own["finer_levels"].tolist() == [1, 0, 0, 0, 0, 0]
    assert own["level_area_px"].tolist() == [400, 100, 100, 100, 100, 100]


def square(scale: float) -> Maps:
    """Maps whose embeddings of a square of 10 px meet in one point: 100 px of the picture that the network saw."""
    side = 64
    y, x = np.mgrid[:side, :side].astype(np.float32)
    inside = (y >= 20) & (y < 30) & (x >= 20) & (x < 30)
    embedding = np.stack([np.where(inside, 25.0, x), np.where(inside, 25.0, y)]).astype(np.float32)
    bandwidth = np.full((2, side, side), 0.01, np.float32)
    seed = np.where(inside, 0.95, 0.0).astype(np.float32)
    return Maps(embedding, bandwidth, seed, np.zeros_like(seed), np.zeros(seed.shape, np.uint8), scale)


def test_in_a_magnified_image_the_least_size_counts_pixels_of_the_original() -> None:
    settings = ClusterSettings(min_pixels=40)
    assert cluster_maps(square(1.0), settings).max() == 1
    assert cluster_maps(square(2.0), settings).max() == 0


def test_a_level_describes_its_shapes() -> None:
    found = level_proposals(square(1.0), ClusterSettings())
    assert found.count == 1
    assert found.features["elongation"] == pytest.approx([1.0])
    assert found.features["border"].tolist() == [0.0]
