"""Scores: known values on drawn maps, and agreement with an independent scorer on real ones."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from imagedataextractor.segmentation import metrics

Map = npt.NDArray[np.int32]


def squares(size: int, *boxes: tuple[int, int, int, int]) -> Map:
    """A map with one particle a box (row, column, height, width)."""
    labels = np.zeros((size, size), np.int32)
    for number, (y, x, h, w) in enumerate(boxes, 1):
        labels[y : y + h, x : x + w] = number
    return labels


TWO = squares(40, (5, 5, 10, 10), (20, 20, 10, 10))


def test_a_perfect_prediction_scores_one_whatever_its_numbers() -> None:
    values = metrics.score_image(TWO, np.where(TWO > 0, TWO * 17, 0)).values
    for key in metrics.MEAN_KEYS:
        assert values[key] == pytest.approx(1.0), key
    assert values["count_err"] == values["ecd_err"] == 0.0


def test_values_worked_out_by_hand() -> None:
    # First particle: 10 of 10 rows, 8 of 10 columns (IoU 0.8); second missed; one false particle of 25 px.
    predicted = squares(40, (5, 5, 10, 8), (0, 30, 5, 5))
    values = metrics.score_image(TWO, predicted).values
    assert values["ap50"] == pytest.approx(1 / 3)
    assert values["ap75"] == pytest.approx(1 / 3)
    assert values["ap5095"] == pytest.approx(0.7 / 3)  # matched at 0.50 … 0.80, seven of the ten thresholds
    assert values["f1_50"] == pytest.approx(0.5)
    assert values["pq"] == pytest.approx(0.8 / 2)
    assert values["prec50"] == values["rec50"] == 0.5
    assert values["aji"] == pytest.approx(80 / (100 + 100 + 25))
    assert values["fg_iou"] == pytest.approx(80 / 225)
    assert values["gt_best_iou"] == pytest.approx(0.4)
    assert values["paper_miou"] == pytest.approx(0.4)
    assert values["paper_ap50"] == pytest.approx(0.5)
    assert values["count_err"] == 0.0
    # The false particle touches the border, so the median is that of the first alone.
    assert values["ecd_err"] == pytest.approx(math.sqrt(0.8) - 1)


def test_nothing_predicted_and_nothing_true() -> None:
    empty = np.zeros_like(TWO)
    missed = metrics.score_image(TWO, empty).values
    assert (missed["f1_50"], missed["pq"], missed["rec50"], missed["paper_ap"]) == (0, 0, 0, 0)
    assert (missed["count_err"], missed["ecd_err"]) == (-1, -1)
    invented = metrics.score_image(empty, TWO).values
    assert (invented["f1_50"], invented["prec50"]) == (0, 0)
    assert math.isnan(invented["count_err"])
    nothing = metrics.score_image(empty, empty).values
    assert (nothing["f1_50"], nothing["aji"], nothing["ap5095"]) == (1, 1, 1)


def test_two_halves_compete_for_one_particle_at_exactly_half() -> None:
    true = squares(20, (4, 4, 10, 10))
    halves = squares(20, (4, 4, 10, 5), (4, 9, 10, 5))
    counts = metrics.score_image(true, halves).counts["0.50"]
    assert (counts.tp, counts.fp, counts.fn) == (1, 1, 0)
    assert metrics.score_image(true, halves).counts["pq"].tp == 0  # panoptic quality wants more than half


def test_a_prediction_of_another_size_is_sampled_at_pixel_centres() -> None:
    true = np.kron(TWO, np.ones((3, 3), np.int32))
    assert metrics.score_image(true, TWO).values["ap5095"] == 1.0
    np.testing.assert_array_equal(metrics.resize_labels(true, (40, 40)), TWO)


def test_maps_of_different_shapes_have_no_overlap() -> None:
    with pytest.raises(ValueError, match="shapes"):
        metrics.overlap(TWO, TWO[:-1])


@given(
    st.lists(st.tuples(*[st.integers(0, 25)] * 2, *[st.integers(1, 12)] * 2), max_size=6),
    st.lists(st.tuples(*[st.integers(0, 25)] * 2, *[st.integers(1, 12)] * 2), max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_scores_keep_their_bounds_and_symmetries(a: list[Any], b: list[Any]) -> None:
    true, predicted = squares(40, *a), squares(40, *b)
    one, other = metrics.score_image(true, predicted).values, metrics.score_image(predicted, true).values
    for key in metrics.MEAN_KEYS:
        assert 0 <= one[key] <= 1 + 1e-9, key
    for key in ("ap50", "ap75", "ap5095", "f1_50", "pq", "fg_iou"):
        assert one[key] == pytest.approx(other[key]), key
    assert one["ap75"] <= one["ap50"]
    assert one["pq"] <= one["f1_50"] + 1e-9


def test_curves_and_histograms() -> None:
    a = np.array([1.0, 2.0, 2.0, 3.0])
    assert metrics.cosine_distance(a, a, 5) == pytest.approx(0.0)
    assert metrics.cosine_distance(a, np.array([]), 5) == 1.0
    assert metrics.cosine_distance(np.array([0.0, 1.0]), np.array([9.0, 10.0]), 10) == pytest.approx(1.0)
    # One giant stretches the common range until all falls into one bin; the true range is not fooled.
    sizes, wrong = np.linspace(1, 2, 50), np.concatenate([np.full(50, 1.99), [1000.0]])
    assert metrics.cosine_distance(sizes, wrong, 8) < 0.01
    assert metrics.cosine_distance(sizes, wrong, 8, true_range=True) > 0.5
    assert metrics.profile_distance(a, 2 * a) == pytest.approx(0.0)
    assert math.isnan(metrics.profile_distance(np.zeros(3), a[:3]))
    assert metrics.profile_distance(a, np.full(4, np.nan)) == 1.0


def test_a_profile_is_compared_where_there_are_enough_particles() -> None:
    many = np.kron(np.arange(1, 37, dtype=np.int32).reshape(6, 6), np.pad(np.ones((4, 4), np.int32), 1))
    sizes = lambda labels: np.bincount(np.bincount(labels.ravel())[1:], minlength=40)[:40].astype(float)  # noqa: E731
    assert metrics.score_image(many, many, profile=sizes).values["profile_err"] == pytest.approx(0.0)
    assert "profile_err" not in metrics.score_image(TWO, TWO, profile=sizes).values


def test_bootstrap_interval_holds_the_mean_and_narrows() -> None:
    rng = np.random.default_rng(1)
    few, many = rng.normal(0.5, 0.1, 20), rng.normal(0.5, 0.1, 2000)
    mean, low, high = metrics.bootstrap_mean(few)
    assert low < mean < high
    _, low2, high2 = metrics.bootstrap_mean(many)
    assert high2 - low2 < (high - low) / 5
    assert metrics.bootstrap_mean([math.nan, 0.25])[0] == 0.25
    assert all(math.isnan(v) for v in metrics.bootstrap_mean([]))


def test_pooling_weighs_particles_and_means_weigh_images() -> None:
    nine = squares(60, *[(20 * i + 2, 20 * j + 2, 10, 10) for i in range(3) for j in range(3)])
    scores = [metrics.score_image(nine, nine, "good"), metrics.score_image(squares(60, (5, 5, 9, 9)), 0 * nine, "bad")]
    summary = metrics.summarise(scores)
    assert summary["mean"]["f1_50"] == 0.5
    assert summary["pooled"]["f1_50_pooled"] == pytest.approx(18 / 19)
    assert summary["empty_predictions"] == ["bad"]
    text = metrics.format_table(summary)
    assert "F1@50 0.500" in text
    assert "f1_50 0.947" in text


# ---------------------------------------------------------------- against an independent scorer


def spoil(true: Map, kind: int, rng: np.random.Generator) -> Map:
    """A prediction with the faults that networks make."""
    if kind == 0:
        return true
    if kind == 1:  # shifted by a few pixels
        return np.roll(true, (3, -2), (0, 1))
    if kind == 2:  # shrunken, some missed, some invented
        out = np.where(ndimage.binary_erosion(true > 0, iterations=2), true, 0)
        out[np.isin(out, rng.choice(np.unique(true), 5))] = 0
        out[5:25, 5:30] = out.max() + 1
        return out
    if kind == 3:  # touching particles in one
        return ndimage.label(true > 0)[0].astype(np.int32)
    if kind == 4:  # each particle cut in two
        return np.where(true > 0, 2 * true + (np.indices(true.shape)[1] % 64 < 32), 0)
    if kind == 5:
        return np.zeros_like(true)
    return true[::2, ::2]  # half the resolution


def test_every_number_agrees_with_an_independent_scorer(shared: Path, tmp_path: Path) -> None:
    script, truth = shared / "tools" / "score_masks.py", shared / "emps-train" / "segmaps"
    names = sorted(p.stem for p in truth.glob("*.png"))[::16][:21]
    rng = np.random.default_rng(0)
    pred = tmp_path / "pred"
    pred.mkdir()
    scores = []
    for index, name in enumerate(names):
        true = np.asarray(Image.open(truth / f"{name}.png")).astype(np.int32)
        predicted = spoil(true, index % 7, rng).astype(np.uint16)
        Image.fromarray(predicted).save(pred / f"{name}.png")
        scores.append(metrics.score_image(true, predicted, name))
    (tmp_path / "names.csv").write_text("\n".join(names) + "\n")
    command = [sys.executable, script, "--gt", truth, "--pred", pred, "--names", tmp_path / "names.csv"]
    subprocess.run([*map(str, command), "--json", str(tmp_path / "s.json")], check=True, capture_output=True)
    theirs = json.loads((tmp_path / "s.json").read_text())
    ours = json.loads(json.dumps(metrics.summarise(scores)), parse_constant=lambda _: None)
    for section in ("mean", "ci95", "pooled", "measure", "histogram", "per_image"):
        assert_same(ours[section], theirs[section], section)
    assert ours["particles_pred"] == theirs["particles_pred"]


def assert_same(ours: Any, theirs: Any, where: str) -> None:
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs), where
        for key in theirs:
            assert_same(ours[key], theirs[key], f"{where}.{key}")
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs), where
        for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(a, b, f"{where}[{index}]")
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, abs=1e-9, rel=0), where
    else:
        assert ours == theirs, where
