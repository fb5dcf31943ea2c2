"""Data bars of the instruments: found, and their words understood."""

import cv2
import numpy as np
import pytest

from imagedataextractor.figures.panels.infobar import find_info_bar, parse_info
from imagedataextractor.images import load_image
from imagedataextractor.records import Box

BOX = Box(0, 0, 10, 10)


def micrograph(height=300, width=400, seed=0):
    rng = np.random.default_rng(seed)
    field = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), 4)
    return np.clip(110 + 400 * field + rng.normal(0, 8, field.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("ground", "ink"), [(0, 255), (255, 0), (40, 230)])
def test_a_bar_at_the_lower_edge_is_found_to_a_pixel_or_two(ground, ink):
    image = micrograph()
    image[270:] = ground
    cv2.putText(image, "5.0kV x30,000 SE 1um", (10, 290), cv2.FONT_HERSHEY_SIMPLEX, 0.6, ink, 1, cv2.LINE_AA)
    box = find_info_bar(image)
    assert box is not None
    assert (box.x0, box.x1, box.y1) == (0, 400, 300)
    assert abs(box.y0 - 270) <= 3


def test_a_length_over_its_line_makes_a_bar_even_where_its_letters_touch():
    image = micrograph()
    image[275:] = 0
    cv2.putText(image, "1 um", (200, 291), cv2.FONT_HERSHEY_SIMPLEX, 0.55, 255, 2, cv2.LINE_AA)
    image[290:292, 216:270] = 255
    box = find_info_bar(image)
    assert box is not None
    assert abs(box.y0 - 275) <= 3


def test_a_bar_printed_into_the_micrograph_is_cut_off_with_what_is_below_it():
    image = micrograph() // 4 + 20
    image[255:285, 20:370] = 0
    cv2.putText(image, "10.0kV 15000x SE 2 um", (30, 276), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1, cv2.LINE_AA)
    box = find_info_bar(image)
    assert box is not None
    assert abs(box.y0 - 255) <= 3
    assert box.y1 == 300


def test_a_black_box_without_an_instruments_words_is_no_bar():
    image = micrograph() // 4 + 20
    image[255:285, 20:370] = 0
    assert find_info_bar(image) is None
    cv2.putText(image, "b", (30, 276), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1, cv2.LINE_AA)
    assert find_info_bar(image) is None


@pytest.mark.parametrize(
    ("name", "height_px"), [("b0e3041a0d", 64), ("2bc87a8698", 25), ("4628753cd8", 47), ("d04d7ced9f", 30)]
)
def test_data_bars_of_real_micrographs(shared, name, height_px):
    image = load_image(shared / "emps-train" / "images" / f"{name}.png")
    box = find_info_bar(image)
    assert box is not None
    assert abs(box.height - height_px) <= 3


def test_a_micrograph_without_a_bar_has_none():
    assert find_info_bar(micrograph()) is None


def test_a_dark_micrograph_with_particles_is_no_bar():
    image = np.full((300, 400), 10, np.uint8)
    for x in range(40, 400, 60):
        cv2.circle(image, (x, 150), 20, 200, -1)
    assert find_info_bar(image) is None


@pytest.mark.parametrize(
    ("text", "kv", "times", "detector"),
    [
        ("S4800 5.0kV 8.5mm x30.0k SE(M) 1.00um", 5.0, 30000.0, None),
        ("EHT = 15.00 kV Mag = 25.00 K X Signal A = InLens", 15.0, 25000.0, "InLens"),
        ("HV 200 kV mag 50 000 x HAADF", 200.0, 50000.0, "HAADF"),
        ("WD 4.2 mm", None, None, None),
    ],
)
def test_voltage_magnification_and_detector_are_understood(text, kv, times, detector):
    info = parse_info(BOX, [text])
    assert (info.voltage_kv, info.magnification, info.detector) == (kv, times, detector)


@pytest.mark.parametrize(("style", "detector"), [("zeiss", "InLens"), ("jeol", "SEI")])
def test_a_drawn_bar_is_found_excluded_and_read(style, detector):
    from imagedataextractor.artificial.annotations import draw_info_bar
    from imagedataextractor.figures import split_figure
    from imagedataextractor.ocr import load_engine

    image = micrograph(700, 960, seed=3)
    barred, _, box = draw_info_bar(np.random.default_rng(1), image, 2.0, style=style)
    panel = split_figure(barred, ocr=load_engine("rapidocr"))[0]
    assert panel.kind == "em"
    bar = panel.info_bar
    assert bar is not None
    assert bar.box.iou(box) > 0.9
    assert bar.voltage_kv in (2.0, 5.0, 10.0, 15.0, 20.0)
    assert bar.magnification == pytest.approx(1.2e8 / (2.0 * 960), rel=0.02)
    assert bar.detector == detector
