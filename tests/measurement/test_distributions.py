"""Statistics of populations whose parameters are known."""

from __future__ import annotations

import numpy as np
import pytest

from imagedataextractor.errors import InputError
from imagedataextractor.measurement.border_weights import border_weights
from imagedataextractor.measurement.budget import budget_of, pool, scale_uncertainty
from imagedataextractor.measurement.distributions import compare, describe, nanomaterial, particles_needed
from imagedataextractor.measurement.ordering import hexatic_order


def lognormal(n: int, seed: int = 0, median: float = 50.0, gsd: float = 1.3) -> np.ndarray:
    return median * np.exp(np.random.default_rng(seed).normal(0, np.log(gsd), n))


def test_a_lognormal_population_is_told() -> None:
    found = describe(lognormal(4000))
    s = np.log(1.3)
    expected = {
        "median": 50,
        "geometric_mean": 50,
        "gsd": 1.3,
        "mean": 50 * np.exp(s**2 / 2),
        "d10": 50 * np.exp(-1.2816 * s),
        "d90": 50 * np.exp(1.2816 * s),
        "d50_volume": 50 * np.exp(3 * s**2),
        "d32": 50 * np.exp(2.5 * s**2),
    }

    for name, value in expected.items():
        assert found.estimates[name].value == pytest.approx(value, rel=0.02), name
        assert found.estimates[name].low < found.estimates[name].value < found.estimates[name].high
    best = {fit.name: fit for fit in found.fits}
    assert best["lognormal"].p > 0.05 > best["normal"].p
    assert len(found.modes) == 1
    assert np.trapezoid(found.density, found.grid) == pytest.approx(1, abs=0.01)
    assert found.counts.sum() == pytest.approx(4000)


def test_intervals_hold_what_they_say() -> None:
    """At n = 30, in 300 populations: 95 % of 95 % intervals, give or take what 300 leave open."""
    truth = {"mean": 50 * np.exp(np.log(1.3) ** 2 / 2), "median": 50.0, "gsd": 1.3}
    inside = dict.fromkeys(truth, 0)
    for seed in range(300):
        found = describe(lognormal(30, seed), seed=seed).estimates
        for name, value in truth.items():
            inside[name] += found[name].low <= value <= found[name].high

    for name, count in inside.items():
        assert 0.90 <= count / 300 <= 0.99, name


def test_two_populations_are_two_modes() -> None:
    both = np.concatenate([lognormal(300, 1, 20, 1.08), lognormal(300, 2, 60, 1.08)])

    assert describe(both).modes == pytest.approx((20, 60), rel=0.06)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_below_five_there_are_the_number_and_the_values(count: int) -> None:
    found = describe(np.arange(1.0, count + 1))

    assert (found.n, found.values.tolist()) == (count, list(range(1, count + 1)))
    assert (found.estimates, found.fits, found.modes) == ({}, (), ())
    assert nanomaterial(np.arange(1.0, count + 1)).verdict == "too few"
    assert compare(np.arange(1.0, count + 1), lognormal(50)).p is None


@pytest.mark.parametrize("values", [[1.0, -2.0], [0.0], [float("nan")]])
def test_sizes_that_are_none_are_refused(values: list[float]) -> None:
    with pytest.raises(InputError):
        describe(values)


def test_weights_count_as_so_many_particles() -> None:
    once, twice = describe([1.0, 2, 3, 4, 5, 5], [1, 1, 1, 1, 1, 1]), describe([1.0, 2, 3, 4, 5], [1, 1, 1, 1, 2])

    for name in ("mean", "geometric_mean", "d32"):
        assert twice.estimates[name].value == pytest.approx(once.estimates[name].value)


