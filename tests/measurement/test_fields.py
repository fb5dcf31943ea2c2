"""Intervals of what a frame shows as a whole hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from imagedataextractor.measurement import ParticleTable, panel_statistics, radial_distribution_function
from imagedataextractor.measurement.fields import Field, describe_field, radial_interval

SIDE = 400


def frame(rng: np.random.Generator, density: float = 1.0e-3, side_px: float = 6.0) -> ParticleTable:
    """Squares at random places, those that reach over the frame at its border."""
    n = rng.poisson(density * SIDE * SIDE)
    x, y = rng.uniform(0, SIDE, (2, n))
    half = side_px / 2
    corners = np.array([(-half, -half), (half, -half), (half, half), (-half, half)])
    out = (np.minimum(x, y) < half) | (np.maximum(x, y) > SIDE - half)
    return ParticleTable(
        {
            "label": np.arange(n) + 1,
            "x_px": x,
            "y_px": y,
            "area_px": np.full(n, side_px**2),
            "ecd_px": np.full(n, side_px * np.sqrt(4 / np.pi)),
            "touches_border": out,
            "reason": np.where(out, "border", None),
            "contour": [np.add(corners, (a, b)) for a, b in zip(x, y, strict=True)],
        }
    )


def test_intervals_of_coverage_and_density_hold_the_truth() -> None:
    rng = np.random.default_rng(4)
    held = np.zeros(2)
    for seed in range(100):
        found = describe_field(frame(rng), (SIDE, SIDE), seed=seed)
        assert found.coverage is not None
        assert found.density_px2 is not None
        held += (
            found.coverage.low <= 0.036 <= found.coverage.high,
            found.density_px2.low <= 1e-3 <= found.density_px2.high,
        )

    assert (held >= 88).all()
    assert (held <= 100).all()


def test_the_interval_of_g_holds_what_is_without_order() -> None:
    rng = np.random.default_rng(1)
    held = []
    for seed in range(40):
        points = rng.uniform(0, SIDE, (150, 2))
        low, high = radial_interval(points, (SIDE, SIDE), r_max=100, bins=5, seed=seed)
        g = radial_distribution_function(points, (SIDE, SIDE), r_max=100, bins=5).g
        assert ((low <= g) & (g <= high)).all()
        held.append((low <= 1) & (high >= 1))

    assert 0.85 <= np.mean(held) <= 1


def test_hexatic_order_of_a_lattice_is_certain() -> None:
    i, j = np.mgrid[:12, :12].reshape(2, -1)
    n = len(i)
    table = ParticleTable(
        {
            "label": np.arange(n) + 1,
            "x_px": 20.0 * i + 10.0 * (j % 2) + 20,
            "y_px": 20 * np.sqrt(0.75) * j + 20,
            "area_px": np.full(n, 50.0),
            "ecd_px": np.full(n, 8.0),
            "touches_border": np.zeros(n, bool),
            "reason": [None] * n,
        }
    )
    found = describe_field(table, (SIDE, SIDE))

    assert found.hexatic is not None
    assert found.hexatic.value > 0.9
    assert found.hexatic.low > 0.85


def test_few_particles_have_no_estimates() -> None:
    table = frame(np.random.default_rng(0))[:4]
    found = describe_field(table, (SIDE, SIDE))

    assert (found.coverage, found.density_px2, found.hexatic) == (None, None, None)
    assert np.isnan(radial_interval([[1, 1], [5, 5]], (10, 10), r_max=3, bins=4)).all()


def test_a_panel_s_statistics_have_sizes_with_and_without_the_border() -> None:
    rng = np.random.default_rng(2)
    table = frame(rng)
    sizes = rng.lognormal(3, 0.3, len(table))
    table = table.replaced(ecd_px=sizes)
    found = panel_statistics(table, 2.0, shape=(SIDE, SIDE))
    sizes_nm = found["distribution"]

    assert found["coverage_low"] < found["coverage"] < found["coverage_high"]
    assert sizes_nm["unit"] == "nm"
    for name in ("mean", "d10", "d50", "d90", "d32", "span", "gsd", "d50_volume"):
        value, low, high = sizes_nm["corrected"][name]
        assert low <= value <= high
    assert sizes_nm["as_counted"]["mean"][0] == pytest.approx(2 * sizes[table["accepted"]].mean())
    assert {fit["name"] for fit in sizes_nm["fits"]} == {"lognormal", "normal"}
    assert panel_statistics(table[:4], 2.0, shape=(SIDE, SIDE))["distribution"] is None


def test_a_frame_without_particles_has_a_field_too() -> None:
    empty = frame(np.random.default_rng(0), density=0.0)
    assert describe_field(empty, (SIDE, SIDE)) == Field()
    assert len(empty.where([])) == 0
