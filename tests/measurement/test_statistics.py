"""Statistics of samples whose distribution is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from imagedataextractor.errors import InputError
from imagedataextractor.measurement import (
    ParticleTable,
    measure_particles,
    number_density,
    panel_statistics,
    size_distribution,
)
from imagedataextractor.measurement.statistics import rice_bins


def test_the_rice_rule() -> None:
    assert [rice_bins(n) for n in (0, 1, 8, 27, 28, 1000)] == [1, 2, 4, 6, 7, 20]


def test_a_log_normal_sample_gives_its_parameters_back() -> None:
    sizes = np.random.default_rng(0).lognormal(np.log(50), 0.2, 4000)
    found = size_distribution(sizes)

    assert found.geometric_mean == pytest.approx(50, rel=0.01)
    assert np.log(found.geometric_std) == pytest.approx(0.2, rel=0.04)
    assert found.median == pytest.approx(50, rel=0.02)
    assert found.mean == pytest.approx(50 * np.exp(0.02), rel=0.01)
    assert found.sauter_mean == pytest.approx(50 * np.exp(2.5 * 0.04), rel=0.02)
    assert found.counts.sum() == found.count == 4000
    assert len(found.counts) == rice_bins(4000)
    assert (found.density * np.diff(found.edges)).sum() == pytest.approx(1)


def test_intervals_hold_as_often_as_they_claim() -> None:
    rng = np.random.default_rng(1)
    mean_held = median_held = 0
    for _ in range(600):
        found = size_distribution(rng.gamma(9.0, 5.0, 25))
        mean_held += found.mean_interval[0] <= 45 <= found.mean_interval[1]
        median_held += found.median_interval[0] <= 43.345 <= found.median_interval[1]

    assert 0.92 < mean_held / 600 < 0.98
    assert 0.93 < median_held / 600 < 0.99


def test_few_values_have_no_interval_and_none_have_nothing() -> None:
    one, none = size_distribution([3.0]), size_distribution([])

    assert one.mean == one.median == 3
    assert np.isnan(one.std)
    assert np.isnan(one.mean_interval).all()
    assert np.isnan(size_distribution([1.0, 2, 3, 4, 5]).median_interval).all()
    assert size_distribution([6.0, 1, 2, 3, 4, 5]).median_interval == (1, 6)
    assert (none.count, len(none.counts)) == (0, 0)


@pytest.mark.parametrize("bad", [[0.0], [-1.0], [float("nan")]])
def test_sizes_that_are_none_are_refused(bad: list[float]) -> None:
    with pytest.raises(InputError, match="greater than 0"):
        size_distribution(bad)


def test_a_panel() -> None:
    labels = np.zeros((100, 120), np.int32)
    for index, side in enumerate((10, 12, 14)):
        labels[20 : 20 + side, 20 + 30 * index : 20 + 30 * index + side] = index + 1
    labels[90:100, 50:60] = 4
    particles = measure_particles(labels, nm_per_px=2.0, filtered=[False, False, True, False])
    found = panel_statistics(particles, 2.0, shape=(100, 120), excluded_px=2000)

    assert (found["count"], found["accepted"]) == (4, 2)
    assert found["rejected"] == {"uncertain": 1, "border": 1}
    expected = [np.sqrt(4 / np.pi) * side for side in (10, 12)]
    assert found["ecd_px"]["mean"] == pytest.approx(np.mean(expected))
    assert found["ecd_nm"]["median"] == pytest.approx(2 * np.mean(expected))
    assert found["ecd_nm"]["std"] == pytest.approx(2 * np.std(expected, ddof=1))
    assert found["coverage"] == pytest.approx((100 + 144 + 196 + 100) / 10000)
    assert found["density_um2"] == pytest.approx(found["density_px2"] / 4e-6)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_panel_without_scale_or_particles() -> None:
    found = panel_statistics(ParticleTable({}))

    assert found["count"] == found["accepted"] == 0
    assert found["ecd_px"] is found["ecd_nm"] is found["coverage"] is found["density_um2"] is None


def test_number_density_is_free_of_the_frame() -> None:
    """Discs scattered over a plane, seen through a small frame: large ones are cut more often."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:80, :80] + 0.5
    true, naive, corrected = [], [], []
    for _ in range(200):
        centres: list[np.ndarray] = []
        for centre in rng.uniform(-20, 100, (6, 2)):
            if all(np.hypot(*(centre - other)) > 24 for other in centres):
                centres.append(centre)
        labels = np.zeros((80, 80), np.int32)
        for label, (cx, cy) in enumerate(centres, start=1):
            labels[(x - cx) ** 2 + (y - cy) ** 2 < 12**2] = label
        particles = measure_particles(labels)
        true.append(len(centres) / 120**2)
        naive.append(sum(p.accepted for p in particles) / 80**2)
        corrected.append(number_density(particles, (80, 80)))

    assert np.mean(corrected) == pytest.approx(np.mean(true), rel=0.12)
    assert np.mean(naive) < 0.6 * np.mean(true)
