"""The stage as a whole: real micrographs with known bars, drawn ones, and input that holds none."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scalebar_drawing import NoOcr, micrograph

from imagedataextractor.artificial.annotations import draw_info_bar, draw_scale_bar
from imagedataextractor.cli.scalebar import command
from imagedataextractor.errors import UsageError
from imagedataextractor.images import load_image
from imagedataextractor.ocr import TextBox, load_engine
from imagedataextractor.records import Box, ScaleStatement
from imagedataextractor.scalebar import read_scale_bar, read_scale_bars
from imagedataextractor.scalebar.reading import MAX_LONE_LOOKS, MAX_READINGS, MAX_VOTES, VOTE_ZOOMS
from imagedataextractor.settings import ScaleBarSettings


@pytest.fixture(scope="module")
def engine():
    return load_engine("rapidocr")


# Rows of the hand-read labels, one a form of bar: plain, boxed, I-beam, broken by text, ruler, arrow,
# data bar, block beside its text, µ touching the bar, outlined.
REAL = [
    "00655d9628.png",
    "22c776b059.png",
    "62e729e838.png",
    "31f17306c8.png",
    "88808139d3.png",
    "51f82fcb93.png",
    "2e4a3ab627.png",
    "15a3ba1c51.png",
    "2e5dab1969.png",
]


@pytest.mark.parametrize("name", REAL)
def test_real_bars_of_every_form(shared, engine, name):
    with open(shared / "scalebars" / "emps-train.csv", encoding="utf-8") as handle:
        truth = next(r for r in csv.DictReader(handle) if r["filename"] == name)
    bar = read_scale_bar(load_image(shared / "emps-train" / "images" / name), engine=engine)
    assert (bar.value, bar.unit) == (float(truth["value"]), truth["unit"])
    assert bar.length_px == pytest.approx(float(truth["bar_px"]), rel=0.025)
    assert bar.nm_per_px is not None
    assert bar.source == "bar"
    assert bar.y == pytest.approx(float(truth["y"]), abs=6)


@pytest.mark.parametrize("name", ["0fa38de2c7.png", "296a52bf09.png"])
def test_real_micrographs_without_a_bar_get_no_scale(shared, engine, name):
    bar = read_scale_bar(load_image(shared / "emps-train" / "images" / name), engine=engine)
    assert bar.nm_per_px is None
    assert bar.reason


def test_a_bar_without_text_is_measured_and_takes_the_captions_length(shared):
    image = load_image(shared / "emps-train" / "images" / "01ac659240.png")
    silent = read_scale_bar(image, engine=NoOcr())
    assert silent.nm_per_px is None
    assert silent.length_px == pytest.approx(71.5, rel=0.02)
    told = read_scale_bar(image, engine=NoOcr(), statements=[ScaleStatement(10.0, ("a",), "bar: 10 nm", 0, 9)])
    assert told.source == "caption"
    assert told.nm_per_px == pytest.approx(10 / 71.5, rel=0.02)


def test_a_figure_of_an_article(shared, engine):
    figure = load_image(shared / "samples" / "jats" / "PMC7052380" / "fchem-08-00104-g0004.jpg")
    panel = np.ascontiguousarray(figure[:422, :590])
    bar = read_scale_bar(panel, engine=engine)
    assert (bar.value, bar.unit) == (2.0, "um")
    assert bar.length_px == pytest.approx(118.5, rel=0.03)


@pytest.mark.parametrize("style", ["plain", "boxed", "capped"])
def test_drawn_bars(engine, style):
    rng = np.random.default_rng(7)
    image, truth, _ = draw_scale_bar(
        rng, micrograph(), 2.0, style=style, length_nm=200.0, font_name="sans-bold", corner="lower right"
    )
    bar = read_scale_bar(image, engine=engine)
    assert (bar.value, bar.unit) == (200.0, "nm")
    assert bar.nm_per_px == pytest.approx(truth.nm_per_px, rel=0.02)
    assert bar.confidence > 0.5


def test_a_data_bar(engine):
    image, truth, _ = draw_info_bar(np.random.default_rng(2), micrograph(shape=(768, 1024)), 2.0, style="zeiss")
    bar = read_scale_bar(image, engine=engine)
    assert bar.nm_per_px == pytest.approx(truth.nm_per_px, rel=0.03)


def test_a_coloured_bar_of_the_grounds_own_grey(engine):
    grey, truth, cover = draw_scale_bar(
        np.random.default_rng(1), micrograph(level=100), 2.0, style="plain", length_nm=200.0, colour=255
    )
    image = np.repeat(grey[..., None], 3, axis=2)
    image[cover] = (230, 40, 60)  # luma 99
    bar = read_scale_bar(image, engine=engine)
    assert bar.nm_per_px == pytest.approx(truth.nm_per_px, rel=0.03)


def test_what_is_excluded_is_not_this_panels_scale():
    image = micrograph()
    image[380:386, 300:400] = 255
    text = TextBox("200 nm", 0.99, Box(315, 352, 385, 374))
    assert read_scale_bar(image, engine=NoOcr(text)).length_px == pytest.approx(100, abs=0.5)
    hidden = read_scale_bar(image, engine=NoOcr(text), exclude=[Box(260, 300, 500, 420)])
    assert hidden.nm_per_px is None


def test_two_bars_that_disagree_give_no_scale():
    image = micrograph()
    image[380:386, 300:400] = 255
    image[380:386, 60:120] = 255
    texts = [TextBox("200 nm", 0.99, Box(315, 352, 385, 374)), TextBox("20 nm", 0.99, Box(65, 352, 115, 374))]
    bars = read_scale_bars(image, engine=NoOcr(), texts=texts)
    assert len(bars) >= 2
    assert all(bar.nm_per_px is None for bar in bars)
    assert "disagree" in bars[0].reason


def test_below_the_threshold_there_is_no_scale_but_a_reason():
    image = micrograph()
    image[380:386, 300:400] = 255
    text = TextBox("200 nm", 0.99, Box(315, 352, 385, 374))
    strict = read_scale_bar(image, engine=NoOcr(text), settings=ScaleBarSettings(threshold=1.0))
    assert strict.nm_per_px is None
    assert "below" in strict.reason
    assert strict.value == 200


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((20, 20), np.uint8),
        np.zeros((1, 1), np.uint8),
        np.zeros((300, 300, 3), np.uint8),
        np.full((6, 700), 255, np.uint8),
        np.full((200, 200), 255, np.uint8),
    ],
    ids=["20 px", "one pixel", "black colour", "strip", "white"],
)
def test_bad_images_get_an_answer(engine, image):
    bar = read_scale_bar(image, engine=engine)
    assert bar.nm_per_px is None
    assert bar.reason


def test_a_bar_as_long_as_the_picture_is_no_scale_bar():
    image = micrograph()
    image[380:386] = 255
    bar = read_scale_bar(image, engine=NoOcr(TextBox("200 nm", 0.99, Box(225, 352, 295, 374))))
    assert bar.nm_per_px is None


def test_a_sixteen_bit_picture_is_read_as_its_eight_bit_twin(tmp_path):
    image = micrograph()
    image[380:386, 300:400] = 255
    Image.fromarray(image.astype(np.uint16) * 200).save(tmp_path / "deep.tif")
    text = TextBox("200 nm", 0.99, Box(315, 352, 385, 374))
    bar = read_scale_bar(load_image(tmp_path / "deep.tif"), engine=NoOcr(text))
    assert bar.nm_per_px == pytest.approx(2.0, rel=0.01)


def test_a_bar_that_runs_out_of_the_picture_is_not_trusted_more_than_a_whole_one():
    image = micrograph()
    image[380:386, 300:400] = 255
    text = TextBox("200 nm", 0.99, Box(315, 352, 385, 374))
    whole = read_scale_bar(image, engine=NoOcr(text))
    cut = read_scale_bar(np.ascontiguousarray(image[:, :390]), engine=NoOcr(text))
    assert cut.confidence < whole.confidence


def test_one_look_at_the_foot_and_a_glance_at_the_rest_are_enough_where_the_text_is_clear():
    image = micrograph()
    image[380:386, 300:400] = 255
    engine = NoOcr(TextBox("200 nm", 0.99, Box(315, 352, 385, 374)))
    read_scale_bar(image, engine=engine)
    assert engine.looks <= 3


def test_hundreds_of_texts_are_read_in_bounded_work():
    image = micrograph()
    image[380:386, 300:400] = 255
    rng = np.random.default_rng(0)
    places = [(int(x), int(y)) for x, y in zip(rng.integers(0, 450, 600), rng.integers(0, 300, 600), strict=True)]
    texts = [TextBox(f"{i} nm", 0.9, Box(x, y, x + 40, y + 12)) for i, (x, y) in enumerate(places)]
    texts.append(TextBox("200 nm", 0.99, Box(315, 352, 385, 374)))
    engine = NoOcr(*texts)
    bars = read_scale_bars(image, engine=engine)
    assert len(bars) <= 2 * MAX_READINGS
    assert engine.looks <= 2 + MAX_READINGS + MAX_LONE_LOOKS + MAX_VOTES * len(VOTE_ZOOMS)


# ---------------------------------------------------------------- the command


@pytest.fixture
def drawn(tmp_path):
    image, truth, _ = draw_scale_bar(
        np.random.default_rng(7), micrograph(), 2.0, style="plain", length_nm=200.0, font_name="sans-bold"
    )
    path = tmp_path / "drawn.png"
    Image.fromarray(image).save(path)
    return path, truth


def test_json_has_one_object_a_line(drawn, tmp_path):
    path, truth = drawn
    black = tmp_path / "black.tif"
    Image.fromarray(np.zeros((60, 60), np.uint16)).save(black)
    done = CliRunner().invoke(command, [str(path), str(black), "--json"])
    assert done.exit_code == 0
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["file"] == str(path)
    assert (first["value"], first["unit"]) == (200.0, "nm")
    assert first["nm_per_px"] == pytest.approx(truth.nm_per_px, rel=0.02)
    assert first["x1"] - first["x0"] == pytest.approx(first["length_px"], abs=1e-3)
    keys = ("value", "unit", "length_px", "x0", "x1", "y", "nm_per_px", "text")
    assert [second[key] for key in keys] == [None] * len(keys)
    assert 0 <= second["confidence"] <= 1


def test_a_missing_file_is_one_line_and_the_rest_is_done(drawn, tmp_path):
    path, _ = drawn
    done = CliRunner().invoke(command, [str(tmp_path / "none.png"), str(path), "--json"])
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr.strip().endswith("no such file")


def test_the_picture_is_drawn(drawn, tmp_path):
    path, _ = drawn
    out = tmp_path / "seen.png"
    assert CliRunner().invoke(command, [str(path), "--picture", str(out)]).exit_code == 0
    seen = np.asarray(Image.open(out))
    assert seen.shape[0] > 420
    assert seen.ndim == 3
    red = (seen[..., 0] > 200) & (seen[..., 1] < 80)
    assert red.sum() > 50


def test_a_picture_of_two_images_is_refused(drawn, tmp_path):
    path, _ = drawn
    done = CliRunner().invoke(command, [str(path), str(path), "--picture", str(tmp_path / "a.png")])
    assert isinstance(done.exception, UsageError)
