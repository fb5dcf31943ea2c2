"""Outlines that a person drew."""

from __future__ import annotations

import numpy as np
import pytest

from imagedataextractor.errors import InputError
from imagedataextractor.measurement import measure_particles
from imagedataextractor.measurement.drawn import (
    covered_rows,
    cut_outline,
    matching_row,
    measure_outlines,
    united_outline,
)
from imagedataextractor.records import Reason

SHAPE = (100, 120)


def discs(*places: tuple[int, int, int]) -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    labels = np.zeros(SHAPE, np.int32)
    for number, (cx, cy, radius) in enumerate(places, 1):
        labels[(x - cx) ** 2 + (y - cy) ** 2 <= radius**2] = number
    return labels


def test_an_outline_measures_what_the_pixels_within_it_do() -> None:
    particles = measure_particles(discs((30, 40, 15), (80, 60, 4)), nm_per_px=2.0)
    again = measure_outlines([particles.outline(row) for row in range(2)], SHAPE, nm_per_px=2.0)
    for name in ("label", "x_px", "y_px", "area_nm2", "perimeter_px", "feret_max_nm", "circularity"):
        assert again[name].tolist() == pytest.approx(particles[name].tolist()), name
    for row in range(2):
        assert np.array_equal(again.outline(row), particles.outline(row))
    assert again["accepted"].all()


def test_what_reaches_over_the_frame_is_cut_off_and_lies_at_the_border() -> None:
    (particle,) = measure_outlines([np.array([(-10, 20), (10, 20), (10, 40), (-10, 40)], float)], SHAPE, first_label=7)
    assert (particle.label, particle.area_px, particle.touches_border, particle.reason) == (7, 200, True, Reason.BORDER)


@pytest.mark.parametrize("radius", [2, 5, 20])
def test_a_particle_is_known_again_by_its_outline(radius: int) -> None:
    particles = measure_particles(discs((30, 40, radius), (80, 60, radius)))
    outline = particles.outline(1)
    assert matching_row(outline, particles) == 1
    assert matching_row(outline + radius / 4, particles) == 1
    assert matching_row(outline + 2 * radius, particles) is None
    assert covered_rows(np.array([(60, 30), (110, 30), (110, 90), (60, 90)], float), particles) == [1]


def test_two_that_are_united_have_the_area_of_both_and_a_cut_divides_it() -> None:
    particles = measure_particles(discs((30, 50, 12), (50, 50, 12)))
    both = [particles.outline(row) for row in range(2)]
    (united,) = measure_outlines([united_outline(both, SHAPE)], SHAPE)
    assert united.area_px == particles["area_px"].sum()
    halves = measure_outlines(cut_outline(united_outline(both, SHAPE), (40, 0), (40, 99), SHAPE), SHAPE)
    assert halves["area_px"].sum() == united.area_px
    assert halves["x_px"].max() - halves["x_px"].min() > 15


@pytest.mark.parametrize(
    ("outline", "says"),
    [
        ([(1, 1), (5, 5)], "three corners"),
        ([(1, 1), (5, 5), (np.nan, 3)], "three corners"),
        ([(200, 1), (210, 1), (210, 9)], "outside the panel"),
        ([(10.1, 10.1), (10.2, 10.1), (10.2, 10.2)], "no pixel"),
    ],
)
def test_what_is_no_outline_is_refused(outline: list[tuple[float, float]], says: str) -> None:
    with pytest.raises(InputError, match=says):
        measure_outlines([np.array(outline, float)], SHAPE)
