"""Inference on untrained networks: shapes, repeatability, symmetry; the shipped model on synthetic truth."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.errors import UsageError
from imagedataextractor.segmentation import Segmenter, inference
from imagedataextractor.segmentation.clustering import ClusterSettings
from imagedataextractor.segmentation.inference import network_maps, segment_with, working_scales
from imagedataextractor.segmentation.metrics import score_image
from imagedataextractor.segmentation.network import LiteBPartISNet
from imagedataextractor.segmentation.reliability import without


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return LiteBPartISNet().eval()


@pytest.fixture(scope="module")
def default():
    return Segmenter.load("default", "cpu")


def noise(shape):
    return np.random.default_rng(1).integers(0, 255, shape).astype(np.uint8)


@pytest.mark.parametrize("shape", [(64, 64), (70, 95), (1, 1), (3, 200)])
def test_maps_have_the_images_shape(network, shape):
    maps = network_maps(network, noise(shape), samples=2, flips=False, seed=0, device="cpu")
    assert maps.seed.shape == maps.information.shape == shape
    assert maps.embedding.shape == maps.bandwidth.shape == (2, *shape)
    assert (maps.bandwidth > 0).all()
    assert (maps.information >= 0).all()
    assert maps.information.max() <= np.log(2) + 1e-6


def test_a_seed_makes_the_samples_repeatable(network):
    one, two, other = (
        network_maps(network, noise((64, 96)), samples=3, flips=False, seed=s, device="cpu") for s in (5, 5, 6)
    )
    assert np.array_equal(one.seed, two.seed)
    assert np.array_equal(one.information, two.information)
    assert not np.array_equal(one.information, other.information)


def test_inference_leaves_the_callers_random_state_alone(network):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    network_maps(network, noise((64, 64)), samples=2, flips=False, seed=0, device="cpu")
    assert torch.equal(torch.rand(3), expected)


def test_a_single_pass_knows_no_uncertainty(network):
    maps = network_maps(network, noise((64, 64)), samples=0, flips=False, seed=0, device="cpu")
    assert maps.information.max() < 1e-6


@pytest.mark.parametrize("axis", [0, 1])
def test_with_flips_a_mirrored_image_gives_mirrored_maps(network, axis):
    image = noise((64, 96))
    maps = network_maps(network, image, samples=0, flips=True, seed=0, device="cpu")
    mirrored = network_maps(network, np.flip(image, axis).copy(), samples=0, flips=True, seed=0, device="cpu")
    assert np.allclose(np.flip(mirrored.seed, axis), maps.seed, atol=1e-4)
    x, y = np.flip(mirrored.embedding, axis + 1)
    expected = (95 - x, y) if axis == 1 else (x, 63 - y)
    assert np.allclose(expected, maps.embedding, atol=1e-2)


def test_excluded_pixels_hold_no_particle(default):
    micrograph = draw_micrograph(np.random.default_rng(3), shape=(256, 320))
    exclude = np.zeros((256, 320), bool)
    exclude[:, 160:] = True
    found = default.segment(micrograph.image, mode="discriminative", exclude=exclude)
    assert not found.label_map[:, 164:].any()


@pytest.mark.parametrize(
    ("shape", "least", "largest"),
    [((512, 640), 1.0, 1.0), ((3072, 4096), 640 / 3072, 1.0), ((128, 128), 2.0, 2.0), ((10000, 16000), 0.064, 0.5)],
)
def test_only_large_and_very_small_images_are_scaled(shape, least, largest):
    assert working_scales(*shape) == pytest.approx((least, largest))


def test_large_and_small_particles_of_a_large_image_are_both_found(default):
    for radius, spacing in ((130, 500), (12, 120)):
        labels = np.zeros((1500, 2000), np.int32)
        y, x = np.mgrid[:1500, :2000]
        centres = [(a, b) for a in range(250, 1900, spacing) for b in range(250, 1300, spacing)]
        for number, (cx, cy) in enumerate(centres, 1):
            labels[(x - cx) ** 2 + (y - cy) ** 2 <= radius**2] = number
        noise_ = np.random.default_rng(0).normal(0, 8, labels.shape)
        image = np.clip(np.where(labels > 0, 180, 70) + noise_, 0, 255).astype(np.uint8)
        found = default.segment(image, mode="discriminative")
        assert found.label_map.shape == labels.shape
        assert score_image(labels, without(found.label_map, found.filtered)).values["f1_50"] > 0.9


def test_tiles_join_to_the_maps_of_the_whole(network, monkeypatch):
    image = noise((200, 420))
    whole = network_maps(network, image, samples=0, flips=False, seed=0, device="cpu")
    monkeypatch.setattr(inference, "TILE_SIDE_PX", 256)
    monkeypatch.setattr(inference, "TILE_MARGIN_PX", 64)
    tiled = inference._tiled_maps(network, image, samples=0, flips=False, seed=0, device="cpu")
    # Away from the joints' reach the two must agree; near them the network sees a little less.
    assert np.abs(tiled.embedding[:, :, :100] - whole.embedding[:, :, :100]).max() < 2.0
    assert np.median(np.abs(tiled.embedding - whole.embedding)) < 1.0
    assert np.median(np.abs(tiled.seed - whole.seed)) < 0.02


def test_unknown_modes_and_sample_counts_are_refused(network):
    with pytest.raises(UsageError, match="mode"):
        segment_with(network, noise((64, 64)), mode="best")
    with pytest.raises(UsageError, match="samples"):
        segment_with(network, noise((64, 64)), samples=0)


def test_the_shipped_model_finds_well_separated_particles(default):
    y, x = np.mgrid[:384, :512]
    labels = np.zeros((384, 512), np.int32)
    rng = np.random.default_rng(0)
    for number, (cx, cy) in enumerate([(a, b) for a in range(60, 500, 100) for b in range(60, 380, 100)], 1):
        labels[(x - cx) ** 2 + (y - cy) ** 2 <= (14 + number % 3 * 8) ** 2] = number
    image = np.where(labels > 0, 190, 70) + rng.normal(0, 8, labels.shape)
    found = default.segment(np.clip(image, 0, 255).astype(np.uint8))
    assert score_image(labels, without(found.label_map, found.filtered)).values["f1_50"] > 0.9
    assert found.samples == default.samples
    assert found.weights_sha256 == default.weights_sha256
    assert len(found.score) == len(found.uncertainty) == len(found.filtered) == found.label_map.max()


def test_what_is_not_certain_is_left_out_where_nothing_filters(default):
    drawn = draw_micrograph(np.random.default_rng(11), shape=(256, 256))
    loose = segment_with(
        default._network, drawn.image, mode="bayesian", samples=2, clustering=ClusterSettings(start=0.5)
    )
    strict, features = segment_with(
        default._network,
        drawn.image,
        mode="bayesian",
        samples=2,
        clustering=ClusterSettings(start=0.5),
        certain_seed=0.9,
    )
    assert 0 < strict.label_map.max() < loose[0].label_map.max()
    assert strict.label_map.max() == len(strict.score) == (loose[1]["seed_peak"] >= 0.9).sum()
    assert features["seed_peak"].min() >= 0.9


def test_the_same_image_and_seed_give_the_same_particles(default):
    image = draw_micrograph(np.random.default_rng(11), shape=(256, 256)).image
    one, two = (default.segment(image, samples=2, seed=4) for _ in range(2))
    assert np.array_equal(one.label_map, two.label_map)
    assert np.array_equal(one.uncertainty, two.uncertainty)


def test_a_blank_image_has_no_particles(default):
    assert not default.segment(np.full((200, 300), 128, np.uint8)).label_map.any()


def many_small_discs(radius: int, spacing: int) -> np.ndarray:
    y, x = np.mgrid[:256, :320]
    inside = (y % spacing - spacing // 2) ** 2 + (x % spacing - spacing // 2) ** 2 <= radius**2
    return np.where(inside, 60, 190).astype(np.uint8)


def test_an_image_of_small_particles_is_magnified_and_its_labels_come_back_at_its_own_size(default):
    small, large = many_small_discs(6, 22), many_small_discs(30, 80)
    found = default.segment(small, mode="discriminative")
    assert found.label_map.shape == small.shape
    settings = {"samples": 0, "flips": False, "seed": 0, "device": "cpu"}
    assert inference.image_maps(default._network, small, **settings).scale == 2.0
    assert inference.image_maps(default._network, large, **settings).scale == 1.0


def test_the_typical_size_is_that_of_the_large_particles_among_specks():
    assert inference.typical_ecd(np.array([10] * 50 + [7854] * 3)) == pytest.approx(100.0, abs=0.1)


def test_in_a_magnified_image_the_least_size_counts_pixels_of_the_original():
    side = 64
    y, x = np.mgrid[:side, :side].astype(np.float32)
    inside = (y >= 20) & (y < 30) & (x >= 20) & (x < 30)  # 100 px here, 25 px of an image half as large
    embedding = np.stack([np.where(inside, 25.0, x), np.where(inside, 25.0, y)]).astype(np.float32)
    bandwidth = np.full((2, side, side), 0.01, np.float32)
    seed = np.where(inside, 0.95, 0.0).astype(np.float32)
    maps = inference.Maps(embedding, bandwidth, seed, np.zeros_like(seed), np.zeros(seed.shape, np.uint8))
    magnified = dataclasses.replace(maps, scale=2.0)
    settings = ClusterSettings(min_pixels=40)
    assert inference.cluster_maps(maps, settings).max() == 1
    assert inference.cluster_maps(magnified, settings).max() == 0


def test_an_image_of_large_particles_is_halved(default):
    y, x = np.mgrid[:512, :560]
    disc = np.where((y - 250) ** 2 + (x - 280) ** 2 <= 170**2, 60, 190).astype(np.uint8)
    settings = {"samples": 0, "flips": False, "seed": 0, "device": "cpu"}
    assert inference.image_maps(default._network, disc, **settings).scale == 0.5
    assert default.segment(disc, mode="discriminative").label_map.shape == disc.shape


def test_a_resized_label_map_keeps_areas_and_neighbours():
    labels = np.zeros((40, 60), np.int32)
    labels[10:20, 10:20], labels[10:20, 20:31] = 1, 2
    halved = inference.label_resized(labels, (30, 20))
    assert np.bincount(halved.ravel())[1:].tolist() == [25, 30]  # the column that is half a pixel goes to the particle
    doubled = inference.label_resized(labels, (120, 80))
    areas = np.bincount(doubled.ravel())[1:]
    assert areas == pytest.approx([400, 440], abs=4)  # corners are rounded
    assert (doubled[22:38, 22:38] == 1).all()
    assert (doubled[22:38, 42:60] == 2).all()


def test_a_resized_disc_is_round_not_a_staircase():
    y, x = np.mgrid[:64, :64]
    small = ((x - 31.5) ** 2 + (y - 31.5) ** 2 <= 20**2).astype(np.int32)
    y, x = np.mgrid[:192, :192]
    distance = np.hypot(x - 95.5, y - 95.5)
    large = inference.label_resized(small, (192, 192)) > 0
    assert large.sum() == pytest.approx(small.sum() * 9, rel=0.005)
    wrong = large != (distance <= 60)
    nearest = np.kron(small, np.ones((3, 3), np.int32)) > 0
    assert wrong.sum() < 0.8 * (nearest != (distance <= 60)).sum()


class CountedCalls:
    """What a module returns, and how often it was asked."""

    def __init__(self, module):
        self.count = 0
        module.register_forward_hook(self)

    def __call__(self, module, inputs, output):
        self.count += 1


def test_the_default_network_samples_its_seeds_and_takes_the_geometry_once():
    network = LiteBPartISNet().eval()
    geometry, seeds = (CountedCalls(decoder) for decoder in network.decoders)
    one, other = (network_maps(network, noise((64, 64)), samples=5, flips=False, seed=s, device="cpu") for s in (1, 2))
    assert (geometry.count, seeds.count) == (2, 10)
    assert np.array_equal(one.embedding, other.embedding)
    assert not np.array_equal(one.information, other.information)
