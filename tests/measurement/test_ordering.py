"""The radial distribution function of patterns whose g(r) is known."""

from __future__ import annotations

import numpy as np
import pytest

from imagedataextractor.errors import InputError
from imagedataextractor.measurement import radial_distribution_function


def test_a_poisson_pattern_has_no_order() -> None:
    rng = np.random.default_rng(0)
    curves = [
        radial_distribution_function(rng.uniform((0, 0), (100, 60), (400, 2)), (100, 60), r_max=30, bins=15).g
        for _ in range(60)
    ]

    assert np.mean(curves, axis=0) == pytest.approx(np.ones(15), abs=0.03)


def test_without_the_edge_correction_g_would_fall() -> None:
    """At r = 30 in a frame of 100 × 60 more than a third of all pairs is lost over the edge."""
    points = np.random.default_rng(1).uniform((0, 0), (100, 60), (3000, 2))
    found = radial_distribution_function(points, (100, 60), r_max=30, bins=30)
    ring = np.pi * np.diff(np.linspace(0, 30, 31) ** 2)
    uncorrected = found.pairs / (len(points) * found.density * ring)

    assert found.g[-1] == pytest.approx(1, abs=0.03)
    assert uncorrected[-1] < 0.75


def test_a_square_lattice_shows_its_shells() -> None:
    x, y = (grid.ravel() + 0.5 for grid in np.mgrid[:40, :40])
    found = radial_distribution_function(np.stack([x, y], 1), (40, 40), r_max=3, bins=300)

    peaks = found.r[found.g > 1]
    for shell in (1, np.sqrt(2), 2, np.sqrt(5), np.sqrt(8)):
        assert np.abs(peaks - shell).min() < 0.011
    assert found.g[found.r < 0.98].max() == 0
    neighbours = np.sum(found.g * 2 * np.pi * found.r * 0.01 * found.density, where=np.abs(found.r - 1) < 0.02)
    assert neighbours == pytest.approx(4, rel=0.02)


def test_hard_discs_keep_their_distance() -> None:
    rng = np.random.default_rng(2)
    points = np.empty((0, 2))
    while len(points) < 300:
        new = rng.uniform(0, 100, 2)
        if not len(points) or np.hypot(*(points - new).T).min() > 3:
            points = np.vstack([points, new])
    found = radial_distribution_function(points, (100, 100), r_max=20, bins=20)

    assert found.g[:3].max() == 0
    assert found.g[3] > 1
    assert found.g[10:].mean() == pytest.approx(1, abs=0.05)


def test_too_few_points_give_no_curve() -> None:
    for count in (0, 1):
        found = radial_distribution_function(np.full((count, 2), 5.0), (10, 10))
        assert np.isnan(found.g).all()
        assert found.pairs.sum() == 0


@pytest.mark.parametrize(
    ("points", "frame", "options"),
    [
        ([[11.0, 1.0]], (10, 10), {}),
        ([[1.0, 1.0]], (0, 10), {}),
        ([[1.0, 1.0]], (10, 10), {"r_max": 10}),
        ([[1.0, 1.0]], (10, 10), {"bins": 0}),
    ],
)
def test_what_makes_no_sense_is_refused(
    points: list[list[float]], frame: tuple[float, float], options: dict[str, float]
) -> None:
    with pytest.raises(InputError):
        radial_distribution_function(points, frame, **options)  # type: ignore[arg-type]


def test_rdfpy_finds_the_same() -> None:
    """It leaves out particles near the frame where this weighs pairs: the same curve, from fewer of them."""
    rdfpy = pytest.importorskip("rdfpy")
    rng = np.random.default_rng(4)
    points = np.empty((0, 2))
    while len(points) < 1500:
        new = rng.uniform(0, 100, 2)
        if not len(points) or np.hypot(*(points - new).T).min() > 1.2:
            points = np.vstack([points, new])
    points -= points.min(axis=0)  # its frame is the points' own
    theirs, r = rdfpy.rdf(points, dr=0.5)
    ours = radial_distribution_function(points, tuple(points.max(axis=0)), r_max=20, bins=40)
    middles = r[:40] + 0.25 if r[0] < 0.25 else r[:40]

    assert ours.r == pytest.approx(middles, abs=0.26)
    assert ours.g[1:] == pytest.approx(theirs[1:40], abs=0.06)
