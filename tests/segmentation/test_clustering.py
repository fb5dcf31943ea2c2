"""Clustering perfect embeddings must give back the particles they came from."""

from __future__ import annotations

import numpy as np
import pytest

from imagedataextractor.segmentation.clustering import ClusterSettings, cluster, one_region_each


def perfect_maps(labels):
    """Embeddings at each particle's centroid, bandwidths of half its size, seeds of 0.9 inside."""
    height, width = labels.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    embedding = np.stack([x, y])
    bandwidth = np.full((2, height, width), 1.0, np.float32)
    seed = np.full((height, width), 0.02, np.float32)
    for label in range(1, labels.max() + 1):
        inside = labels == label
        embedding[0][inside], embedding[1][inside] = x[inside].mean(), y[inside].mean()
        radius = max(np.sqrt(inside.sum() / np.pi) / 2, 1.0)
        bandwidth[:, inside] = np.log(2.0) / radius**2
        seed[inside] = 0.9
    return embedding, bandwidth, seed


def discs(shape, circles):
    labels = np.zeros(shape, np.int32)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for label, (cx, cy, r) in enumerate(circles, 1):
        labels[(x - cx) ** 2 + (y - cy) ** 2 <= r * r] = label
    return labels


def same_partition(a, b):
    pairs = {(int(p), int(q)) for p, q in zip(a.ravel(), b.ravel(), strict=True)}
    return len(pairs) == len({p for p, _ in pairs}) == len({q for _, q in pairs}) and (0, 0) in pairs


def test_touching_overlapping_and_tiny_particles_come_back_exactly():
    labels = discs((160, 240), [(40, 40, 30), (95, 40, 26), (110, 60, 18), (200, 120, 35), (20, 140, 3), (60, 120, 4)])
    found = cluster(*perfect_maps(labels))
    assert same_partition(labels, found)


def test_the_size_of_the_image_does_not_matter():
    labels = discs((40, 900), [(850, 20, 15), (30, 20, 15)])
    assert same_partition(labels, cluster(*perfect_maps(labels)))


def test_no_foreground_gives_an_empty_map():
    labels = np.zeros((30, 50), np.int32)
    found = cluster(*perfect_maps(labels))
    assert found.shape == (30, 50)
    assert found.dtype == np.int32
    assert not found.any()


def test_particles_below_the_least_size_are_dropped():
    labels = discs((60, 60), [(15, 15, 2), (40, 40, 10)])
    found = cluster(*perfect_maps(labels), ClusterSettings(min_pixels=40))
    assert found.max() == 1
    assert found[40, 40] == 1


def test_every_particle_is_one_region_without_holes():
    labels = discs((80, 80), [(40, 40, 25)])
    maps = perfect_maps(labels)
    maps[2][38:43, 38:43] = 0.0  # a hole in the seed map
    maps[0][:, 5, 5] = 40.0  # a stray pixel far away whose embedding points at the particle
    maps[1][:, 5, 5] = maps[1][:, 40, 20]
    maps[2][5, 5] = 0.8
    found = cluster(*maps)
    assert found.max() == 1
    assert found[40, 40] == 1
    assert found[5, 5] == 0


def test_a_contested_pixel_goes_to_the_nearer_particle():
    labels = discs((40, 80), [(25, 20, 14), (54, 20, 14)])
    embedding, bandwidth, seed = perfect_maps(labels)
    labels[20, 39] = 1  # between the two, pointing a little nearer to the second
    embedding[:, 20, 39] = (40.5, 20.0)
    bandwidth[:] = np.log(2.0) / 20.0**2
    seed[20, 39] = 0.6
    found = cluster(embedding, bandwidth, seed, ClusterSettings(min_pixels=1))
    assert found[20, 39] == found[20, 54]
    assert found[20, 25] != found[20, 54]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_random_maps_never_break_the_contract(seed):
    rng = np.random.default_rng(seed)
    embedding = rng.normal(50, 400, (2, 64, 96)).astype(np.float32)
    bandwidth = np.exp(rng.normal(-4, 5, (2, 64, 96))).astype(np.float32)
    found = cluster(embedding, bandwidth, rng.random((64, 96)).astype(np.float32))
    assert found.shape == (64, 96)
    assert set(np.unique(found)) == set(range(found.max() + 1))


def test_a_pixel_outside_every_core_goes_to_the_nearest_particle_within_reach():
    labels = discs((60, 60), [(30, 30, 12)])
    embedding, bandwidth, seed = perfect_maps(labels)
    rim = np.zeros(labels.shape, bool)
    rim[30, 43:45] = True  # two pixels beside the disc, foreground, whose embedding falls a little short
    seed[rim] = 0.6
    radius = np.sqrt(np.log(2.0) / bandwidth[0, 30, 30])
    embedding[0][rim], embedding[1][rim] = embedding[0, 30, 30] + 1.2 * radius, 30.0  # φ = 0.5^1.44 = 0.37
    strict = cluster(embedding, bandwidth, seed, ClusterSettings(membership=0.5))
    wide = cluster(embedding, bandwidth, seed, ClusterSettings(membership=0.25))
    assert np.array_equal(strict > 0, labels > 0)
    assert np.array_equal(wide > 0, (labels > 0) | rim)


def test_of_a_label_in_pieces_the_largest_stays():
    labels = np.zeros((20, 20), np.int32)
    labels[2:6, 2:6], labels[10:12, 2:4], labels[10:12, 10:12] = 1, 1, 2
    kept = one_region_each(labels)
    assert np.bincount(kept.ravel()).tolist() == [400 - 16 - 4, 16, 4]
    assert kept[11, 3] == 0
