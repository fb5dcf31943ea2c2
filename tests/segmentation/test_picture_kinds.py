"""Kinds of pictures from drawn truth, and the table by kind."""

from __future__ import annotations

import numpy as np
import pytest

from imagedataextractor.segmentation.kinds import format_by_kind, kind_of, summarise_by_kind
from imagedataextractor.segmentation.metrics import score_image

HEIGHT, WIDTH = 480, 600


def grid(step: int, half: int, *, round_: bool = False, rows: int = 99) -> np.ndarray:
    """Squares, or discs, of 2 · half + 1 px in a grid."""
    labels = np.zeros((HEIGHT, WIDTH), np.int32)
    number = 0
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    shape = np.hypot(y, x) <= half + 0.3 if round_ else np.ones(y.shape, bool)
    for top in list(range(half, HEIGHT - half, step))[:rows]:
        for left in range(half, WIDTH - half, step):
            number += 1
            labels[top - half : top + half + 1, left - half : left + half + 1][shape] = number
    return labels


def rods() -> np.ndarray:
    labels = np.zeros((HEIGHT, WIDTH), np.int32)
    for number in range(8):
        labels[20 + 50 * number : 30 + 50 * number, 40:400] = number + 1
    return labels


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (rods(), "long"),
        (grid(30, 12), "small and dense"),
        (grid(40, 4, rows=3), "supported"),
        (grid(300, 80), "few large"),
        (grid(100, 40, round_=True), "spheres"),
        (grid(82, 40), "piles"),
        (grid(110, 40), "facetted"),
        (np.zeros((10, 10), np.int32), None),
    ],
)
def test_a_kind_follows_from_the_truth(labels: np.ndarray, kind: str | None) -> None:
    assert kind_of(labels) == kind
    assert kind_of(labels[::-1, ::-1] * 7) == kind  # whatever the numbers and the direction


def test_the_table_has_a_row_a_kind_that_occurs() -> None:
    truth = {"a": rods(), "b": rods(), "c": grid(110, 40)}
    found = {"a": rods(), "b": np.zeros_like(rods()), "c": grid(110, 40)}
    scores = [score_image(truth[n], found[n], n) for n in truth]
    rows = summarise_by_kind(scores, {n: kind_of(t) for n, t in truth.items()})
    assert [(row["kind"], row["images"], row["particles"]) for row in rows] == [("long", 2, 16), ("facetted", 1, 20)]
    assert [row["f1_50"] for row in rows] == [0.5, 1.0]
    assert len(format_by_kind(rows).splitlines()) == 3
