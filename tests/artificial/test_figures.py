"""Drawn compound figures: their truth is where they say it is."""

import numpy as np
import pytest

from imagedataextractor.artificial.contents import CONTENTS, draw_content
from imagedataextractor.artificial.figures import LetterStyle, draw_figure

POOL = [np.random.default_rng(1).integers(40, 200, (300, 400)).astype(np.uint8)]


@pytest.mark.parametrize("name", sorted(CONTENTS))
def test_every_content_has_the_size_asked_for(name):
    kind, picture = draw_content(np.random.default_rng(0), name, 150, 210, POOL)
    assert picture.shape == (150, 210, 3)
    assert picture.dtype == np.uint8
    assert kind == CONTENTS[name][0]


def test_the_same_seed_draws_the_same_figure():
    a, b = (draw_figure(np.random.default_rng(9), mix={"schematic": 1.0}, width=700) for _ in range(2))
    assert (a.image == b.image).all()
    assert a.panels == b.panels


def test_panels_lie_in_the_page_apart_from_each_other_and_insets_in_their_parents():
    for seed in range(6):
        mix = {"micrograph": 0.6, "eds": 0.4}
        figure = draw_figure(np.random.default_rng(seed), pool=POOL, mix=mix, width=700, insets=0.5)
        height, width = figure.image.shape[:2]
        own = [p for p in figure.panels if p.parent is None]
        for panel in figure.panels:
            assert 0 <= panel.box.x0 < panel.box.x1 <= width
            assert 0 <= panel.box.y0 < panel.box.y1 <= height
            if panel.parent is not None:
                parent = figure.panels[panel.parent]
                assert parent.box.intersection(panel.box) == panel.box
        assert all(a is b or a.box.intersection(b.box).area == 0 for a in own for b in own)


def test_the_gutter_is_as_wide_as_asked_and_white():
    style = LetterStyle("{}", False, "sans-bold", 20, "inside")
    figure = draw_figure(
        np.random.default_rng(4),
        pool=POOL,
        mix={"micrograph": 1.0},
        width=800,
        gutter_px=20,
        black=False,
        letters=style,
        insets=0,
    )
    first, second = figure.panels[:2]
    assert second.box.x0 - first.box.x1 == 20
    assert (figure.image[first.box.y0 : first.box.y1, first.box.x1 + 8 : second.box.x0 - 8] > 240).all()
