"""Panels of figures drawn with known truth, and of real ones."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from imagedataextractor.artificial.contents import draw_content
from imagedataextractor.artificial.figures import LetterStyle, draw_figure
from imagedataextractor.figures import split_figure
from imagedataextractor.images import load_image
from imagedataextractor.records import Box, CaptionFacts


def texture(height, width, mean=120, seed=0):
    """Grey noise with structure: what a micrograph is to the splitter."""
    rng = np.random.default_rng(seed)
    field = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), 5)
    return np.clip(mean + 300 * field + rng.normal(0, 6, field.shape), 5, 235).astype(np.uint8)


def page(boxes, shape, paper=255, means=(90, 150, 120, 170, 70, 140)):
    image = np.full(shape, paper, np.uint8)
    for i, box in enumerate(boxes):
        image[box.slices] = texture(box.height, box.width, means[i % len(means)], seed=i)
    return image


def found_at(image, boxes, iou=0.9, **options):
    panels = [p for p in split_figure(image, **options) if p.parent is None]
    return len(panels) == len(boxes) and all(max(p.box.iou(b) for p in panels) >= iou for b in boxes)


@pytest.mark.parametrize("gutter", [3, 8, 40])
@pytest.mark.parametrize("paper", [255, 0])
def test_a_grid_with_white_or_black_gutters_comes_apart(gutter, paper):
    boxes = [Box(x, y, x + 240, y + 200) for y in (0, 200 + gutter) for x in (0, 240 + gutter, 2 * (240 + gutter))]
    assert found_at(page(boxes, (400 + gutter, 720 + 2 * gutter), paper), boxes)


def test_images_that_touch_are_cut_at_their_edge():
    boxes = [Box(0, 0, 300, 260), Box(300, 0, 600, 260)]
    assert found_at(page(boxes, (260, 600), means=(60, 190)), boxes)


def test_images_whose_thin_white_gutter_is_blurred_come_apart():
    boxes = [Box(0, 0, 400, 360), Box(402, 0, 800, 360)]
    image = page(boxes, (360, 800), means=(110, 115))
    small = cv2.resize(image, (480, 216), interpolation=cv2.INTER_AREA)
    assert found_at(small, [Box(0, 0, 240, 216), Box(241, 0, 480, 216)])


def test_letters_printed_below_belong_to_the_panels_above():
    style = LetterStyle("({})", upper=False, font_name="sans", size_px=22, place="below")
    boxes = [Box(x, y, x + 300, y + 220) for y in (0, 290) for x in (0, 330)]
    image = page(boxes, (560, 630))
    for box, letter in zip(boxes, "abcd", strict=True):
        canvas = Image.fromarray(image)
        pen = ImageDraw.Draw(canvas)
        pen.text((box.x0 + 140, box.y1 + 8), style.text(letter), fill=0, font=style.font())
        image = np.asarray(canvas).copy()
    panels = split_figure(image)
    assert [p.label for p in panels] == ["a", "b", "c", "d"]
    assert all(p.box.iou(b) > 0.9 for p, b in zip(panels, boxes, strict=True))


@pytest.mark.parametrize("name", ["cmyk.jpg", "animated.gif", "transparent.png", "thin.png"])
def test_unusual_files_are_split_all_the_same(name, tmp_path):
    grey = Image.fromarray(page([Box(0, 0, 200, 180), Box(220, 0, 420, 180)], (180, 420)))
    path = tmp_path / name
    if name == "cmyk.jpg":
        grey.convert("CMYK").save(path, quality=95)
    elif name == "animated.gif":
        grey.save(path, save_all=True, append_images=[Image.new("L", grey.size, 128)])
    elif name == "transparent.png":
        rgba = grey.convert("RGBA")
        rgba.putalpha(Image.fromarray(np.where(np.asarray(grey) == 255, 0, 255).astype(np.uint8)))
        rgba.save(path)
    else:
        grey.crop((0, 0, 420, 1)).save(path)
    panels = [p for p in split_figure(load_image(path)) if p.parent is None]
    assert len(panels) == (1 if name == "thin.png" else 2)


def test_irregular_rows_come_apart():
    boxes = [Box(0, 0, 420, 240), Box(440, 0, 640, 110), Box(440, 130, 640, 240), Box(0, 260, 640, 460)]
    assert found_at(page(boxes, (460, 640)), boxes)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_micrograph_is_one_panel(seed):
    _, image = draw_content(np.random.default_rng(seed), "micrograph", 400, 520)
    panels = [p for p in split_figure(image) if p.parent is None]
    assert len(panels) == 1
    assert panels[0].box.area >= 0.95 * image.shape[0] * image.shape[1]
    assert panels[0].kind == "em"


def test_plots_keep_their_axis_labels_and_get_their_letters():
    style = LetterStyle("({})", upper=False, font_name="sans-bold", size_px=22, place="above")
    figure = draw_figure(
        np.random.default_rng(3), mix={"plot": 1.0}, width=1000, letters=style, gutter_px=30, panels=3, insets=0
    )
    panels = split_figure(figure.image)
    assert [p.label for p in panels] == [p.label for p in figure.panels]
    assert all(a.box.iou(b.box) > 0.8 for a, b in zip(panels, figure.panels, strict=True))
    assert not any(p.kind == "em" for p in panels)


@pytest.mark.parametrize("pattern", ["{}", "({})", "{})"])
@pytest.mark.parametrize(("upper", "place"), [(False, "inside"), (True, "boxed"), (False, "left")])
def test_letters_of_every_style_are_read(pattern, upper, place):
    style = LetterStyle(pattern, upper, "sans-bold", 24, place)
    rng = np.random.default_rng(7)
    pool = [texture(400, 500, mean, seed=mean) for mean in (80, 150)]
    figure = draw_figure(
        rng, pool=pool, mix={"micrograph": 1.0}, width=1000, letters=style, gutter_px=12, black=False, insets=0
    )
    true = [p.label for p in figure.panels]
    read = [p.label for p in split_figure(figure.image) if p.parent is None]
    assert len(true) > 1
    assert sum(a == b for a, b in zip(true, read, strict=False)) >= 0.75 * len(true)


def test_an_inset_belongs_to_its_panel():
    image = texture(500, 640, 90)
    image[0:180, 440:640] = texture(180, 200, 200, seed=9)
    panels = split_figure(image)
    assert [p.parent for p in panels] == [None, 0]
    assert panels[0].insets[0].iou(Box(440, 0, 640, 180)) > 0.9
    assert panels[1].box.iou(Box(440, 0, 640, 180)) > 0.9


def test_the_caption_gives_subcaptions_and_techniques():
    boxes = [Box(0, 0, 300, 260), Box(320, 0, 620, 260)]
    facts = CaptionFacts(
        is_em=True,
        techniques=("SEM", "TEM"),
        subcaptions={"a": "SEM image of particles", "b": "TEM image of lattice fringes"},
        panel_techniques={"a": ("SEM",), "b": ("TEM",)},
    )
    panels = split_figure(page(boxes, (260, 620)), facts=facts)
    assert [(p.label, p.subcaption, p.technique) for p in panels] == [
        ("a", "SEM image of particles", "SEM"),
        ("b", "TEM image of lattice fringes", "TEM"),
    ]
    assert [p.measurable for p in panels] == [True, False]


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 3, 3), (40, 40), (6000, 30)])
def test_odd_shapes_are_one_panel(shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    panels = split_figure(image)
    assert len(panels) >= 1
    assert all(0 <= p.box.x0 < p.box.x1 <= shape[1] and 0 <= p.box.y0 < p.box.y1 <= shape[0] for p in panels)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_page_is_one_panel_that_is_no_micrograph(level):
    panels = split_figure(np.full((300, 400), level, np.uint8))
    assert len(panels) == 1
    assert panels[0].box == Box(0, 0, 400, 300)
    assert panels[0].kind != "em"


def test_a_very_large_figure_is_split_all_the_same():
    boxes = [Box(0, 0, 5900, 3000), Box(6100, 0, 12000, 3000)]
    image = np.full((3000, 12000), 255, np.uint8)
    for i, box in enumerate(boxes):
        small = texture(300, 590, (90, 150)[i], seed=i)
        image[box.slices] = cv2.resize(small, (box.width, box.height), interpolation=cv2.INTER_NEAREST)
    assert found_at(image, boxes)


def labelled(path, folder):
    for figure in json.loads(path.read_text()):
        yield load_image(folder / figure["file"]), figure["panels"]


def test_real_figures_come_apart_as_labelled(shared):
    true = found = hit = em_right = 0
    for image, panels in labelled(shared / "figures" / "panels.json", shared / "figures"):
        mine = [p for p in split_figure(image) if p.parent is None]
        true, found = true + len(panels), found + len(mine)
        for label in panels:
            box = Box(label["x0"], label["y0"], label["x1"], label["y1"])
            best = max(mine, key=lambda p, b=box: p.box.iou(b))
            if best.box.iou(box) >= 0.5:
                hit += 1
                em_right += (best.kind == "em") == (label["kind"] == "em")
    assert 2 * hit / (true + found) >= 0.9
    assert em_right / hit >= 0.95


def test_figures_of_articles_without_micrographs_hold_none(shared):
    figures = [*shared.glob("samples/jats/encoda_*/*.png"), *shared.glob("samples/jats/encoda_*/*.tif")]
    assert len(figures) >= 12
    for path in figures:
        assert not any(p.kind == "em" for p in split_figure(load_image(path))), path.name
