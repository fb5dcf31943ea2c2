"""Particles of shapes whose size is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from PIL import Image
from skimage.measure import regionprops

from imagedataextractor.artificial.micrographs import draw_micrograph
from imagedataextractor.cli.measure import command
from imagedataextractor.errors import InputError
from imagedataextractor.measurement import measure_particles
from imagedataextractor.measurement.columns import COLUMNS
from imagedataextractor.measurement.feret import ferets
from imagedataextractor.records import Particle

Shape = Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], npt.NDArray[np.bool_]]


def drawn(inside: Shape, size: int = 240, centre: tuple[float, float] = (120.0, 120.0)) -> npt.NDArray[np.int32]:
    """A label map of one shape, its pixels those whose centre lies inside; `centre` is (x, y)."""
    y, x = np.mgrid[:size, :size] + 0.5
    return inside(x - centre[0], y - centre[1]).astype(np.int32)


def disc(radius: float) -> Shape:
    return lambda x, y: x * x + y * y < radius * radius


def rectangle(length: float, width: float, degrees: float) -> Shape:
    """Its long side at `degrees` counter-clockwise from the x axis, as seen."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return lambda x, y: (np.abs(c * x - s * y) < length / 2) & (np.abs(s * x + c * y) < width / 2)


def only(labels: npt.NDArray[np.int32], **options: object) -> Particle:
    (particle,) = measure_particles(labels, **options)  # type: ignore[arg-type]
    return particle


@pytest.mark.parametrize("radius", [5, 12, 30, 90])
def test_a_disc(radius: float) -> None:
    particle = only(drawn(disc(radius), centre=(121.3, 118.9)))

    assert particle.ecd_px == pytest.approx(2 * radius, rel=0.02)
    assert particle.perimeter_px == pytest.approx(2 * np.pi * radius, rel=0.02)
    assert particle.feret_max_px == pytest.approx(2 * radius, abs=1.1)
    assert particle.feret_min_px == pytest.approx(2 * radius, abs=0.6)
    assert particle.major_axis_px == pytest.approx(2 * radius, rel=0.04)
    assert particle.aspect_ratio == pytest.approx(1, abs=0.05)
    assert particle.circularity > 0.96
    assert particle.solidity == 1
    assert (particle.x_px, particle.y_px) == pytest.approx((121.3, 118.9), abs=0.2)


@pytest.mark.parametrize("degrees", [-60, -17, 0, 26, 45, 71, 90])
def test_a_rectangle_at_any_angle(degrees: float) -> None:
    particle = only(drawn(rectangle(120, 30, degrees)))

    assert particle.area_px == pytest.approx(3600, rel=0.03)
    assert particle.perimeter_px == pytest.approx(300, rel=0.03)
    assert particle.feret_max_px == pytest.approx(np.hypot(120, 30), abs=1.5)
    assert particle.feret_min_px == pytest.approx(30, abs=1.5)
    assert particle.aspect_ratio == pytest.approx(4, rel=0.04)
    assert particle.circularity == pytest.approx(4 * np.pi * 3600 / 300**2, rel=0.05)
    assert particle.orientation_deg == pytest.approx(degrees, abs=0.5)


def test_areas_are_exact_and_follow_the_scale() -> None:
    labels = np.zeros((40, 50), np.int32)
    labels[10:20, 5:25] = 3
    particle = only(labels, nm_per_px=2.5)

    assert (particle.label, particle.area_px, particle.area_nm2) == (3, 200, 1250)
    assert (particle.x_px, particle.y_px, particle.x_nm, particle.y_nm) == (15, 15, 37.5, 37.5)
    for name in ("ecd", "perimeter", "feret_max", "feret_min", "major_axis", "minor_axis"):
        assert getattr(particle, f"{name}_nm") == pytest.approx(2.5 * getattr(particle, f"{name}_px"))
    assert (particle.feret_min_px, particle.orientation_deg) == (pytest.approx(10, abs=0.05), 0)


def test_without_a_scale_there_are_no_nanometres() -> None:
    particle = only(drawn(disc(10)))

    assert {
        name for name in particle.as_dict() if name.endswith(("_nm", "_nm2")) and getattr(particle, name) is not None
    } == set()


