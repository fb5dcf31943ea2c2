"""Bars drawn in every form and situation: what is said of them is what is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from imagedataextractor.artificial.scalebars import FORMS, SITUATIONS, BarDrawing, draw_marked_picture


def ground(level: int = 120, shape: tuple[int, int] = (300, 400)) -> np.ndarray:
    return np.random.default_rng(5).normal(level, 4, shape).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "ruler"])
def test_a_bar_ends_where_the_truth_says(form: str) -> None:
    drawing = BarDrawing(form=form, length=150, thickness=4, ink=255, text_ink=255, text_height=16)
    if form == "broken":
        drawing = BarDrawing(form=form, arrangement="within", length=150, thickness=4, ink=255, text_ink=255)
    marked = draw_marked_picture(np.random.default_rng(1), ground(), drawing=drawing, degradation=0)
    x0, x1, y = int(marked.x0), int(marked.x1), int((marked.y0 + marked.y1) / 2)
    row = marked.image[y].astype(int)
    assert abs(row[x0] - 120) > 60
    assert abs(row[x1 - 1] - 120) > 60
    assert abs(row[x0 - 3] - 120) < 40
    assert abs(row[x1 + 3] - 120) < 40


def test_a_ruler_is_as_long_as_from_stroke_to_stroke() -> None:
    drawing = BarDrawing(form="ruler", length=101, thickness=6, ink=255, text_ink=255)
    marked = draw_marked_picture(np.random.default_rng(2), ground(), drawing=drawing, degradation=0)
    assert marked.length_px == 100


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_situation_is_drawn_and_repeatable(situation: str) -> None:
    one, two = (draw_marked_picture(np.random.default_rng(7), ground(), situation=situation) for _ in range(2))
    assert np.array_equal(one.image, two.image)
    assert one.length_px > 8
    assert one.text_box.area > 0


def test_a_cut_reaches_over_the_edge() -> None:
    drawing = BarDrawing(cut="right", length=150)
    marked = draw_marked_picture(np.random.default_rng(3), ground(), drawing=drawing, degradation=0)
    assert max(marked.x1, marked.text_box.x1) >= 400


def test_resampling_takes_the_truth_along() -> None:
    for seed in range(6):
        marked = draw_marked_picture(np.random.default_rng(seed), ground(), drawing=BarDrawing(length=150))
        assert marked.length_px == pytest.approx(150 * marked.image.shape[1] / 400)


def test_too_small_a_ground_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        draw_marked_picture(np.random.default_rng(0), ground(shape=(40, 400)))
