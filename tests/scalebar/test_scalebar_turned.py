"""Bars that do not lie level, and bars that belong to an inset."""

from __future__ import annotations

import numpy as np
import pytest
from scalebar_drawing import NoOcr, micrograph, tilted_bar

from imagedataextractor.ocr import TextBox
from imagedataextractor.records import Box, ScaleStatement
from imagedataextractor.scalebar import read_scale_bar, read_scale_bars
from imagedataextractor.scalebar.frames import in_inset


@pytest.mark.parametrize(
    "text",
    [Box(400, 290, 470, 312), Box(450, 265, 472, 335), Box(496, 265, 518, 335)],
    ids=["level text beside it", "upright text left of it", "upright text right of it"],
)
@pytest.mark.parametrize("level", [0, 255])
def test_an_upright_bar(text, level):
    image = micrograph()
    image[250:350, 480:486] = level
    bar = read_scale_bar(image, engine=NoOcr(TextBox("200 nm", 0.99, text)))
    assert bar.length_px == pytest.approx(100, abs=0.5)
    assert bar.nm_per_px == pytest.approx(2.0, rel=0.01)
    assert (bar.x0, bar.x1, bar.y) == pytest.approx((480, 486, 300), abs=0.6)
    assert bar.bar_box.height == pytest.approx(100, abs=3)


@pytest.mark.parametrize("angle", [-3.0, -1.0, 0.4, 1.2, 2.0, 3.3])
def test_a_tilted_bar_has_its_own_length_not_its_shadows(angle):
    image = tilted_bar(micrograph(), (350.0, 385.0), 150, 5, angle)
    bar = read_scale_bar(image, engine=NoOcr(TextBox("200 nm", 0.99, Box(315, 345, 385, 367))))
    assert bar.nm_per_px == pytest.approx(200 / 150, rel=0.01)
    assert 0.5 * (bar.x0 + bar.x1) == pytest.approx(350, abs=2)
    assert bar.y == pytest.approx(385, abs=1.5)


def test_stems_of_letters_are_no_upright_bars():
    image = micrograph()
    image[290:312, 410:414] = 255  # as those of an n or an m
    image[290:340, 440:444] = 255
    bar = read_scale_bar(image, engine=NoOcr(TextBox("200 nm", 0.99, Box(400, 288, 470, 340))))
    assert bar.nm_per_px is None


def test_without_a_sure_text_nothing_is_turned():
    image = micrograph()
    image[250:350, 480:486] = 255
    bar = read_scale_bar(image, engine=NoOcr(TextBox("200 n", 0.5, Box(400, 290, 470, 312))))
    assert bar.nm_per_px is None


def with_inset(frame: int | None) -> np.ndarray:
    """A panel's bar at the lower left and an inset's in the lower right corner, its frame drawn or not."""
    image = micrograph(level=100)
    image[380:386, 60:160] = 255
    if frame is not None:
        image[230:, 330:] = 170
        image[230:233, 330:] = frame
        image[230:, 330:333] = frame
    image[390:394, 400:460] = 0
    return image


PANELS = TextBox("200 nm", 0.99, Box(75, 352, 145, 374))
INSETS = TextBox("20 nm", 0.99, Box(405, 370, 455, 386))


def test_an_insets_bar_does_not_silence_its_panels():
    bars = read_scale_bars(with_inset(frame=255), engine=NoOcr(PANELS, INSETS))
    assert (bars[0].value, bars[0].nm_per_px) == (200, pytest.approx(2.0, rel=0.01))
    (inset,) = [bar for bar in bars if bar.value == 20]
    assert inset.nm_per_px is None
    assert "inset" in inset.reason


def test_without_a_frame_two_scales_are_a_conflict():
    bars = read_scale_bars(with_inset(frame=None), engine=NoOcr(PANELS, INSETS))
    assert all(bar.nm_per_px is None for bar in bars)
    assert "disagree" in bars[0].reason


def test_the_frame_of_an_inset_is_no_bar():
    image = micrograph()
    image[60:160, 300:440] = 0
    image[57:60, 297:443] = image[160:163, 297:443] = 255  # the frame lies just outside of the inset's box
    image[57:163, 297:300] = image[57:163, 440:443] = 255
    image[395:399, 400:440] = 255
    told = [ScaleStatement(50.0, (), "scale bar 50 nm", 0, 15)]
    bar = read_scale_bar(image, engine=NoOcr(), statements=told, exclude=[Box(300, 60, 440, 160)])
    assert (bar.x0, bar.x1) == pytest.approx((400, 440), abs=0.5)
    assert bar.nm_per_px == pytest.approx(50 / 40, rel=0.02)


def test_labels_and_data_bars_are_no_insets():
    image = micrograph(level=100)
    image[340:, 280:] = 255  # the label's box, in the corner
    assert not in_inset(image, Box(300, 352, 400, 386), 22)
    image = micrograph(level=100)
    image[300:] = 0  # a data bar from edge to edge
    assert not in_inset(image, Box(300, 352, 400, 386), 22)
    assert not in_inset(micrograph(), Box(300, 352, 400, 386), 22)


def test_a_mark_outside_the_picture_is_in_no_inset():
    assert not in_inset(np.zeros((20, 20), np.uint8), Box(30, 30, 40, 40), 5)