def test_a_pixel_is_a_particle_too() -> None:
    labels = np.zeros((5, 5), np.int32)
    labels[2, 3] = 1
    particle = only(labels)

    assert (particle.area_px, particle.x_px, particle.y_px) == (1, 3.5, 2.5)
    assert particle.aspect_ratio == 1
    assert particle.solidity == 1
    assert set(particle.contour) == {(3, 2), (4, 2), (4, 3), (3, 3)}


def test_dents_lower_solidity_and_circularity_holes_do_not_break_the_outline() -> None:
    def ring_with_a_gap(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        r = np.hypot(x, y)
        return (r < 60) & (r > 30) & ~((x > 0) & (np.abs(y) < 10))

    dented = only(drawn(ring_with_a_gap))
    ring = only(drawn(lambda x, y: (np.hypot(x, y) < 60) & (np.hypot(x, y) > 30)))

    assert dented.solidity == pytest.approx(dented.area_px / (np.pi * 60**2), rel=0.03)
    assert dented.circularity < 0.4
    assert polygon_area(ring.contour) == pytest.approx(np.pi * 60**2, rel=0.01)


def polygon_area(contour: tuple[tuple[float, float], ...]) -> float:
    x, y = np.array(contour).T
    return float(abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2)


@pytest.mark.parametrize("seed", range(6))
def test_every_contour_encloses_its_particle_exactly(seed: int) -> None:
    labels = draw_micrograph(np.random.default_rng(seed), shape=(160, 160), kind="sem", arrangement="pile").label_map
    particles = measure_particles(labels)

    assert len(particles) == labels.max() > 0
    for region, particle in zip(regionprops(labels), particles, strict=True):
        holes = region.area_filled - region.area
        assert polygon_area(particle.contour) >= particle.area_px
        if holes == 0:
            assert polygon_area(particle.contour) == particle.area_px


@pytest.mark.parametrize("seed", range(3))
def test_agreement_with_scikit_image(seed: int) -> None:
    labels = draw_micrograph(np.random.default_rng(seed + 40), shape=(256, 256), kind="tem").label_map
    particles = measure_particles(labels)

    for region, particle in zip(regionprops(labels), particles, strict=True):
        row, column = region.centroid
        assert particle.label == region.label
        assert particle.area_px == region.area
        assert (particle.x_px, particle.y_px) == pytest.approx((column + 0.5, row + 0.5))
        assert particle.major_axis_px == pytest.approx(region.axis_major_length, rel=0.03)
        assert particle.feret_max_px == pytest.approx(region.feret_diameter_max - 1, abs=1.5)


def test_pixels_that_share_a_corner_only_are_separate_regions_of_the_outline() -> None:
    labels = np.zeros((8, 8), np.int32)
    labels[1:4, 1:4] = 1
    labels[4:6, 4:6] = 1
    particle = only(labels)

    assert particle.area_px == 13
    assert polygon_area(particle.contour) == 9


def test_particles_that_touch_are_measured_apart() -> None:
    labels = np.zeros((20, 30), np.int32)
    labels[5:15, 5:15] = 1
    labels[5:15, 15:25] = 2
    left, right = measure_particles(labels)

    assert left.area_px == right.area_px == 100
    assert left.perimeter_px == right.perimeter_px
    assert set(left.contour) == {(5, 5), (15, 5), (15, 15), (5, 15)}


def test_the_frame_is_a_border_on_every_side() -> None:
    labels = np.zeros((40, 40), np.int32)
    labels[0:5, 18:22] = 1
    labels[35:40, 18:22] = 2
    labels[18:22, 0:5] = 3
    labels[18:22, 35:40] = 4
    labels[18:22, 18:22] = 5
    particles = measure_particles(labels)

    assert [p.touches_border for p in particles] == [True, True, True, True, False]
    assert [p.reason for p in particles] == ["border"] * 4 + [None]
    assert [p.accepted for p in particles] == [False] * 4 + [True]


def test_a_margin_widens_the_border() -> None:
    labels = np.zeros((40, 40), np.int32)
    labels[2:8, 18:22] = 1
    labels[18:22, 30:37] = 2

    assert [p.touches_border for p in measure_particles(labels)] == [False, False]
    assert [p.touches_border for p in measure_particles(labels, margin_px=2)] == [True, False]
    assert [p.touches_border for p in measure_particles(labels, margin_px=3)] == [True, True]


def test_a_data_bar_moves_the_border() -> None:
    labels = np.zeros((60, 60), np.int32)
    labels[40:50, 10:20] = 1
    labels[30:40, 30:40] = 2
    bar = np.zeros((60, 60), bool)
    bar[50:] = True
    cut, free = measure_particles(labels, annotation=bar)

    assert (cut.reason, cut.touches_border) == ("border", True)
    assert free.accepted


def test_excluded_areas_reject_what_lies_over_or_ends_at_them() -> None:
    labels = np.zeros((60, 60), np.int32)
    labels[5:15, 5:15] = 1  # mostly below the inset
    labels[25:35, 20:30] = 2  # ends at it
    labels[45:55, 45:55] = 3  # far from it
    labels[45:55, 5:15] = 4  # a thin printed line crosses it
    inset = np.zeros((60, 60), bool)
    inset[2:20, 2:14] = True
    inset[20:40, 30:40] = True
    inset[49, :20] = True
    reasons = [p.reason for p in measure_particles(labels, annotation=inset)]

    assert reasons == ["annotation", "annotation", None, None]


def test_uncertainty_score_and_filter_follow_the_label() -> None:
    labels = np.zeros((30, 30), np.int32)
    labels[5:10, 5:10] = 2
    labels[20:25, 20:25] = 3
    first, second = measure_particles(
        labels, uncertainty=np.array([0.5, 0.02, 0.3]), score=np.array([0.1, 0.9, 0.4]), filtered=[True, False, True]
    )

    assert (first.label, first.uncertainty, first.score, first.accepted) == (2, 0.02, 0.9, True)
    assert (second.label, second.uncertainty, second.reason) == (3, 0.3, "uncertain")


def test_labels_far_apart_keep_their_names() -> None:
    labels = np.zeros((30, 30), np.int32)
    labels[5:10, 5:10] = 7
    labels[20:25, 20:25] = 2_000_000_000
    whole = np.full((4, 4), 2_000_000_000, np.int32)

    assert [(p.label, p.area_px) for p in measure_particles(labels)] == [(7, 25), (2_000_000_000, 25)]
    assert [(p.label, p.area_px) for p in measure_particles(whole)] == [(2_000_000_000, 16)]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.int64])
