"""The network on a grey image: shapes, repeatability, symmetry, tiles."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from imagedataextractor.segmentation import inference
from imagedataextractor.segmentation.inference import network_maps
from imagedataextractor.segmentation.network import LiteBPartISNet


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return LiteBPartISNet().eval()


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


def test_tiles_join_to_the_maps_of_the_whole(network, monkeypatch):
    image = noise((200, 420))
    whole = network_maps(network, image, samples=0, flips=False, seed=0, device="cpu")
    monkeypatch.setattr(inference, "TILE_SIDE_PX", 256)
    monkeypatch.setattr(inference, "TILE_MARGIN_PX", 64)
    tiled = inference.image_maps(network, image, samples=0, seed=0, device="cpu")
    # Away from the joints' reach the two must agree; near them the network sees a little less.
    assert np.abs(tiled.embedding[:, :, :100] - whole.embedding[:, :, :100]).max() < 2.0
    assert np.median(np.abs(tiled.embedding - whole.embedding)) < 1.0
    assert np.median(np.abs(tiled.seed - whole.seed)) < 0.02


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
