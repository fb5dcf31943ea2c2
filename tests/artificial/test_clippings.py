"""Panels cut out of figures, put together anew."""

import numpy as np

from imagedataextractor.artificial.clippings import clip_panels, fitted
from imagedataextractor.artificial.figures import draw_figure
from imagedataextractor.records import Box

IMAGE, DRAWING = Box(0, 0, 120, 100), Box(140, 0, 300, 100)


def figure():
    """A dark image and a drawing of one green bar on white, each with a letter."""
    page = np.full((100, 300, 3), 255, np.uint8)
    page[IMAGE.slices] = np.random.default_rng(0).integers(60, 120, (100, 120, 1))
    page[20:80, 160:280] = (0, 150, 0)
    page[6:16, 6:14] = 255
    page[6:16, 146:154] = 0
    return page


def clippings():
    letters = [Box(6, 6, 14, 16), Box(146, 6, 154, 16)]
    return clip_panels(figure(), [(IMAGE, "em"), (DRAWING, "plot"), (Box(0, 0, 30, 30), "plot")], letters)


def test_panels_are_cut_out_without_their_letters_and_small_ones_left():
    image, drawing = clippings()
    assert (image.kind, image.drawn, image.picture.shape) == ("em", False, (100, 120, 3))
    assert (drawing.kind, drawing.drawn) == ("plot", True)
    assert image.picture.max() < 130
    assert drawing.picture.min(axis=2)[:18].min() == 255


def test_an_image_fills_its_cell_and_a_drawing_stands_in_it_whole():
    image, drawing = clippings()
    rng = np.random.default_rng(1)
    assert fitted(rng, image, 90, 200).max() < 130
    cell = fitted(rng, drawing, 90, 200)
    rows, columns = np.nonzero(cell.min(axis=2) < 200)
    assert cell.shape == (90, 200, 3)
    assert rows.min() > 0
    assert rows.max() < 89
    assert columns.min() > 0
    assert columns.max() < 199
    stretched = (columns.max() - columns.min()) / (rows.max() - rows.min()) / 2.0  # the bar is 120 x 60 px
    assert 0.75 < stretched < 1.3


def test_a_figure_of_clippings_has_their_kinds_and_boxes():
    drawn = draw_figure(
        np.random.default_rng(4), clippings=clippings(), mix={"clipping": 1.0}, width=900, insets=0.0, extras=False
    )
    assert {panel.kind for panel in drawn.panels} == {"em", "plot"}
    for panel in drawn.panels:
        green = drawn.image[panel.box.slices].astype(int)
        assert ((green[..., 1] - green[..., 0] > 80).mean() > 0.2) == (panel.kind == "plot")