def test_any_integer_will_do(kind: type) -> None:
    labels = drawn(disc(15)).astype(kind) * 200

    assert only(labels).label == 200
    assert only(labels).perimeter_px == pytest.approx(2 * np.pi * 15, rel=0.02)


def test_an_empty_map_has_no_particles() -> None:
    assert len(measure_particles(np.zeros((10, 10), np.int32))) == 0
    assert len(measure_particles(np.zeros((0, 0), np.int32), uncertainty=np.zeros(0))) == 0


@pytest.mark.parametrize(
    ("labels", "options", "says"),
    [
        (np.zeros((3, 3, 3), np.int32), {}, "two dimensions"),
        (np.zeros((3, 3)), {}, "whole numbers"),
        (np.full((3, 3), -1), {}, "negative"),
        (np.ones((3, 3), bool), {}, "mask"),
        (np.ones((3, 3), np.int32), {"nm_per_px": 0.0}, "positive"),
        (np.ones((3, 3), np.int32), {"nm_per_px": float("nan")}, "positive"),
        (np.full((3, 3), 2), {"uncertainty": [0.1]}, "up to 2"),
        (np.ones((3, 3), np.int32), {"annotation": np.ones((2, 2), bool)}, "excluded area"),
    ],
)
def test_what_makes_no_sense_is_refused(labels: npt.NDArray[np.int32], options: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        measure_particles(labels, **options)  # type: ignore[arg-type]


def test_real_label_maps(shared: Path) -> None:
    for path in sorted((shared / "emps-train" / "segmaps").glob("*.png"))[:40:4]:
        labels = np.asarray(Image.open(path)).astype(np.int32)
        particles = measure_particles(labels, nm_per_px=1.0)

        assert [p.label for p in particles] == [int(v) for v in np.unique(labels) if v]
        assert sum(p.area_px for p in particles) == np.count_nonzero(labels)
        for particle in particles:
            assert 0 < particle.circularity <= 1
            assert 0 < particle.solidity <= 1
            assert particle.aspect_ratio >= 1
            assert particle.feret_min_px <= particle.ecd_px + 1 <= particle.feret_max_px + 2
            assert -90 < particle.orientation_deg <= 90


def test_the_command_prints_every_column(tmp_path: Path) -> None:
    labels = drawn(disc(20), size=100, centre=(50, 50))
    path = tmp_path / "labels.png"
    Image.fromarray(labels.astype(np.uint16)).save(path)
    result = CliRunner().invoke(command, [str(path), "--nm-per-px", "2", "--json"])

    assert result.exit_code == 0
    (row,) = json.loads(result.stdout)
    assert row["ecd_nm"] == pytest.approx(80, rel=0.01)
    assert set(row) == {column.name for column in COLUMNS} - {"contour"}
    table = CliRunner().invoke(command, [str(path)])
    assert "ecd_px" in table.stdout
    assert "ecd_nm" not in table.stdout


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    absent = CliRunner().invoke(command, [str(tmp_path / "absent.png")])
    assert isinstance(absent.exception, InputError)
    senseless = CliRunner().invoke(command, [str(tmp_path / "absent.png"), "--nm-per-px", "-1"])
    assert senseless.exit_code == 2


def test_own_hulls_have_the_smallest_width_of_the_smallest_rectangle() -> None:
    rng = np.random.default_rng(3)
    hulls = []
    for _ in range(40):
        angle, length = rng.uniform(0, np.pi), rng.uniform(30, 60)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        hulls.append(np.array([[0, 0], [length, 0], [length, 20], [0, 20]]) @ turn + 100)
    found = ferets(hulls, np.full(len(hulls), np.nan))

    assert found.smallest == pytest.approx(
        [min(cv2.minAreaRect(hull.astype(np.float32))[1]) for hull in hulls], rel=1e-4
    )
    assert found.largest == pytest.approx([np.ptp(hull, axis=0).max() for hull in _upright(hulls)], rel=1e-9)


def _upright(hulls: list[npt.NDArray[np.float64]]) -> list[npt.NDArray[np.float64]]:
    """Turned so that the diagonal lies along x."""
    turned = []
    for hull in hulls:
        c, s = (hull[2] - hull[0]) / np.hypot(*(hull[2] - hull[0]))
        turned.append(hull @ np.array([[c, -s], [s, c]]))
    return turned


@pytest.mark.parametrize(("a", "b"), [(20, 8), (30, 6), (15, 10)])
def test_feret_diameters_of_ellipses_are_right_to_a_hundredth(a: float, b: float) -> None:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:80, :80] + 0.5 - 40
    found = []
    for _ in range(40):
        (dx, dy), angle = rng.uniform(-0.5, 0.5, 2), rng.uniform(0, np.pi)
        u, v = np.cos(angle) * (x - dx) + np.sin(angle) * (y - dy), np.cos(angle) * (y - dy) - np.sin(angle) * (x - dx)
        (particle,) = measure_particles(((u / a) ** 2 + (v / b) ** 2 < 1).astype(np.int32))
        found.append((particle.feret_max_px, particle.feret_min_px))

    assert np.mean(found, axis=0) == pytest.approx((2 * a, 2 * b), rel=0.01)


@pytest.mark.parametrize("length", [1, 7, 3_000_000])  # the cube of the last is above 64 bits
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_line_one_pixel_wide_is_as_many_times_longer_than_wide_as_it_has_pixels(length):
    found = measure_particles(np.ones((1, length), np.int32))
    assert found["aspect_ratio"] == pytest.approx([length], rel=1e-9)
    assert found["minor_axis_px"] == pytest.approx([np.sqrt(16 / 12)], rel=1e-9)
