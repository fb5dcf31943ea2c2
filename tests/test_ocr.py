"""The OCR seam: both engines read real pixels, offline, in the image's own coordinates."""

from __future__ import annotations

import csv
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from imagedataextractor.errors import UsageError
from imagedataextractor.images import load_image
from imagedataextractor.ocr import MAX_LINES, load_engine
from imagedataextractor.records import Box
from imagedataextractor.scalebar.text import find_readings


def page(text: str, *, light: int = 230, dark: int = 20, size: int = 22, at=(150, 240)) -> np.ndarray:
    """A 400 x 300 picture with one line of text."""
    image = Image.new("L", (400, 300), dark)
    ImageDraw.Draw(image).text(at, text, fill=light, font=ImageFont.load_default(size))
    return np.asarray(image)


def need_tesseract() -> None:
    pytest.importorskip("pytesseract")
    if shutil.which("tesseract") is None:
        pytest.skip("the program tesseract is not installed")


@pytest.fixture(params=["rapidocr", "tesseract"])
def engine(request):
    if request.param == "tesseract":
        need_tesseract()
    return load_engine(request.param)


@pytest.mark.parametrize(("light", "dark"), [(230, 20), (10, 220)])
def test_reads_a_scale_text_and_says_where_it_is(engine, light, dark):
    lines = engine.read(page("200 nm", light=light, dark=dark))
    assert [line.text.replace(" ", "") for line in lines] == ["200nm"]
    assert lines[0].score > 0.5
    truth = Box(151, 247, 226, 262)
    assert lines[0].box.intersection(truth).area > 0.8 * truth.area
    assert lines[0].box.area < 4 * truth.area


def test_a_region_enlarged_answers_in_coordinates_of_the_whole_image(engine):
    image = page("50 nm", size=12, at=(300, 280))
    (line,) = engine.read(image, region=Box(200, 250, 400, 300), enlarge=2.0)
    assert line.text.replace(" ", "") == "50nm"
    assert 295 <= line.box.x0 <= 302
    assert 330 <= line.box.x1 <= 345
    assert line.box.y0 >= 275


@pytest.mark.parametrize("turn", [90, 270], ids=["upwards", "downwards"])
def test_upright_text_is_read_whichever_way_it_runs(turn):
    line = Image.fromarray(page("200 nm")[236:274, 140:236]).rotate(turn, expand=True)
    image = Image.new("L", (300, 300), 20)
    image.paste(line, (200, 100))
    (found,) = load_engine().read(np.asarray(image))
    assert found.text.replace(" ", "") == "200nm"
    assert found.box.height > 1.5 * found.box.width


# Labelled micrographs: text on the picture, on a white box, on two makers' data bars.
REAL = ["00655d9628.png", "22c776b059.png", "410284d28b.png", "1b3c6536a3.png"]


@pytest.mark.parametrize("name", REAL)
def test_both_engines_read_real_micrographs(shared, engine, name):
    """The length printed at the foot of the picture is among what the engine reads there."""
    with open(shared / "scalebars" / "emps-train.csv", encoding="utf-8") as handle:
        row = next(r for r in csv.DictReader(handle) if r["filename"] == name)
    image = load_image(shared / "emps-train" / "images" / name)
    height, width = image.shape[:2]
    lines = engine.read(image, region=Box(0, int(0.75 * height), width, height), enlarge=2.0)
    lengths = [(r.value, r.unit) for r in find_readings(lines)]
    assert (float(row["value"]), row["unit"]) in lengths


def test_text_outside_the_region_is_not_read(engine):
    assert engine.read(page("200 nm"), region=Box(0, 0, 400, 150)) == []


def test_a_line_cut_out_is_read_without_detection(engine):
    text, score = engine.read_line(page("200 nm")[238:272, 143:234])
    assert text.replace(" ", "") == "200nm"
    assert 0.5 < score <= 1.0


@pytest.mark.parametrize("shape", [(20, 20), (1, 1), (3, 900), (40, 40, 3)])
@pytest.mark.parametrize("value", [0, 255])
def test_empty_pictures_have_no_text(engine, shape, value):
    assert engine.read(np.full(shape, value, np.uint8)) == []


def test_a_region_outside_the_image_is_empty(engine):
    assert engine.read(page("200 nm"), region=Box(500, 500, 600, 600)) == []


def test_a_large_picture_is_scaled_down_and_its_boxes_are_not():
    image = Image.effect_noise((3600, 2800), 60)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 2500, 3600, 2800), fill=0)
    draw.text((3000, 2600), "200 nm", fill=255, font=ImageFont.load_default(110))
    (line,) = load_engine().read(np.asarray(image))
    assert line.text.replace(" ", "") == "200nm"
    assert 2960 <= line.box.x0 <= 3020
    assert 3340 <= line.box.x1 <= 3420
    assert 2580 <= line.box.y0 < line.box.y1 <= 2770


def test_a_picture_full_of_text_is_read_up_to_a_bound():
    image = Image.new("L", (1400, 900), 255)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(12)
    for i in range(20):
        for j in range(16):
            draw.text((j * 86 + 8, i * 44 + 10), f"{i * 16 + j} nm", fill=0, font=font)
    lines = load_engine().read(np.asarray(image))
    assert 100 < len(lines) <= MAX_LINES


def test_engines_are_loaded_once():
    assert load_engine() is load_engine("rapidocr") or load_engine("rapidocr") is load_engine("rapidocr")


def test_an_unknown_engine_is_a_usage_error():
    with pytest.raises(UsageError, match="rapidocr, tesseract"):
        load_engine("easyocr")  # type: ignore[arg-type]


def test_tesseract_without_the_program_says_what_to_do(monkeypatch):
    pytesseract = pytest.importorskip("pytesseract")
    from imagedataextractor import ocr

    monkeypatch.setattr(pytesseract.pytesseract, "tesseract_cmd", "no-such-program")
    with pytest.raises(UsageError, match="apt install tesseract-ocr"):
        ocr._Tesseract(1)


def test_rapidocr_needs_no_network_and_prints_nothing():
    """In a process of its own, with every connection refused, as on a machine without a network."""
    code = (
        "import socket\n"
        "def refuse(*a, **k): raise OSError('no network')\n"
        "socket.socket.connect = refuse\n"
        "socket.create_connection = refuse\n"
        "import numpy as np\n"
        "from imagedataextractor.ocr import load_engine\n"
        "engine = load_engine()\n"
        "assert engine.read(np.zeros((64, 64), np.uint8)) == []\n"
        "assert engine.read_line(np.zeros((32, 64), np.uint8)) == ('', 0.0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert socket.socket.connect  # the patch stayed in the other process


def test_importing_the_seam_loads_no_engine():
    code = "import sys, imagedataextractor.ocr; print([m for m in ('rapidocr', 'onnxruntime') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
