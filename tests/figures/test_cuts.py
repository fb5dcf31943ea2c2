"""Gutters and seams: where a page is cut, and where touching images are."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from imagedataextractor.artificial.contents import draw_content
from imagedataextractor.artificial.figures import draw_figure
from imagedataextractor.cli import ide
from imagedataextractor.figures.network import chances
from imagedataextractor.figures.panels.cuts import FEATURES, KEEP, PART, describe, gutters, judge, tight
from imagedataextractor.figures.panels.layout import analyse, least_side
from imagedataextractor.figures.panels.page import cut_page, page_of
from imagedataextractor.figures.panels.seams import divide
from imagedataextractor.records import Box
from imagedataextractor.training.figures.cuts import examples, seam_examples, train, variants


def texture(height, width, mean=120, seed=0, coarse=5):
    rng = np.random.default_rng(seed)
    field = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), coarse)
    return np.clip(mean + 60 * coarse * field + rng.normal(0, 6, field.shape), 5, 235).astype(np.uint8)


def page_with(boxes, shape):
    image = np.full(shape, 255, np.uint8)
    for i, box in enumerate(boxes):
        image[box.slices] = texture(box.height, box.width, 90 + 30 * i, seed=i)
    return image


PAIR = [Box(20, 20, 320, 260), Box(344, 20, 644, 260)]


def whole_page(image, letters=()):
    page, _ = page_of(analyse(image), list(letters))
    return page, tight(page, Box(0, 0, image.shape[1], image.shape[0]))


def test_the_gutter_between_two_images_is_cut():
    page, box = whole_page(page_with(PAIR, (280, 664)))
    (gutter,) = gutters(page, box)
    assert (gutter.axis, gutter.first, gutter.last) == (1, 320, 344)
    assert judge(page, box, [gutter]).argmax(axis=1).tolist() == [PART]


def test_the_gutters_inside_a_plot_are_kept():
    _, plot = draw_content(np.random.default_rng(4), "plot", 420, 560)
    page, box = whole_page(plot)
    strips = gutters(page, box)
    assert strips
    assert set(judge(page, box, strips).argmax(axis=1).tolist()) == {KEEP}


def test_a_frame_around_a_panel_is_no_part_of_it():
    image = np.full((300, 400), 255, np.uint8)
    cv2.rectangle(image, (10, 10), (389, 289), 80, 2)
    image[60:240, 70:330] = texture(180, 260)
    _, box = whole_page(image)
    assert box == Box(70, 60, 330, 240)


def ruled(cells, fill):
    """A page with ruled lines around `cells`, and `fill` drawn in each."""
    image = np.full((420, 640), 255, np.uint8)
    for cell in cells:
        cv2.rectangle(image, (cell.x0, cell.y0), (cell.x1, cell.y1), 90, 1)
        fill(image, cell)
    return image


RULED = [Box(20 + 200 * i, 20 + 190 * j, 220 + 200 * i, 210 + 190 * j) for j in range(2) for i in range(3)]


def image_of(cell):
    return Box(cell.x0 + 12, cell.y0 + 12, cell.x1 - 12, cell.y1 - 40)


def test_the_lines_of_a_table_of_images_are_no_part_of_them():
    def fill(image, cell):
        inner = image_of(cell)
        image[inner.slices] = texture(inner.height, inner.width, 110, seed=cell.x0 + cell.y0)

    layout = analyse(ruled(RULED, fill))
    assert {region.box for region in cut_page(layout)} == {image_of(cell) for cell in RULED}


def test_the_lines_of_a_table_of_words_and_the_frame_of_a_plot_stay():
    def fill(image, cell):
        for k in range(4):
            cv2.putText(image, "12.5", (cell.x0 + 20, cell.y0 + 40 * (k + 1)), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 0, 2)

    table = ruled(RULED, fill)
    assert analyse(table).ink[20, 30:600].all()
    plot = np.full((300, 400), 255, np.uint8)
    cv2.rectangle(plot, (60, 20), (380, 250), 0, 2)
    for x in range(80, 380, 40):
        cv2.line(plot, (x, 250), (x, 242), 0, 2)
        cv2.putText(plot, "5", (x - 6, 275), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 0, 1)
    plot[80:200, 100:330] = texture(120, 230)
    assert analyse(plot).ink[20, 70:370].all()


def test_a_picture_that_fills_its_page_has_no_frame():
    image = texture(300, 400)
    assert whole_page(image)[1] == Box(0, 0, 400, 300)


def test_numbers_are_finite_whatever_the_page():
    for image in (np.eye(90, dtype=np.uint8) * 255, 255 - np.eye(300, 80, dtype=np.uint8) * 255):
        page, box = whole_page(image)
        strips = gutters(page, box)
        values = describe(page, box, strips)
        assert values.shape == (len(strips), len(FEATURES))
        assert np.isfinite(values).all()


def cut_up(image):
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return divide(grey, image, [Box(0, 0, image.shape[1], image.shape[0])], least_side(analyse(image)))


def test_touching_images_are_parted_at_their_seams():
    image = np.hstack([texture(300, 280, 70), texture(300, 320, 180, seed=1, coarse=2)])
    assert sorted((b.x0, b.x1) for b in cut_up(image)) == [(0, 280), (280, 600)]


def test_shifted_scan_lines_are_no_seams():
    image = texture(400, 520, 120, coarse=9)
    shifted = image.astype(int) + np.random.default_rng(3).normal(0, 12, (400, 1))
    assert cut_up(np.clip(shifted, 0, 255).astype(np.uint8)) == [Box(0, 0, 520, 400)]


@pytest.mark.parametrize("name", ["micrograph", "lattice", "photo"])
def test_most_pictures_are_left_whole(name):
    whole = [len(cut_up(draw_content(np.random.default_rng(seed), name, 360, 480)[1])) == 1 for seed in range(6)]
    assert sum(whole) >= 5


def test_examples_say_what_the_truth_says():
    rng = np.random.default_rng(0)
    image = page_with(PAIR, (280, 664))
    _, parted = examples(rng, image, PAIR)
    _, kept = examples(rng, image, [Box(20, 20, 644, 260)])
    assert PART in parted
    assert len(kept) > 0
    assert set(kept.tolist()) == {KEEP}


def test_seams_are_examples_too():
    image = np.hstack([texture(300, 280, 70), texture(300, 320, 180, seed=1)])
    features, labels = seam_examples(np.random.default_rng(0), image, [Box(0, 0, 280, 300), Box(280, 0, 600, 300)])
    assert len(features) == len(labels)
    assert 1 <= labels.sum() < len(labels)


def test_variants_keep_boxes_on_their_panels():
    image = page_with(PAIR, (280, 664))
    for picture, boxes in variants(np.random.default_rng(0), image, PAIR):
        assert all(picture[b.slices].mean() < 200 for b in boxes)
        assert sum(b.area for b in boxes) / picture[..., :].size == pytest.approx(2 * 300 * 240 / image.size, rel=0.05)


def test_the_network_learns_from_examples():
    rng = np.random.default_rng(1)
    sets = []
    for _ in range(6):
        figure = draw_figure(rng, mix={"photo": 1.0}, width=600, gutter_px=20, insets=0, extras=False)
        sets.append(examples(rng, figure.image, [p.box for p in figure.panels if p.parent is None]))
    features, labels = np.concatenate([f for f, _ in sets]), np.concatenate([x for _, x in sets])
    weights = train(features, labels, np.ones(len(labels), np.float32), classes=4, epochs=60)
    assert (chances(weights, features).argmax(axis=1) == labels).mean() > 0.9


def test_the_command_trains_the_same_networks_with_one_process_as_with_two(tmp_path):
    (tmp_path / "textures").mkdir()
    cv2.imwrite(str(tmp_path / "textures" / "a.png"), texture(300, 400))
    cv2.imwrite(str(tmp_path / "figure.png"), page_with(PAIR, (280, 664)))
    panels = [{"x0": b.x0, "y0": b.y0, "x1": b.x1, "y1": b.y1, "label": None, "kind": "em"} for b in PAIR]
    kept = {"file": "not-there.png", "set": "kept", "licence": "CC BY 4.0", "panels": panels}
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps([{"file": "figure.png", "panels": panels}, kept]))
    for workers in ("1", "2"):
        paths = [str(tmp_path / "textures"), "--panels", str(labels), "--out", str(tmp_path / workers)]
        asked = ["train", "figures", *paths, "--network", "cuts", "--cuts", "1", "--workers", workers]
        result = CliRunner().invoke(ide, asked)
        assert result.exit_code == 0, result.output
    for name in ("cuts.safetensors", "seams.safetensors"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


#: A large image with two small ones beside it under its letter, another like it, and a third image.
LETTERED = [
    *(Box(30, 30, 260, 250), Box(266, 30, 336, 120), Box(266, 130, 336, 220)),
    *(Box(380, 30, 610, 250), Box(616, 30, 686, 120), Box(616, 130, 686, 220)),
    Box(730, 30, 960, 250),
]
LETTERS = [Box(10, 20, 22, 36), Box(360, 20, 372, 36), Box(710, 20, 722, 36)]


def panels_of(missing):
    regions = cut_page(analyse(page_with(LETTERED, (280, 980))), LETTERS, missing)
    return sorted((r.box for r in regions), key=lambda b: b.x0)


def test_small_images_join_the_panel_whose_letter_they_stand_under():
    assert panels_of(missing=0) == [Box(30, 30, 336, 250), Box(380, 30, 686, 250), Box(730, 30, 960, 250)]


#: Two images under each of two letters, one above the other, and a third panel.
EQUAL = [Box(30 + 230 * i, 30 + 230 * j, 240 + 230 * i, 240 + 230 * j) for j in range(2) for i in range(2)]


def test_equal_images_join_the_letter_before_them_and_not_what_may_be_a_panel_after_the_last():
    image = page_with(EQUAL, (480, 500))
    layout = analyse(image)
    by_rows = [Box(10, 30, 22, 46), Box(10, 260, 22, 276)]
    first_row = Box(30, 30, 470, 240)
    assert {r.box for r in cut_page(layout, by_rows)} == {first_row, *EQUAL[2:]}
    a, b, c = Box(34, 34, 46, 50), Box(264, 34, 276, 50), Box(34, 264, 46, 280)
    assert {r.box for r in cut_page(layout, [a, b, c])} == set(EQUAL)


def test_letters_of_panels_that_run_down_the_columns_take_what_stands_before_the_next_column():
    boxes = [Box(30, 30, 240, 240), Box(30, 270, 240, 330), Box(30, 336, 240, 396), Box(280, 30, 490, 396)]
    letters = [Box(10, 30, 22, 46), Box(10, 270, 22, 286), Box(258, 30, 270, 46)]
    found = {r.box for r in cut_page(analyse(page_with(boxes, (430, 520))), letters)}
    assert found == {boxes[0], Box(30, 270, 240, 396), boxes[3]}
