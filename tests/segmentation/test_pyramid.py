"""The pyramid: which levels are looked at, and the shipped model on micrographs with known truth."""

from __future__ import annotations

import numpy as np
import pytest

from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.errors import InputError
from imagedataextractor.segmentation import Segmenter
from imagedataextractor.segmentation.metrics import score_image
from imagedataextractor.segmentation.proposals import Level
from imagedataextractor.segmentation.pyramid import coarsest_scale, image_levels, next_scale
from imagedataextractor.segmentation.reliability import without


@pytest.fixture(scope="module")
def default():
    return Segmenter.load("default", "cpu")


def level(scale: float, ecds_px: list[float], seed: float = 0.95) -> Level:
    """A level with certain particles of these diameters, in px of the level."""
    area = np.pi / 4 * (np.array(ecds_px) / scale) ** 2
    features = {"area_px": area, "seed_peak": np.full(len(area), seed)}
    return Level(scale, np.zeros((1, 1), np.int32), features, np.zeros((1, 1), np.float32))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((512, 640), 0.25), ((4096, 4096), 1 / 32), ((128, 128), 1.0), ((1, 1), 4.0), ((60, 900), 2.0)],
)
def test_the_first_level_is_a_glance(shape: tuple[int, int], expected: float) -> None:
    assert coarsest_scale(*shape) == expected


def test_an_ordinary_image_is_always_seen_at_its_own_size_and_magnified_if_its_particles_are_small() -> None:
    assert next_scale(512, 640, level(0.25, [100.0])) == 0.5
    assert next_scale(512, 640, level(0.5, [100.0])) == 1.0
    assert next_scale(512, 640, level(1.0, [100.0] * 8 + [12.0])) is None
    assert next_scale(512, 640, level(1.0, [100.0] * 3 + [12.0] * 3)) == 2.0
    assert next_scale(512, 640, level(1.0, [])) == 2.0  # whatever there is, is too small to be seen
    assert next_scale(512, 640, level(1.0, [100.0], seed=0.85)) == 2.0
    assert next_scale(512, 640, level(2.0, [12.0])) is None


def test_a_large_image_is_seen_as_finely_as_its_particles_ask_for_and_no_level_is_too_large() -> None:
    assert next_scale(4096, 4096, level(1 / 8, [60.0])) is None
    assert next_scale(4096, 4096, level(1 / 8, [20.0])) == 0.25
    assert next_scale(9000, 9000, level(0.5, [5.0])) is None


def test_large_and_small_particles_of_a_large_image_are_both_found(default) -> None:
    for radius, spacing in ((90, 300), (9, 90)):
        labels = np.zeros((900, 1200), np.int32)
        y, x = np.mgrid[:900, :1200]
        centres = [(a, b) for a in range(150, 1100, spacing) for b in range(150, 800, spacing)]
        for number, (cx, cy) in enumerate(centres, 1):
            labels[(x - cx) ** 2 + (y - cy) ** 2 <= radius**2] = number
        noise = np.random.default_rng(0).normal(0, 8, labels.shape)
        image = np.clip(np.where(labels > 0, 180, 70) + noise, 0, 255).astype(np.uint8)
        found = default.segment(image, mode="discriminative")
        assert found.label_map.shape == labels.shape
        assert score_image(labels, without(found.label_map, found.rejected)).values["f1_50"] > 0.9


def test_small_particles_are_looked_at_magnified(default) -> None:
    y, x = np.mgrid[:256, :320]
    small = np.where((y % 22 - 11) ** 2 + (x % 22 - 11) ** 2 <= 36, 60, 190).astype(np.uint8)
    large = np.where((y % 80 - 40) ** 2 + (x % 80 - 40) ** 2 <= 900, 60, 190).astype(np.uint8)
    how = {"samples": 0, "seed": 0, "device": "cpu", "clustering": default.info.inference.clustering}
    network = default._strategy.first.network
    big = np.kron(large, np.ones((2, 2), np.uint8))
    assert [seen.scale for seen in image_levels(network, small, **how)] == [0.5, 1.0, 2.0]
    assert [seen.scale for seen in image_levels(network, np.tile(small, (2, 2)), **how)] == [0.25, 0.5, 1.0, 2.0]
    assert [seen.scale for seen in image_levels(network, big, **how)] == [0.25, 0.5, 1.0]


def test_excluded_pixels_hold_no_particle(default) -> None:
    micrograph = draw_micrograph(np.random.default_rng(3), shape=(256, 320))
    exclude = np.zeros((256, 320), bool)
    exclude[:, 160:] = True
    found = default.segment(micrograph.image, mode="discriminative", exclude=exclude)
    assert not found.label_map[:, 164:].any()


def test_the_shipped_model_finds_well_separated_particles(default) -> None:
    y, x = np.mgrid[:384, :512]
    labels = np.zeros((384, 512), np.int32)
    rng = np.random.default_rng(0)
    for number, (cx, cy) in enumerate([(a, b) for a in range(60, 500, 100) for b in range(60, 380, 100)], 1):
        labels[(x - cx) ** 2 + (y - cy) ** 2 <= (14 + number % 3 * 8) ** 2] = number
    image = np.where(labels > 0, 190, 70) + rng.normal(0, 8, labels.shape)
    found = default.segment(np.clip(image, 0, 255).astype(np.uint8))
    assert score_image(labels, without(found.label_map, found.rejected)).values["f1_50"] > 0.9
    assert found.samples == default.samples
    assert found.weights_sha256 == default.weights_sha256
    assert len(found.score) == len(found.uncertainty) == len(found.filtered) == found.label_map.max()
    assert found.uncertainty_map.shape == image.shape
    # A particle's uncertainty is the mean of the map over it, as far as resizing allows.
    means = np.bincount(found.label_map.ravel(), found.uncertainty_map.ravel())[1:]
    means /= np.bincount(found.label_map.ravel())[1:]
    assert np.abs(means - found.uncertainty).max() < 0.02


def test_the_same_image_and_seed_give_the_same_particles(default) -> None:
    image = draw_micrograph(np.random.default_rng(11), shape=(256, 256)).image
    one, two = (default.segment(image, samples=2, seed=4) for _ in range(2))
    assert np.array_equal(one.label_map, two.label_map)
    assert np.array_equal(one.uncertainty, two.uncertainty)


def test_only_the_filter_keeps_what_is_rejected_and_marks_it(default) -> None:
    image = draw_micrograph(np.random.default_rng(5), shape=(256, 320)).image
    every, kept = (default.segment(image, mode=mode, samples=2) for mode in ("bayesian", "filtered"))
    assert not every.filtered.any()
    assert every.threshold is None
    strict = default.segment(image, samples=2, threshold=0.0)
    assert strict.rejected.all()  # from t_u on, not above it
    assert (kept.label_map > 0)[every.label_map > 0].mean() > 0.98


def test_a_blank_image_has_no_particles_and_an_empty_one_is_refused(default) -> None:
    assert not default.segment(np.full((200, 300), 128, np.uint8)).label_map.any()
    with pytest.raises(InputError, match="no pixels"):
        default.segment(np.zeros((0, 5), np.uint8))