def test_the_border_takes_large_particles_and_weights_bring_them_back() -> None:
    rng = np.random.default_rng(3)
    side, seen = 200.0, []
    for _ in range(300):
        diameters = lognormal(40, int(rng.integers(1 << 30)), 40, 1.5)
        x, y = rng.uniform(-100, side + 100, (2, 40))
        inside = (np.abs(x - side / 2) < (side - diameters) / 2) & (np.abs(y - side / 2) < (side - diameters) / 2)
        seen += diameters[inside].tolist()
    diameters = np.array(seen)
    truth = 40 * np.exp(np.log(1.5) ** 2 / 2)
    weights = border_weights(diameters, diameters, (side, side))

    assert diameters.mean() < 0.96 * truth
    assert np.average(diameters, weights=weights) == pytest.approx(truth, rel=0.02)
    with pytest.raises(InputError):
        border_weights([200.0], [20.0], (200.0, 200.0))


def test_the_definition_of_a_nanomaterial() -> None:
    small, large, half = lognormal(200, 0, 60), lognormal(200, 1, 160), lognormal(40, 2, 100)

    assert nanomaterial(small).verdict == "yes"
    assert nanomaterial(large).verdict == "no"
    assert nanomaterial(half).verdict == "too few"
    assert nanomaterial(lognormal(200, 0, 96, 1.05), relative_uncertainty=0.05).verdict == "too few"


def test_samples_are_compared() -> None:
    same, other = compare(lognormal(200, 1), lognormal(200, 2)), compare(lognormal(200, 1), lognormal(200, 2, 60))

    assert same.p is not None
    assert other.p is not None
    assert other.difference is not None
    assert same.p > 0.01 > other.p
    assert other.difference.low < 10 * np.exp(np.log(1.3) ** 2 / 2) < other.difference.high


def test_the_particles_that_a_mean_needs() -> None:
    assert particles_needed(0.25, 0.05) == 97
    assert particles_needed(0.25, 0.025) == 385


def test_a_budget_adds_its_sources_as_squares() -> None:
    sizes = lognormal(143, 5, 92)
    scale = scale_uncertainty(100.0)
    found = budget_of(sizes, nm_per_px=2.0, scale=scale, edge_uncertainty_px=np.full(143, 0.2), rejected_nm=[30.0, 40])

    assert scale[0] == pytest.approx(np.sqrt(2) * 0.5 / np.sqrt(3) / 100)
    assert [source.name for source in found.sources] == ["scale", "edge", "segmentation", "selection", "sampling"]
    by_name = {source.name: source for source in found.sources}
    assert by_name["edge"].on_mean_nm == pytest.approx(0.8)
    assert by_name["segmentation"].on_mean_nm == 0
    assert found.expanded_mean_nm == pytest.approx(2 * np.sqrt(sum(s.on_mean_nm**2 for s in found.sources)))
    assert found.sentence().endswith("(k = 2), n = 143")
    assert budget_of(sizes[:4], nm_per_px=2.0, scale=scale, edge_uncertainty_px=np.full(4, 0.2)).mean_nm is None


def test_pooling_knows_the_scatter_between_images() -> None:
    rng = np.random.default_rng(0)
    covered, between = 0, []
    for _ in range(400):
        truth = 100 + rng.normal(0, 3, 6)
        found = pool((truth + rng.normal(0, 1, 6)).tolist(), [1.0] * 6, [50] * 6)
        assert found.value_nm is not None
        assert found.expanded_nm is not None
        assert found.between_nm is not None
        covered += abs(found.value_nm - 100) < found.expanded_nm
        between.append(found.between_nm)

    assert np.median(between) == pytest.approx(3, abs=0.5)
    assert 0.92 <= covered / 400 <= 0.98


def test_hexatic_order_of_a_lattice_and_of_none() -> None:
    i, j = (grid.ravel() for grid in np.mgrid[:12, :12].astype(float))
    lattice = hexatic_order(np.stack([i + 0.5 * j, j * np.sqrt(0.75)], 1))
    random = hexatic_order(np.random.default_rng(0).uniform(0, 10, (400, 2)))

    assert np.nanmin(lattice) == pytest.approx(1)
    assert np.nanmean(random) < 0.5
    assert np.isnan(hexatic_order([[0, 0], [1, 1], [2, 2], [3, 3]])).all()


def test_many_values_of_two_kinds_come_from_no_one_distribution() -> None:
    fits = describe(np.concatenate([lognormal(4000), 10 * lognormal(4000)])).fits
    assert [fit.p for fit in fits] == [0.0, 0.0]
