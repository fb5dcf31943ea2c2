"""Lengths told apart from everything else that is printed on a micrograph."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagedataextractor.ocr import TextBox
from imagedataextractor.records import Box
from imagedataextractor.scalebar.text import find_readings, read_field_width, read_magnification, roundness


def line(text: str, x: int = 10, y: int = 10, score: float = 0.98) -> TextBox:
    return TextBox(text, score, Box(x, y, x + 9 * len(text), y + 16))


def read(*texts: str) -> list[tuple[float, str]]:
    return [(r.value, r.unit) for r in find_readings([line(t, y=10 + 40 * i) for i, t in enumerate(texts)])]


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("200 nm", 200, "nm"),
        ("200nm", 200, "nm"),
        ("0.5 µm", 0.5, "um"),
        ("0.5 μm", 0.5, "um"),
        ("1um", 1, "um"),
        ("1.00um", 1, "um"),
        ("0,2 µm", 0.2, "um"),
        (".5 µm", 0.5, "um"),
        ("2 µ m", 2, "um"),
        ("1 mm", 1, "mm"),
        ("5 Å", 5, "Å"),
        ("10 microns", 10, "um"),
    ],
)
def test_lengths_as_printed(text, value, unit):
    assert read(text) == [(value, unit)]
    assert find_readings([line(text)])[0].clean >= 0.8


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("2OO nm", 200, "nm"),
        ("l µm", 1, "um"),
        ("S00 nm", 500, "nm"),
        ("05 µm", 0.5, "um"),
        ("100 nrn", 100, "nm"),
        ("50 hm", 50, "nm"),
        ("5 pm", 5, "um"),
        ("20 jm", 20, "um"),
        ("5.00ur", 5, "um"),
        ("—200 nm—", 200, "nm"),
        ("10.nm", 10, "nm"),
        ("50 mm", 50, "nm"),
    ],
)
def test_what_ocr_makes_of_lengths_is_undone(text, value, unit):
    assert read(text) == [(value, unit)]


@pytest.mark.parametrize(
    "text",
    [
        "WD = 7.5 mm",
        "WD 8.6mm 5.00kV x200",
        "EHT = 20.00 kV",
        "Mag = 3.00 K X",
        "x25,000",
        "15.0kV SEI",
        "Date :31 Jan 2018",
        "HFW 5.97 µm",
        "Aperture Size = 30.00 µm",
        "d = 0.21 nm",
        "12 ± 3 nm",
        "7.0 ± 3.1 nm",
        "SiO2",
        "Signal A = InLens",
        "2.4 nm/px",
        "Au@Ag NP-5",
        "",
    ],
)
def test_other_things_are_no_lengths(text):
    assert read(text) == []


def test_a_length_inside_an_instruments_line_is_found_where_it_stands():
    (reading,) = find_readings([TextBox("WD 8.6mm 5.00kV x200 200um", 0.99, Box(0, 0, 260, 16))])
    assert (reading.value, reading.unit) == (200, "um")
    assert 195 <= reading.box.x0 <= 215
    assert not reading.alone


def test_a_working_distance_labelled_beside_or_above_is_no_scale():
    beside = [TextBox("WD", 1.0, Box(10, 10, 30, 26)), TextBox("5mm", 1.0, Box(36, 10, 64, 26))]
    above = [TextBox("HFW", 1.0, Box(10, 10, 40, 22)), TextBox("592 nm", 1.0, Box(10, 24, 60, 36))]
    assert find_readings(beside) == []
    assert find_readings(above) == []


def test_number_and_unit_in_two_boxes_are_joined():
    parts = [TextBox("200", 0.9, Box(10, 10, 40, 26)), TextBox("nm", 0.8, Box(46, 11, 66, 26))]
    (reading,) = find_readings(parts)
    assert (reading.value, reading.unit, reading.score) == (200, "nm", 0.8)
    assert reading.box == Box(10, 10, 66, 26)


def test_far_apart_they_are_not():
    parts = [TextBox("200", 0.9, Box(10, 10, 40, 26)), TextBox("nm", 0.8, Box(146, 11, 166, 26))]
    assert find_readings(parts) == []


def test_the_rounder_of_two_lengths_comes_first():
    assert read("592 nm", "200 nm") == [(200, "nm"), (592, "nm")]


@pytest.mark.parametrize(
    ("text", "magnification"),
    [
        ("x25,000", 25000),
        ("X 5.00k", 5000),
        ("Mag = 3.00 K X", 3000),
        ("Direct Mag: 60000x", 60000),
        ("S4800 15.0kV 7.8mm x30.0k SE(U)", 30000),
        ("200 nm", None),
        ("no 5 text", None),
    ],
)
def test_magnification(text, magnification):
    assert read_magnification([line(text)]) == magnification


def test_picometres_are_a_doubtful_micrometre_only_where_they_could_be_meant():
    assert [r.doubtful_unit for r in find_readings([line("500 pm")])] == [True]
    assert [r.doubtful_unit for r in find_readings([line("5 pm")])] == [False]
    assert [r.doubtful_unit for r in find_readings([line("500 µm")])] == [False]


@pytest.mark.parametrize("text", ["10 nm⁻¹", "10 nm-1", "10 nm^-1", "5 1/nm", "10 nm²", "0 nm", "0.0 µm"])
def test_reciprocals_areas_and_nothing_are_no_lengths(text):
    assert read(text) == []


@pytest.mark.parametrize("text", ["0 100 200 nm", "12:30 200 nm", "05.11.2019 200 nm"])
def test_numbers_that_stand_before_a_length_are_not_its_thousands(text):
    assert [reading.nm for reading in find_readings([line(text)])] == [200]


@pytest.mark.parametrize("text", ["FOV:1280x960nm", "FOV: 1280 x 960nm", "1280×960nm", "F0V:1280x960nm"])
def test_the_sides_of_a_field_are_no_bar(text):
    assert read(text) == []


@pytest.mark.parametrize(
    ("text", "nm"),
    [
        ("HFW 5.97 µm", 5970),
        ("HFW: 1,280 nm", 1280),
        ("FOV:1280x960nm", 1280),
        ("View field: 5.00 µm", 5000),
        ("Width = 11.43 µm", 11430),
        ("VFW 4.1 µm", None),
        ("200 nm", None),
    ],
)
def test_printed_field_width(text, nm):
    assert read_field_width([line(text)]) == (None if nm is None else pytest.approx(nm))


def test_a_field_width_stands_below_its_heading():
    above = [TextBox("HFW", 1.0, Box(10, 10, 40, 22)), TextBox("592 nm", 1.0, Box(10, 24, 60, 36))]
    assert read_field_width(above) == 592


def test_round_numbers():
    assert roundness(200) == roundness(0.05) == 1.0
    assert roundness(0.34) == roundness(592) == 0.0
    assert 0 < roundness(35) < roundness(300) < 1


@given(st.text(max_size=40))
def test_any_text_gives_an_answer_or_none(text):
    for reading in find_readings([line(text)]):
        assert reading.value > 0
        assert 0 <= reading.clean <= 1
