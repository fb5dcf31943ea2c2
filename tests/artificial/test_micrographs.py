"""Synthetic micrographs: repeatable, with a truth that holds what it promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from imagedataextractor.artificial.micrographs import ARRANGEMENTS, KINDS, draw_micrograph
from imagedataextractor.artificial.shapes import FAMILIES


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("arrangement", sorted(ARRANGEMENTS))
def test_every_kind_and_arrangement_is_drawn_with_its_truth(kind: str, arrangement: str) -> None:
    micrograph = draw_micrograph(np.random.default_rng(5), shape=(160, 200), kind=kind, arrangement=arrangement)

    assert micrograph.image.shape == micrograph.label_map.shape == (160, 200)
    assert micrograph.image.dtype == np.uint8
    assert micrograph.label_map.dtype == np.int32
    assert micrograph.nm_per_px is not None
    assert micrograph.nm_per_px > 0
    labels = np.unique(micrograph.label_map)
    count = int(micrograph.label_map.max())
    assert list(labels[labels > 0]) == list(range(1, count + 1))
    assert micrograph.occluded is not None
    assert micrograph.occluded.shape == (count,)
    if kind in ("empty", "rough"):
        assert count == 0


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_gives_particles_of_about_the_asked_size(family: str) -> None:
    micrograph = draw_micrograph(
        np.random.default_rng(2),
        shape=(256, 256),
        kind="sem",
        family=family,
        arrangement="scattered",
        median_diameter_px=40,
        spread=0.02,
        coverage=0.2,
        info_bar=None,
        letter=None,
    )

    assert micrograph.occluded is not None
    areas = np.bincount(micrograph.label_map.ravel())[1:][~micrograph.occluded]
    assert len(areas) > 0
    assert 0.5 * 40 < np.sqrt(4 * np.median(areas) / np.pi) < 1.6 * 40


@pytest.mark.parametrize("seed", range(12))
def test_every_particle_is_one_connected_region(seed: int) -> None:
    labels = draw_micrograph(np.random.default_rng(seed), shape=(200, 200), arrangement="pile").label_map

    for value in range(1, int(labels.max()) + 1):
        assert ndimage.label(labels == value)[1] == 1


def test_the_same_seed_gives_the_same_picture_and_another_seed_another() -> None:
    first, again, other = (draw_micrograph(np.random.default_rng(s), shape=(128, 128)) for s in (3, 3, 4))

    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.label_map, again.label_map)
    assert not np.array_equal(first.image, other.image)


def test_the_printed_scale_bar_agrees_with_the_scale() -> None:
    micrograph = draw_micrograph(
        np.random.default_rng(8), shape=(300, 400), kind="sem", nm_per_px=2.5, scale_bar="plain", info_bar=None
    )

    bar = micrograph.scale_bar
    assert bar is not None
    assert bar.x0 is not None
    assert bar.x1 is not None
    assert bar.length_px == bar.x1 - bar.x0
    assert bar.nm_per_px == micrograph.nm_per_px == pytest.approx(2.5, rel=0.02)


def test_a_data_bar_hides_what_is_below_it() -> None:
    micrograph = draw_micrograph(
        np.random.default_rng(4), shape=(256, 256), kind="sem", arrangement="packed", info_bar="zeiss"
    )

    assert micrograph.info_bar is not None
    assert not micrograph.label_map[micrograph.info_bar.slices].any()
    assert micrograph.scale_bar is not None
    assert micrograph.info_bar.y0 <= (micrograph.scale_bar.y or 0) < micrograph.info_bar.y1


def test_particles_of_one_layer_differ_from_the_ground() -> None:
    micrograph = draw_micrograph(
        np.random.default_rng(11), kind="tem", family="sphere", arrangement="scattered", scale_bar=None, letter=None
    )

    particles = micrograph.label_map > 0
    assert micrograph.image[particles].mean() < micrograph.image[~particles].mean() - 10


def test_names_and_sizes_that_make_no_sense_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="none of"):
        draw_micrograph(rng, kind="xray")
    with pytest.raises(ValueError, match="32 pixels"):
        draw_micrograph(rng, shape=(20, 400))


def widths_and_lengths(labels: np.ndarray) -> list[tuple[float, float]]:
    """Twice the largest inner radius of every particle, and its area over that: of a band, its length."""
    found = []
    for value in range(1, int(labels.max()) + 1):
        mask = np.pad(labels == value, 1)
        width = 2.0 * float(ndimage.distance_transform_edt(mask).max())
        found.append((width, mask.sum() / width))
    return found


@pytest.mark.parametrize("kind", ["sem", "tem"])
def test_fibres_are_long(kind: str) -> None:
    micrograph = draw_micrograph(
        np.random.default_rng(6), shape=(256, 256), kind=kind, arrangement="fibres", median_diameter_px=8
    )

    shapes = widths_and_lengths(micrograph.label_map)
    assert micrograph.family == "fibre"
    assert len(shapes) > 3
    assert np.median([length / width for width, length in shapes]) > 4


def test_a_fibre_that_others_cross_stays_one_particle() -> None:
    pieces = []
    for seed in range(4):
        labels = draw_micrograph(
            np.random.default_rng(seed), shape=(256, 256), kind="sem", arrangement="fibres", scale_bar=None, letter=None
        ).label_map
        pieces += [ndimage.label(labels == value)[1] for value in range(1, int(labels.max()) + 1)]

    assert max(pieces) > 1


def test_supported_particles_are_small_and_stand_out_from_their_support() -> None:
    for seed in range(3):
        micrograph = draw_micrograph(
            np.random.default_rng(seed),
            kind="stem",
            arrangement="supported",
            scale_bar=None,
            letter=None,
            info_bar=None,
        )
        particles = micrograph.label_map > 0
        around = ndimage.binary_dilation(particles, iterations=6) & ~ndimage.binary_dilation(particles, iterations=2)

        ecd_px = np.sqrt(4 / np.pi * np.bincount(micrograph.label_map.ravel())[1:])
        assert 3 < np.median(ecd_px) < 40
        assert abs(micrograph.image[particles].mean() - micrograph.image[around].mean()) > 8


def test_heaps_of_grains_hold_many() -> None:
    micrograph = draw_micrograph(np.random.default_rng(1), kind="sem", arrangement="grains", median_diameter_px=20)

    ecd_px = np.sqrt(4 / np.pi * np.bincount(micrograph.label_map.ravel())[1:])
    assert len(ecd_px) > 150
    assert 10 < np.median(ecd_px) < 30


def test_rough_ground_has_texture_and_no_particle() -> None:
    for seed in range(6):
        micrograph = draw_micrograph(np.random.default_rng(seed), shape=(200, 200), kind="rough", degradation=0.0)

        assert micrograph.label_map.max() == 0
        assert micrograph.image.std() > 3
