"""Outlines drawn too large find back to the edges of drawn micrographs."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from imagedataextractor.errors import InputError
from imagedataextractor.measurement import measure_particles
from imagedataextractor.measurement.edge import refine_edges

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int32]

SIDE, SPACING = 256, 64


def scene(
    radius: float, *, blur: float, sphere: bool = False, dark: bool = False, seed: int = 0
) -> tuple[Floats, Labels]:
    """Sixteen discs, or spheres seen through, at random places below the pixel; and their true label map."""
    rng = np.random.default_rng(seed)
    fine = 4
    y, x = (np.mgrid[: SIDE * fine, : SIDE * fine] + 0.5) / fine
    signal = np.zeros((SIDE * fine, SIDE * fine))
    labels = np.zeros((SIDE, SIDE), np.int32)
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    for number in range(16):
        cy, cx = (np.array(divmod(number, 4)) + 0.5) * SPACING + rng.uniform(-1, 1, 2)
        apart = np.hypot(y - cy, x - cx)
        signal += np.sqrt(np.maximum(1 - (apart / radius) ** 2, 0)) if sphere else apart < radius
        labels[np.hypot(rows - cy, columns - cx) < radius] = number + 1
    signal = np.exp(-1.5 * signal) if sphere else signal
    signal = cv2.GaussianBlur(signal, (0, 0), blur * fine)
    image = signal.reshape(SIDE, fine, SIDE, fine).mean(axis=(1, 3))
    if dark and not sphere:
        image = 1 - image
    return 60 + 120 * image + rng.normal(0, 3, image.shape), labels


def too_large(labels: Labels) -> Labels:
    """As people draw: a pixel and a half outside of the edge."""
    return cv2.dilate(labels.astype(np.float32), np.ones((3, 3))).astype(np.int32)


def error(image: Floats, labels: Labels, radius: float, *, transmission: bool | None = None) -> float:
    """Relative error of the median diameter."""
    table = measure_particles(too_large(labels), image=image, transmission=transmission)
    assert table["edge_refined"].all()
    return float(np.median(table["ecd_px"]) / (2 * radius) - 1)


@pytest.mark.parametrize("radius", [10, 14, 22])
@pytest.mark.parametrize("blur", [0.7, 1.5, 3.0])
@pytest.mark.parametrize("dark", [False, True])
def test_discs_are_measured_at_their_edge_whatever_the_blur(radius: float, blur: float, dark: bool) -> None:
    image, labels = scene(radius, blur=blur, dark=dark)
    given = np.median(measure_particles(too_large(labels))["ecd_px"]) / (2 * radius) - 1

    assert given > 0.03
    assert error(image, labels, radius, transmission=False) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("sphere", [False, True])
def test_where_blur_hides_the_contrast_the_uncertainty_says_so(sphere: bool) -> None:
    image, labels = scene(14, blur=3.0, sphere=sphere, dark=True)
    clear, true = scene(14, blur=0.7, sphere=sphere, dark=True)
    blurred = measure_particles(too_large(labels), image=image)
    sharp = measure_particles(too_large(true), image=clear)

    assert np.median(blurred["edge_uncertainty_px"]) > 2 * np.median(sharp["edge_uncertainty_px"])
    assert np.median(np.abs(blurred["ecd_px"] - 28) / (2 * blurred["edge_uncertainty_px"])) < 2


@pytest.mark.parametrize("radius", [10, 14, 22])
@pytest.mark.parametrize("blur", [0.7, 1.5, 2.2])
def test_spheres_seen_through_end_outside_of_the_steepest_place(radius: float, blur: float) -> None:
    image, labels = scene(radius, blur=blur, sphere=True)
    edges = refine_edges(image, too_large(labels))

    assert edges.model is not None
    assert edges.model.thickness > 0.7
    assert error(image, labels, radius) == pytest.approx(0, abs=0.01)


def test_the_uncertainty_covers_the_error() -> None:
    off = []
    for seed in range(6):
        image, labels = scene(12, blur=1.2, seed=seed)
        table = measure_particles(too_large(labels), image=image)
        off += ((table["ecd_px"] - 24) / (2 * table["edge_uncertainty_px"])).tolist()

    assert np.mean(np.abs(off) < 2) > 0.9


def test_where_nothing_is_to_be_seen_the_outline_stays() -> None:
    _, labels = scene(12, blur=1.0)
    noise = np.random.default_rng(0).normal(100, 5, labels.shape)
    table, plain = measure_particles(labels, image=noise), measure_particles(labels)

    assert table["edge_refined"].mean() < 0.1
    kept = ~table["edge_refined"]
    assert np.isnan(table["edge_uncertainty_px"][kept]).all()
    assert table["area_px"][kept] == pytest.approx(plain["area_px"][kept])


def test_no_edge_is_looked_for_between_particles_that_touch() -> None:
    labels = np.zeros((80, 80), np.int32)
    labels[20:60, 20:40] = 1
    labels[20:60, 40:60] = 2
    image = np.where(labels > 0, 180.0, 60.0)
    image = cv2.GaussianBlur(image, (0, 0), 1.2) + np.random.default_rng(0).normal(0, 2, image.shape)
    table = measure_particles(labels, image=image)

    assert table["area_px"] == pytest.approx([800, 800], rel=0.03)


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match="label map"):
        refine_edges(np.zeros((10, 10)), np.zeros((10, 12), np.int32))


def test_an_empty_map_has_no_edges() -> None:
    edges = refine_edges(np.zeros((10, 10)), np.zeros((10, 10), np.int32))

    assert len(edges.refined) == 0
    assert edges.model is None


def test_particles_are_refined_alike_in_whatever_company(monkeypatch: pytest.MonkeyPatch) -> None:
    image, labels = scene(14, blur=1.2)
    together = refine_edges(image, too_large(labels))
    monkeypatch.setattr("imagedataextractor.measurement.edge.BATCH_VERTICES", 1)
    alone = refine_edges(image, too_large(labels))

    assert together.refined.all()
    assert alone.outlines.points == pytest.approx(together.outlines.points, abs=1e-4)
    assert alone.uncertainty_px == pytest.approx(together.uncertainty_px, rel=1e-4)
