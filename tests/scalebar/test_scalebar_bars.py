"""Bars of every form, drawn at sub-pixel places, are found with their ends."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from imagedataextractor.records import Box
from imagedataextractor.scalebar.bars import MAX_CANDIDATES, find_bars
from imagedataextractor.scalebar.match import text_ink
from imagedataextractor.scalebar.parts import join_across
from imagedataextractor.scalebar.rulers import find_rulers
from imagedataextractor.scalebar.text import Reading

SCALE = 8  # pictures are drawn this many times larger and averaged, so that ends fall between pixels


def ground(seed: int = 0, level: float = 120, noise: float = 12, shape=(200, 360)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    soft = cv2.GaussianBlur(rng.normal(0, 60, shape), (0, 0), 9) * 6
    return np.clip(level + soft + rng.normal(0, noise, shape), 0, 255)


def paint(image: np.ndarray, rectangles, level: float) -> np.ndarray:
    """Rectangles (x0, y0, x1, y1) in pixels, fractions covered exactly."""
    height, width = image.shape
    cover = np.zeros((height * SCALE, width * SCALE), np.float32)
    for x0, y0, x1, y1 in rectangles:
        cover[round(y0 * SCALE) : round(y1 * SCALE), round(x0 * SCALE) : round(x1 * SCALE)] = 1
    cover = cover.reshape(height, SCALE, width, SCALE).mean(axis=(1, 3))
    return image * (1 - cover) + level * cover


def as_image(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def nearest(bars, x0: float, x1: float):
    assert bars
    return min(bars, key=lambda b: abs(b.x0 - x0) + abs(b.x1 - x1))


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("thickness", [2, 5, 20])
@pytest.mark.parametrize(("x0", "x1"), [(40.0, 140.0), (40.25, 140.625), (200.5, 330.375)])
def test_ends_to_a_third_of_a_pixel(level, thickness, x0, x1):
    image = as_image(paint(ground(), [(x0, 150, x1, 150 + thickness)], level))
    bar = nearest(find_bars(image), x0, x1)
    assert bar.x0 == pytest.approx(x0, abs=0.35)
    assert bar.x1 == pytest.approx(x1, abs=0.35)
    assert bar.y == pytest.approx(150 + thickness / 2, abs=0.6)
    assert bar.polarity == (1 if level else -1)


def test_an_i_beam_is_measured_over_its_strokes():
    image = as_image(paint(ground(noise=3), [(60, 150, 160, 152), (60, 144, 62, 158), (158, 144, 160, 158)], 255))
    bar = nearest(find_bars(image), 60, 160)
    assert (bar.x0, bar.x1) == pytest.approx((60, 160), abs=0.4)


def test_a_bar_on_an_info_bar_is_not_the_info_bar():
    image = ground()
    image[160:] = 0
    image = as_image(paint(image, [(220, 176, 320, 180)], 255))
    bar = nearest(find_bars(image), 220, 320)
    assert (bar.x0, bar.x1) == pytest.approx((220, 320), abs=0.3)
    assert all(b.length < 0.97 * 360 for b in find_bars(image))


def test_a_bar_that_leaves_the_picture_is_marked_cut():
    image = as_image(paint(ground(), [(300, 150, 360, 156)], 255))
    assert nearest(find_bars(image), 300, 360).cut


def test_a_bar_at_the_bottom_edge_is_found_and_marked():
    image = as_image(paint(ground(), [(100, 196, 200, 200)], 255))
    bar = nearest(find_bars(image), 100, 200)
    assert bar.at_border
    assert not bar.cut


def test_of_an_outlined_bar_the_outline_counts():
    image = as_image(paint(paint(ground(), [(98, 148, 202, 162)], 0), [(100, 150, 200, 160)], 255))
    assert nearest([b for b in find_bars(image) if b.polarity > 0], 100, 200).lesser
    assert not nearest([b for b in find_bars(image) if b.polarity < 0], 98, 202).lesser


def test_of_a_black_bar_with_a_bright_rim_the_bar_counts():
    image = as_image(paint(paint(ground(), [(98, 148, 202, 162)], 255), [(100, 150, 200, 160)], 0))
    assert not nearest([b for b in find_bars(image) if b.polarity < 0], 100, 200).lesser
    assert nearest([b for b in find_bars(image) if b.polarity > 0], 98, 202).lesser


@pytest.mark.parametrize("beyond", [205, 225])
def test_a_bright_particle_at_the_end_is_not_bar(beyond):
    particle = paint(ground(level=90, noise=4), [(128, 140, 152, 175)], beyond)
    image = as_image(paint(particle, [(40, 155, 140.5, 160)], 255))
    bar = nearest(find_bars(image), 40, 140.5)
    assert (bar.x0, bar.x1) == pytest.approx((40, 140.5), abs=0.5)


def test_a_bar_near_the_pictures_edge_ends_where_it_ends():
    image = as_image(paint(ground(level=200, noise=2), [(2.5, 196, 90, 200)], 0))
    bar = nearest(find_bars(image), 2.5, 90)
    assert (bar.x0, bar.x1) == pytest.approx((2.5, 90), abs=0.4)
    assert not bar.cut


def test_a_line_that_its_text_breaks_is_joined():
    image = as_image(
        paint(
            ground(level=20, noise=2),
            [(50, 100, 120, 102), (50, 95, 52, 107), (180, 100, 250, 102), (248, 95, 250, 107)],
            255,
        )
    )
    joined = join_across(find_bars(image), Box(126, 92, 174, 110))
    bar = nearest(joined, 50, 250)
    assert bar.form == "broken"
    assert (bar.x0, bar.x1) == pytest.approx((50, 250), abs=0.5)


@pytest.mark.parametrize("missing", [None, 5])
def test_a_ruler_is_measured_from_first_to_last_middle(missing):
    strokes = [(40.5 + 21.25 * i, 150, 42.5 + 21.25 * i, 162) for i in range(11) if i != missing]
    image = as_image(paint(ground(level=40, noise=4), strokes, 255))
    bar = nearest(find_rulers(image), 41.5, 254)
    assert bar.strokes == 11
    assert (bar.x0, bar.x1) == pytest.approx((41.5, 254), abs=0.4)


def test_a_ruler_that_loses_its_last_stroke_at_the_edge_is_completed():
    strokes = [(100 + 25.5 * i, 150, 102 + 25.5 * i, 162) for i in range(11)]
    image = as_image(paint(ground(level=40, noise=4), strokes, 255))[:, :350]
    bar = nearest(find_rulers(image), 101, 356)
    assert bar.length == pytest.approx(255, abs=1.0)


def test_a_large_picture_is_searched_reduced_and_measured_whole():
    image = as_image(np.kron(ground(noise=4), np.ones((10, 10))))
    image[1800:1830, 2000:2901] = 255
    bar = nearest(find_bars(image), 2000, 2901)
    assert (bar.x0, bar.x1) == pytest.approx((2000, 2901), abs=0.5)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((20, 20), np.uint8),
        np.full((20, 20), 255, np.uint8),
        np.zeros((1, 1), np.uint8),
        np.zeros((3, 500), np.uint8),
        np.zeros((500, 3), np.uint8),
        np.tile(np.array([[0], [255]], np.uint8), (150, 400)),
        np.tile(np.array([[0, 255]], np.uint8), (300, 200)),
        np.random.default_rng(1).integers(0, 256, (400, 400)).astype(np.uint8),
    ],
    ids=["black", "white", "one pixel", "flat", "upright", "stripes", "columns", "noise"],
)
def test_pictures_without_a_bar_end_in_bounded_work(image):
    assert len(find_bars(image)) <= MAX_CANDIDATES
    for ruler in find_rulers(image):
        assert ruler.length > 0


def test_letters_are_told_from_a_bar_that_their_box_touches() -> None:
    grey = np.full((80, 160), 150, np.uint8)
    grey[20:60, 20:140] = 0  # a label box
    grey[24:31, 25:135] = 255  # the bar in it
    grey[35:52, 59:101:4] = grey[35:52, 60:101:4] = 255  # strokes of the letters
    touching = Reading(50.0, "nm", "50 nm", 0.99, 1.0, True, Box(56, 26, 104, 52))
    ink = text_ink(grey, touching)
    assert (ink.polarity, ink.ground) == (1, 0.0)
